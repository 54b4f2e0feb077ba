"""Reading a time series from a CSV file; what cannot be read is refused by line and column.

The file is text in UTF-8, has a header, and separates cells by commas, semicolons or tabs. Empty
cells and ``NA``, ``N/A``, ``NaN``, ``null``, ``none`` in any case are missing; every other cell of
a column in use must be a finite number with a decimal point. Columns that nobody asked for may hold
anything. Blank lines are skipped.

Times are ISO 8601 (``2016-07-01 13:00``, with or without seconds, zone or ``T``),
``2016/07/01 13:00``, ``01.07.2016 13:00`` or plain numbers; the first row decides which.
Month-first and day-first slashes cannot be told apart, so they are refused.
"""

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.files import open_regular
from bitformer.model.plain import shown
from bitformer.model.reading import Reading

TimeParser = Callable[[list[str]], float]  # a row's time cells to seconds or a plain number

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
DELIMITERS = ",;\t"
TIME_FORMATS = tuple(
    date + clock for date in ("%Y/%m/%d", "%d.%m.%Y") for clock in (" %H:%M:%S", " %H:%M", "")
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
    """Columns of numbers, one row per time step, as they stand in the file.

    Parameters
    ----------
    columns : names of the m columns.
    values : float64 [rows, m]; NaN where the cell is missing.
    lines : int64 [rows]; each row's line in the file, counted from 1.
    times : float64 [rows] or None; seconds since 1970 for dates, else the plain numbers.
    dated : whether ``times`` are seconds.
    labels : str [rows] or None; the name of each row's series, where there are several.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    lines: np.ndarray
    times: np.ndarray | None = None
    dated: bool = False

    def only(self, columns: Sequence[str]) -> "Series":
        """Return the series with some of its columns, in this order."""
        places = [self.columns.index(column) for column in columns]
        return dataclasses.replace(self, columns=tuple(columns), values=self.values[:, places])

    labels: np.ndarray | None = None


def read_header(path: Path) -> list[str]:
    """Return the names of the columns of the CSV file ``path``."""
    return _rows(path)[0]


def read_csv(
    path: Path, *, columns: Sequence[str], reading: Reading | None = None, time: Sequence[str] = ()
) -> Series:
    """Read ``columns`` of the CSV file ``path``.

    Parameters
    ----------
    path
        The file.
    columns
        The columns to read, in this order.
    reading
        How; by default as :class:`Reading` has it.
    time
        Columns of integers that make a date, in the place of ``reading.time``: year, month, day and
        hour.

    Raises
    ------
    UserError
        If the file, its header, a row or a cell is not as described at the top of this module.
    """
    how = reading or Reading()
    time = time or (() if how.time is None else (how.time,))
    header, rows, lines = _rows(path)
    series = () if how.series is None else (how.series,)
    for name in (*columns, *time, *series):
        if name not in header:
            have = ", ".join(header)
            raise UserError(f"Column {name!r} is not in {path}, which has {have}")
    values = np.empty((len(rows), len(columns)))
    for i, name in enumerate(columns):
        cell = header.index(name)
        for j, row in enumerate(rows):
            try:
                values[j, i] = _number(row[cell])
            except ValueError:
                raise UserError(
                    f"Column {name!r} of {path} must hold finite numbers,"
                    f" but line {lines[j]} has {shown(row[cell])}"
                ) from None
    times, dated = None, False
    if time and rows:
        times, dated = _times(path, rows, lines, {name: header.index(name) for name in time})
    labels = None
    if series:
        labels = np.array([row[header.index(*series)].strip() for row in rows], str)
    return Series(
        columns=tuple(columns),
        values=values,
        lines=np.array(lines, int),
        times=times,
        dated=dated,
        labels=labels,
    )


def _rows(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header, the rows that are not blank, and their lines."""
    text = _text(path)
    first = text.lstrip().splitlines()[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    header: list[str] = []
    rows, lines = [], []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip() for cell in row]
            elif len(row) != len(header):
                raise UserError(
                    f"Line {reader.line_num} of {path} must have {len(header)} cells"
                    f" like the header, not {len(row)}"
                )
            else:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(
            f"Line {reader.line_num} of {path} is not readable as CSV: {error}"
        ) from None
    _check_header(path, header)
    return header, rows, lines


def _text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            raw = file.read()
    except FileNotFoundError:
        raise UserError(f"Data file {path} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"Data file {path} must be a CSV file, not a directory") from None
    except OSError as error:
        raise UserError(f"Data file {path} cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"Data file {path} must be text in UTF-8,"
            f" but byte {error.start} is {raw[error.start]:#04x}"
        ) from None
    if "\0" in text:
        raise UserError(f"Data file {path} must be text in UTF-8, but byte {raw.index(0)} is 0x00")
    if not text.strip():
        raise UserError(f"Data file {path} must have a header and rows, but it is empty")
    return text


def _check_header(path: Path, header: list[str]) -> None:
    if all(_is_number(name) for name in header):
        raise UserError(
            f"The first line of {path} must name the columns, but it holds only numbers"
        )
    twice = [name for i, name in enumerate(header) if name in header[:i]]
    if twice:
        raise UserError(
            f"Every column of {path} must have a name of its own, but {shown(twice[0])} is there"
            " twice"
        )


def _number(cell: str) -> float:
    """Return the cell's number, NaN for a missing one; raise ValueError for anything else."""
    cell = cell.strip()
    if cell.lower() in MISSING:
        return math.nan
    value = float(cell)
    if "_" in cell or not math.isfinite(value):
        raise ValueError
    return value


def _is_number(cell: str) -> bool:
    try:
        return not math.isnan(_number(cell))
    except ValueError:
        return False


def _times(
    path: Path, rows: list[list[str]], lines: list[int], cells: dict[str, int]
) -> tuple[np.ndarray, bool]:
    texts = [[row[i].strip() for i in cells.values()] for row in rows]
    name = "-".join(cells)
    parse, dated, what = _time_parser(path, name, lines[0], texts[0])
    times = np.empty(len(rows))
    for j, text in enumerate(texts):
        try:
            times[j] = parse(text)
        except ValueError:
            raise UserError(
                f"Time column {name!r} of {path} must hold {what} as in its first row,"
                f" but line {lines[j]} has {shown('-'.join(text))}"
            ) from None
    return times, dated


def _time_parser(
    path: Path, name: str, line: int, first: list[str]
) -> tuple[TimeParser, bool, str]:
    """Return the parser of times like the first row's, whether it gives seconds, and a name."""

    def integers(text: list[str]) -> float:
        year, month, day, hour = (int(part) for part in text)
        return _seconds(datetime(year, month, day, hour))

    def iso(text: list[str]) -> float:
        return _seconds(datetime.fromisoformat(text[0]))

    def number(text: list[str]) -> float:
        value = _number(text[0])
        if math.isnan(value):
            raise ValueError
        return value

    def by_format(pattern: str) -> TimeParser:
        return lambda text: _seconds(datetime.strptime(text[0], pattern))

    if len(first) > 1:
        return integers, True, "whole numbers that make a date"
    candidates: list[tuple[TimeParser, bool, str]] = [
        (iso, True, "ISO 8601 times"),
        (number, False, "plain numbers"),
    ]
    candidates += [(by_format(pattern), True, f"times like {pattern}") for pattern in TIME_FORMATS]
    for parse, dated, what in candidates:
        try:
            parse(first)
        except ValueError:
            continue
        return parse, dated, what
    raise UserError(
        f"Time column {name!r} of {path} must hold ISO 8601 times such as 2016-07-01 13:00,"
        " 2016/07/01 13:00, 01.07.2016 13:00 or plain numbers, but line"
        f" {line} has {shown(first[0])}"
    )


def _seconds(time: datetime) -> float:
    """Return seconds since 1970; a time without a zone counts as UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
