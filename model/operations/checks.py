"""Refusals that the checks of several operations share, and the limits of their integers."""

from typing import NoReturn

import numpy as np

from bitformer.model import numerics
from bitformer.model.errors import UserError

__all__ = [
    "LARGEST_BIAS",
    "LARGEST_DOT",
    "LARGEST_MULTIPLIER",
    "LARGEST_SUM",
    "check_array",
    "check_multiplier",
    "check_shape",
    "check_shift",
    "fail",
]

LARGEST_BIAS = 1 << 40
LARGEST_MULTIPLIER = (1 << (numerics.MULTIPLIER_BITS - 1)) - 1
#: A dot product that float64 holds exactly, with a bit to spare to round.
LARGEST_DOT = 1 << 52
#: A sum that int64 holds exactly, with a bit to spare to round.
LARGEST_SUM = 1 << 61
_SHIFTS = range(49)


def fail(where: str, what: str, must: str, was: object) -> NoReturn:
    """Raise :class:`UserError`: ``where`` the model is wrong, and what it must be."""
    raise UserError(f"{where}: {what} must be {must}, not {was}")


def check_array(where: str, name: str, array, shape: tuple[int, ...], low: int, high: int) -> None:
    """Refuse anything but an int64 array of ``shape`` within ``low``..``high``."""
    kind = getattr(array, "dtype", type(array).__name__)
    if not isinstance(array, np.ndarray) or kind != np.int64:
        fail(where, name, "an int64 array", kind)  # sums of fewer bits would wrap
    if array.shape != shape:
        fail(where, name, f"of shape {shape}", array.shape)
    if array.size and (array.min() < low or array.max() > high):
        fail(where, name, f"within {low}..{high}", f"{array.min()}..{array.max()}")


def check_multiplier(where: str, multiplier: int) -> None:
    """Refuse a multiplier that is not positive, or too long."""
    if not 0 < multiplier <= LARGEST_MULTIPLIER:
        fail(where, "multiplier", f"1 to {LARGEST_MULTIPLIER}", multiplier)


def check_shape(where: str, name: str, was: tuple[int, int], must: tuple[int, int]) -> None:
    """Refuse a tensor of another shape."""
    if was != must:
        fail(where, name, f"of shape {must}", was)


def check_shift(where: str, name: str, shift: int) -> None:
    """Refuse a shift that the requantizer does not have."""
    if shift not in _SHIFTS:
        fail(where, name, f"0 to {_SHIFTS[-1]}", shift)
