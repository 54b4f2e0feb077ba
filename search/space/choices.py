"""Which bits each component may have, where all combinations are to be looked at."""

import math
from collections.abc import Sequence

from bitformer.model.config import TransformerConfig
from bitformer.model.precision import Precision
from bitformer.model.structure import weight_components
from bitformer.study.sensitivity import existing

__all__ = ["LARGEST", "choices_of", "combinations_of", "searchable"]

#: Larger spaces are not enumerated.
LARGEST = 300_000


def searchable(bits: Precision) -> bool:
    """Return whether a space may have these bits: rows of more than 8 take more than one pass."""
    return bits.weights <= 8 and 2 <= bits.activations <= 8


def choices_of(config: TransformerConfig, bits: Sequence[Precision]) -> list[list[int]]:
    """Return the choices of each component of ``config``, as places in ``bits``.

    All of ``bits``; but where those are too many combinations, a component without weights has one
    choice for each width of its activations: the others would be the same model.
    """
    components, every = existing(config), list(range(len(bits)))
    if len(bits) ** len(components) <= LARGEST:
        return [every] * len(components)
    first = {one.activations: place for place, one in reversed(list(enumerate(bits)))}
    owners = {*weight_components(config).values()}
    return [every if name in owners else sorted(first.values()) for name in components]


def combinations_of(config: TransformerConfig, bits: Sequence[Precision]) -> int:
    """Return how many combinations there are of the choices of all components."""
    return math.prod(map(len, choices_of(config, bits)))
