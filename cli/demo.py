"""``bitformer demo``: the whole job, end to end, on real data."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.options import PATH, ready_file
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.train import MODEL_FILE
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.progress import progress_bar
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.estimate.predictor import Prediction
    from bitformer.hw.design import Design
    from bitformer.hw.lowering.exact import Estimate
    from bitformer.model.config import TransformerConfig
    from bitformer.model.evaluation import Evaluation
    from bitformer.model.ir import IntegerModel
    from bitformer.model.windows import Dataset
    from bitformer.sim.run import Simulation

__all__ = ["command"]

CONFIG, DATA, BOARD = "etth1-96-24", "etth1", "sea"
RESULT_FILE = "results.json"
STEPS = 5


class _Steps:
    """Says which step begins, and how long everything has taken."""

    def __init__(self, report: Report):
        self.report, self.number, self.started = report, 0, time.monotonic()

    def __call__(self, sentence: str) -> None:
        self.number += 1
        self.report.note(f"[{self.number}/{STEPS}] {self.seconds:4.0f} s  {sentence}")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def _data(config: "TransformerConfig", report: Report) -> tuple[str, "Dataset"]:
    """ETTh1, or the synthetic series where it cannot be had."""
    from bitformer.model.datasets import SYNTHETIC, load_dataset

    sizes: dict[str, Any] = {"window": config.window, "horizon": config.horizon}
    try:
        return DATA, load_dataset(DATA, **sizes)
    except UserError as error:
        report.note(f"{error}")
        report.note("The demo goes on with the synthetic series: its errors say nothing of ETTh1")
        return SYNTHETIC, load_dataset(SYNTHETIC, **sizes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Hardware:
    """What the simulator said of some test windows, with the scores on the same windows."""

    design: "Design"
    estimate: "Estimate"
    prediction: "Prediction"
    simulation: "Simulation"
    scores: "Evaluation"
    seconds: float

    @property
    def good(self) -> bool:
        return self.simulation.bit_exact and self.simulation.cycles_as_predicted is True


def _simulate(
    model: "IntegerModel", dataset: "Dataset", design: "Design", result: "Estimate", samples: int
) -> _Hardware:
    from bitformer.estimate.knowledge import shipped_entries
    from bitformer.estimate.predictor import Predictor
    from bitformer.model.evaluation import Evaluation, mse
    from bitformer.model.own_data import evenly
    from bitformer.model.reference import predict
    from bitformer.sim.run import simulate

    started = time.monotonic()
    some = dataset.test.take(evenly(samples, len(dataset.test)))
    part = dataclasses.replace(dataset, test=some)
    with progress_bar() as progress:
        simulation = simulate(design, model.quantize_input(some.x), progress=progress)
    models = {
        "integer": mse(predict(model, some.x), part),
        "hardware": mse(model.dequantize_output(simulation.outputs), part),
    }
    return _Hardware(
        design=design,
        estimate=result,
        # by the base that ships alone: everyone sees the same figures
        prediction=Predictor(shipped_entries()).predict(design),
        simulation=simulation,
        scores=Evaluation.of(part, models),
        seconds=time.monotonic() - started,
    )


def _errors(full: "Evaluation", some: "Evaluation") -> Iterator[tuple[str, str, str]]:
    for name, error in full.models.items():
        yield name, _rounded(error), _rounded(some.models[name]) if name in some.models else ""
    yield "simulated hardware", "", _rounded(some.models["hardware"])
    for name, baseline in full.baselines.items():
        yield name, _rounded(baseline), _rounded(some.baselines[name])


def _rounded(error: float | None) -> str:
    return "-" if error is None else f"{error:.4f}"


def _facts(hardware: _Hardware) -> Iterator[tuple[str, str, str]]:
    result, simulation = hardware.estimate, hardware.simulation
    clock, latency = result.clock_hz / 1e6, simulation.latency[0]
    tensors = len(simulation.tensors)
    yield "accelerator", "predicted", "simulated"
    exact = "equal" if simulation.bit_exact else "NOT equal"
    yield f"{tensors} tensors, bit for bit", "", exact
    yield "latency in cycles", str(result.latency), str(latency)
    yield f"latency at {clock:g} MHz", f"{result.latency_us:.1f} us", f"{latency / clock:.1f} us"
    intervals = " ".join(map(str, sorted(set(simulation.interval))))
    yield "cycles from one inference to the next", str(result.interval), intervals
    yield f"MACs a cycle, of {result.peak}", f"{result.macs_per_cycle:.1f}", ""
    for use in hardware.prediction.uses:
        over = f", {use.over} too many" if use.over else ""
        yield f"{use.resource}, of {use.available} on the {result.part}", f"{use.used}{over}", ""


def _show(report: Report, full: "Evaluation", hardware: _Hardware) -> None:
    """The table at the end."""
    dataset, windows = full.dataset, full.dataset.test
    report.table(
        (
            "mean squared error, standardised",
            f"all {len(windows)} test windows",
            f"the {len(hardware.scores.dataset.test)} simulated",
        ),
        [*_errors(full, hardware.scores), None, *_facts(hardware)],
        title=f"{dataset.name}, {dataset.target}: {windows.window} steps in, {windows.horizon} out",
    )
    if not hardware.simulation.bit_exact:
        report.line(f"NOT bit exact: {hardware.simulation.difference}")


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("runs/demo"),
    show_default=True,
    metavar="DIR",
    help="Folder of everything that is made.",
)
@click.option("--samples", type=COUNT, default=8, show_default=True, help="Windows to simulate.")
@click.option("--quick", is_flag=True, help="Train for two epochs: a trial, not a result.")
@json_option
def command(output: Path, samples: int, quick: bool, report: Report) -> None:
    """The whole job on ETTh1 (96 hours of oil temperature in, 24 out), in under ten minutes.

    Trains a Transformer and quantizes it, writes the integer model, evaluates it on every test
    window, simulates the accelerator on some and compares every tensor bit for bit, estimates, and
    writes the build plan for the Spartan Edge Accelerator. Without the data and a network,
    a synthetic series takes their place. What was interrupted is resumed by the same command.

    \b
    bitformer demo
    """
    require_torch()
    from bitformer.boards.build.design import build_design
    from bitformer.boards.catalog import find_board
    from bitformer.hw.lowering.exact import estimate
    from bitformer.hw.lowering.lower import lower
    from bitformer.model.config import named_config
    from bitformer.model.evaluation import scored
    from bitformer.model.export import export_to
    from bitformer.model.names import as_design_name
    from bitformer.model.own_data import write_source
    from bitformer.model.train import train

    steps, board, config = _Steps(report), find_board(BOARD), named_config(CONFIG)
    data, dataset = _data(config, report)
    steps(f"Training {CONFIG} on {data}: floats, then with rounding (a few minutes)")
    run = output / (f"train-{data}-quick" if quick else f"train-{data}")
    settings: dict[str, Any] = {"epochs": 1, "qat_epochs": 1} if quick else {}
    result = train(config, dataset, run_dir=run, **settings)
    write_source(run, data=data, target=None, inputs=None, time=None)

    steps(f"Exporting, and evaluating on all {len(dataset.test)} test windows")
    path = output / MODEL_FILE
    model = export_to(run, ready_file(path))
    full = scored(result, model, dataset)

    steps(f"Lowering the model to an accelerator for the {board.part}")
    design = lower(model, part=board.part)
    predicted = estimate(design, clock_hz=board.clock_hz)

    steps(f"Simulating {samples} test windows, {design.interval} cycles each")
    hardware = _simulate(model, dataset, design, predicted, samples)

    steps(f"Writing the build plan for the {board.title}")
    name = as_design_name(CONFIG)
    plan = output / f"build-{board.name}"
    build_design(design, board, name=name, directory=plan)
    report.note(f"Done in {steps.seconds:.0f} s")

    _show(report, full, hardware)
    report.line(
        "LUTs and flip-flops are predicted, as 'estimate' does; the board's shell is not in them."
    )
    report.line(f"Integer model: {path}")
    report.line(f"Build plan:    {plan} (where Vivado is: sh build_{name}.sh)")
    report.line(f"All figures:   {output / RESULT_FILE}")
    if quick:
        report.line("Trained for two epochs only: the errors say little.")
    report.line("Next, with a CSV file of your own:")
    model_file = f"runs/mine/{MODEL_FILE}"
    for line in (
        ("train", "--data", "my.csv", "--target", "COLUMN", "--time", "COLUMN", "-o", "runs/mine"),
        ("simulate", model_file),
        ("build", model_file, "--board", BOARD, "-o", "build/mine"),
    ):
        report.line(f"  {command_line(*line)}")
    facts = {
        "config": CONFIG,
        "quick": quick,
        "model": str(path),
        "plan": str(plan),
        "train_seconds": result.seconds,
        "seconds": steps.seconds,
        **full.to_dict(),
        "simulated": {**hardware.scores.to_dict(), "seconds": hardware.seconds},
        "simulation": hardware.simulation.to_dict(),
        "estimate": predicted.to_dict(),
        "prediction": hardware.prediction.to_dict(),
    }
    write_whole(output / RESULT_FILE, json.dumps(facts, indent=1) + "\n")
    report.data(facts)
    if not hardware.good:
        raise click.exceptions.Exit(1)
