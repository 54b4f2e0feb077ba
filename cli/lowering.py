"""Lowers a model for a command, with a bar while orders of its rows are tried."""

from typing import Any

import bitformer
from bitformer.model.progress import busy, progress_bar

__all__ = ["lowered"]


def lowered(
    model: "bitformer.Model", *, effort: int, **options: Any
) -> "bitformer.AcceleratorDesign":
    """Return the design of a model; ``options`` are those of :func:`bitformer.lower`."""
    if not effort:
        with busy("Lowering the model"):
            return bitformer.lower(model, **options)
    with progress_bar() as progress:
        return bitformer.lower(model, effort=effort, progress=progress, **options)
