"""Windows as tensors on a device: rows lie there once, and windows are gathered when asked for.

A million rows of seven columns are 28 MB; their windows of 96 rows would be 2.7 GB.
"""

import numpy as np
import torch
from torch import Tensor

from bitformer.model.data.windows import Windows

__all__ = ["WindowTensors", "some_windows"]

#: Windows that scales are taken from, in so many stretches, where there are more.
_SOME, _STRETCHES = 1 << 16, 64


class WindowTensors:
    """Parts of windows, float32, gathered by their numbers.

    Parameters
    ----------
    rows
        Rows that windows are cut from, [rows, m] or [rows].
    first
        First row of each part, int64 [N].
    length
        Rows of a part.
    device
        Where all of it lies.
    columns
        Whether a part of several columns is one column after the other, [n, m * length].

    ``windows[which]`` are those of a slice or a tensor of numbers: [n, length, m] or [n, length].
    """

    def __init__(
        self,
        rows: np.ndarray,
        first: np.ndarray,
        length: int,
        device: torch.device,
        *,
        columns: bool = False,
    ):
        self._columns = columns
        self._rows = torch.tensor(rows, dtype=torch.float32, device=device)
        self._first = torch.tensor(first, device=device)
        self._steps = torch.arange(length, device=device)

    @classmethod
    def inputs(cls, windows: Windows, device: torch.device) -> "WindowTensors":
        """Return the inputs of ``windows``."""
        return cls(windows.inputs, windows.begin, windows.window, device)

    @classmethod
    def targets(cls, windows: Windows, device: torch.device) -> "WindowTensors":
        """Return the targets of ``windows``."""
        several = windows.target.ndim > 1
        return cls(windows.target, windows.first, windows.horizon, device, columns=several)

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, which: Tensor | slice) -> Tensor:
        found = self._rows[self._first[which][:, None] + self._steps]
        return found.transpose(1, 2).flatten(1) if self._columns else found


def some_windows(windows: Windows, *, most: int = _SOME) -> Tensor:
    """Return the numbers, in order, of the windows that scales are taken from.

    All of them; of more than ``most``, stretches that are evenly spaced, and windows with the
    lowest and the highest value of each column.
    """
    count = len(windows)
    if count <= most:
        return torch.arange(count)
    length = most // _STRETCHES
    starts = np.linspace(0, count - length, _STRETCHES).astype(int)
    chosen = [start + np.arange(length) for start in starts]
    for column in windows.inputs.T:
        # the first windows that reach as far as these rows
        ends = _extremes(column, windows.begin, range(windows.window))
        chosen.append(np.searchsorted(windows.last, ends))
    for column in windows.target.reshape(len(windows.target), -1).T:
        ends = _extremes(column, windows.first, range(windows.horizon))
        chosen.append(np.searchsorted(windows.first, ends, "right") - 1)
    return torch.from_numpy(np.unique(np.concatenate(chosen)))


def _extremes(column: np.ndarray, first: np.ndarray, offsets: range) -> np.ndarray:
    """Return the rows of the lowest and the highest value among those in windows."""
    used = np.zeros(len(column), bool)
    for offset in offsets:
        used[first + offset] = True
    rows = np.flatnonzero(used)
    return rows[[np.argmin(column[rows]), np.argmax(column[rows])]]
