"""Telling rows that a model has seen, in training or selection, from those that came later.

A model keeps the last values of the target that it was selected on. In another file, which may hold
the model's own rows and more, these values say where what is new begins.
"""

from collections.abc import Sequence

import numpy as np

from bitformer.model.data.windows import Dataset

__all__ = ["end_of_seen", "last_seen"]

#: Values that are kept.
_COUNT = 32


def last_seen(dataset: Dataset) -> list[float]:
    """Return the last targets of the validation windows, in the file's units; at most 32.

    Of several targets, they are the first one's; where these have no scales, there are none.
    """
    dataset = dataset.by_target[0]
    val = dataset.val
    if not len(val) or val.target.ndim > 1:
        return []
    end = int(val.first[-1]) + val.horizon
    values = val.target[max(0, end - _COUNT) : end] * dataset.target_std + dataset.target_mean
    return [float(f"{value:.12g}") for value in values if np.isfinite(value)]


def end_of_seen(values: np.ndarray, seen: Sequence[float]) -> int | None:
    """Return how many of the rows end with the last that was seen; None if that is not certain.

    Parameters
    ----------
    values
        The target of a file's rows, float64 [rows].
    seen
        As :func:`last_seen` gives it. A few values, or the same ones, could be anywhere: they are
        looked for nowhere. What stands there twice, as in an exact cycle, tells nothing.
    """
    mark = np.asarray(seen, dtype=float)
    if len(mark) < _COUNT // 2 or len(values) < len(mark) or np.ptp(mark) == 0:
        return None
    near = 1e-6 * np.ptp(mark)
    ends = np.flatnonzero(np.abs(values - mark[-1]) <= near) + 1
    found = [
        int(end)
        for end in ends[ends >= len(mark)]
        if np.all(np.abs(values[end - len(mark) : end] - mark) <= near)
    ]
    return found[0] if len(found) == 1 else None
