"""Mean and deviation of the rows that a model is trained on."""

from collections.abc import Sequence

import numpy as np

from bitformer.model.data.gaps import Clean
from bitformer.model.errors import UserError

__all__ = ["require_finite", "scale", "training_rows", "unchanging"]


def training_rows(cleaned: Clean, ranges: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return which rows, bool [rows], are in ``ranges`` and lack no cell."""
    used = np.zeros(len(cleaned.values), bool)
    for start, stop in ranges:
        used[start:stop] = True
    return used & ~np.isnan(cleaned.values).any(axis=1)


def scale(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of the training rows; 0 for a constant column."""
    with np.errstate(over="ignore", invalid="ignore"):  # :func:`require_finite` refuses it
        mean, std = rows.mean(axis=0), rows.std(axis=0)
    std[rows.min(axis=0) == rows.max(axis=0)] = 0.0  # not the rounding error of the mean
    return mean, std


def require_finite(name: str, columns: Sequence[str], mean: np.ndarray, std: np.ndarray) -> None:
    """Raise :class:`UserError`, naming the column, unless means and deviations are finite."""
    for column, spread, center in zip(columns, std, mean, strict=True):
        if not np.isfinite([spread, center]).all():
            raise UserError(
                f"Column {column!r} of {name} must hold numbers whose squares are finite within the"
                " training rows"
            )


def unchanging(inputs: Sequence[str], std: np.ndarray) -> list[str]:
    """Return a sentence on each input that never changes."""
    return [
        f"Input {column} never changes within the training rows: leave it out of --inputs"
        for column, spread in zip(inputs, std, strict=True)
        if spread == 0
    ]
