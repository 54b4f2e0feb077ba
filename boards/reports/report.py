"""All reports of a build as one, and whether they call it good."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitformer.boards.build.manifest import PlanFacts, read_facts
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.energy import Energy, configuration_seconds, energy
from bitformer.boards.reports.open_tools import NextpnrTiming, read_nextpnr_log, read_yosys_stat
from bitformer.boards.reports.vivado.power import Power, read_power
from bitformer.boards.reports.vivado.text import header_of
from bitformer.boards.reports.vivado.timing import Timing, read_timing
from bitformer.boards.reports.vivado.utilization import Utilization, read_utilization
from bitformer.hw.parts import PARTS, Part
from bitformer.model.errors import UserError
from bitformer.synth.resources import Resources

__all__ = ["CONFIGURATION_W", "BuildReport", "energy_of", "read_build"]

#: What an FPGA takes while it is configured. No report says: an assumption, to be measured.
CONFIGURATION_W = 0.1
#: How a board without a flash is configured: by a host, over one line.
_SLAVE_SERIAL = (1, 40e6)

#: By which line a report is known, and how far a design had come; the furthest is read.
_KINDS = {
    "timing": "| Design Timing Summary",
    "utilization": "Utilization Design Information",
    "power": "Total On-Chip Power (W)",
}
#: How Yosys' statistics count cells, until 0.55 and since; its logs hold them many times over.
_CELLS = re.compile(r"Number of cells:\s+\d|^\s+\d+(?:\s+\S+)? cells\s*$", re.M)
_STATES = ("synth", "placed", "place", "physopt", "routed", "route")


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What the tools say of one build.

    Parameters
    ----------
    directory : Path
    facts : mapping
        What ``bitformer.json`` says; empty for a project that is not ours.
    files : mapping
        The file that each kind of report was read from.
    utilization : Utilization or None
    timing : Timing or None
    power : Power or None
        Of Vivado; None where there is no such report.
    yosys : Resources or None
    nextpnr : NextpnrTiming or None
        Of the open tools.
    problems : tuple of str
        Why the build is not good: sentences without a full stop. Empty if it is.
    """

    directory: Path
    facts: PlanFacts
    files: Mapping[str, str]
    utilization: Utilization | None = None
    timing: Timing | None = None
    power: Power | None = None
    yosys: Resources | None = None
    nextpnr: NextpnrTiming | None = None
    problems: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Whether every report is there and none has anything against the design."""
        return not self.problems

    @property
    def device(self) -> str | None:
        """Die and package, as the reports say: ``"xc7s15ftgb196"``."""
        there = (self.timing, self.utilization, self.power)
        return next((report.device for report in there if report is not None), None)

    @property
    def tool(self) -> str | None:
        """Which release wrote the reports."""
        there = (self.timing, self.utilization, self.power)
        return next((report.tool for report in there if report is not None), None)


def read_build(directory: Path) -> BuildReport:
    """Read every report in `directory`.

    Of several of a kind, the one of the furthest state counts: routed before placed before
    synthesized. Hierarchical reports are left alone.

    Raises
    ------
    UserError
        If there is no report, or one cannot be read.
    """
    facts = read_facts(directory)
    texts = _texts(directory)
    if not texts:
        raise UserError(f"Directory {directory} holds no report of Vivado, Yosys or nextpnr")
    readers = {
        "timing": read_timing,
        "utilization": read_utilization,
        "power": read_power,
        "yosys": read_yosys_stat,
        "nextpnr": read_nextpnr_log,
    }
    found: dict[str, Any] = {}
    for kind, (name, text) in texts.items():
        try:
            found[kind] = readers[kind](text)
        except UserError as error:
            raise UserError(f"{directory / name}: {error}") from None
    return BuildReport(
        directory=directory,
        facts=facts,
        files={kind: name for kind, (name, _) in texts.items()},
        problems=tuple(_problems(facts, **found)),
        **found,
    )


def _texts(directory: Path) -> dict[str, tuple[str, str]]:
    """The reports to be read, by kind: name and text."""
    found: dict[str, tuple[int, str, str]] = {}
    try:
        paths = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError as error:
        raise UserError(f"Directory {directory} cannot be read: {error.strerror}") from None
    for path in paths:
        kind = None
        if path.suffix in (".rpt", ".txt", ".log") or path.name.endswith("_stat.json"):
            text = path.read_text(encoding="utf-8", errors="replace")
            kind = _kind(path.name, text)
        if kind is None:
            continue
        rank = _rank(path.name, text)
        if kind not in found or rank >= found[kind][0]:
            found[kind] = (rank, path.name, text)
    return {kind: (name, text) for kind, (_, name, text) in found.items()}


def _kind(name: str, text: str) -> str | None:
    if name.endswith("_stat.json"):
        return "yosys"
    if "Max frequency for clock" in text:
        return "nextpnr"
    if not name.endswith(".log") and _CELLS.search(text):
        return "yosys"
    if name.endswith(".rpt"):
        return next((kind for kind, line in _KINDS.items() if line in text), None)
    return None


def _rank(name: str, text: str) -> int:
    """How far the design had come, by the report or, in older releases, by the file's name."""
    state = header_of(text).get("Design State", "").lower()
    if not state:
        return 0 if "synth" in name else len(_STATES)
    return max((rank for rank, word in enumerate(_STATES) if word in state), default=0)


def _problems(facts, *, timing=None, utilization=None, power=None, yosys=None, nextpnr=None):
    part = _part(facts.get("part", ""))
    if timing is not None:
        yield from timing.problems
    elif nextpnr is not None:
        yield from nextpnr.problems
    else:
        yield "there is no timing report"
    if utilization is not None:
        yield from map(str, utilization.over)
    elif yosys is not None:
        yield from (str(use) for use in (yosys.uses(part) if part else ()) if use.over)
    else:
        yield "there is no utilization report"
    if power is not None:
        yield from power.problems
    else:
        yield "there is no power report"
    devices = {
        kind: report.device
        for kind, report in (("timing", timing), ("utilization", utilization), ("power", power))
        if report is not None and report.device is not None
    }
    wanted = facts["part"].rpartition("-")[0] if "part" in facts else None
    for kind, device in devices.items():
        if device != (wanted or next(iter(devices.values()))):
            yield f"the {kind} report is of {device}, not of {wanted or devices['timing']}"
    if timing is not None and "clock_hz" in facts and timing.clocks:
        period = 1e9 / facts["clock_hz"]
        if not any(abs(found - period) < 1e-3 * period for found in timing.clocks.values()):
            yield f"no clock in the timing report has the design's period of {period:.3f} ns"


def energy_of(
    report: BuildReport,
    *,
    forecasts: int,
    cycles: int | None = None,
    clock_hz: int | None = None,
    configuration_w: float = CONFIGURATION_W,
) -> Energy | None:
    """The energy of a forecast and of a day; None without a power report or without cycles.

    `cycles` and `clock_hz` default to what ``bitformer.json`` says. The configuration is that of
    the board, as long as the bitstream in the directory, or else uncompressed. Idle is static power
    and clocks, or, where the report does not split them, all of it.
    """
    cycles = cycles or report.facts.get("latency_cycles")
    clock_hz = clock_hz or report.facts.get("clock_hz")
    power = report.power
    if power is None or cycles is None or clock_hz is None:
        return None
    board = BOARDS.get(report.facts.get("board", ""))
    width, rate = _SLAVE_SERIAL
    if board is not None and board.flash is not None:
        width, rate = board.flash.width, board.flash.rate_mhz * 1e6
    return energy(
        total_w=power.total_w,
        idle_w=power.total_w if power.idle_w is None else power.idle_w,
        cycles=cycles,
        clock_hz=clock_hz,
        configuration_s=configuration_seconds(
            bits=_bitstream_bits(report), width=width, rate_hz=rate
        ),
        configuration_w=configuration_w,
        forecasts=forecasts,
    )


def _bitstream_bits(report: BuildReport) -> int:
    name = report.facts.get("bitstream", "none.bit")
    binary = (report.directory / name).with_suffix(".bin")
    if binary.is_file():
        return 8 * binary.stat().st_size
    part = _part(report.device or "")
    if part is None:
        raise UserError(f"Part of {report.directory} must be one of {', '.join(PARTS)}")
    return part.bitstream_bits


def _part(device: str) -> Part | None:
    """The part whose die a full name begins with."""
    return next((part for die, part in PARTS.items() if device.startswith(die)), None)
