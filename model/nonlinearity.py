"""The function between the two layers of a feed-forward network, in every form that computes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["RELU", "Nonlinearity"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Nonlinearity:
    """A function of each result of a linear layer.

    Parameters
    ----------
    numpy, torch : the function of real values, for an array and for a tensor.
    zero : the zero point that its results have, by their bits.
    fields : what the integer :class:`bitformer.model.operations.Linear` is made with to apply it.
    """

    numpy: Callable[[np.ndarray], np.ndarray]
    torch: Callable[[Any], Any]
    zero: Callable[[int], int]
    fields: Mapping[str, Any]


#: Nothing lies below 0, so that 0 is the lowest number.
RELU = Nonlinearity(
    numpy=lambda x: np.maximum(x, 0),
    torch=lambda x: x.relu(),
    zero=lambda bits: -(1 << (bits - 1)),
    fields={"relu": True},
)
