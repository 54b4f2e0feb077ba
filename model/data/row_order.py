"""The rows of a file in order: each series by itself, oldest row first, one row for each time."""

import dataclasses
from datetime import UTC, datetime

import numpy as np

from bitformer.model.data.csv_source import Series
from bitformer.model.data.reading import Reading
from bitformer.model.data.time_zones import repeated_hour
from bitformer.model.errors import UserError

__all__ = ["Block", "in_order"]

#: Months in which summer time ends somewhere.
_ENDS = (3, 4, 9, 10, 11)
_HALF_A_YEAR = 183 * 86400.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """The rows of one series: its ``name``, and where they ``start`` and ``stop``."""

    name: str
    start: int
    stop: int


def in_order(series: Series, reading: Reading) -> tuple[Series, tuple[Block, ...], list[str]]:
    """Return the rows in order, where each series lies, and a sentence on what was done.

    Raises
    ------
    UserError
        If times repeat or go back within a series.
    """
    notes: list[str] = []
    if reading.reverse:
        series = series.rows(slice(None, None, -1))
    series, blocks = _by_name(series)
    if series.times is None:
        return series, blocks, notes
    if not reading.reverse and _falls(series.times, blocks):
        backwards = [np.arange(block.stop - 1, block.start - 1, -1) for block in blocks]
        series = series.rows(np.concatenate(backwards))
        notes.append("The newest row comes first: rows are read from the last line up")
    if reading.repeats is not None:
        series, blocks, merged = _merged(series, blocks, reading.repeats)
        if merged:
            s = "" if merged == 1 else "s"
            notes.append(
                f"{merged} row{s} had a time that another has: the {reading.repeats} of such rows"
                " counts"
            )
    for block in blocks:
        _check(series, block, reading, several=len(blocks) > 1)
    return series, blocks, notes


def _by_name(series: Series) -> tuple[Series, tuple[Block, ...]]:
    """Return the rows series by series, in the order in which these begin."""
    if series.labels is None or not len(series.labels):
        return series, (Block(name="", start=0, stop=len(series.values)),)
    names, first, which = np.unique(series.labels, return_index=True, return_inverse=True)
    rank = np.empty(len(names), int)
    rank[np.argsort(first)] = np.arange(len(names))
    order = np.argsort(rank[which], kind="stable")
    ends = np.cumsum(np.bincount(rank[which]))
    blocks = tuple(
        Block(name=str(names[old]), start=int(end - count), stop=int(end))
        for old, end, count in zip(np.argsort(first), ends, np.bincount(rank[which]), strict=True)
    )
    return series.rows(order), blocks


def _falls(times: np.ndarray, blocks: tuple[Block, ...]) -> bool:
    """Tell whether each series has its newest row first, throughout."""
    steps = [np.diff(times[block.start : block.stop]) for block in blocks]
    return all((step <= 0).all() for step in steps) and any((step < 0).any() for step in steps)


def _merged(
    series: Series, blocks: tuple[Block, ...], how: str
) -> tuple[Series, tuple[Block, ...], int]:
    """Return one row of those of one time, in order, where the series lie, how many fewer."""
    assert series.times is not None
    order = [
        block.start + np.argsort(series.times[block.start : block.stop], kind="stable")
        for block in blocks
    ]
    series = series.rows(np.concatenate(order))
    assert series.times is not None
    starts = np.zeros(len(series.values), bool)
    for block in blocks:
        own = series.times[block.start : block.stop]
        starts[block.start : block.stop] = np.r_[True, own[1:] != own[:-1]][: len(own)]
    first = np.flatnonzero(starts)
    last = np.r_[first[1:], len(starts)] - 1
    one = series.rows(first if how == "first" else last)
    if how == "mean" and len(first):
        known = ~np.isnan(series.values)
        count = np.add.reduceat(known, first, axis=0, dtype=int)
        total = np.add.reduceat(np.where(known, series.values, 0.0), first, axis=0)
        mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        one = dataclasses.replace(one, values=mean)
    moved = np.r_[0, np.cumsum(starts)]
    kept = tuple(
        Block(name=block.name, start=int(moved[block.start]), stop=int(moved[block.stop]))
        for block in blocks
    )
    return one, kept, len(starts) - len(first)


def _check(series: Series, block: Block, reading: Reading, *, several: bool) -> None:
    """Raise UserError, naming line and remedy, unless the times of one series rise."""
    assert series.times is not None
    times = series.times[block.start : block.stop]
    distance = np.diff(times)
    wrong = distance <= 0
    if not wrong.any():
        return
    row = int(np.argmax(wrong)) + 1
    what = "repeats" if distance[row - 1] == 0 else "goes back behind"
    of = f" of series {block.name}" if several else ""
    lines = series.lines[block.start + row - 1 : block.start + row + 1]
    one = "--repeats first, last or mean sorts rows by time and makes one of those of one time"
    if reading.reverse and wrong.all():
        remedy = "leave out --reverse, as the oldest row is the first"
    elif series.naive and _autumn(times, row, int(wrong.sum())):
        remedy = (
            "if clocks were set back an hour there, name their zone, as --time-zone Europe/Berlin,"
            " or write times in UTC"
        )
    elif not several and ((distance == 0).sum() > len(distance) / 4 or _stacked(times, distance)):
        remedy = f"--series COLUMN tells several series apart, and {one}"
    else:
        remedy = one if several else f"{one}, and --series COLUMN tells several series apart"
    raise UserError(
        f"Times{of} must rise from row to row, but the time of line {lines[1]} {what} that of"
        f" line {lines[0]}: {remedy}"
    )


def _autumn(times: np.ndarray, row: int, falls: int) -> bool:
    """Tell whether summer time may have ended between two rows, as it does once a year."""
    once = falls <= 1 + np.ptp(times) / _HALF_A_YEAR
    month = datetime.fromtimestamp(times[row], UTC).month
    return once and month in _ENDS and repeated_hour(times, row)


def _stacked(times: np.ndarray, distance: np.ndarray) -> bool:
    """Tell whether times begin again near the first of them."""
    back = int(np.argmin(distance)) + 1
    return bool(times[back] <= times[0] + np.ptp(times) / 10)
