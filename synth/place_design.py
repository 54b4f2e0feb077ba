"""A design's accelerator placed and routed by itself, without a board: what clock it reaches."""

import json
from pathlib import Path

from bitformer.hw.design import Design
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent
from bitformer.synth.netlist import output_names, read_netlist
from bitformer.synth.route import SEEDS, place_and_route
from bitformer.synth.router import target_of
from bitformer.synth.routing import NetNames, Routing, read_report
from bitformer.synth.synthesize import source_of, synthesized_netlist

__all__ = ["route_design"]


def route_design(
    design: Design,
    *,
    clock_hz: float | None = None,
    seeds: int = SEEDS,
    netlists: Path | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Routing:
    """Place and route a design's accelerator with several seeds; its ports may lie anywhere.

    The part is in its first package, of its slowest speed grade. Where a router cannot have ports
    lie anywhere, but clock and reset they are left out, with the wires between them and registers,
    which count for no clock in any family. What was synthesized and routed before comes from
    caches.

    Parameters
    ----------
    design : Design
        Lowered for a part that can be routed here.
    clock_hz : float or None
        What to aim at; by default as the part's router has it.
    seeds : int
        How many.
    netlists, cache : Path or None
        Folders of earlier netlists and seeds; by default bitformer's in the user's cache.
    progress : callable
        Called with what is done, of how much, and what goes on.

    Raises
    ------
    UserError
        If the part cannot be routed here, a tool is not here, or every seed fails.
    """
    target = target_of(design.part)
    if clock_hz is None:
        clock_hz = target.router.asked_hz
    if not clock_hz > 0:
        raise UserError(f"clock must be a positive number of hertz, not {clock_hz!r}")
    data = synthesized_netlist(design, cache=netlists, progress=progress)
    placed, failed = place_and_route(
        json.dumps(data),
        target,
        clock_hz=clock_hz,
        seeds=range(1, seeds + 1),
        cache=cache,
        progress=progress,
    )
    netlist = read_netlist(data, family=design.family, aliases=output_names(source_of(design)))
    names = NetNames(netlist, data["modules"]["top"]["netnames"])
    found = [
        read_report(
            one.report,
            names,
            seed=one.seed,
            asked_hz=clock_hz,
            seconds=one.seconds,
            again=one.again,
        )
        for one in placed
    ]
    return Routing.of(target, placed[0].tool, clock_hz, found, failed)
