"""The utilization report of Vivado."""

from collections.abc import Mapping
from dataclasses import dataclass

from bitformer.boards.reports.kind import ReportKind
from bitformer.boards.reports.vivado.text import (
    VivadoReport,
    header_of,
    number,
    origin_of,
    tables,
)
from bitformer.hw.parts import Use
from bitformer.model.errors import UserError

__all__ = ["BLOCK_RAM", "UTILIZATION", "Utilization", "read_utilization"]

#: Our name of block RAM, counted in halves of a tile.
BLOCK_RAM = "RAMB18"

#: Our name of a resource, and its titles in the report.
_RESOURCES = {
    "LUT": ("Slice LUTs", "CLB LUTs"),
    "LUT as memory": ("LUT as Memory",),
    "FF": ("Slice Registers", "CLB Registers"),
    BLOCK_RAM: ("Block RAM Tile",),
    "DSP": ("DSPs",),
}
_OPTIONAL = {"I/O": ("Bonded IOB",), "BUFG": ("BUFGCTRL",), "MMCM": ("MMCME2_ADV",)}


@dataclass(frozen=True, kw_only=True)
class Utilization(VivadoReport):
    """Resources of a placed design.

    Parameters
    ----------
    uses : mapping
        By the name of the resource. ``RAMB18`` counts each block RAM tile as two.
    """

    uses: Mapping[str, Use]

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which there are too few."""
        return tuple(use for use in self.uses.values() if use.over)


def read_utilization(text: str) -> Utilization:
    """Read ``report_utilization``, of any release since 2018.2.

    Raises
    ------
    UserError
        If a resource or a column is missing, or a cell is no number.
    """
    rows: dict[str, tuple[float | None, float | None]] = {}
    for table in tables(text):
        columns = table[0]
        if "Used" not in columns or "Available" not in columns:
            continue
        used, available = columns.index("Used"), columns.index("Available")
        for cells in table[1:]:
            if len(cells) != len(columns):
                continue
            # A later table repeats some titles; children leave cells empty.
            title = cells[0].strip().rstrip("*")
            rows.setdefault(title, (number(cells[used]), number(cells[available])))
    uses = {}
    for name, titles in {**_RESOURCES, **_OPTIONAL}.items():
        taken, there = next((rows[title] for title in titles if title in rows), (None, None))
        if taken is None or there is None:
            if name in _OPTIONAL:
                continue
            raise UserError(f"Utilization report has no count of {titles[0]}")
        each = 2 if name == BLOCK_RAM else 1
        uses[name] = Use(resource=name, used=round(taken * each), available=round(there * each))
    return Utilization(uses=uses, **origin_of(header_of(text)))


UTILIZATION = ReportKind(
    name="utilization",
    subject="utilization",
    files={"*.rpt": "Utilization Design Information"},
    read=read_utilization,
    problems=lambda found, _build: map(str, found.over),
    rows=lambda found, _build: (
        (use.resource, use.used, f"of {use.available}") for use in found.uses.values()
    ),
)
