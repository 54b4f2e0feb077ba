"""What a user may type so that cells are numbers; each is tried before it is told."""

import re
from collections.abc import Sequence
from dataclasses import replace

from bitformer.model.data.cell_numbers import Numbers
from bitformer.model.data.name_lists import quoted

__all__ = ["remedy"]

#: Different texts that a refusal offers to take as missing, and letters of each.
_MOST_MARKS = 4
_LONGEST = 40
#: What may multiply a number rather than be its unit.
_MULTIPLIERS = frozenset(["k", "m", "g", "t", "b", "bn", "mn", "mio", "mrd", "tsd"])


def remedy(numbers: Numbers, cells: Sequence[str]) -> str:
    """Return the end of the refusal of a column; empty if nothing is known that works.

    Parameters
    ----------
    numbers
        How cells are read, which does not do.
    cells
        Of the whole column.
    """
    if numbers.decimal is None and (decimal := _decimals(numbers, cells)):
        return f": say {decimal}"
    if numbers.decimal is not None:
        other = "," if numbers.decimal == "." else "."
        if not replace(numbers, decimal=other).unreadable(cells):
            return f": say --decimal {other}"
    bad = numbers.unreadable(cells)
    if any("\n" in text or "\r" in text for text in bad):
        return ": a quote may be left open there"
    marks = [text for text in bad if not any(letter.isdigit() for letter in text)]
    if len(marks) == len(bad) and not _any(numbers.also_missing(bad), cells):
        return ": it holds texts alone, so leave it out of --inputs, or name another --target"
    if not all(text.isprintable() and len(text) <= _LONGEST for text in bad):
        return ""
    if len(marks) > _MOST_MARKS:
        return ""
    options = []
    if marks:
        numbers = numbers.also_missing(marks)
        options.append(f"--missing {quoted(marks)} if it stands for a missing value")
    rest = [text for text in bad if text not in marks]
    if rest:
        units = sorted({_unit(text) for text in rest})
        if len({unit.lower() for unit in units}) > 1:
            if all(units) and len(units) <= _MOST_MARKS:
                return f": cells have different units, {', '.join(units)}, so convert them to one"
        elif all(units):
            stripped = replace(numbers, strip=(*numbers.strip, *units))
            if units[0].lower() in _MULTIPLIERS and _any(numbers.also_missing(bad), cells):
                return f": {units[0]} multiplies some cells, so write them out"
            decimal = "" if not stripped.unreadable(cells) else _decimals(stripped, cells)
            if decimal or not stripped.unreadable(cells):
                strip = f"--strip {quoted(units)} to take the unit off"
                return ": say " + " and ".join([strip, *([decimal] if decimal else []), *options])
        if len(bad) > _MOST_MARKS:
            return ""
        options = [f"--missing {quoted(bad)} if it stands for a missing value"]
    return ": say " + " and ".join(options) if options else ""


def _any(numbers: Numbers, cells: Sequence[str]) -> bool:
    """Return whether any of the cells, which can all be read, is a number."""
    known = numbers.parse(cells)
    return bool((known == known).any())


def _decimals(numbers: Numbers, cells: Sequence[str]) -> str:
    """Return the decimal marks by which all cells are numbers, as options."""
    works = [mark for mark in ",." if not replace(numbers, decimal=mark).unreadable(cells)]
    if len(works) == 2:
        return "--decimal , if the comma is a decimal mark, or --decimal . if it parts thousands"
    return f"--decimal {works[0]}" if works else ""


def _unit(text: str) -> str:
    """Return what stands behind or before a cell's number; empty if nothing or both."""
    found = re.fullmatch(r"([^\d+-]*?)\s*[+-]?[\d.,].*?([^\d.,]*)", text)
    if found is None:
        return ""
    before, behind = found[1].strip(), found[2].strip()
    return "" if before and behind else before or behind
