"""``bitformer estimate``: cycles, resources and energy before anything is synthesised."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.estimate_components import show_components
from bitformer.cli.lowering import lowered
from bitformer.cli.options import (
    PATH,
    clock_option,
    hardware_options,
    kb_option,
    model_argument,
    part_option,
)
from bitformer.cli.report import Report, json_option
from bitformer.model.files import ready_file
from bitformer.model.progress import busy, progress_bar

if TYPE_CHECKING:
    from bitformer.estimate.predictor import Interval, Prediction
    from bitformer.hw.design import Design
    from bitformer.hw.lowering.exact import Estimate

__all__ = ["command"]


def _show(
    report: Report, design: "bitformer.AcceleratorDesign", found: "bitformer.DesignEstimate"
) -> None:
    """Print an estimate: whether it fits, cycles, stores and totals."""
    from bitformer.hw.design import RINGS  # late: not for --help
    from bitformer.report.design_facts import block_ram_sentence

    result = found.exact
    _show_fit(report, found)
    report.line(
        f"{design.model.name} on {result.part} at {result.clock_hz / 1e6:g} MHz:"
        f" latency {result.latency} cycles ({result.latency_us:.2f} us),"
        f" one inference every {result.interval} cycles ({result.interval_us:.2f} us)"
    )
    if found.clock is not None:
        report.line(found.clock.sentence(result.latency))
    report.line(
        f"{result.macs} MACs, {result.macs_per_cycle:.1f} a cycle: {result.utilisation:.0%} of the"
        f" {result.peak} that {design.lowered.geometry.columns} columns can make"
    )
    if (phases := design.lowered.phases) > 1:
        words = [
            f"{design.lowered.words(name)} of {store.depth} words of {name}"
            for name, store in design.lowered.stores.items()
            if name in RINGS
        ]
        report.line(
            f"{phases} phases take steps in turn, and each has rings of its own:"
            f" {' and '.join(words)}"
        )
    report.table(
        (
            "store",
            "kind",
            "placement",
            "words",
            "bits each",
            "bits",
            "block RAM",
            "LUT as mem.",
            "LUT",
        ),
        (
            (
                store.name,
                "ROM" if store.rom else "RAM",
                "block, rest LUT" if store.ramb18 and store.luts else store.placement,
                store.depth,
                store.width,
                store.bits,
                store.ramb18,
                store.lutram,
                store.luts,
            )
            for store in result.stores
        ),
        words=3,
    )
    for store in result.stores:
        for part in store.parts:
            alone = "" if part.post and part.engine else ", read by the engine alone"
            if part.post and not part.engine:
                alone = ", read by the post-processor alone"
            report.line(
                f"{store.name}: {part.depth} words in {part.placement}{alone}:"
                f" {', '.join(part.tensors)}"
            )
    if found.prediction is None:
        _show_stores(report, result)
    else:
        _show_prediction(report, found.prediction)
        if why := block_ram_sentence(result, found.prediction.ramb18):
            report.line(why)
        time = "latency" if result.latency >= result.interval else "interval"
        _show_energy(report, found.energy or {}, result.part, time)


def _show_fit(report: Report, found: "bitformer.DesignEstimate") -> None:
    """Say in one line whether the part has enough of everything, and what it lacks."""
    part, prediction = found.exact.part, found.prediction
    shares = ", ".join(
        f"{use.resource} {use.used / use.available:.0%}" for use in found.uses if use.available
    )
    if found.over:
        for use in found.over:
            report.line(f"Does not fit {part}: {use}")
    elif prediction is None:
        report.line(f"The stores fit the {part}: {shares}; the units' own logic is not known.")
    else:
        near = [
            f"{use.resource} up to {span.high} of {use.available}"
            for use in found.uses
            for span in (_spans(prediction).get(use.resource),)
            if span is not None and span.high > use.available
        ]
        if near:
            report.line(f"May not fit {part}: {'; '.join(near)}")
        else:
            report.line(f"Fits the {part}: {shares}")


def _show_stores(report: Report, result: "Estimate") -> None:
    from bitformer.hw.parts import PARTS

    report.table(
        ("resource", "used", "of", "share"),
        (
            (use.resource, use.used, use.available, f"{use.used / use.available:.0%}")
            for use in result.uses
        ),
    )
    report.line("LUTs are those of the stores: the units' own logic is not in them.")
    family = PARTS[result.part].family
    if not family.shift_registers:
        report.line(f"{family.name} has no shift registers in LUTs: delays are flip-flops.")


def _spans(prediction: "Prediction") -> dict[str, "Interval"]:
    """Return between what lies what is predicted, by the resource."""
    return {
        "LUT": prediction.luts,
        "LUT as memory": prediction.lutram,
        "FF": prediction.ffs,
    }


def _show_prediction(report: Report, prediction: "Prediction") -> None:
    from bitformer.hw.parts import PARTS

    spans = _spans(prediction)
    report.table(
        ("resource", "used", "between", "of", "share"),
        (
            (
                use.resource,
                use.used,
                f"{span.low}–{span.high}" if span and span.low < span.high else "exact",
                use.available,
                f"{use.used / use.available:.0%}",
            )
            for use in prediction.uses
            if use.available
            for span in (spans.get(use.resource),)
        ),
    )
    if prediction.measured:
        report.line("This design was synthesized before: the figures are Yosys' own.")
    else:
        report.line(
            "LUTs and flip-flops are predicted from synthesized designs and lie in between for 95"
            " of 100; the board's shell is not in them."
        )
    if PARTS[prediction.part].family.luts.holds_register:
        report.line("A LUT is a logic cell here: a LUT, a flip-flop, or one behind the other.")


def _show_layers(report: Report, design: "Design") -> list[dict]:
    """Print where the engine's cycles go; the same as plain data."""
    from bitformer.hw.timeline import layer_use

    uses = layer_use(design)
    report.table(
        ("layer", "rows", "first cycle", "last", "engine", "waited", "for"),
        (
            (
                use.layer,
                use.rows,
                use.first,
                use.last,
                use.engine,
                use.waited,
                ", ".join(f"{reason} {cycles}" for reason, cycles in use.waits.items()),
            )
            for use in uses
        ),
    )
    return [{**dataclasses.asdict(use), "waited": use.waited} for use in uses]


def _show_energy(report: Report, energy: Mapping[str, Any], part: str, time: str) -> None:
    """Print the energy of a build that was reported, or else a model's, which is watts by time."""
    from bitformer.synth.router import router_of

    both = f"{energy['inference_j'] * 1e6:.2f} uJ = {energy['power_w'] * 1e3:.0f} mW x {time}"
    if "build" in energy:
        report.line(
            f"Energy of an inference: {both}, by {energy['by']}'s report of the build"
            f" {energy['build']}, shell and all."
        )
    else:
        vivado = router_of(part) is None  # nextpnr tells nothing of power
        better = " 'report' has Vivado's figure of a build." if vivado else ""
        report.line(
            f"Energy of an inference by a model, not a measurement: {both}, of which"
            f" {energy['static_w'] * 1e3:.3g} mW static ({energy['static_from']}); the rest from"
            " energies of a cycle that are assumed. It may be off by a factor of"
            f" {energy['within_factor']:g}.{better}"
        )


@click.command("estimate")
@model_argument
@part_option
@hardware_options
@clock_option
@click.option("--layers", is_flag=True, help="Also each layer's cycles, and what it waits for.")
@click.option(
    "--components", is_flag=True, help="Also what each component adds; block RAM by share of bits."
)
@click.option(
    "--days",
    is_flag=True,
    help="Also a day at an inference a second, a minute, ten minutes, and on other families.",
)
@click.option(
    "--plot", type=PATH, metavar="FILE", help="Draw who holds which unit when: .png, .svg, .pdf."
)
@kb_option
@json_option
def command(
    model: Path,
    part: str,
    hardware: dict[str, Any],
    clock_hz: float | None,
    layers: bool,
    components: bool,
    days: bool,
    plot: Path | None,
    kb: Path | None,
    report: Report,
) -> None:
    """Predict MODEL's cycles, resources and energy on a part, before anything is synthesized.

    Cycles, block RAMs and DSP blocks are exact, LUTs and flip-flops predicted from the knowledge
    base, with an interval; energy is a model's, or Vivado's where 'report' has read a build of
    MODEL. If the part has too little of something, the exit code is 1, and changes are named with
    which the design fits ('doctor' tries more).

    Stores: program, weights, parameters, position, activations, dynamic (keys and values), scores,
    input, output.

    \b
    bitformer estimate m.safetensors --part xc7s15
    bitformer estimate m.safetensors --lanes 16 --place weights=block \\
        --place scores=registers
    bitformer estimate m.safetensors --components
    bitformer estimate m.safetensors --days
    """
    from bitformer.synth.router import usual_hz

    clock_hz = clock_hz or usual_hz(part)
    design = lowered(bitformer.load(model), part=part, **hardware)
    if plot is not None:
        from bitformer.sim.timeline_plot import plot_timeline

        plot_timeline(design.lowered, ready_file(plot))
        report.note(f"Timeline: {plot}")
    with busy("Predicting resources from the knowledge base"):
        found = design.estimate(clock_hz=clock_hz, kb=kb, note=report.note)
    _show(report, design, found)
    data = {"model": str(model), **found.to_dict(), "plot": None if plot is None else str(plot)}
    if layers:
        data["layers"] = _show_layers(report, design.lowered)
    if components:
        data["components"] = show_components(report, design.components(found))
    if days:
        from bitformer.cli.estimate_days import show_days  # late: not for --help

        data["days"] = show_days(report, design, found, clock_hz=clock_hz, kb=kb)
    if found.over:
        with progress_bar() as progress:
            remedies = design.remedies(clock_hz=clock_hz, progress=progress)
        for remedy in remedies:
            report.line(f"It fits with {remedy}")
        if not remedies:
            report.line("What else could be changed, 'doctor' tries.")
        data["remedies"] = [{"change": one.change, **one.figures.to_dict()} for one in remedies]
    report.data(data)
    if found.over:
        raise click.exceptions.Exit(1)
