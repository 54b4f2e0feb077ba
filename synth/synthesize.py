"""Synthesis with Yosys: what a design takes on the chip, and how deep its logic is.

Yosys knows no part's limits and places nothing. A vendor's tools pack two small LUTs into one where
they can, and find fewer. Inverters are counted apart: these tools absorb them into LUTs.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.lib import wiring

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.design import Design
from bitformer.hw.families.family import Family
from bitformer.hw.parts import DEFAULT_PART, PARTS, Part, Use, find_part
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.progress import Progress, silent
from bitformer.synth.cache import default_cache, digest_of, synthesized
from bitformer.synth.depth import MOST_LOADS, Depth, Fanout, depth, fanouts
from bitformer.synth.logic_cells import logic_cells
from bitformer.synth.netlist import output_names, read_netlist
from bitformer.synth.resources import Resources, unit_resources
from bitformer.synth.yosys import find_tool

__all__ = ["Synthesis", "digest", "source_of", "synthesize", "synthesized_netlist"]

_TOP = "top"


@dataclass(frozen=True, kw_only=True, repr=False)
class Synthesis:
    """A synthesized design.

    Parameters
    ----------
    part : the budget it is held against; None for a component without one.
    digest : of the hardware's source, the tool and its script: what was measured.
    tool : name and version. seconds : that the synthesis took, when it was run.
    cells : how many of each primitive. resources : what they take.
    depth : LUT levels and carry chains between registers, and the worst paths.
    fanouts : the nets with most loads, clocks and the reset left out. control : the control net
        with most loads, which need not be among them.
    units : what each unit takes by itself (see :mod:`.resources`), which adds up to more than
        ``resources``; ``(own)`` is what is in no unit. Empty unless asked for.
    """

    part: Part | None
    digest: str
    tool: str
    seconds: float
    cells: Mapping[str, int]
    resources: Resources
    depth: Depth
    fanouts: tuple[Fanout, ...]
    control: Fanout | None = None
    units: Mapping[str, Resources] = field(default_factory=dict)

    @property
    def uses(self) -> tuple[Use, ...]:
        """The part's budget beside what is taken; nothing without a part."""
        return self.resources.uses(self.part) if self.part is not None else ()

    @property
    def short_enough(self) -> bool:
        """Whether paths are short, and loads of control nets few, enough for 150 MHz."""
        few = self.control is None or self.control.loads <= MOST_LOADS
        return few and self.depth.short_enough

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which the part has too few."""
        return tuple(use for use in self.uses if use.over)

    def to_dict(self) -> dict[str, object]:
        """Return counts, paths and loads as plain data."""

        def plain(taken: Resources) -> dict[str, int]:
            return {"luts": taken.luts, **dataclasses.asdict(taken)}

        return {
            "part": self.part.name if self.part is not None else None,
            "tool": self.tool,
            "seconds": self.seconds,
            "resources": plain(self.resources),
            "budget": [{**dataclasses.asdict(use), "over": use.over} for use in self.uses],
            "fits": not self.over,
            "cells": dict(self.cells),
            "units": {unit: plain(taken) for unit, taken in self.units.items()},
            "lut_levels": self.depth.levels,
            "carry_chains": self.depth.chains,
            "late_steps": self.depth.late_steps,
            "short_enough_for_150_mhz": self.short_enough,
            "paths": [dataclasses.asdict(path) for path in self.depth.paths],
            "late_paths": [dataclasses.asdict(path) for path in self.depth.late],
            "loads": [{**dataclasses.asdict(net), "control": net.control} for net in self.fanouts],
        }

    def __repr__(self) -> str:
        taken = ", ".join(f"{use.used} of {use.available} {use.resource}" for use in self.uses)
        return f"<Synthesis by {self.tool}: {taken}; {self.depth.levels} LUT levels>"


def synthesize(
    design: Design | wiring.Component,
    *,
    part: str | None = None,
    units: bool = False,
    worst: int = 20,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Synthesis:
    """Synthesize a design's accelerator, without its trace ports, or any component.

    A result of the same tool for the same component comes from a cache.

    Parameters
    ----------
    design : Design or wiring.Component
        The design, or any component.
    part : str or None
        The part whose budget counts; by default a design's own.
    units : bool
        Whether to synthesize once more, unit by unit.
    worst : int
        How many paths and nets to report.
    cache : Path or None
        Folder of earlier netlists; by default bitformer's in the user's cache.
    progress : callable
        Called when something has to be synthesized.

    Raises
    ------
    UserError
        If the part is unknown, there is no Yosys, or it fails.
    """
    if part is None and isinstance(design, Design):
        part = design.part
    family = find_part(part or DEFAULT_PART).family
    tool = find_tool()
    source = source_of(design)
    folder = cache or default_cache()
    flat, seconds = synthesized(
        tool, source, family, flatten=True, folder=folder, progress=progress
    )
    netlist = read_netlist(flat, family=family, aliases=output_names(source))
    nets = fanouts(netlist)
    found: dict[str, Resources] = {}
    if units:
        apart, more = synthesized(
            tool, source, family, flatten=False, folder=folder, progress=progress
        )
        found, seconds = unit_resources(apart, family), seconds + more
    return Synthesis(
        part=PARTS[part] if part is not None else None,
        digest=digest_of(source, tool, family),
        tool=tool.version,
        seconds=seconds,
        cells=dict(sorted(netlist.counts.items())),
        resources=dataclasses.replace(
            Resources.of(netlist.counts, family), cells=logic_cells(netlist)
        ),
        depth=depth(netlist, worst=worst),
        fanouts=nets[:worst],
        control=next((net for net in nets if net.control), None),
        units=found,
    )


def digest(design: Design | wiring.Component, *, family: Family | None = None) -> str:
    """Return the digest of its synthesis, as in :class:`Synthesis`; raise as `synthesize`.

    ``family`` : that a component is for; by default the default part's.
    """
    return digest_of(source_of(design), find_tool(), family or _family_of(design))


def _family_of(design: Design | wiring.Component) -> Family:
    return design.family if isinstance(design, Design) else PARTS[DEFAULT_PART].family


def synthesized_netlist(
    design: Design | wiring.Component,
    *,
    family: Family | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the flat netlist that :func:`synthesize` counts, in Yosys' JSON, as module ``top``.

    ``family`` : that a component is for; by default the default part's.

    Raises
    ------
    UserError
        If there is no Yosys, or it fails.
    """
    folder, source = cache or default_cache(), source_of(design)
    return synthesized(
        find_tool(),
        source,
        family or _family_of(design),
        flatten=True,
        folder=folder,
        progress=progress,
    )[0]


def source_of(design: Design | wiring.Component) -> str:
    """Return the design as RTLIL, in which a ROM in LUTs has Yosys' word for it, ``logic``.

    Stores that new weights are loaded into are loaded by ports: without, they would be no RAMs.
    """
    if isinstance(design, Design):
        accelerator = Accelerator(design=design)
        ports = [
            getattr(stream, name)
            for stream in (accelerator.i, accelerator.o)
            for name in ("payload", "valid", "ready")
        ]
        loads = ("i_bank", "i_load_addr", "i_load_data", "i_load_en")
        ports += [getattr(accelerator, name) for name in loads if design.banks > 1]
        text = rtlil.convert(
            accelerator, name=_TOP, platform=FOR_SYNTHESIS, ports=ports, emit_src=False
        )
    elif isinstance(design, wiring.Component):
        text = rtlil.convert(design, name=_TOP, platform=FOR_SYNTHESIS, emit_src=False)
    else:
        raise TypeError(f"Design must be a Design or a Component, not {design!r}")
    return text.replace('attribute \\rom_style "distributed"', 'attribute \\rom_style "logic"')
