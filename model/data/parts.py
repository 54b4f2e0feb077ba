"""The rows of each part, training, validation and test, and where windows begin in them.

Several series are split each by itself. A window lies in one segment, all its targets in one part.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bitformer.model.data.csv_source import Series
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import Split, Splitter, fractions
from bitformer.model.data.steps import ROW
from bitformer.model.errors import TooFewRowsError

__all__ = ["PARTS", "first_targets", "no_windows", "part_ranges", "rows_needed", "splits_of"]

PARTS = ("training", "validation", "test")
#: Windows of a multiple of so many rows suit the patches of all named configurations.
_PATCHES = 8
#: Lengths of runs that a refusal tries to fill.
_FILLS = (1, 3, 6, 12, 24)

Ranges = list[tuple[int, int]]


def rows_needed(window: int, horizon: int, ahead: int = 1) -> int:
    """Return the fewest rows, without gaps, that give each part of `by_fractions` a window."""
    lead = window + ahead - 1
    rows = lead + horizon
    while min(targets(b - max(a, lead), horizon) for a, b in fractions(rows).ranges) < 1:
        rows += 1
    return rows


def targets(rows: int, horizon: int) -> int:
    """Return how many runs of ``horizon`` rows start within ``rows`` rows."""
    return max(0, rows - horizon + 1)


def splits_of(cleaned: Clean, split: Splitter) -> list[Split]:
    """Return the split of each series, in rows of its own."""
    return [split(cleaned.rows.rows(slice(one.start, one.stop))) for one in cleaned.blocks]


def part_ranges(cleaned: Clean, splits: Sequence[Split]) -> tuple[Ranges, Ranges, Ranges]:
    """Return the row ranges of training, validation and test: one of each in every series."""
    ranges: tuple[Ranges, Ranges, Ranges] = ([], [], [])
    for block, split in zip(cleaned.blocks, splits, strict=True):
        for part, (start, stop) in zip(ranges, split.ranges, strict=True):
            part.append((min(block.start + start, block.stop), min(block.start + stop, block.stop)))
    return ranges


def first_targets(
    cleaned: Clean, ranges: Ranges, window: int, horizon: int, ahead: int = 1
) -> np.ndarray:
    """Return the first target row of each window of a part, int64 [N], in order.

    It is ``ahead`` rows after the window's last.
    """
    found = [np.empty(0, int)]
    starts = np.array([start for start, _ in cleaned.segments], int)
    for block, (begin, end) in zip(cleaned.blocks, ranges, strict=True):
        here = slice(*np.searchsorted(starts, (block.start, block.stop)).tolist())
        for start, stop in cleaned.segments[here]:
            low, high = max(start + window + ahead - 1, begin), min(stop, end)
            found.append(np.arange(low, low + targets(high - low, horizon)))
    return np.concatenate(found)


def no_windows(
    name: str,
    cleaned: Clean,
    series: Series,
    *,
    split: Splitter,
    window: int,
    horizon: int,
    ahead: int = 1,
    reading: Reading,
) -> TooFewRowsError:
    """Return the refusal of data of which a part holds no window, with what would do."""
    missing = _without_window(cleaned, split, window, horizon, ahead)
    rows, needed = len(cleaned.values), rows_needed(window, horizon, ahead)
    longest = max((stop - start for start, stop in cleaned.segments), default=0)
    each = "" if len(cleaned.blocks) == 1 else " of one series"
    return TooFewRowsError(
        f"{name} must have at least {needed} rows{each} without a gap for a window of {window}"
        f" and a horizon of {horizon}{'' if ahead == 1 else f', {ahead} ahead'}, but its {missing}"
        " part holds no window:"
        f" it has {rows} rows, the longest stretch {longest}"
        + _advice(cleaned, series, split, (window, horizon, ahead), reading)
    )


def _without_window(
    cleaned: Clean, split: Splitter, window: int, horizon: int, ahead: int
) -> str | None:
    """Return the first part without a window; None if all have one."""
    ranges = part_ranges(cleaned, splits_of(cleaned, split))
    for part, own in zip(PARTS, ranges, strict=True):
        if not len(first_targets(cleaned, own, window, horizon, ahead)):
            return part
    return None


def _advice(
    cleaned: Clean,
    series: Series,
    split: Splitter,
    sizes: tuple[int, int, int],
    reading: Reading,
) -> str:
    """Return what of the options would do, each tried; empty if none would."""
    window, horizon, ahead = sizes
    found = []
    for option in _other_readings(reading, series):
        for what, changed in option:
            if _without_window(clean(series, reading=changed), split, *sizes) is None:
                found.append(what)
                break
    for other in _smaller(window, horizon):
        if _without_window(cleaned, split, *other, ahead) is None:
            if 4 * other[0] >= window or not found:
                found.append(f"--window {other[0]} --horizon {other[1]}")
            break
    return f"; {' or '.join(found)} would do" if found else ""


def _smaller(window: int, horizon: int) -> list[tuple[int, int]]:
    """Return smaller sizes, the longest horizon first and its longest window first."""
    windows = [*range(window - 1 - (window - 1) % _PATCHES, 0, -_PATCHES), 4, 2, 1]
    horizons = dict.fromkeys((horizon, horizon // 2, horizon // 4, 1))
    return [(w, h) for h in horizons if h for w in windows if w <= window]


def _other_readings(reading: Reading, series: Series) -> list[list[tuple[str, Reading]]]:
    """Return for each option that may help what it says and does, the least first."""
    fills = [
        (f"--max-fill {one}", dataclasses.replace(reading, max_fill=one))
        for one in _FILLS
        if one > reading.max_fill
    ]
    if series.times is None or reading.step == ROW:
        return [fills]
    row = "--step row (each row is one step after the row before it)"
    return [fills, [(row, dataclasses.replace(reading, step=ROW))]]
