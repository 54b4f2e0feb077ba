"""What rounding costs: ranges, zero points, training against calibration, precise layers, schemes.

    python benchmarks/study.py                      all trainings that are missing, then the page
    python benchmarks/study.py --only layers        of one question
    python benchmarks/study.py --task etth1 --seed 0    of one task, one seed
    python benchmarks/study.py --show               train nothing: the page of what is there
    python benchmarks/study.py --write              and docs/study.md written

Ctrl-C loses nothing: the same command goes on where it was. On one quiet core it takes about an
hour and a half.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from accuracy_rows import BEIJING, ETTH1, OZONE, SEEDS
from rich.console import Console
from running import run
from study_page import PART, QUESTIONS, TASKS, Cell, markdown

from bitformer.estimate.power import inference_j
from bitformer.hw.lowering.lower import lower
from bitformer.model.compression import stored_size
from bitformer.model.config import named_config
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.precision import FLOAT_BITS
from bitformer.model.progress import progress_bar
from bitformer.study.comparison import at_width
from bitformer.study.trials import Outcome, Trial, known_outcomes, run_trials
from bitformer.study.workers import open_pool
from bitformer.synth.synthesize import synthesize

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "study.md"
FOLDER = ROOT / "build" / "study"

MODELS = {
    "etth1": (named_config("etth1-96-24"), ETTH1),
    "ozone": (OZONE, BEIJING),
    "decoder": (named_config("etth1-48-24-ed"), ETTH1),
}


def trial_of(cell: Cell, seed: int) -> Trial:
    """The training of a cell with a seed, with the defaults of ``train``."""
    config, source = MODELS[cell.task]
    rounded = at_width(config, cell.weights, cell.activations, cell.precise)
    if rounded.replace(name=config.name) != config:  # or it is the named one
        config = rounded
    if cell.asymmetric:
        config = config.replace(name=f"{config.name}-asymmetric", asymmetric=True)
    settings: dict[str, Any] = {"seed": seed}
    if cell.method != "qat":
        settings["method"] = cell.method
    if cell.ranges != "learned":
        settings["ranges"] = cell.ranges
    return Trial(config=config, source=source, settings=settings)


def known(cells: Iterable[Cell], folder: Path) -> dict[Cell, list[Outcome]]:
    """The outcomes of cells that are there."""
    found = {}
    for cell in dict.fromkeys(cells):
        outcomes = known_outcomes([trial_of(cell, seed) for seed in SEEDS], folder)
        found[cell] = [one for one in outcomes if one is not None]
    return found


def hardware(cell: Cell, folder: Path, *, compute: bool) -> dict[str, Any] | None:
    """What an untrained model of a cell takes on the part; None if unknown and not to be computed.

    Cycles are those of a trained one; its LUTs may be more.
    """
    model = initialize(trial_of(cell, SEEDS[0]).config)
    digest = model_hash(model).hex()
    path = folder / "hardware" / f"{cell.task}-{cell.precise}.json"
    if path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["model"] == digest:
            return record
    if not compute:
        return None
    design = lower(model, part=PART)
    found = synthesize(design)
    names = ("luts", "luts_as_memory", "ffs", "ramb18", "dsps")
    taken = {name: getattr(found.resources, name) for name in names}
    cycles = {"latency": design.latency, "interval": design.interval}
    joules = inference_j(PART, {**taken, **cycles})
    record = {
        "model": digest,
        **taken,
        "latency": design.latency,
        "energy_uj": joules * 1e6,
        "fits": not found.over,
        "smaller": stored_size(model).ratio,
        "tool": found.tool,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(record, indent=1) + "\n")
    return record


def parts(folder: Path, *, compute: bool) -> dict[Cell, dict[str, Any]]:
    """What every cell of precise layers takes, where that is known."""
    cells = [cell for cell in QUESTIONS["layers"] if cell.precise != FLOAT_BITS]
    found = {cell: hardware(cell, folder, compute=compute) for cell in cells}
    return {cell: record for cell, record in found.items() if record is not None}


@click.command()
@click.option("--only", multiple=True, type=click.Choice([*QUESTIONS]), help="Questions; all.")
@click.option("--task", "tasks", multiple=True, type=click.Choice([*TASKS]), help="Tasks; all.")
@click.option("--seed", "seeds", multiple=True, type=click.Choice([*map(str, SEEDS)]))
@click.option("--show", is_flag=True, help="Train and synthesize nothing.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--scheduler", help="Address of a Dask scheduler.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(
    only: tuple[str, ...],
    tasks: tuple[str, ...],
    seeds: tuple[str, ...],
    show: bool,
    workers: int | None,
    scheduler: str | None,
    folder: Path,
    write: bool,
) -> None:
    """Train what is missing and print the page."""
    wanted = [
        cell
        for question in only or QUESTIONS
        for cell in QUESTIONS[question]
        if cell.task in (tasks or TASKS)
    ]
    if not show:
        trials = [
            trial_of(cell, seed)
            for seed in map(int, seeds or map(str, SEEDS))
            for cell in dict.fromkeys(wanted)
        ]
        with progress_bar() as tell, open_pool(workers, scheduler) as pool:
            run_trials(trials, folder, pool, tell)
    outcomes = known((cell for cells in QUESTIONS.values() for cell in cells), folder)
    computes = not show and (not only or "layers" in only)
    text = markdown(outcomes, parts(folder, compute=computes))
    Console().print(text, markup=False, soft_wrap=True)
    if write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
