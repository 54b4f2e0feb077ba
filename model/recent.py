"""The last windows of a file, and what the file itself has of the rows that they forecast."""

from dataclasses import dataclass

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.forecast_times import following
from bitformer.model.new_rows import NewRows

__all__ = ["RecentWindows", "recent_windows"]


@dataclass(frozen=True, kw_only=True)
class RecentWindows:
    """Windows a row apart, the newest last.

    Parameters
    ----------
    x : float64 [N, steps, inputs]; standardised.
    lines : int64 [N]; the file's line before each forecast.
    times : float64 [N, horizon]; of the rows that are forecast; None without times.
    truth : float64 [N, horizon]; the target in the file's units, NaN where the file has none; None
        if it has no column of it.
    notes : sentences for people.
    """

    x: np.ndarray
    lines: np.ndarray
    times: np.ndarray | None
    truth: np.ndarray | None
    notes: tuple[str, ...]


def recent_windows(
    rows: NewRows, *, window: int, horizon: int, count: int = 1, line: int | None = None
) -> RecentWindows:
    """Return the last ``count`` windows of a file's rows; no window spans a gap.

    Parameters
    ----------
    rows
        A file's rows.
    window, horizon
        Rows that a model sees and forecasts.
    count
        How many windows.
    line
        The file's line that the newest window ends at or before; by default its last.

    Raises
    ------
    UserError
        If no stretch of rows is as long as a window.
    """
    series, cleaned = rows.series, rows.cleaned
    last = len(series.lines) if line is None else int(np.searchsorted(series.lines, line, "right"))
    ends = np.concatenate(
        [
            np.empty(0, int),
            *(np.arange(start + window, stop + 1) for start, stop in cleaned.segments),
        ]
    )
    ends = ends[ends <= last]
    if not len(ends):
        longest = max((min(stop, last) - start for start, stop in cleaned.segments), default=0)
        upto = "" if line is None else f" up to line {line}"
        raise UserError(
            f"{rows.name} must have {window} rows without a gap{upto} for a window of this model,"
            f" and its longest stretch of {last} rows is {max(longest, 0)}"
        )
    notes = []
    if len(ends) < count:
        notes.append(f"{rows.name} has {len(ends)} windows for forecasts, not {count}")
    ends = ends[-count:]
    if ends[-1] != last:
        notes.append(f"The newest whole window ends at line {series.lines[ends[-1] - 1]}")
    values = rows.values
    times = _times(rows, ends, horizon)
    return RecentWindows(
        x=np.stack([values[end - window : end] for end in ends]),
        lines=series.lines[ends - 1],
        times=times,
        truth=None if rows.truth is None else _truth(rows, ends, horizon, times),
        notes=tuple(notes),
    )


def _times(rows: NewRows, ends: np.ndarray, horizon: int) -> np.ndarray | None:
    times, step = rows.series.times, rows.cleaned.step
    if times is None or step is None:
        return None
    known = times if rows.series.dated else None
    return np.stack([following(times[end - 1], horizon, step=step, times=known) for end in ends])


def _truth(rows: NewRows, ends: np.ndarray, horizon: int, times: np.ndarray | None) -> np.ndarray:
    """Return the target of the rows right after each window; of those at the times, if known."""
    truth, step = rows.truth, rows.cleaned.step
    assert truth is not None
    places = ends[:, None] + np.arange(horizon)
    found = np.full(places.shape, np.nan)
    if times is not None and rows.series.times is not None and step is not None:
        # the row nearest to each time
        there = rows.series.times
        places = np.searchsorted(there, times - step / 2)
        inside = places < len(truth)
        inside[inside] = np.abs(there[places[inside]] - times[inside]) < step / 2
    else:
        inside = places < len(truth)
    found[inside] = truth[places[inside]]
    return found
