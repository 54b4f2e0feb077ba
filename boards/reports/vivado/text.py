"""What Vivado's text reports have in common: a header, and tables drawn with bars.

The releases from 2018.2 to 2025.1 differ in columns, in padding and in how they spell a device.
Therefore columns are found by their name, and nothing by its position.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["VivadoReport", "count", "header_of", "number", "origin_of", "tables"]

#: More than there is of anything, in any unit.
_MOST = 1e12
#: Cells that stand for no number.
_NOTHING = {"", "NA", "N/A", "---", "inf", "-inf"}


@dataclass(frozen=True, kw_only=True)
class VivadoReport:
    """Where a report comes from; None where it does not say.

    Parameters
    ----------
    tool : str or None
        The release: ``"Vivado 2018.2"``.
    device : str or None
        Die and package, spelled alike in all releases: ``"xc7s15ftgb196"``.
    state : str or None
        How far the design had come: ``"Routed"``.
    """

    tool: str | None
    device: str | None
    state: str | None

    @property
    def not_routed(self) -> str:
        """The state in lower case, if it is known and another than routed; else empty."""
        state = (self.state or "routed").lower()
        return "" if state == "routed" else state


def header_of(text: str) -> dict[str, str]:
    """Return the lines ``| Key : value`` of a report; of a key that comes twice, the first."""
    found: dict[str, str] = {}
    for key, value in re.findall(r"^\|\s*([A-Za-z][A-Za-z ]*?)\s*:\s*(.*?)\s*\|?\s*$", text, re.M):
        found.setdefault(key, value)
    return found


def origin_of(header: dict[str, str]) -> dict[str, Any]:
    """Return the fields of `VivadoReport` from a report's header."""
    tool = re.search(r"Vivado v\.?([\d.]+)", header.get("Tool Version", ""))
    device = re.match(r"(?:xc)?(7[a-z]\d+t?)-?([a-z]+\d+)", header.get("Device", ""))
    return {
        "tool": f"Vivado {tool[1]}" if tool else None,
        "device": f"xc{device[1]}{device[2]}" if device else None,
        "state": header.get("Design State"),
    }


def number(cell: str) -> float | None:
    """Return the number that a cell begins with; None for NA, nothing and infinity.

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
    """Return the whole number that a cell begins with, 0 for nothing; see :func:`number`."""
    return round(number(cell) or 0)


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield each table of a report as rows of cells; a first cell keeps its indentation."""
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
