"""``bitformer estimate``: cycles, resources and energy before anything is synthesised."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitformer.cli.doctor import predictor_of
from bitformer.cli.estimate_components import show_components
from bitformer.cli.options import (
    PATH,
    clock_option,
    hardware_options,
    kb_option,
    lowered,
    model_argument,
    part_option,
    placements,
    ready_file,
)
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.estimate.knowledge import Entry
    from bitformer.estimate.predictor import Prediction, Predictor
    from bitformer.hw.design import Design
    from bitformer.hw.lowering.exact import Estimate

__all__ = ["command", "hertz", "show_estimate"]


def hertz(clock_mhz: float | None) -> float:
    """The clock of ``--clock``, or the default one."""
    from bitformer.hw.lowering.exact import DEFAULT_CLOCK_HZ

    if clock_mhz is None:
        return DEFAULT_CLOCK_HZ
    return clock_mhz * 1e6


def show_estimate(
    report: Report, design: "Design", result: "Estimate", prediction: "Prediction | None" = None
) -> None:
    """Print an estimate: cycles, stores, totals, and what is too much."""
    geometry = design.geometry
    report.line(
        f"{design.model.config.name} on {result.part} at {result.clock_hz / 1e6:g} MHz:"
        f" latency {result.latency} cycles ({result.latency_us:.2f} us),"
        f" one inference every {result.interval} cycles ({result.interval_us:.2f} us)"
    )
    report.line(
        f"{result.macs} MACs, {result.macs_per_cycle:.1f} a cycle:"
        f" {result.utilisation:.0%} of the {result.peak} that {geometry.columns} columns can make"
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
    if prediction is None:
        _show_stores(report, result)
    else:
        _show_prediction(report, prediction)


def _show_stores(report: Report, result: "Estimate") -> None:
    report.table(
        ("resource", "used", "of", "share"),
        (
            (use.resource, use.used, use.available, f"{use.used / use.available:.0%}")
            for use in result.uses
        ),
    )
    for use in result.over:
        report.line(f"Does not fit {result.part}: {use}")
    report.line("LUTs are those of the stores: the units' own logic is not in them.")


def _show_prediction(report: Report, prediction: "Prediction") -> None:
    spans = {
        "LUT": prediction.luts,
        "LUT as memory": prediction.lutram,
        "FF": prediction.ffs,
    }
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
    for use in prediction.over:
        report.line(f"Does not fit {prediction.part}: {use}")
    for use in prediction.uses:
        span = spans.get(use.resource)
        if span is not None and not use.over and span.high > use.available:
            report.line(
                f"May not fit {prediction.part}: {use.resource} up to {span.high} of"
                f" {use.available}"
            )


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


def _predicted(predictor: "Predictor", design: "Design") -> "Prediction":
    """The prediction, or the measurement that the base has of this very design."""
    from bitformer.synth.synthesize import digest

    try:
        return predictor.predict(design, digest=digest)
    except UserError:  # no Yosys, whose release is in the digest
        return predictor.predict(design)


def _show_energy(
    report: Report, prediction: "Prediction", clock_hz: float, build: "Entry | None"
) -> dict[str, object]:
    """Print the energy of a ``build`` that was reported, or else a model's; as plain data."""
    from bitformer.estimate.power import ENERGY_PJ, inference_j, power_w, static_w

    if build is not None:
        watts = float(build.features["power_w"])
        joules = watts * prediction.latency / clock_hz
        report.line(
            f"Energy of an inference: {joules * 1e6:.2f} uJ = {watts * 1e3:.0f} mW x latency, by"
            f" {build.tool} {build.version}'s report of the build {build.name}, shell and all."
        )
        return {
            "is": f"{build.tool}'s report of a build of this model x its cycles",
            "inference_j": joules,
            "power_w": watts,
            "build": build.name,
        }
    power = power_w(prediction.part, prediction.counts, clock_hz=clock_hz)
    joules = inference_j(prediction.part, prediction.counts, clock_hz=clock_hz)
    idle = static_w(prediction.part)
    report.line(
        f"Energy of an inference by a model, not a measurement: {joules * 1e6:.2f} uJ ="
        f" {power * 1e3:.0f} mW x latency, of which {idle * 1e3:.0f} mW static; the rest from"
        " energies of a cycle that are assumed. 'report' has Vivado's."
    )
    return {
        "is": "a model: static power + clock x assumed energies of a cycle",
        "inference_j": joules,
        "power_w": power,
        "static_w": idle,
        "assumed_pj": dict(ENERGY_PJ),
    }


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
    "--plot", type=PATH, metavar="FILE", help="Draw who holds which unit when: .png, .svg, .pdf."
)
@kb_option
@json_option
def command(
    model: Path,
    part: str | None,
    lanes: int | None,
    pack: bool,
    place: tuple[str, ...],
    clock_mhz: float | None,
    layers: bool,
    components: bool,
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
    bitformer estimate m.safetensors --lanes 16 --place weights=block --place scores=registers
    bitformer estimate m.safetensors --components
    """
    from bitformer.estimate.knowledge import known_entries
    from bitformer.hw.lowering.exact import estimate
    from bitformer.model.checkpoint import load_model

    clock_hz, loaded = hertz(clock_mhz), load_model(model)
    design = lowered(loaded, part=part, lanes=lanes, pack=pack, place=place)
    result = estimate(design, clock_hz=clock_hz)
    if plot is not None:
        from bitformer.sim.timeline_plot import plot_timeline

        plot_timeline(design, ready_file(plot))
        report.note(f"Timeline: {plot}")
    entries = known_entries(kb)
    predictor = predictor_of(report, entries)
    prediction = None if predictor is None else _predicted(predictor, design)
    show_estimate(report, design, result, prediction)
    data = {"model": str(model), **result.to_dict()}
    over = bool(result.over)
    if prediction is not None:
        from bitformer.estimate.power import reported

        over = bool(prediction.over)
        data |= {"prediction": prediction.to_dict(), "within_budget": not over}
        build = reported(entries, design, clock_hz=clock_hz)
        data["energy"] = _show_energy(report, prediction, clock_hz, build)
    data["plot"] = None if plot is None else str(plot)
    if layers:
        data["layers"] = _show_layers(report, design)
    if components:
        data["components"] = show_components(report, design, prediction, entries)
    if over:
        from bitformer.estimate.remedies import remedies
        from bitformer.model.progress import progress_bar

        with progress_bar() as progress:
            found = remedies(
                loaded,
                part=design.part,
                lanes=lanes,
                pack=pack,
                placement=placements(place),
                clock_hz=clock_hz,
                progress=progress,
            )
        for remedy in found:
            report.line(f"It fits with {remedy}")
        if not found:
            report.line("What else could be changed, 'doctor' tries.")
        data["remedies"] = [
            {"change": remedy.change, **remedy.figures.to_dict()} for remedy in found
        ]
    report.data(data)
    if over:
        raise click.exceptions.Exit(1)
