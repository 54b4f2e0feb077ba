"""Windows that the host scales one by one, before and after the chip.

A window's values become ``(x - mean) / sqrt(variance + floor)`` by its own mean and variance, and a
forecast is turned back by the same two. The chip sees neither: it has no unit for them.
"""

from typing import Any

import numpy as np

__all__ = ["scale_of", "scaled", "turned_back"]


def scale_of(x: Any, floor: float) -> tuple[Any, Any]:
    """Return mean and scale [..., 1, 1] of windows [..., steps, 1]: an array's or a tensor's."""
    mean = x.mean(axis=-2, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-2, keepdims=True)
    return mean, (variance + floor) ** 0.5


def scaled(x: np.ndarray, floor: float) -> np.ndarray:
    """Return windows [..., steps, 1] scaled by their own mean and variance; as they are without."""
    if not floor:
        return x
    mean, scale = scale_of(np.asarray(x, np.float64), floor)
    return (x - mean) / scale


def turned_back(y: np.ndarray, x: np.ndarray, floor: float) -> np.ndarray:
    """Return results [N, outputs] for scaled windows as those for windows ``x`` [N, steps, 1]."""
    if not floor:
        return y
    mean, scale = scale_of(np.asarray(x, np.float64), floor)
    return y * scale[..., 0] + mean[..., 0]
