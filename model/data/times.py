"""The times of a table's rows, from one column or several, as seconds or as plain numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitformer.model.data.cell_numbers import Numbers
from bitformer.model.data.cells import UnreadableCellError
from bitformer.model.data.reading import Reading
from bitformer.model.data.reading_checks import EPOCHS
from bitformer.model.data.time_formats import (
    DAY,
    EXAMPLES,
    Clocks,
    by_directives,
    from_parts,
    kind_of,
    month_first,
    parsed,
)
from bitformer.model.data.time_zones import offsets_at, universal
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["Times", "read_times"]


@dataclass(frozen=True, kw_only=True)
class Times:
    """When each row was.

    Parameters
    ----------
    values : float64 [rows]; seconds since 1970 for dates, else the plain numbers.
    dated : whether they are seconds.
    naive : whether they are dates without a zone, as clocks show them.
    offsets : float64 [rows] or None; seconds by which clocks there are ahead of ``values``: as the
        file writes them, or in the zone that is named.
    notes : sentences on what was assumed.
    """

    values: np.ndarray
    dated: bool
    naive: bool
    offsets: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Column:
    """Columns of times of a ``path``, for refusals: their ``names``, ``texts`` and ``lines``."""

    path: Path
    names: Sequence[str]
    texts: Sequence[Sequence[str]]
    lines: Sequence[int]

    @property
    def name(self) -> str:
        return ",".join(self.names)

    def has(self, row: int) -> str:
        """Return the end of a sentence on one row."""
        text = " ".join(column[row] for column in self.texts)
        return f"line {self.lines[row]} has {shown(text)}"

    def refused(self, must: str, row: int, remedy: str = "") -> UserError:
        """Return the refusal of one row."""
        return UserError(
            f"Time column {self.name!r} of {self.path} must {must}, but {self.has(row)}{remedy}"
        )


def read_times(
    path: Path,
    names: Sequence[str],
    columns: Sequence[Sequence[str]],
    lines: Sequence[int],
    *,
    reading: Reading,
    labels: np.ndarray | None = None,
) -> Times:
    """Return the times that the cells of one or more columns say.

    Parameters
    ----------
    path, names, lines
        File, columns and each row's line, for refusals.
    columns
        The cells of each column; one row at least.
    reading
        How: ``time_format``, ``time_zone`` and ``decimal`` count.
    labels
        The name of each row's series, where there are several.

    Raises
    ------
    UserError
        If a cell is no time, or what it means is not certain.
    """
    column = _Column(
        path=path,
        names=names,
        texts=[[cell.strip() for cell in cells] for cells in columns],
        lines=lines,
    )
    notes: list[str] = []
    if reading.time_format in EPOCHS:
        numbers = _numbers(column, reading, f"hold numbers for --time-format {reading.time_format}")
        seconds = numbers / EPOCHS[str(reading.time_format)]
        zone = reading.time_zone
        ahead = None if zone is None else offsets_at(seconds, zone)
        return Times(values=seconds, dated=True, naive=False, offsets=ahead)
    if reading.time_format is not None:
        clocks = _by_format(column, reading.time_format)
    else:
        parts = _from_parts(column) if len(names) > 1 else None
        if parts is not None:
            clocks = parts
        else:
            texts = _joined(column)
            kind = kind_of(texts[0])
            if kind is None and len(names) == 1 and _is_number(texts[0], reading):
                return _plain(column, reading)
            clocks = _dates(column, texts, kind, notes, labels)
    naive = np.isnan(clocks.offsets)
    seconds = clocks.local - np.where(naive, 0.0, clocks.offsets)
    # a day of a calendar is one step, though clocks may be put on in it by an hour
    days = len(naive) > 1 and bool(naive.all()) and np.ptp(clocks.local % DAY) == 0
    if days and reading.time_zone is not None:
        notes.append("Rows lie whole days apart: --time-zone changes nothing")
    elif reading.time_zone is not None and naive.any():
        rows = np.flatnonzero(naive)
        own = None if labels is None else labels[rows]
        try:
            seconds[rows] = universal(clocks.local[rows], reading.time_zone, labels=own)
        except UnreadableCellError as error:
            raise column.refused(
                f"hold times that clocks in {reading.time_zone} show",
                int(rows[error.row]),
                ", which they skip in spring: its clock shows another zone, perhaps UTC, so say"
                " --time-zone UTC",
            ) from None
    ahead = clocks.local - seconds
    if reading.time_zone is not None and not naive.all():
        ahead[~naive] = offsets_at(seconds[~naive], reading.time_zone)
    return Times(
        values=seconds,
        dated=True,
        naive=bool(naive.any()) and (days or reading.time_zone is None),
        offsets=ahead if ahead.any() else None,
        notes=tuple(notes),
    )


def _joined(column: _Column) -> Sequence[str]:
    if len(column.texts) == 1:
        return column.texts[0]
    return [" ".join(texts) for texts in zip(*column.texts, strict=True)]


def _by_format(column: _Column, pattern: str) -> Clocks:
    try:
        return by_directives(_joined(column), pattern)
    except UnreadableCellError as error:
        raise column.refused(
            f"hold times as --time-format {pattern} says", error.row, _instead(column, error.row)
        ) from None


def _instead(column: _Column, row: int) -> str:
    kind = kind_of(_joined(column)[row])
    return ": leave --time-format out and it is read" if kind not in (None, "dmy") else ""


def _from_parts(column: _Column) -> Clocks | None:
    try:
        local = from_parts(column.names, column.texts)
    except UnreadableCellError as error:
        raise column.refused(
            "hold whole numbers that make a date as in its first row, in the order year, month,"
            " day, hour, minute, second",
            error.row,
        ) from None
    return None if local is None else Clocks(local=local, offsets=np.full(len(local), np.nan))


def _dates(
    column: _Column,
    texts: Sequence[str],
    kind: str | None,
    notes: list[str],
    labels: np.ndarray | None,
) -> Clocks:
    """Return the times of a column like its first one."""
    if kind is None:
        raise column.refused(
            f"hold times such as {EXAMPLES}, or plain numbers",
            0,
            f": say how times are written, as {_format_of(texts[0])}",
        )
    if kind != "dmy":
        return _of_kind(column, texts, kind)
    first, contradiction = month_first(texts)
    if contradiction is not None:
        order = "month/day" if first else "day/month"
        raise column.refused(
            f"have days and months in one order, which is {order} in the lines before",
            contradiction,
            ": correct or delete that line",
        )
    if first is not None or "." in texts[0][:3]:  # dots are for days first
        return _of_kind(column, texts, kind, month_first=bool(first))
    both = [_of_kind(column, texts, kind, month_first=one) for one in (False, True)]
    even = [_evenness(clocks.local, labels) for clocks in both]
    separator = texts[0].lstrip("0123456789")[0]
    orders = [separator.join(parts) for parts in (("%d", "%m", "%Y"), ("%m", "%d", "%Y"))]
    clock = _clock_format(texts[0])
    if max(even) < 0.5 or max(even) < 2 * min(even):
        raise column.refused(
            "say which number is the day, as none is past 12",
            0,
            f": say --time-format '{orders[0]}{clock}' or '{orders[1]}{clock}'",
        )
    chosen = int(even[1] > even[0])
    day = "month/day/year" if chosen else "day/month/year"
    notes.append(
        f"Times are read as {day}, which gives even steps; if that is wrong, say --time-format"
        f" '{orders[1 - chosen]}{clock}'"
    )
    return both[chosen]


def _of_kind(
    column: _Column, texts: Sequence[str], kind: str, *, month_first: bool = False
) -> Clocks:
    try:
        return parsed(texts, kind, month_first=month_first)
    except UnreadableCellError as error:
        what = "ISO 8601 times" if kind in ("ymd", "iso") else f"times like {shown(texts[0])}"
        if error.row == 0:
            what = "times"
        raise column.refused(
            f"hold {what} as in its first row", error.row, ": correct or delete that line"
        ) from None


def _evenness(local: np.ndarray, labels: np.ndarray | None) -> float:
    """Return the share of rows there of those that would be there without a gap; 0 out of order."""
    if labels is not None:
        local = local[labels == labels[0]]
    steps = np.abs(np.diff(local))
    direction = np.sign(np.diff(local))
    if len(steps) < 2 or np.median(steps) == 0 or np.abs(direction.sum()) < 0.95 * len(steps):
        return 0.0
    return float((len(steps) + 1) / (np.ptp(local) / np.median(steps) + 1))


def _clock_format(text: str) -> str:
    """Return the directives of what stands behind a date."""
    found = re.search(r" (\d{1,2}:\d{2}.*)", text)
    if found is None:
        return ""
    clock = found[1]
    hour = "%I" if re.search("[AaPp][Mm]", clock) else "%H"
    return f" {hour}:%M" + (":%S" if clock.count(":") > 1 else "") + (" %p" if hour == "%I" else "")


def _format_of(text: str) -> str:
    """Return an example of ``--time-format`` that may read ``text``."""
    digits = re.fullmatch(r"\d{1,2}([-/.])\d{1,2}\1\d{2}\b.*", text)
    if digits:
        s = digits[1]
        return f"--time-format '%d{s}%m{s}%y{_clock_format(text)}'"
    named = re.fullmatch(r"\d{1,2}([-/. ])[A-Za-z]{3}\1\d{2}\b.*", text)
    if named:
        s = named[1]
        return f"--time-format '%d{s}%b{s}%y{_clock_format(text)}'"
    return "--time-format '%d/%m/%Y %H:%M' would for 31/12/2023 13:00"


def _is_number(text: str, reading: Reading) -> bool:
    try:
        return bool(np.isfinite(Numbers.of(reading).parse([text])[0]))
    except UnreadableCellError:
        return False


def _numbers(column: _Column, reading: Reading, must: str) -> np.ndarray:
    try:
        values = Numbers.of(reading).parse(column.texts[0])
    except UnreadableCellError as error:
        raise column.refused(must, error.row, ": correct or delete that line") from None
    if np.isnan(values).any():
        raise column.refused(must, int(np.isnan(values).argmax()), ": correct or delete that line")
    return values


def _plain(column: _Column, reading: Reading) -> Times:
    """Return plain numbers, with what they may be."""
    values = _numbers(column, reading, "hold plain numbers as in its first row")
    notes: tuple[str, ...] = ()
    for name, count in EPOCHS.items():
        if 1e9 * count <= values.min() and values.max() < 5e9 * count:
            notes = (
                f"Times are plain numbers without a unit; if they are seconds since 1970"
                f"{'' if count == 1 else f' times {count:g}'}, say --time-format {name}",
            )
    return Times(values=values, dated=False, naive=False, notes=notes)
