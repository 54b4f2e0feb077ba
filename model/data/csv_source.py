"""A time series from a CSV file; what cannot be read is refused by line, column and remedy.

The file is text with a header, read as a :class:`bitformer.model.data.reading.Reading` says.
Columns that nobody asked for may hold anything, and blank lines are skipped. The file's text is the
subject of ``csv_text``, its header of ``csv_layout``, its rows of ``csv_table``, numbers of
``cell_numbers``, times of ``times``.
"""

import dataclasses
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bitformer.model.data.cell_numbers import Numbers, certain_decimal, parts_thousands
from bitformer.model.data.cell_remedies import remedy
from bitformer.model.data.cells import UnreadableCellError
from bitformer.model.data.csv_layout import open_table
from bitformer.model.data.csv_table import Table
from bitformer.model.data.reading import Reading
from bitformer.model.data.times import read_times
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["FILE", "Series", "read_csv", "read_header"]

#: What the file of each row is called among the texts of a `Series` that is of several.
FILE = "(file)"


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
    naive : whether ``times`` are dates without a zone, as clocks show them.
    offsets : float64 [rows] or None; seconds by which the clock of each row is ahead of ``times``.
    notes : sentences on what was assumed.
    texts : str [rows] of each further column that was asked for, by its name, without blanks
        around it.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    lines: np.ndarray
    times: np.ndarray | None = None
    dated: bool = False
    labels: np.ndarray | None = None
    naive: bool = False
    offsets: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    texts: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def only(self, columns: Sequence[str]) -> "Series":
        """Return the series with some of its columns, in this order."""
        places = [self.columns.index(column) for column in columns]
        return dataclasses.replace(self, columns=tuple(columns), values=self.values[:, places])

    def rows(self, which: np.ndarray | slice) -> "Series":
        """Return the rows of ``which``, indices or a range."""
        return dataclasses.replace(
            self,
            values=self.values[which],
            lines=self.lines[which],
            times=None if self.times is None else self.times[which],
            labels=None if self.labels is None else self.labels[which],
            offsets=None if self.offsets is None else self.offsets[which],
            texts={name: own[which] for name, own in self.texts.items()},
        )

    def where(self, row: int) -> str:
        """Return the line of a row, and its file where there are several."""
        of = f" of {self.texts[FILE][row]}" if FILE in self.texts else ""
        return f"line {self.lines[row]}{of}"

    @staticmethod
    def joined(series: Sequence["Series"]) -> "Series":
        """Return the rows of several series, of the same columns, one after the other."""
        if len(series) == 1:
            return series[0]

        def joined(arrays: list[np.ndarray | None]) -> np.ndarray | None:
            found = [array for array in arrays if array is not None]
            return np.concatenate(found) if found else None

        return dataclasses.replace(
            series[0],
            values=np.concatenate([one.values for one in series]),
            lines=np.concatenate([one.lines for one in series]),
            times=joined([one.times for one in series]),
            labels=joined([one.labels for one in series]),
            offsets=joined([one.offsets for one in series]),
            texts={
                name: np.concatenate([one.texts[name] for one in series])
                for name in series[0].texts
            },
        )


def read_header(path: Path, reading: Reading | None = None) -> list[str]:
    """Return the names of the columns of the CSV file ``path``."""
    return [name for name in open_table(path, reading or Reading()).header if name]


def read_csv(
    path: Path,
    *,
    columns: Sequence[str],
    reading: Reading | None = None,
    time: Sequence[str] = (),
    texts: Sequence[str] = (),
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
        Columns that make a time, in the place of ``reading.time``.
    texts
        Columns of texts to read beside.

    Raises
    ------
    UserError
        If the file, its header, a row or a cell is not as described at the top of this module.
    """
    how = reading or Reading()
    if how.time is None and not time and (how.time_format or how.time_zone):
        option = "--time-format" if how.time_format else "--time-zone"
        raise UserError(f"{option} needs the column of times: name it with --time")
    table = open_table(path, how, columns)
    columns = table.columns(columns)
    time = table.columns(time or how.time or ())
    series = () if how.series is None else table.columns((how.series,))
    places = [table.place(name) for name in (*columns, *time, *series, *texts)]
    numbers, notes = Numbers.of(how), list[str]()
    try:
        lines, values, cells = _read(table, places, columns, numbers, notes)
    except UnreadableCellError:
        lines, values, cells = _understood(table, places, columns, numbers, notes)
    _drop_missing(columns, values, how)
    named = [np.array([cell.strip() for cell in own], str) for own in cells[len(time) :]]
    labels = named.pop(0) if series else None
    times = None
    if time and len(lines):
        times = read_times(path, time, cells[: len(time)], lines, reading=how, labels=labels)
        notes += times.notes
    return Series(
        columns=tuple(columns),
        values=values,
        lines=np.array(lines, np.int64),
        times=None if times is None else times.values,
        dated=times is not None and times.dated,
        labels=labels,
        naive=times is not None and times.naive,
        offsets=None if times is None else times.offsets,
        notes=tuple(notes),
        texts=dict(zip(texts, named, strict=True)),
    )


def _drop_missing(columns: Sequence[str], values: np.ndarray, reading: Reading) -> None:
    """Make NaN of numbers that stand for missing values in one column alone, as ``temp=0``."""
    for text in reading.missing:
        name, _, number = text.rpartition("=")
        if name in columns:
            try:
                value = float(number)
            except ValueError:
                raise UserError(f"missing must name a number of {name}, not {number!r}") from None
            own = values[:, columns.index(name)]
            own[own == value] = np.nan


def _read(
    table: Table, places: Sequence[int], names: Sequence[str], numbers: Numbers, notes: list[str]
) -> tuple[array, np.ndarray, list[list[str]]]:
    """Return lines, numbers [rows, names] of the first places, and the texts of the others."""
    values = len(names)
    lines, parts = array("q"), []
    texts: list[list[str]] = [[] for _ in places[values:]]
    dotted: list[bool | None] = [None] * values
    for block_lines, rows in table.blocks(places):
        cells = list(zip(*rows, strict=True))
        parts.append(np.stack([numbers.parse(column) for column in cells[:values]], axis=1))
        if numbers.decimal is None:
            for i, column in enumerate(cells[:values]):
                if dotted[i] is not False and (found := parts_thousands(column)) is not None:
                    dotted[i] = found
        for own, more in zip(texts, cells[values:], strict=True):
            own.extend(more)
        lines.extend(block_lines)
    if any(dotted):
        these = ", ".join(name for name, so in zip(names, dotted, strict=True) if so)
        notes.append(
            f"Each number of {these}"
            " that has a decimal point has three digits behind it; if it parts thousands, say"
            " --decimal ,"
        )
    return lines, np.concatenate(parts) if parts else np.empty((0, values)), texts


def _understood(
    table: Table, places: Sequence[int], names: Sequence[str], numbers: Numbers, notes: list[str]
) -> tuple[array, np.ndarray, list[list[str]]]:
    """Return what :func:`_read` does where cells are no plain numbers, and note how they are read.

    Raises
    ------
    UserError
        If that is not certain, with what a user may type.
    """
    lines, columns = array("q"), list[list[str]]([] for _ in places)
    for block_lines, rows in table.blocks(places):
        lines.extend(block_lines)
        for own, more in zip(columns, zip(*rows, strict=True), strict=True):
            own.extend(more)
    columns, texts = columns[: len(names)], columns[len(names) :]
    if numbers.decimal is None and (mark := certain_decimal(columns)):
        certain = dataclasses.replace(numbers, decimal=mark)
        try:
            values = np.stack([certain.parse(cells) for cells in columns], axis=1)
        except UnreadableCellError:  # other cells say otherwise
            pass
        else:
            how = "comma" if mark == "," else "point, and other marks between thousands"
            notes.append(f"Numbers are read with a decimal {how}, as with --decimal {mark}")
            return lines, values, texts
    for name, cells in zip(names, columns, strict=True):
        try:
            numbers.parse(cells)
        except UnreadableCellError as error:
            raise UserError(
                f"Column {name!r} of {table.path} must hold finite numbers, but line"
                f" {lines[error.row]} has {shown(cells[error.row])}{remedy(numbers, cells)}"
            ) from None
    raise AssertionError("a cell that cannot be read is in a column that can")
