"""Where a classifier's training windows may begin instead: anywhere in the stretch they lie in.

A stretch is of one recording, one class and the training part, without a gap. Of rows that
``every`` thins, those left out between them belong to it, too.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

__all__ = ["WindowStarts", "stretches_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowStarts:
    """All rows, those left out by ``every`` among them, and the training stretches of them.

    Parameters
    ----------
    rows : float64 [all rows, m]; z-scores by the scales of the data.
    place : int64 [rows]; where each row of the data is among all rows.
    start, stop : int64 [rows]; the stretch of each row among all rows; empty outside of training.
    every : rows from one row of the data to the next.
    """

    rows: np.ndarray
    place: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    every: int

    def limits(self, begin: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where windows begin among all rows, and the first and last row where they may.

        Parameters
        ----------
        begin
            First row of each window among the rows of the data, int64 [N].
        window
            Rows of a window.

        Returns
        -------
        three int64 arrays [N]
            A window that a gap between its rows keeps in its place may begin there alone.
        """
        place = self.place[begin]
        last = self.stop[begin] - (window - 1) * self.every - 1
        fits = (self.start[begin] <= place) & (place <= last)
        return (
            place,
            np.where(fits, self.start[begin], place),
            np.where(fits, last, place),
        )


def stretches_of(
    values: np.ndarray,
    place: np.ndarray,
    ranges: Sequence[tuple[int, int]],
    *,
    every: int,
) -> WindowStarts:
    """Return the stretches of rows by the row ranges (start, stop) of each, in order.

    Parameters
    ----------
    values
        All rows, float64 [all rows, m], as z-scores.
    place
        Where each row of the data is among them, int64 [rows].
    ranges
        Of the training stretches, among all rows.
    every
        Rows from one row of the data to the next.
    """
    start, stop = np.zeros((2, len(values)), np.int64)
    for first, end in ranges:
        start[first:end], stop[first:end] = first, end
    return WindowStarts(rows=values, place=place, start=start[place], stop=stop[place], every=every)
