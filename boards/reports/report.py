"""All reports of a build as one, and whether they call it good."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bitformer.boards.board import part_of
from bitformer.boards.build.manifest import Manifest
from bitformer.boards.build.open_platform import proxy_of
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.energy import Energy, configuration_seconds, energy
from bitformer.boards.reports.kind import SUBJECTS, ReportKind, TableRow
from bitformer.boards.reports.open_tools import NEXTPNR, ROUTING, YOSYS
from bitformer.boards.reports.vivado.power import POWER, Power
from bitformer.boards.reports.vivado.text import VivadoReport, header_of
from bitformer.boards.reports.vivado.timing import TIMING, Timing
from bitformer.boards.reports.vivado.utilization import UTILIZATION, Utilization
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError
from bitformer.model.forecasts.answer import Answer
from bitformer.synth.routing import Routing

__all__ = ["CONFIGURATION_W", "KINDS", "BuildReport", "energy_of", "read_build"]

#: Every kind of report, as they are shown; Vivado's judge a build before the open tools'.
KINDS: tuple[ReportKind[Any], ...] = (UTILIZATION, ROUTING, YOSYS, TIMING, NEXTPNR, POWER)
#: Watts of an FPGA that is being configured. No report has it: an assumption, to be measured.
CONFIGURATION_W = 0.1
#: Lines and hertz at which a host configures a board without a flash.
_SLAVE_SERIAL = (1, 40e6)
#: How far a design had come; of several reports of a kind the furthest is read.
_STATES = ("synth", "placed", "place", "physopt", "routed", "route")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildReport:
    """Everything the tools say of one build.

    Parameters
    ----------
    directory : Path
    manifest : Manifest or None
        None for a project that bitformer did not write.
    files : mapping
        The file that each kind of report was read from.
    found : mapping
        What was read, by the name of the kind.
    problems : tuple of str
        What is against the build: sentences without a full stop. Empty if it is good.
    """

    directory: Path
    manifest: Manifest | None
    files: Mapping[str, str]
    found: Mapping[str, Any]
    problems: tuple[str, ...]

    @property
    def timing(self) -> Timing | None:
        """The timing summary of Vivado."""
        return self.found.get(TIMING.name)

    @property
    def utilization(self) -> Utilization | None:
        """The utilization report of Vivado."""
        return self.found.get(UTILIZATION.name)

    @property
    def power(self) -> Power | None:
        """The power report of Vivado."""
        return self.found.get(POWER.name)

    @property
    def routing(self) -> Routing | None:
        """What several seeds of nextpnr made of the design."""
        return self.found.get(ROUTING.name)

    @property
    def name(self) -> str:
        """The name of the design, or of its folder where no manifest says."""
        return self.directory.name if self.manifest is None else self.manifest.name

    @property
    def answer(self) -> Answer | None:
        """What a result of the design means; None where no manifest says."""
        return None if self.manifest is None else self.manifest.answer

    @property
    def good(self) -> bool:
        """Whether every report is there and none has anything against the design."""
        return not self.problems

    @property
    def device(self) -> str | None:
        """Die and package, as the reports say: ``"xc7s15ftgb196"``."""
        routed = None if self.routing is None else self.routing.part
        return next((report.device for _, report in _of_vivado(self.found)), routed)

    @property
    def tool(self) -> str | None:
        """The release that wrote the reports."""
        routed = None if self.routing is None else self.routing.tool
        return next((report.tool for _, report in _of_vivado(self.found)), routed)

    def rows(self) -> list[TableRow | None]:
        """Return the rows of the table that people read, None between two kinds of report."""
        rows: list[TableRow | None] = []
        for kind in KINDS:
            if kind.name in self.found:
                rows += [None] * bool(rows)
                rows += kind.rows(self.found[kind.name], self.manifest)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the reports as plain data, with None for a kind that is not there."""
        return {
            "directory": str(self.directory),
            "facts": {} if self.manifest is None else self.manifest.to_dict(),
            "files": dict(self.files),
            **{
                kind.name: _plain(self.found[kind.name]) if kind.name in self.found else None
                for kind in KINDS
            },
            "problems": self.problems,
            "good": self.good,
            "device": self.device,
            "tool": self.tool,
        }


def _plain(found: Any) -> dict[str, Any]:
    return found.to_dict() if isinstance(found, Routing) else dataclasses.asdict(found)


def read_build(directory: Path) -> BuildReport:
    """Read every report in a folder.

    Of several of a kind, the one of the furthest state counts: routed before placed before
    synthesized. Hierarchical reports are left alone.

    Raises
    ------
    UserError
        If there is no report, or one cannot be read.
    """
    manifest = Manifest.find(directory)
    texts = _texts(directory)
    if not texts:
        raise UserError(f"Directory {directory} holds no report of Vivado, Yosys or nextpnr")
    found: dict[str, Any] = {}
    for kind in KINDS:
        if kind.name in texts:
            name, text = texts[kind.name]
            try:
                found[kind.name] = kind.read(text)
            except UserError as error:
                raise UserError(f"{directory / name}: {error}") from None
    if ROUTING.name in found:
        found.pop(NEXTPNR.name, None)  # the log of its best seed
    return BuildReport(
        directory=directory,
        manifest=manifest,
        files={kind: name for kind, (name, _) in texts.items() if kind in found},
        found=found,
        problems=tuple(_problems(found, manifest)),
    )


def _texts(directory: Path) -> dict[str, tuple[str, str]]:
    """Return name and text of the report to be read, by the name of its kind."""
    found: dict[str, tuple[int, str, str]] = {}
    patterns = {pattern for kind in KINDS for pattern in kind.files}
    try:
        paths = sorted(
            path
            for path in directory.iterdir()
            if any(map(path.match, patterns)) and path.is_file()
        )
    except OSError as error:
        raise UserError(f"Directory {directory} cannot be read: {error.strerror}") from None
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        kind = next((kind.name for kind in KINDS if kind.matches(path.name, text)), None)
        rank = _rank(path.name, text)
        if kind is not None and (kind not in found or rank >= found[kind][0]):
            found[kind] = (rank, path.name, text)
    return {kind: (name, text) for kind, (_, name, text) in found.items()}


def _rank(name: str, text: str) -> int:
    """Return how far the design had come, by the report or, in older releases, its file's name."""
    state = header_of(text).get("Design State", "").lower()
    if not state:
        return 0 if "synth" in name else len(_STATES)
    return max((rank for rank, word in enumerate(_STATES) if word in state), default=0)


def _of_vivado(found: Mapping[str, Any]) -> list[tuple[str, VivadoReport]]:
    """Return the reports of Vivado with the names of their kinds, timing first."""
    order = {name: number for number, name in enumerate(SUBJECTS)}
    there = [item for item in found.items() if isinstance(item[1], VivadoReport)]
    return sorted(there, key=lambda item: order.get(item[0], len(order)))


def _problems(found: Mapping[str, Any], manifest: Manifest | None) -> Iterator[str]:
    there = [kind for kind in KINDS if kind.name in found]
    for subject in SUBJECTS:
        judges = [kind for kind in there if subject in (kind.subject, *kind.also)]
        if judges and judges[0].subject == subject:
            yield from judges[0].problems(found[judges[0].name], manifest)
        elif not judges and not (subject == "power" and ROUTING.name in found):
            yield f"there is no {subject} report"
    for kind in there:
        if kind.subject is None:
            yield from kind.problems(found[kind.name], manifest)
    if manifest is not None and manifest.toolchain == "open" and (proxy := proxy_of(manifest.part)):
        yield proxy
    devices = {name: report.device for name, report in _of_vivado(found) if report.device}
    wanted = manifest.part.rpartition("-")[0] if manifest else next(iter(devices.values()), None)
    for name, device in devices.items():
        if device != wanted:
            yield f"the {name} report is of {device}, not of {wanted}"


def energy_of(
    report: BuildReport,
    *,
    forecasts: int,
    cycles: int | None = None,
    clock_hz: int | None = None,
    configuration_w: float = CONFIGURATION_W,
) -> Energy | None:
    """Return the energy of an inference and of a day; None without a power report or cycles.

    `cycles` and `clock_hz` default to what the manifest says. The configuration is that of the
    board, as long as the bitstream in the directory, or else uncompressed. Idle is static power and
    clocks, or, where the report does not split them, all of it.
    """
    manifest, power = report.manifest, report.power
    if manifest is not None:
        cycles = cycles or manifest.busy_cycles
        clock_hz = clock_hz or manifest.clock_hz
    if power is None or cycles is None or clock_hz is None:
        return None
    board = None if manifest is None else BOARDS.get(manifest.board)
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
    if report.manifest is not None:
        binary = (report.directory / report.manifest.bitstream).with_suffix(".bin")
        if binary.is_file():
            return 8 * binary.stat().st_size
    part = part_of(report.device or "")
    if part is None:
        raise UserError(f"Part of {report.directory} must be one of {', '.join(PARTS)}")
    return part.bitstream_bits
