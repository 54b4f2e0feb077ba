"""Where a CSV file's header is, and what separates its cells.

Lines that begin with ``#`` before the header are left out. What separates cells is what cuts most
lines into equally many.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bitformer.model.data.csv_table import Table, is_value, parsed_rows, text_lines
from bitformer.model.data.csv_text import encoding_of, read_bytes
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

__all__ = ["open_table"]

#: Separators of cells; of two that do as well, the first is taken.
_SEPARATORS = "\t;|,"
#: Share of lines that blanks must cut into as many cells as the header.
_MOST_LINES = 0.9
#: Lines that decide about header and separator.
_SAMPLE = 200


def open_table(path: Path, reading: Reading, wanted: Sequence[str] = ()) -> Table:
    """Find the header and the separator of a CSV file.

    Parameters
    ----------
    path
        The file.
    reading
        How it is read: of it, ``encoding``, ``skip``, ``header`` and ``decimal`` count.
    wanted
        Names of columns, which may tell separators apart.

    Raises
    ------
    UserError
        If it cannot be read, is no text, or has no header.
    """
    raw = read_bytes(path)
    encoding = encoding_of(path, raw, reading.encoding)
    lines = list(itertools.islice(text_lines(raw, encoding), reading.skip + _SAMPLE))
    above, remark = _above(lines, reading.skip)
    if above >= len(lines):
        raise UserError(
            f"Data file {path} must have rows behind the {above} lines that are left out"
        )
    said = lines[above].strip().strip('"').lower()
    if said.startswith("sep=") and len(said) == 5:  # as Excel takes it
        separator, above = said[-1], above + 1
    else:
        separator = _separator(path, lines[above:], reading, wanted)
    sample = _sampled(path, lines[above:], separator, above)
    if not sample:
        raise UserError(f"Data file {path} must have a header and rows, but it is empty")
    header, named = _header(path, reading, sample, remark, separator, wanted)
    return Table(
        path=path,
        raw=raw,
        encoding=encoding,
        separator=separator,
        header=tuple(name.strip() for name in header),
        above=above,
        named=named,
        sample=tuple(sample),
    )


def _sampled(path: Path, lines: list[str], separator: str, above: int):
    """Return the rows of a sample that hold something, with their lines."""
    rows = parsed_rows(path, iter(lines), separator, above)
    return [(line, row) for line, row in rows if any(cell.strip() for cell in row)]


def _above(lines: list[str], skip: int) -> tuple[int, str | None]:
    """Return how many lines are left out, and the last remark among them."""
    above, remark = skip, None
    for line in lines[skip:]:
        text = line.strip()
        if text.startswith("#"):
            remark = text
        elif text:
            break
        above += 1
    return above, remark


def _separator(path: Path, lines: list[str], reading: Reading, wanted: Sequence[str]) -> str:
    """Return what cuts most lines into equally many cells, and names what is wanted."""
    candidates = _SEPARATORS
    if reading.decimal == "," and "," not in lines[0] and reading.header is None:
        candidates = candidates.replace(",", "")
    best, most = ",", (False, 0.0)
    for separator in (*candidates, " "):
        if separator == " " and most[1]:  # blanks stand in names and times, too
            break
        if not any(separator in line for line in lines):
            continue
        try:
            rows = [row for _, row in _sampled(path, lines, separator, 0)]
        except UserError:
            continue
        if separator == " ":  # they may stand at the end of a line
            rows = [row[:-1] if not row[-1] else row for row in rows]
        names = {cell.strip() for cell in rows[0]} if rows else set()
        counts = Counter(len(row) for row in rows if len(row) > 1)
        usual, times = counts.most_common(1)[0] if counts else (0, 0)
        share = times / max(1, len(rows))
        found = bool(wanted) and names.issuperset(wanted)
        if separator == " " and (share < _MOST_LINES or len(rows[0]) != usual):
            break
        if (found, share) > most:
            best, most = separator, (found, share)
    return best


def _header(
    path: Path,
    reading: Reading,
    sample: list[tuple[int, list[str]]],
    remark: str | None,
    separator: str,
    wanted: Sequence[str],
) -> tuple[Sequence[str], bool]:
    """Return the columns' names, and whether they are the first row."""
    line, first = sample[0]
    if reading.header is not None:
        if len(reading.header) != len(first):
            raise UserError(
                f"header must name {len(first)} columns, as line {line} of {path} has"
                f" {len(first)} cells, not {len(reading.header)}"
            )
        return reading.header, False
    values = all(is_value(cell) for cell in first)
    if remark is not None:  # as NumPy writes it
        names = next(csv.reader([remark.lstrip("#")], delimiter=separator, skipinitialspace=True))
        names = [name.strip() for name in names]
        found = bool(wanted) and set(names).issuperset(wanted)
        if len(names) == len(first) and (found or (values and not all(map(is_value, names)))):
            return names, False
    if not values:
        return first, True
    names = [f"c{i + 1}" for i in range(len(first))]
    raise UserError(
        f"The first line of {path} must name the columns, but it holds only numbers: name them"
        f" yourself, as --header {','.join(names)}"
    )
