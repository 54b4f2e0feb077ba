"""Reads what the open tools say of a build: Yosys' statistics and nextpnr's log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bitformer.boards.reports.vivado.text import count, number
from bitformer.model.errors import UserError
from bitformer.model.plain import checked
from bitformer.model.strict_json import parse_json
from bitformer.synth.resources import Resources

__all__ = ["NextpnrTiming", "read_nextpnr_log", "read_yosys_stat"]


@dataclass(frozen=True, kw_only=True)
class NextpnrTiming:
    """The clocks of a routed design in megahertz: what each reaches, and what it has to."""

    reached_mhz: Mapping[str, float]
    needed_mhz: Mapping[str, float]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why timing is not met, or not known to be. It is never fully known: nextpnr has no hold
        or pulse width analysis for these parts."""
        found = [
            f"clock {name} reaches {reached:.1f} MHz of {self.needed_mhz[name]:.1f} MHz"
            for name, reached in self.reached_mhz.items()
            if reached < self.needed_mhz[name]
        ]
        if not self.reached_mhz:
            found.append("nextpnr reports no clock")
        return (*found, "nextpnr analyses neither hold nor pulse width")


def read_yosys_stat(text: str) -> Resources:
    """Resources from ``stat`` or ``stat -json`` of a flat design, of any release since 0.40.

    Raises
    ------
    UserError
        If no cells are counted in it.
    """
    try:
        data = parse_json(text, "Yosys report")
    except UserError:
        counts = _text_counts(text)
    else:
        design = data.get("design") if isinstance(data, dict) else None
        counts = design.get("num_cells_by_type", {}) if isinstance(design, dict) else {}
        checked(dict[str, int], counts, "Yosys report: num_cells_by_type")
    if not counts or min(counts.values()) < 0:
        raise UserError("Yosys report counts no cells")
    return Resources.of(counts)


def _text_counts(text: str) -> dict[str, int]:
    """Cells of the last module listed; the count came after the name until 0.55, then before."""
    _, _, last = text.rpartition("cells")
    found = {}
    for name, cells in re.findall(r"^\s+([A-Z][A-Z0-9_]*)\s+(\d+)\s*$", last, re.M):
        found[name] = count(cells)
    for cells, name in re.findall(r"^\s+(\d+)(?:\s+[\d.]+)?\s+([A-Z][A-Z0-9_]*)\s*$", last, re.M):
        found[name] = count(cells)
    return found


def read_nextpnr_log(text: str) -> NextpnrTiming:
    """Timing from nextpnr's log; of several estimates the last, which is after routing."""
    reached, needed = {}, {}
    for name, mhz, least in re.findall(
        r"Max frequency for clock\s+'([^']+)':\s*([\d.]+) MHz \((?:PASS|FAIL) at ([\d.]+) MHz\)",
        text,
    ):
        reached[name], needed[name] = number(mhz) or 0.0, number(least) or 0.0
    return NextpnrTiming(reached_mhz=reached, needed_mhz=needed)
