"""What Vivado's text reports have in common: a header, and tables drawn with bars.

The releases from 2018.2 to 2025.1 differ in columns, in padding and in how they spell a device.
Therefore columns are found by their name, and nothing by its position.
"""

import re
from collections.abc import Iterator

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["count", "device_of", "header_of", "number", "tables", "tool_of"]

#: More than there is of anything, in any unit.
_MOST = 1e12
#: Cells that stand for no number.
_NOTHING = {"", "NA", "N/A", "---", "inf", "-inf"}


def header_of(text: str) -> dict[str, str]:
    """The lines ``| Key : value`` of a report; of a key that comes twice, the first."""
    found: dict[str, str] = {}
    for key, value in re.findall(r"^\|\s*([A-Za-z][A-Za-z ]*?)\s*:\s*(.*?)\s*\|?\s*$", text, re.M):
        found.setdefault(key, value)
    return found


def tool_of(header: dict[str, str]) -> str | None:
    """The release that wrote a report: ``"Vivado 2018.2"``."""
    match = re.search(r"Vivado v\.?([\d.]+)", header.get("Tool Version", ""))
    return f"Vivado {match[1]}" if match else None


def device_of(header: dict[str, str]) -> str | None:
    """The die and package of a report, alike in all of them: ``"xc7s15ftgb196"``."""
    match = re.match(r"(?:xc)?(7[a-z]\d+t?)-?([a-z]+\d+)", header.get("Device", ""))
    return f"xc{match[1]}{match[2]}" if match else None


def number(cell: str) -> float | None:
    """The number that a cell begins with; None for NA, nothing and infinity.

    ``<0.001`` is taken as 0.001: no more than that.

    Raises
    ------
    UserError
        If the cell is something else.
    """
    cell = cell.strip()
    if cell in _NOTHING:
        return None
    match = re.match(r"<?\s*(-?\d+(?:\.\d+)?)", cell)
    if match is None:
        raise UserError(f"Report cell must be a number, not {shown(cell)}")
    found = float(match[1])
    if abs(found) > _MOST:
        raise UserError(f"Report cell must be a number that can be, not {shown(cell)}")
    return found


def count(cell: str) -> int:
    """The whole number that a cell begins with, 0 for nothing; see :func:`number`."""
    return round(number(cell) or 0)


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a report, each a list of rows of cells. Indentation in a first cell is kept."""
    table: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            cells = line.strip().strip("|").split("|")
            table.append([cells[0][1:].rstrip(), *(cell.strip() for cell in cells[1:])])
        elif not line.startswith("+") and table:
            yield table
            table = []
    if table:
        yield table
