"""Reports of the open tools: Yosys' statistics and nextpnr's log."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bitformer.boards.board import part_of
from bitformer.boards.build.manifest import Manifest
from bitformer.boards.reports.kind import ReportKind, TableRow
from bitformer.boards.reports.vivado.text import count, number
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError
from bitformer.model.plain import checked
from bitformer.model.strict_json import parse_json
from bitformer.synth.resources import Resources
from bitformer.synth.routing import Routing

__all__ = [
    "NEXTPNR",
    "ROUTING",
    "YOSYS",
    "NextpnrTiming",
    "read_nextpnr_log",
    "read_routing",
    "read_yosys_stat",
]

#: The count of cells in statistics, until 0.55 and since; logs hold it many times over.
_CELLS = r"Number of cells:\s+\d|^\s+\d+(?:\s+\S+)? cells\s*$"


@dataclass(frozen=True, kw_only=True)
class NextpnrTiming:
    """Clocks of a routed design in megahertz: what each reaches, and what it must reach."""

    reached_mhz: Mapping[str, float]
    needed_mhz: Mapping[str, float]

    @property
    def problems(self) -> tuple[str, ...]:
        """The reasons why timing is not met, or not known to be.

        It is never fully known: nextpnr analyses neither hold nor pulse width for these parts.
        """
        found = [
            f"clock {name} reaches {reached:.1f} MHz of {self.needed_mhz[name]:.1f} MHz"
            for name, reached in self.reached_mhz.items()
            if reached < self.needed_mhz[name]
        ]
        if not self.reached_mhz:
            found.append("nextpnr reports no clock")
        return (*found, "nextpnr analyses neither hold nor pulse width")


def read_yosys_stat(text: str) -> Resources:
    """Read ``stat`` or ``stat -json`` of a flat design, of any release since 0.40.

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
    families = dict.fromkeys(part.family for part in PARTS.values())
    family = max(families, key=lambda one: len(counts.keys() & one.primitives.keys()))
    return Resources.of(counts, family)


def _text_counts(text: str) -> dict[str, int]:
    """Count the cells of the last module; counts follow the name until 0.55, then precede it."""
    _, _, last = text.rpartition("cells")
    found = {}
    for name, cells in re.findall(r"^\s+([A-Z][A-Z0-9_]*)\s+(\d+)\s*$", last, re.M):
        found[name] = count(cells)
    for cells, name in re.findall(r"^\s+(\d+)(?:\s+[\d.]+)?\s+([A-Z][A-Z0-9_]*)\s*$", last, re.M):
        found[name] = count(cells)
    return found


def read_nextpnr_log(text: str) -> NextpnrTiming:
    """Read nextpnr's log; of several estimates the last counts, which is after routing."""
    reached, needed = {}, {}
    for name, mhz, least in re.findall(
        r"Max frequency for clock\s+'([^']+)':\s*([\d.]+) MHz \((?:PASS|FAIL) at ([\d.]+) MHz\)",
        text,
    ):
        reached[name], needed[name] = number(mhz) or 0.0, number(least) or 0.0
    return NextpnrTiming(reached_mhz=reached, needed_mhz=needed)


def _over(resources: Resources, build: Manifest | None) -> Iterator[str]:
    part = None if build is None else part_of(build.part)
    yield from (str(use) for use in (resources.uses(part) if part else ()) if use.over)


def _counts(resources: Resources, _build: Manifest | None) -> Iterator[TableRow]:
    yield "LUT, by Yosys", resources.luts, ""
    yield "LUT as memory, by Yosys", resources.luts_as_memory, ""
    yield "FF, by Yosys", resources.ffs, ""
    yield "block RAM, by Yosys", resources.ramb18, ""
    yield "DSP, by Yosys", resources.dsps, ""


YOSYS = ReportKind(
    name="yosys",
    subject="utilization",
    files={"*_stat.json": "", "*.rpt": _CELLS, "*.txt": _CELLS},
    read=read_yosys_stat,
    problems=_over,
    rows=_counts,
)

NEXTPNR = ReportKind(
    name="nextpnr",
    subject="timing",
    files=dict.fromkeys(("*.log", "*.rpt", "*.txt"), "Max frequency for clock"),
    read=read_nextpnr_log,
    problems=lambda found, _build: found.problems,
    rows=lambda found, _build: (
        (f"clock {clock}, by nextpnr", f"{mhz:.1f}", "MHz")
        for clock, mhz in found.reached_mhz.items()
    ),
)


def read_routing(text: str) -> Routing:
    """Read what 'bitformer build' wrote of several seeds.

    Raises
    ------
    UserError
        If it is damaged.
    """
    return Routing.from_dict(parse_json(text, "Routing"), "Routing")


def _of_seeds(routing: Routing, build: Manifest | None) -> Iterator[TableRow]:
    for clock in routing.best.clocks:
        yield f"clock {clock.name}", f"{clock.reached_mhz:.1f}", f"MHz of {clock.asked_mhz:g} asked"
    if len(routing.seeds) > 1:
        rest = f"{routing.median_mhz:.1f} median, {routing.worst_mhz:.1f} worst"
        yield "best of seeds", routing.best.seed, f"of {len(routing.seeds)}: {rest}"
    for seed, why in routing.failed.items():
        yield f"seed {seed} failed", "", why
    if build is not None and build.latency_cycles is not None:
        cycles, hertz = build.latency_cycles, build.clock_hz
        asked = f"µs at {hertz / 1e6:g} MHz, {cycles} cycles"
        yield "latency", f"{cycles / hertz * 1e6:.2f}", asked
        yield "at the clock reached", f"{cycles / routing.best_mhz:.2f}", "µs"
    for use in routing.uses:
        yield use.resource, use.used, f"of {use.available}"
    if (path := routing.best.path) is not None:
        yield "worst path from", path.start, ""
        parts = f"{path.logic_ns:.2f} logic, {path.routing_ns:.2f} routing"
        yield "to", path.end, f"{path.delay_ns:.2f} ns: {parts}"


#: Of a build whose tools were run here, with several seeds: the best one judges it.
ROUTING = ReportKind(
    name="routing",
    subject="timing",
    also=("utilization",),
    files={"*_route.json": '"best_seed"'},
    read=read_routing,
    problems=lambda found, _build: found.problems,
    rows=_of_seeds,
)
