"""``bitformer simulate``: the accelerator, cycle by cycle, against the integer reference."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.options import (
    PATH,
    columns_of,
    data_options,
    hardware_options,
    lowered,
    model_argument,
    part_option,
    ready_file,
)
from bitformer.cli.quantity import COUNT, SEED, Number
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError
from bitformer.model.files import temporary_folder
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.hw.design import Design
    from bitformer.model.ir import IntegerModel
    from bitformer.model.windows import Dataset
    from bitformer.sim.run import Simulation

__all__ = ["command", "show_simulation"]


def _dataset(
    model: "IntegerModel", report: Report, *, inputs: str | None, **options: str | None
) -> "Dataset | None":
    """Where samples come from; None for random ones, which the model's own data may have to be."""
    from bitformer.model.own_data import RANDOM, dataset_of, trained_on

    if options["data"] == RANDOM:
        return None
    if options["data"] is None and not trained_on(model):
        return None
    try:
        return dataset_of(model, inputs=columns_of(inputs), **options)
    except UserError as error:
        if options["data"] is not None:
            raise
        report.note(f"Random samples, as the data the model was trained on cannot be had: {error}")
        return None


def _netlist(design: "Design") -> "dict[str, Any]":
    """The design as Yosys synthesizes it: a minute or so, once."""
    from bitformer.synth.synthesize import synthesized_netlist

    with progress_bar() as progress:
        return synthesized_netlist(design, progress=progress)


def show_simulation(report: Report, result: "Simulation") -> None:
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


@contextmanager
def _waves(model: "IntegerModel", vcd: Path | None, saif: Path | None) -> Iterator[Path | None]:
    """The file to write waves to, if any; when the block ends well, ``saif`` is made of it."""
    if saif is None:
        yield None if vcd is None else ready_file(vcd)
        return
    from bitformer.boards.build.saif import write_saif
    from bitformer.model.identity import model_hash

    ready_file(saif)
    with temporary_folder() as folder:
        waves = folder / "waves.vcd" if vcd is None else ready_file(vcd)
        yield waves
        write_saif(waves, saif, model=model_hash(model).hex())


@click.command("simulate")
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
    data: str | None,
    target: str | None,
    inputs: str | None,
    time: str | None,
    part: str | None,
    lanes: int | None,
    pack: bool,
    place: tuple[str, ...],
    engine: str,
    vcd: Path | None,
    saif: Path | None,
    backpressure: float,
    seed: int,
    report: Report,
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
    from bitformer.model.checkpoint import load_model
    from bitformer.model.own_data import integer_windows
    from bitformer.sim.run import simulate

    loaded = load_model(model)
    design = lowered(loaded, part=part, lanes=lanes, pack=pack, place=place)
    dataset = _dataset(loaded, report, data=data, target=target, inputs=inputs, time=time)
    x = integer_windows(loaded, dataset, samples, seed)
    source = "random" if dataset is None else f"{dataset.name}, test windows"
    report.note(f"Simulating {len(x)} sample(s) ({source}), {design.interval} cycles each")
    netlist = _netlist(design) if engine == "netlist" else None
    with _waves(loaded, vcd, saif) as waves, progress_bar() as progress:
        result = simulate(
            design,
            x,
            engine=engine,
            netlist=netlist,
            note=report.note,
            vcd=waves,
            back_pressure=backpressure,
            seed=seed,
            progress=progress,
        )
    kept = result.cycles_as_predicted
    show_simulation(report, result)
    if kept is False:
        report.line("The cycles are not those predicted")
    if vcd is not None:
        report.line(f"Waves: {vcd}")
    if saif is not None:
        report.line(f"Switching activity: {saif}")
    report.data(
        {
            "model": str(model),
            "source": source,
            "seed": seed,
            "vcd": None if vcd is None else str(vcd),
            "saif": None if saif is None else str(saif),
            **result.to_dict(),
        }
    )
    if not result.bit_exact or kept is False:
        raise click.exceptions.Exit(1)
