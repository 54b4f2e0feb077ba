"""Cells as numbers: decimal marks, thousands, units, and what stands for a missing value.

A cell is a number with a decimal point, such as ``-20.5`` or ``2e3``. A decimal comma, and marks
between thousands (``20,172.8``, ``20.172,8``, ``1 234.5``), are read where they are named or where
no other meaning is possible (:func:`certain_decimal`).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from bitformer.model.data.cells import UnreadableCellError
from bitformer.model.data.reading import Reading

__all__ = ["MISSING", "Numbers", "certain_decimal", "parts_thousands"]

#: What stands for a missing value in every file, in any case of letters.
MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none"})
_SPACES = " \u00a0\u2009\u202f'"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
#: Numbers as they are written with one decimal mark or the other.
_WRITTEN = {
    mark: re.compile(
        rf"[+-]?(?:\d{{1,3}}(?:([{other}{_SPACES}])\d{{3}}(?:\1\d{{3}})*)"
        rf"(?:{re.escape(mark)}\d*)?|\d+(?:{re.escape(mark)}\d*)?|{re.escape(mark)}\d+){_EXPONENT}"
    )
    for mark, other in ((".", ","), (",", "."))
}
#: Cells, each a line of a text, that have one meaning only.
_CERTAIN = {
    ",": re.compile(
        rf"^[+-]?(?:\d+,(?:\d{{1,2}}|\d{{4,}})|0\d*,\d+|\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+,\d+|,\d+"
        rf"|\d{{1,3}}(?:\.\d{{3}}){{2,}}(?:,\d*)?|\d{{4,}},\d+|\d+,\d*[eE][+-]?\d+)$",
        re.MULTILINE,
    ),
    ".": re.compile(
        rf"^[+-]?\d{{1,3}}(?:(?:[,{_SPACES}]\d{{3}})+\.\d*|(?:,\d{{3}}){{2,}})$", re.MULTILINE
    ),
}
_GROUPS = re.compile(f"[{_SPACES}]")
#: A dot that parts no thousands; a number that has none.
_POINT = re.compile(r"\.(?!\d{3}$)|\d{4}\.|(?<!\d)0\d*\.|(?<!\d)\.", re.MULTILINE)
_SMALL = re.compile(r"^[+-]?\d{1,3}$", re.MULTILINE)
_NOT_PLAIN = re.compile(f"[.{_SPACES}]")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How cells are read as numbers.

    Parameters
    ----------
    decimal : the decimal mark, beside which the other mark parts thousands; None for a point, and
        nothing parts thousands.
    strip : texts that are taken off either end of a cell.
    missing : texts of missing values, in small letters.
    missing_values : numbers that stand for a missing value.
    """

    decimal: str | None = None
    strip: tuple[str, ...] = ()
    missing: frozenset[str] = MISSING
    missing_values: tuple[float, ...] = ()

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Return how a user wants cells to be read."""
        return cls(decimal=reading.decimal, strip=reading.strip).also_missing(reading.missing)

    def also_missing(self, texts: Iterable[str]) -> Self:
        """Return the same with more texts of missing values."""
        values = list(self.missing_values)
        for text in texts:
            try:
                values.append(float(text.replace("_", "no number")))
            except ValueError:
                continue
        return replace(
            self,
            missing=self.missing | {text.strip().lower() for text in texts},
            missing_values=tuple(values),
        )

    def parse(self, cells: Sequence[str]) -> np.ndarray:
        """Return the numbers of cells, float64, with NaN for missing ones.

        Raises
        ------
        UnreadableCellError
            For the first cell that is no finite number.
        """
        values = self._quick(cells)
        if values is None:
            values = np.empty(len(cells))
            known: dict[str, float] = {}
            for row, cell in enumerate(cells):
                if cell not in known:
                    try:
                        known[cell] = self.number(cell)
                    except ValueError:
                        raise UnreadableCellError(row) from None
                values[row] = known[cell]
        for missing in self.missing_values:
            values[values == missing] = math.nan
        return values

    def _quick(self, cells: Sequence[str]) -> np.ndarray | None:
        """Return numbers where all cells are plain ones."""
        rows, joined = len(cells), "\n".join(cells)
        if self.strip or "_" in joined:
            return None
        if self.decimal == ",":
            if _NOT_PLAIN.search(joined):
                return None
            cells = joined.replace(",", ".").split("\n")
        try:
            values = np.fromiter(map(float, cells), float, len(cells))
        except ValueError:
            return None
        return values if len(cells) == rows and np.isfinite(values).all() else None

    def number(self, cell: str) -> float:
        """Return one cell's number, NaN for a missing one; raise ValueError for any other."""
        text = cell.strip()
        if text.lower() in self.missing:
            return math.nan
        for end in self.strip:
            text = text.removesuffix(end).removeprefix(end).strip()
        text = text.replace("\u2212", "-")
        if text.lower() in self.missing:
            return math.nan
        if self.decimal is not None:
            if not _WRITTEN[self.decimal].fullmatch(text):
                raise ValueError
            text = _GROUPS.sub("", text)
            text = (
                text.replace(".", "").replace(",", ".")
                if self.decimal == ","
                else text.replace(",", "")
            )
        value = float(text)
        if "_" in text or not math.isfinite(value):
            raise ValueError
        return value

    def unreadable(self, cells: Iterable[str]) -> Counter[str]:
        """Return the cells that are no numbers, with their counts."""
        counts = Counter(cells)
        bad: Counter[str] = Counter()
        for cell, count in counts.items():
            try:
                self.number(cell)
            except ValueError:
                bad[cell.strip()] += count
        return bad


def certain_decimal(columns: Iterable[Sequence[str]]) -> str | None:
    """Return the decimal mark that some cells must have, unless others must have the other one.

    ``12,5`` has a decimal comma, ``1,234.5`` a point; ``20,172`` may have either.
    """
    texts = ["\n".join(map(str.strip, cells)) for cells in columns]
    marks = [mark for mark, pattern in _CERTAIN.items() if any(map(pattern.search, texts))]
    return marks[0] if len(marks) == 1 else None


def parts_thousands(cells: Sequence[str]) -> bool | None:
    """Tell whether a dot may part thousands in cells that are numbers with a decimal point.

    It may where each dot has three digits behind it and other cells are whole numbers below 1 000.

    Returns
    -------
    False if that cannot be; None if no cell has a dot, or none is a small whole number.
    """
    text = "\n".join(map(str.strip, cells))
    if _POINT.search(text):
        return False
    return True if "." in text and _SMALL.search(text) else None
