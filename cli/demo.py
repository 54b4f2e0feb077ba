"""``bitformer demo``: the whole job, end to end, on real data."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

import bitformer
from bitformer.cli.demo_bitstream import BOARD as ROUTED_BOARD
from bitformer.cli.demo_bitstream import make_bitstream, missing_tool
from bitformer.cli.options import PATH
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.scores import show_verdict
from bitformer.model.files import ready_file, write_whole
from bitformer.model.progress import progress_bar
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.estimate.predictor import Prediction
    from bitformer.hw.lowering.exact import Estimate
    from bitformer.model.data.windows import Dataset
    from bitformer.model.evaluation import Evaluation
    from bitformer.sim.run import Simulation

__all__ = ["command"]

#: Configurations by the data sets that they are for; the first is the demo's own.
CONFIGS = {"nyc-taxi": "taxi-48-12", "etth1": "etth1-96-24"}
DATA, BOARD = next(iter(CONFIGS)), "sea"
MODEL_FILE, RESULT_FILE, PAGE_FILE = "model.safetensors", "results.json", "report.html"


class _Steps:
    """Says which step begins, and how long everything has taken."""

    def __init__(self, report: Report, count: int):
        self.report, self.count = report, count
        self.number, self.started = 0, time.monotonic()

    def __call__(self, sentence: str) -> None:
        self.number += 1
        self.report.note(f"[{self.number}/{self.count}] {self.seconds:4.0f} s  {sentence}")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Hardware:
    """What the simulator said of some test windows, with the scores on the same windows."""

    estimate: "Estimate"
    prediction: "Prediction"
    simulation: "Simulation"
    scores: "Evaluation"
    seconds: float

    @property
    def good(self) -> bool:
        return self.simulation.bit_exact and self.simulation.cycles_as_predicted is True


def _simulate(
    design: "bitformer.AcceleratorDesign", dataset: "Dataset", clock_hz: float, samples: int
) -> _Hardware:
    from bitformer.estimate.knowledge import shipped_entries
    from bitformer.estimate.predictor import Predictor
    from bitformer.model.evaluation import Evaluation
    from bitformer.model.own_data import evenly

    started = time.monotonic()
    some = dataset.test.take(evenly(samples, len(dataset.test)))
    part = dataclasses.replace(dataset, test=some)
    with progress_bar() as progress:
        simulation = design.simulate(some.x, clock=some.clock, engine="python", progress=progress)
    forecast = design.model.integer.dequantize_output(simulation.outputs)
    models = {
        "integer": design.model.predict(some.x, some.clock),
        "hardware": forecast,
    }
    return _Hardware(
        estimate=design.exact(clock_hz=clock_hz),
        # by the base that ships alone: everyone sees the same figures
        prediction=Predictor(shipped_entries()).predict(design.lowered),
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
    """Print the table at the end."""
    dataset, windows = full.dataset, full.dataset.test
    show_verdict(report, full)
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


def _page(output: Path, scores: "Evaluation", hardware: _Hardware, clock_hz: float) -> Path:
    """Write the page of all that was made; what is known already is not computed again."""
    from bitformer.report.gather import Asked
    from bitformer.report.page import write_page
    from bitformer.report.sources import page_of

    windows = f"{scores.dataset.name}, test windows"
    with progress_bar() as progress:
        facts = page_of(
            output,
            Asked(clock_hz=clock_hz, progress=progress),
            evaluation=scores,
            simulation=(hardware.simulation, windows),
        )
    return write_page(facts, output / PAGE_FILE)


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
@click.option(
    "--data",
    type=click.Choice(list(CONFIGS)),
    default=DATA,
    show_default=True,
    help="nyc-taxi: taxi passengers in New York, 24 hours in, 6 out; ships with bitformer. etth1: a"
    " benchmark, oil temperature of a transformer, 96 hours in, 24 out; downloaded, unless the"
    " folder that BITFORMER_DATA names has it.",
)
@click.option("--samples", type=COUNT, default=8, show_default=True, help="Windows to simulate.")
@click.option("--quick", is_flag=True, help="Train for two epochs: a trial, not a result.")
@click.option(
    "--bitstream/--no-bitstream",
    default=True,
    show_default=True,
    help="End in a bitstream for an ULX3S, a few minutes more, where Yosys, nextpnr and ecppack are"
    " here: \"pip install 'bitformer[open]'\" brings them.",
)
@json_option
def command(
    output: Path, data: str, samples: int, quick: bool, bitstream: bool, report: Report
) -> None:
    """Do the whole job on real data (taxi passengers in New York), in a few minutes.

    Trains a Transformer and quantizes it, writes the integer model, evaluates it on every test
    window, simulates the accelerator on some and compares every tensor bit for bit, estimates,
    writes the build plan for the Spartan Edge Accelerator, makes a bitstream for an ULX3S, and
    writes a report, one HTML file, to look at and hand on. The data ship with bitformer: nothing
    is downloaded. What was interrupted is resumed by the same command.

    \b
    bitformer demo
    bitformer demo --data etth1 -o runs/etth1
    """
    require_torch()
    from bitformer.boards.catalog import find_board

    lacking = missing_tool() if bitstream else "--no-bitstream"
    steps = _Steps(report, 6 if lacking else 7)
    board, config = find_board(BOARD), CONFIGS[data]
    steps(f"Training {config} on {data}: floats, then with rounding (a minute or two)")
    run = output / (f"train-{data}-quick" if quick else f"train-{data}")
    settings: dict[str, Any] = {"epochs": 1, "qat_epochs": 1} if quick else {}
    training = bitformer.Training.run(data, config=config, to=run, **settings)
    dataset, model = training.dataset, bitformer.load(run / MODEL_FILE)

    steps(f"Exporting, and evaluating on all {len(dataset.test)} test windows")
    path = model.save(ready_file(output / MODEL_FILE))
    full = cast("Evaluation", training.evaluation)  # of forecasts

    steps(f"Lowering the model to an accelerator for the {board.part}")
    design = bitformer.lower(model, part=board.part)

    steps(f"Simulating {samples} test windows, {design.interval} cycles each")
    hardware = _simulate(design, dataset, board.clock_hz, samples)

    steps(f"Writing the build plan for the {board.title}")
    build = design.build(BOARD, to=output / f"build-{BOARD}")
    routed = None
    if lacking is None:
        steps(f"Making a bitstream for the {find_board(ROUTED_BOARD).title} (a few minutes)")
        routed = make_bitstream(model, output, report)
    steps("Writing the report, a page that opens in any browser")
    page = _page(output, full, hardware, board.clock_hz)
    report.note(f"Done in {steps.seconds:.0f} s")

    _show(report, full, hardware)
    report.line(
        "LUTs and flip-flops are predicted, as 'estimate' does; the board's shell is not in them."
    )
    report.line(f"Integer model: {path}")
    report.line(f"Build plan:    {output / f'build-{BOARD}'} (where Vivado is: {build.command})")
    if routed is not None:
        for sentence in routed.lines():
            report.line(sentence)
    elif bitstream:
        report.line(f"No bitstream:  {lacking}")
    report.line(f"All figures:   {output / RESULT_FILE}")
    report.line(f"Report:        {page} (open it in a browser; it needs no network)")
    for sentence in training.clipped_sentences:
        report.line(sentence)
    if quick:
        report.line("Trained for two epochs only: the errors say little.")
    elif training.rounding_failure is not None:
        report.line(training.rounding_failure)
    report.line("Next, with a CSV file of your own:")
    model_file = f"runs/mine/{MODEL_FILE}"
    for line in (
        ("train", "--data", "my.csv", "--target", "COLUMN", "--time", "COLUMN", "-o", "runs/mine"),
        ("simulate", model_file),
        ("build", model_file, "--board", BOARD, "-o", "build/mine"),
    ):
        report.line(f"  {command_line(*line)}")
    facts = {
        "config": config,
        "quick": quick,
        "model": str(path),
        "plan": str(output / f"build-{BOARD}"),
        "page": str(page),
        "bitstream": None if routed is None else routed.to_dict(),
        "train_seconds": training.result.seconds,
        "seconds": steps.seconds,
        **full.to_dict(),
        "clipped": [one.to_dict() for one in training.clipped],
        "rounding_failure": training.rounding_failure,
        "simulated": {**hardware.scores.to_dict(), "seconds": hardware.seconds},
        "simulation": hardware.simulation.to_dict(),
        "estimate": hardware.estimate.to_dict(),
        "prediction": hardware.prediction.to_dict(),
    }
    write_whole(output / RESULT_FILE, json.dumps(facts, indent=1) + "\n")
    report.data(facts)
    missed = routed is not None and bool(routed.problems)
    if missed or not hardware.good or (training.rounding_failure is not None and not quick):
        raise click.exceptions.Exit(1)
