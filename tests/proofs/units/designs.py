"""Designs of named configurations, whose units are proved at their own widths."""

from functools import cache

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

__all__ = ["design_of"]


@cache
def design_of(name: str) -> Design:
    """Return a named configuration, lowered as by default."""
    return lower(initialize(named_config(name)))
