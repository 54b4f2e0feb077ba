"""The last windows of a file, and what the file itself has of the rows that they forecast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitformer.model.data.grid import later
from bitformer.model.data.row_order import Block
from bitformer.model.errors import UserError
from bitformer.model.forecasts.new_rows import NewRows

__all__ = ["RecentWindows", "recent_windows"]


@dataclass(frozen=True, kw_only=True)
class RecentWindows:
    """Windows a row apart, the newest last.

    Parameters
    ----------
    x : float64 [N, steps, inputs]; standardised.
    clock : int64 [N, numbers]; the time of each window, as the model's calendar has it.
    lines : int64 [N]; the file's line of each window's last row.
    times : float64 [N, horizon]; of the rows that are forecast; None without times.
    truths : of each target, float64 [N, horizon]; it in the file's units, NaN where the file has
        none; None if it has no column of it.
    series : str [N]; names of the windows' series; empty where the file holds one.
    notes : sentences for people.
    """

    x: np.ndarray
    clock: np.ndarray
    lines: np.ndarray
    times: np.ndarray | None
    truths: tuple[np.ndarray | None, ...]
    series: tuple[str, ...]
    notes: tuple[str, ...]


def recent_windows(
    rows: NewRows,
    *,
    window: int,
    horizon: int,
    ahead: int = 1,
    count: int = 1,
    line: int | None = None,
    calendar: Sequence[str] = (),
) -> RecentWindows:
    """Return the last ``count`` windows of each series in a file; no window spans a gap.

    Parameters
    ----------
    rows
        A file's rows.
    window, horizon
        Rows that a model sees and forecasts.
    ahead
        Rows from a window's last to the first of its forecast.
    count
        How many windows.
    line
        The file's line that the newest window ends at or before; by default its last.
    calendar
        Numbers of the calendar that the model takes.

    Raises
    ------
    UserError
        If no stretch of rows is as long as a window, or rows lack a number of the calendar.
    """
    cleaned = rows.cleaned
    lines, blocks = cleaned.rows.lines, cleaned.blocks
    lasts = [_last(lines[block.start : block.stop], line) + block.start for block in blocks]
    ends, whole, longest = [], True, 0
    for block, last in zip(blocks, lasts, strict=True):
        within = [(a, min(b, last)) for a, b in cleaned.segments if block.start <= a < last]
        found = np.concatenate(
            [np.empty(0, int), *(np.arange(start + window, stop + 1) for start, stop in within)]
        )[-count:]
        ends.append(found)
        longest = max([longest, *(stop - start for start, stop in within)])
        whole = whole and len(found) > 0 and found[-1] == last
    if not any(map(len, ends)):
        upto = "" if line is None else f" up to line {line}"
        raise UserError(
            f"{rows.name} must have {window} rows without a gap{upto} for a window of this model,"
            f" and its longest stretch of {lasts[-1]} rows is {longest}"
        )
    notes = []
    for block, found in zip(blocks, ends, strict=True):
        which = f"Series {block.name} of {rows.name}" if block.name else rows.name
        if len(found) < count:
            notes.append(f"{which} has {len(found)} windows for forecasts, not {count}")
    if not whole:
        newest = ", ".join(str(lines[found[-1] - 1]) for found in ends if len(found))
        s = "s end" if "," in newest else " ends"
        notes.append(f"The newest whole window{s} at line {newest}")
    names = [block.name for block, found in zip(blocks, ends, strict=True) for _ in found]
    at = np.concatenate(ends)
    steps = ahead + np.arange(horizon)
    values, times = rows.values, _times(rows, at, steps)
    clock = rows.times(calendar)
    return RecentWindows(
        x=np.stack([values[end - window : end] for end in at]),
        clock=np.zeros((len(at), 0), np.int64) if clock is None else clock[at - 1],
        lines=lines[at - 1],
        times=times,
        truths=tuple(
            None if truth is None else _truths(rows, truth, ends, steps, times)
            for truth in rows.truths
        ),
        series=tuple(names) if len(blocks) > 1 else (),
        notes=tuple(notes),
    )


def _last(lines: np.ndarray, line: int | None) -> int:
    """Return how many rows of a series there are up to a line of the file; all without one."""
    if line is None:
        return len(lines)
    backwards = len(lines) > 1 and lines[0] > lines[-1]
    return int((lines >= line).sum() if backwards else (lines <= line).sum())


def _times(rows: NewRows, ends: np.ndarray, steps: np.ndarray) -> np.ndarray | None:
    """Return the times of the rows ``steps`` after each window's last."""
    times, step = rows.cleaned.rows.times, rows.cleaned.step
    if times is None or step is None:
        return None
    return np.stack([later(times[end - 1], step, steps) for end in ends])


def _truths(
    rows: NewRows,
    truth: np.ndarray,
    ends: list[np.ndarray],
    steps: np.ndarray,
    times: np.ndarray | None,
) -> np.ndarray:
    """Return the target of the rows ``steps`` after each window's last, in its own series."""
    found, done = [], 0
    for block, own in zip(rows.cleaned.blocks, ends, strict=True):
        known = None if times is None else times[done : done + len(own)]
        found.append(_truth(rows, truth, block, own, steps, known))
        done += len(own)
    return np.concatenate(found)


def _truth(
    rows: NewRows,
    truth: np.ndarray,
    block: Block,
    ends: np.ndarray,
    steps: np.ndarray,
    times: np.ndarray | None,
) -> np.ndarray:
    """Return the target of the rows after each window; of those at the times, if known."""
    step = rows.cleaned.step
    truth = truth[block.start : block.stop]
    places = ends[:, None] - 1 - block.start + steps
    found = np.full(places.shape, np.nan)
    if times is not None and rows.cleaned.rows.times is not None and step is not None:
        # the row nearest to each time
        there = rows.cleaned.rows.times[block.start : block.stop]
        places = np.searchsorted(there, times - step.length / 2)
        inside = places < len(truth)
        inside[inside] = np.abs(there[places[inside]] - times[inside]) < step.length / 2
    else:
        inside = places < len(truth)
    found[inside] = truth[places[inside]]
    return found
