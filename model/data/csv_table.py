"""The cells of a CSV file, row by row, with their lines.

Blank lines are left out, and lines that begin with ``#`` and have another number of cells.
"""

import csv
import io
import operator
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitformer.model.alike import meant
from bitformer.model.data.csv_text import STREAMED
from bitformer.model.data.name_lists import listed, names_among, quoted
from bitformer.model.data.time_formats import looks_like_time
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["Table", "is_value", "parsed_rows", "text_lines"]

#: Rows that are handed on at once.
_BLOCK = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Table:
    """A CSV file whose header is known.

    Parameters
    ----------
    path : of the file.
    raw, encoding : its text.
    separator : of cells.
    header : the columns' names; unnamed ones are empty.
    above : lines before the header, or before the first row where the header is no row.
    named : whether the first row is the header.
    sample : the first rows after ``above``, blank ones left out, with their lines.
    """

    path: Path
    raw: bytes
    encoding: str
    separator: str
    header: tuple[str, ...]
    above: int
    named: bool
    sample: tuple[tuple[int, list[str]], ...]

    def columns(self, asked: str | Sequence[str]) -> tuple[str, ...]:
        """Return the columns that are asked for, as :func:`names_among` finds them.

        Raises
        ------
        UserError
            For one that is not there, or there twice.
        """
        names = names_among(asked, self.header)
        for name in names:
            self.place(name)
        return names

    def place(self, name: str) -> int:
        """Return the place of a column among the cells; :class:`UserError` if there is none."""
        count = self.header.count(name)
        if count == 1 and name:
            return self.header.index(name)
        if count:
            own = [f"{one or 'column'}_{i + 1}" for i, one in enumerate(self.header)]
            raise UserError(
                f"Every column of {self.path} that is used must have a name of its own, but"
                f" {shown(name)} is there {'twice' if count == 2 else f'{count} times'}: name all"
                f" columns yourself, as --skip {self.sample[0][0]} --header {quoted(own)}"
            )
        have = listed(self.header)
        raise UserError(f"Column {name!r} is not in {self.path}, which has {have}{self._why(name)}")

    def _why(self, name: str) -> str:
        """Return what to do where a later line has the name that the header lacks, or one alike."""
        for line, row in self.sample[1:] if self.named else ():
            if name in (cell.strip() for cell in row):
                return (
                    f": line {self.sample[0][0]} was taken as the header, and line {line} has the"
                    f" name, so say --skip {line - 1}"
                )
        if likely := meant(name, self.header):
            return likely
        if self.named and any(map(is_value, self.header)):
            names = ",".join(f"c{i + 1}" for i in range(len(self.header)))
            return f": if the file has no line of names, name the columns, as --header {names}"
        return ""

    def blocks(self, places: Sequence[int]) -> Iterator[tuple[array, list[tuple[str, ...]]]]:
        """Yield the rows in order, by blocks: their lines, and the cells of ``places`` of each.

        Raises
        ------
        UserError
            For a row with another number of cells than the header, or one that is no CSV.
        """
        pick = _picker(places)
        width = len(self.header)
        lines, cells = array("q"), []
        for line, row in self._rows():
            if len(row) != width or not row[0].strip():
                if not any(cell.strip() for cell in row):
                    continue
                mended = self._mended(line, row)
                if mended is None:
                    continue
                row = mended
            lines.append(line)
            cells.append(pick(row))
            if len(cells) == _BLOCK:
                yield lines, cells
                lines, cells = array("q"), []
        if cells:
            yield lines, cells

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows behind the header, with their lines."""
        lines = text_lines(self.raw, self.encoding)
        for _ in range(self.above):
            next(lines, None)
        rows = parsed_rows(self.path, lines, self.separator, self.above)
        if self.named:
            next(row for _, row in rows if any(cell.strip() for cell in row))
        return rows

    def _mended(self, line: int, row: list[str]) -> list[str] | None:
        """Return a row without separators too many, or with those that it lacks; None: a remark."""
        width = len(self.header)
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            return row[:width]
        if len(row) < width and not any(self.header[len(row) :]):
            return row + [""] * (width - len(row))
        if len(row) == width:
            return row
        if row[0].lstrip().startswith("#"):
            return None
        raise UserError(
            f"Line {line} of {self.path} must have {width} cells like the header, not {len(row)}"
            + self._remedy()
        )

    def _remedy(self) -> str:
        """Return what to do about a row of another length: most often the header is not line 1."""
        counts = Counter(len(row) for _, row in self.sample[1:])
        usual, times = counts.most_common(1)[0] if counts else (0, 0)
        if not self.named or usual == len(self.header) or times < 2:
            return ": correct or delete that line"
        line = self.sample[0][0]
        taken = f": line {line} was taken as the header, and most lines have {usual} cells, so say"
        if self.separator == "," and usual > len(self.header):
            taken = f": if commas are decimal marks, put semicolons between cells; else{taken[1:]}"
        behind = next(number for number, row in self.sample[1:] if len(row) == usual)
        first = next(row for _, row in self.sample[1:] if len(row) == usual)
        if not any(map(is_value, first)):
            return f"{taken} --skip {behind - 1}"
        names = [f"c{i + 1}" for i in range(usual)]
        return f"{taken} --skip {behind - 1} and name the columns, as --header {','.join(names)}"


def text_lines(raw: bytes, encoding: str) -> Iterator[str]:
    """Return the lines of a text, with their ends."""
    if encoding in STREAMED:
        return iter(io.TextIOWrapper(io.BytesIO(raw), encoding=encoding, newline=""))
    # some encodings take more for granted in pieces than of a whole
    return iter(io.StringIO(raw.decode(encoding), newline=""))


def parsed_rows(
    path: Path, lines: Iterator[str], separator: str, above: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line in the file."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num + above, row
    except csv.Error as error:
        raise UserError(
            f"Line {reader.line_num + above} of {path} is not readable as CSV: {error}"
        ) from None


def _picker(places: Sequence[int]) -> Callable[[list[str]], tuple[str, ...]]:
    """Return what takes some cells out of a row."""
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    taken: Any = operator.itemgetter(*places)
    return taken


def is_value(cell: str) -> bool:
    """Tell whether a cell of a header is a number or a time rather than a name."""
    text = cell.strip()
    try:
        float(text.replace(",", "."))
    except ValueError:
        return looks_like_time(text)
    return text.lower() != "nan"
