"""Lost rows, missing cells and gaps in time: which are filled, and which end a stretch of rows.

- Rows lie on a grid: the step that most of them have, or the one asked for. A clock that jitters
  by less than half a step changes nothing.
- A run of at most ``max_fill`` lost rows is put in, without values; a longer one is a gap, and so
  are rows closer than half a step.
- A run of at most ``max_fill`` rows in which a column has no value takes the last value before it,
  if that stands in the same series with no gap between. Nothing is ever filled from the future.
- Rows that still lack a cell, and gaps, cut the series into segments. No window spans one.
"""

import dataclasses
import itertools

import numpy as np

from bitformer.model.data.csv_source import FILE, Series
from bitformer.model.data.grid import found_step, later, steps_between
from bitformer.model.data.reading import Reading
from bitformer.model.data.row_order import Block, in_order
from bitformer.model.data.steps import Step, step_of
from bitformer.model.data.thinning import longer, thinned
from bitformer.model.errors import UserError

__all__ = ["Clean", "clean"]

#: Lines that a sentence names.
_SHOWN = 3
#: Rows that may be put in: so many in any case, or so many for each that there is.
_MOST_LOST, _MOST_TIMES = 1_000_000, 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clean:
    """Rows of which each inside a segment is complete and one step after the row before.

    Parameters
    ----------
    rows : all of them, one series after the other, with those put in; a cell is NaN only outside of
        the segments. A row that was put in has the line of the row before it, and its own time.
    made : bool [rows]; whether a row was put in.
    blocks : where each series lies; one without a name where there are no several.
    segments : row ranges (start, stop), in order, not empty, each in one block.
    step : distance of two rows; None without times.
    notes : one sentence on each thing that was done, filled or left out.
    """

    rows: Series
    made: np.ndarray
    blocks: tuple[Block, ...]
    segments: tuple[tuple[int, int], ...]
    step: Step | None
    notes: tuple[str, ...]

    @property
    def values(self) -> np.ndarray:
        """Float64 [rows, m]."""
        return self.rows.values

    def block_of(self, row: int) -> Block:
        """Return the series in which ``row`` lies."""
        return next(block for block in self.blocks if block.start <= row < block.stop)


def clean(series: Series, *, reading: Reading) -> Clean:
    """Put the rows of ``series`` on a grid, fill short gaps, and find segments without a gap.

    Raises
    ------
    UserError
        If times repeat or go back, or the step that is asked for does not suit them.
    """
    ordered, blocks, notes = in_order(series, reading)
    notes = [*series.notes, *notes]
    step = _step(ordered, blocks, reading)
    between = [_between(ordered, block, step) for block in blocks]
    if reading.step is None:
        notes += _about_step(ordered, blocks, between, step)
    _check_lost(between, reading, step)
    spread = [
        _spread(ordered.rows(slice(block.start, block.stop)), count, step, reading.max_fill)
        for block, count in zip(blocks, between, strict=True)
    ]
    rows, made = (
        Series.joined([one for one, _, _ in spread]),
        np.concatenate([one for _, one, _ in spread]),
    )
    ends = [0, *itertools.accumulate(len(one) for _, one, _ in spread)]
    blocks = tuple(
        dataclasses.replace(block, start=start, stop=stop)
        for block, start, stop in zip(blocks, ends[:-1], ends[1:], strict=True)
    )
    cuts = [
        start + int(cut) for start, (_, _, own) in zip(ends, spread, strict=False) for cut in own
    ]
    if cuts:
        s = "" if len(cuts) == 1 else "s"
        notes.append(
            f"{len(cuts)} gap{s} in time, the first before {rows.where(cuts[0])}:"
            " no window spans one"
        )
    edges = sorted({*ends, *cuts})
    stretches = [pair for pair in itertools.pairwise(edges) if pair[0] < pair[1]]
    values, filled = _filled(rows.values, stretches, reading.max_fill)
    rows = dataclasses.replace(rows, values=values)
    notes += _about_filled(rows, made, filled, step, reading.max_fill)
    if reading.every > 1:
        kept, blocks, stretches = thinned(blocks, stretches, reading.every)
        step = longer(step, reading.every)
        notes.append(
            f"Of each {reading.every} rows one counts (--every {reading.every}): {len(kept)} of"
            f" {len(made)}"
        )
        rows, made = rows.rows(kept), made[kept]
    whole = ~np.isnan(rows.values).any(axis=1)
    notes += _about_left(whole)
    segments = tuple(
        (start + a, start + b) for start, stop in stretches for a, b in _runs(whole[start:stop])
    )
    return Clean(
        rows=rows, made=made, blocks=blocks, segments=segments, step=step, notes=tuple(notes)
    )


def _step(series: Series, blocks: tuple[Block, ...], reading: Reading) -> Step | None:
    """Return the step that is asked for, or else that of most rows."""
    if series.times is None:
        return None
    found = found_step(
        [series.times[block.start : block.stop] for block in blocks], dated=series.dated
    )
    if reading.step is None or found is None:
        return found
    asked = step_of(reading.step, dated=series.dated)
    return dataclasses.replace(asked, length=found.length) if asked.unit == "row" else asked


def _between(series: Series, block: Block, step: Step | None) -> np.ndarray:
    """Return the steps between the rows of one series, int64 [rows - 1]."""
    if series.times is None or step is None:
        return np.ones(max(0, block.stop - block.start - 1), int)
    return steps_between(series.times[block.start : block.stop], step)


def _check_lost(between: list[np.ndarray], reading: Reading, step: Step | None) -> None:
    """Raise UserError if far more rows would be put in than there are."""
    rows = sum(len(count) + 1 for count in between)
    lost = sum(int((own[own - 1 <= reading.max_fill] - 1).clip(0).sum()) for own in between)
    if lost > max(_MOST_LOST, _MOST_TIMES * rows):
        raise UserError(
            f"A step of {step} puts {lost} rows between {rows}, which is too many: name a longer"
            " one with --step, or fewer with --max-fill"
        )


def _spread(
    series: Series, between: np.ndarray, step: Step | None, max_fill: int
) -> tuple[Series, np.ndarray, np.ndarray]:
    """Return the rows of one series with lost ones put in, which these are, and where gaps end."""
    if not len(series.values):
        return series, np.empty(0, bool), np.empty(0, int)
    gap = (between < 1) | (between - 1 > max_fill)
    places = np.r_[0, np.cumsum(np.where(gap, 1, between))]
    made = np.ones(places[-1] + 1, bool)
    made[places] = False
    if not made.any():
        return series, made, places[1:][gap]
    source = np.cumsum(~made) - 1
    rows = series.rows(source)
    rows.values[made] = np.nan
    if rows.times is not None and step is not None:
        behind = np.arange(len(made)) - places[source]
        times = np.where(made, later(rows.times, step, behind), rows.times)
        rows = dataclasses.replace(rows, times=times)
    return rows, made, places[1:][gap]


def _filled(
    values: np.ndarray, stretches: list[tuple[int, int]], max_fill: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``values`` with short runs of NaN filled, and which cells these are."""
    values, missing = values.copy(), np.isnan(values)
    filled = np.zeros_like(missing)
    begins = np.zeros(len(values), bool)
    begins[[start for start, _ in stretches]] = True
    for i in range(values.shape[1]):
        for start, stop in _runs(missing[:, i]):
            # a run that a gap cuts is two: the part behind the gap has nothing before it
            inside = np.flatnonzero(begins[start:stop])
            stop = start + int(inside[0]) if len(inside) else stop
            if start > 0 and 0 < stop - start <= max_fill:
                values[start:stop, i] = values[start - 1, i]
                filled[start:stop, i] = True
    return values, filled


def _about_step(
    series: Series, blocks: tuple[Block, ...], between: list[np.ndarray], step: Step | None
) -> list[str]:
    """Say what step was found where that is not plain to see."""
    if series.times is None or step is None:
        return []
    if step.unit == "business":
        return [
            "Rows are business days, Monday to Friday: a weekend is no gap"
            " (--step 1d counts calendar days)"
        ]
    distance = np.concatenate(
        [
            np.diff(series.times[block.start : block.stop])[count == 1]
            for block, count in zip(blocks, between, strict=True)
        ]
    )
    if step.unit != "even" or not len(distance):
        return []
    low, high = float(distance.min()), float(distance.max())
    if high - low <= step.length / 50:
        return []
    s = " s" if series.dated else ""
    return [
        f"The clock jitters: rows lie {low:.6g} to {high:.6g}{s} apart, and count as one step of"
        f" {step}"
    ]


def _about_filled(
    rows: Series, made: np.ndarray, filled: np.ndarray, step: Step | None, max_fill: int
) -> list[str]:
    """Say which rows and cells took the values before them."""
    notes = []
    full = made & filled.all(axis=1)
    lost = int(full.sum())
    if lost:
        s, them = ("", "it") if lost == 1 else ("s", "them")
        which = np.flatnonzero(full)
        # the rows put in after one line follow one another
        which = which[np.r_[True, (np.diff(which) > 1) | (np.diff(rows.lines[which]) != 0)]]
        more = ", …" if len(which) > _SHOWN else ""
        several = "lines " if len(which) > 1 and FILE not in rows.texts else ""
        where = [rows.where(row) for row in which[:_SHOWN].tolist()]
        shown = [one.removeprefix("line ") if several else one for one in where]
        notes.append(
            f"{lost} lost row{s}, on a step of {step}, took the values before {them} (after"
            f" {several}{', '.join(shown)}{more})"
        )
    cells = filled[~made].sum(axis=0)
    if cells.any():
        each = ", ".join(
            f"{name} {count}" for name, count in zip(rows.columns, cells, strict=True) if count
        )
        s, them = ("", "it") if cells.sum() == 1 else ("s", "them")
        notes.append(
            f"{cells.sum()} missing cell{s} in runs of at most {max_fill} took the value before"
            f" {them} ({each})"
        )
    return notes


def _about_left(whole: np.ndarray) -> list[str]:
    """Say how many rows lack a cell."""
    left = len(whole) - int(whole.sum())
    if not left:
        return []
    return [f"{left} of {len(whole)} rows still lack a cell and are left out: no window spans one"]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return the ranges (start, stop) in which ``mask`` holds."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
