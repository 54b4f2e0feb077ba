"""The function between the two layers of a feed-forward network, in every form that computes it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.model.gelu import GELU_BITS, gelu_exponent, gelu_steps, gelu_zero

__all__ = ["GELU", "NONLINEARITIES", "RELU", "Nonlinearity"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Nonlinearity:
    """A function of each result of a linear layer.

    Parameters
    ----------
    numpy, torch : the function of real values, for an array and for a tensor.
    zero : the zero point that its results have, by their bits.
    fields : what the integer :class:`bitformer.model.operations.Linear` is made with to apply it.
    bits : the least and the most bits that its results may have; None for any.
    exponent : the exponent of its results, by their bits; None if a training finds it.
    steps : the function of whole steps at that exponent, by bits; None if clamping makes it.
    """

    numpy: Callable[[np.ndarray], np.ndarray]
    torch: Callable[[Any], Any]
    zero: Callable[[int], int]
    fields: Mapping[str, Any]
    bits: tuple[int, int] | None = None
    exponent: Callable[[int], int] | None = None
    steps: Callable[[np.ndarray, int], np.ndarray] | None = None


def _held(bits: int) -> int:
    """Return the bits of a table: what is kept in float32 has none, and takes the longest."""
    return min(bits, GELU_BITS[1])


#: Nothing lies below 0, so that 0 is the lowest number.
RELU = Nonlinearity(
    numpy=lambda x: np.maximum(x, 0),
    torch=lambda x: x.relu(),
    zero=lambda bits: -(1 << (bits - 1)),
    fields={"relu": True},
)
#: Some steps lie below 0: it dips to -0.17.
GELU = Nonlinearity(
    numpy=lambda x: x * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2,
    torch=lambda x: x * ((x * 0.5**0.5).erf() + 1) / 2,
    zero=lambda bits: gelu_zero(_held(bits)),
    fields={"gelu": True},
    bits=GELU_BITS,
    exponent=lambda bits: gelu_exponent(_held(bits)),
    steps=gelu_steps,
)
#: By the name that a configuration has for each.
NONLINEARITIES = {"relu": RELU, "gelu": GELU}
