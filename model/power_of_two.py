"""Weights that are powers of two: of ``bits`` bits they are 0, ±1, ±2, ±4, … ±2**(bits - 2).

They are integers of ``bits`` bits like any others, so nothing that computes has to know them.
"""

import functools
import itertools

import numpy as np

__all__ = ["are_powers", "edge", "levels", "nearest", "thresholds", "top"]


def top(bits: int) -> int:
    """Return the largest of them."""
    return 1 << (bits - 2)


def edge(bits: int) -> float:
    """Return the magnitude from which on a number would round to a larger power of two."""
    return 1.5 * top(bits)


@functools.cache
def levels(bits: int) -> tuple[int, ...]:
    """Return all of them, in order."""
    powers = [1 << power for power in range(bits - 1)]
    return (*(-power for power in reversed(powers)), 0, *powers)


@functools.cache
def thresholds(bits: int) -> tuple[float, ...]:
    """Return the middles between neighbours, each of which rounds up."""
    return tuple((low + high) / 2 for low, high in itertools.pairwise(levels(bits)))


def nearest(x, bits: int) -> np.ndarray:
    """Round reals to the nearest of them, int64; of two equally near ones, to the higher."""
    places = np.searchsorted(np.array(thresholds(bits)), x, side="right")
    return np.array(levels(bits), dtype=np.int64)[places]


def are_powers(integers: np.ndarray) -> np.ndarray:
    """Return which integers are 0, or a power of two with any sign."""
    magnitude = np.abs(integers)
    return (magnitude & (magnitude - 1)) == 0
