"""The columns of a file that hold numbers: what ``--inputs all`` stands for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bitformer.model.data.cell_numbers import Numbers
from bitformer.model.data.csv_layout import open_table
from bitformer.model.data.reading import Reading

__all__ = ["ALL", "number_columns"]

#: What stands for all columns of numbers, in a file that has no column of this name.
ALL = "all"


def number_columns(
    path: Path, reading: Reading, *, without: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns whose first rows hold numbers, and the others.

    Parameters
    ----------
    path
        A CSV file.
    reading
        How it is read.
    without
        Columns that are neither: of times, and of the names of series.

    Returns
    -------
    tuple of names
        Columns of which at least half of the first cells that are not empty are numbers.
    tuple of names
        All others, among them those whose first rows are empty, and those of one name.
    """
    table = open_table(path, reading)
    numbers = Numbers.of(reading)
    decimals = (".", ",", None) if numbers.decimal is None else (numbers.decimal,)
    ways = [replace(numbers, decimal=mark) for mark in decimals]
    found: list[str] = []
    others: list[str] = []
    for place, name in enumerate(table.header):
        if name in without or not name:
            continue
        cells = [row[place].strip() for _, row in table.sample[table.named :] if place < len(row)]
        known = [cell for cell in cells if cell.lower() not in numbers.missing]
        bad = min(sum(way.unreadable(known).values()) for way in ways)
        own = table.header.count(name) == 1 and known and 2 * bad <= len(known)
        (found if own else others).append(name)
    return tuple(found), tuple(dict.fromkeys(others))
