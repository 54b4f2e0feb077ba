"""``bitformer simulate``: the accelerator, cycle by cycle, against the integer reference."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.lowering import lowered
from bitformer.cli.options import (
    PATH,
    data_options,
    hardware_options,
    model_argument,
    part_option,
)
from bitformer.cli.quantity import COUNT, SEED, Number
from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.sim.run import Simulation

__all__ = ["command"]


def _show(report: Report, result: "Simulation") -> None:
    """Print what a simulation found."""
    samples, tensors = len(result.outputs), len(result.tensors)
    if result.bit_exact:
        compared = f"{tensors} tensors" if tensors > 1 else f"the {result.tensors[0]}"
        report.line(f"Bit exact: {samples} sample(s), every element of {compared}")
    else:
        report.line(f"Not bit exact: {result.difference}")
    columns = {
        "latency of the first sample": (result.predicted_latency, result.latency[:1]),
        "from one sample to the next": (result.predicted_interval, sorted(set(result.interval))),
    }
    rows = [
        (name, "-" if result.cycles_as_predicted is None else predicted, _range(simulated))
        for name, (predicted, simulated) in columns.items()
    ]
    report.table(("cycles", "predicted", "simulated"), rows)


def _range(cycles: list[int]) -> str:
    """Sorted counts in few words."""
    if len(cycles) > 2:
        return f"{cycles[0]} to {cycles[-1]}"
    return " ".join(map(str, cycles)) or "-"


@click.command("simulate", cls=SectionedCommand)
@model_argument
@click.option("--samples", type=COUNT, default=4, show_default=True, help="Windows to run.")
@data_options
@part_option
@hardware_options
@click.option(
    "--engine",
    type=click.Choice(["python", "native", "auto", "netlist"]),
    default="python",
    show_default=True,
    help="Amaranth's simulator, or the same design compiled by a C++ compiler: a minute to start,"
    " then hundreds of times as fast. auto: native where that is possible. netlist: what Yosys"
    " makes of the design for the part, cell by cell; only results and cycles are compared.",
)
@click.option("--vcd", type=PATH, metavar="FILE", help="Write waves of every named signal.")
@click.option(
    "--saif",
    type=PATH,
    metavar="FILE",
    help="Write switching activity, for the power report of 'build --saif'.",
)
@click.option(
    "--backpressure",
    "back_pressure",
    type=Number(0, 1, below=True),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Chance that the source has nothing, and that the sink takes nothing, in a cycle.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Of random samples and back-pressure.",
)
@json_option
def command(
    model: Path,
    samples: int,
    data: dict[str, Any],
    part: str,
    hardware: dict[str, Any],
    vcd: Path | None,
    saif: Path | None,
    seed: int,
    report: Report,
    **options: Any,
) -> None:
    """Run MODEL's accelerator, cycle by cycle, and compare every tensor, bit for bit.

    Samples are test windows of the data that MODEL was trained on, evenly spaced, or of --data; an
    untrained model gets random ones (--data random). Exits with 1 if a single bit differs, naming
    the first tensor, element and cycle, or if the cycles are not those predicted.

    \b
    bitformer simulate m.safetensors --samples 4
    bitformer simulate m.safetensors --samples 1 --vcd waves.vcd
    bitformer simulate m.safetensors --samples 2 --saif activity.saif
    bitformer simulate m.safetensors --backpressure 0.3 --seed 7
    bitformer simulate m.safetensors --samples 1000 --engine native
    bitformer simulate m.safetensors --samples 3 --engine netlist
    """
    design = lowered(bitformer.load(model), part=part, **hardware)
    windows = design.samples(samples, **data, seed=seed, note=report.note)
    report.note(
        f"Simulating {len(windows.values)} sample(s) ({windows.source}), {design.interval} cycles"
        " each"
    )
    with progress_bar() as progress:
        result = design.simulate(
            windows, **options, seed=seed, vcd=vcd, saif=saif, note=report.note, progress=progress
        )
    _show(report, result)
    from bitformer.model.forecasts.classes import answered

    answers = answered(design.model.integer, result.outputs)
    if answers is not None:
        counts = Counter(answers).most_common()
        report.line(f"Answers: {', '.join(f'{name} {count}' for name, count in counts)}")
    if result.cycles_as_predicted is False:
        report.line("The cycles are not those predicted")
    files = {"vcd": vcd, "saif": saif}
    for name, title in (("vcd", "Waves"), ("saif", "Switching activity")):
        if files[name] is not None:
            report.line(f"{title}: {files[name]}")
    report.data(
        {
            "model": str(model),
            "source": windows.source,
            "seed": seed,
            "clipped": [one.to_dict() for one in windows.clipped],
            **{name: None if path is None else str(path) for name, path in files.items()},
            **result.to_dict(),
            **({} if answers is None else {"answers": list(answers)}),
        }
    )
    if not result.bit_exact or result.cycles_as_predicted is False:
        raise click.exceptions.Exit(1)
