"""Reads Vivado's utilization report."""

from collections.abc import Mapping
from dataclasses import dataclass

from bitformer.boards.reports.vivado.text import device_of, header_of, number, tables, tool_of
from bitformer.hw.parts import Use
from bitformer.model.errors import UserError

__all__ = ["Utilization", "read_utilization"]

#: Our name of a resource, and its titles in the report.
_RESOURCES = {
    "LUT": ("Slice LUTs", "CLB LUTs"),
    "LUT as memory": ("LUT as Memory",),
    "FF": ("Slice Registers", "CLB Registers"),
    "RAMB18": ("Block RAM Tile",),
    "DSP": ("DSPs",),
}
_OPTIONAL = {"I/O": ("Bonded IOB",), "BUFG": ("BUFGCTRL",), "MMCM": ("MMCME2_ADV",)}


@dataclass(frozen=True, kw_only=True)
class Utilization:
    """What a placed design takes.

    ``tool`` and ``device`` are as in :mod:`.text`; ``state`` is the design's, None where the
    report does not say. RAMB18 counts each block RAM tile as two.
    """

    tool: str | None
    device: str | None
    state: str | None
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
    header = header_of(text)
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
        each = 2 if name == "RAMB18" else 1
        uses[name] = Use(resource=name, used=round(taken * each), available=round(there * each))
    return Utilization(
        tool=tool_of(header), device=device_of(header), state=header.get("Design State"), uses=uses
    )
