"""Missing cells and gaps in time: which are filled, and which end a stretch of rows.

- Times must rise: a time that stands twice and a time that goes back are refused, by line.
- The step is the median distance of neighbouring times. A distance below half or above one and a
  half steps is a gap.
- A run of at most ``max_fill`` missing cells in a column takes the last value before it, if that
  stands in the same stretch of regular time. Nothing is ever filled from the future.
- Rows that still lack a cell, and gaps in time, cut the series into segments. No window spans one.
"""

import dataclasses

import numpy as np

from bitformer.model.csv_source import Series, summer_time
from bitformer.model.errors import UserError
from bitformer.model.reading import Reading


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clean:
    """A series whose every row inside a segment is complete and one step after the row before.

    Parameters
    ----------
    values : float64 [rows, m]; NaN only outside of the segments.
    segments : row ranges (start, stop), in order, not empty.
    step : distance of two rows in the unit of the series' times; None without times.
    notes : one sentence on each thing that was filled or left out.
    """

    values: np.ndarray
    segments: tuple[tuple[int, int], ...]
    step: float | None
    notes: tuple[str, ...]


def clean(series: Series, *, reading: Reading) -> Clean:
    """Fill short gaps of ``series`` and find its segments without a gap."""
    max_fill, notes = reading.max_fill, list(series.notes)
    step, cuts = _cuts(series)
    if len(cuts):
        s = "" if len(cuts) == 1 else "s"
        notes.append(
            f"{len(cuts)} gap{s} in time, the first before line {series.lines[cuts[0]]}:"
            " no window spans one"
        )
    stretches = list(zip([0, *cuts], [*cuts, len(series.values)], strict=True))
    values = series.values.copy()
    filled = [
        sum(_fill(values[start:stop, i], max_fill) for start, stop in stretches)
        for i in range(values.shape[1])
    ]
    if any(filled):
        counts = zip(series.columns, filled, strict=True)
        each = ", ".join(f"{name} {count}" for name, count in counts if count)
        notes.append(
            f"{sum(filled)} missing cells in runs of at most {max_fill} took the value before"
            f" them ({each})"
        )
    whole = ~np.isnan(values).any(axis=1)
    lost = int((~whole).sum())
    if lost:
        notes.append(
            f"{lost} of {len(values)} rows still lack a cell and are left out: no window spans one"
        )
    segments = tuple(
        (start + a, start + b) for start, stop in stretches for a, b in _runs(whole[start:stop])
    )
    return Clean(values=values, segments=segments, step=step, notes=tuple(notes))


def _cuts(series: Series) -> tuple[float | None, np.ndarray]:
    """Return the step, and the rows that do not follow the row before them by one step."""
    if series.times is None or len(series.times) < 2:
        return None, np.empty(0, int)
    distance = np.diff(series.times)
    for wrong, what in ((distance == 0, "repeats"), (distance < 0, "goes back behind")):
        if wrong.any():
            row = int(np.argmax(wrong)) + 1
            raise UserError(
                f"Times must rise from row to row, but the time of line {series.lines[row]} {what}"
                f" that of line {series.lines[row - 1]}{summer_time(series, row)}"
            )
    step = float(np.median(distance))
    return step, np.flatnonzero((distance < step / 2) | (distance > 1.5 * step)) + 1


def _fill(column: np.ndarray, max_fill: int) -> int:
    """Fill short runs of NaN in place and return the number of cells filled."""
    filled = 0
    for start, stop in _runs(np.isnan(column)):
        if start > 0 and stop - start <= max_fill:
            column[start:stop] = column[start - 1]
            filled += stop - start
    return filled


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return the ranges (start, stop) in which ``mask`` holds."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
