"""What models do for the tasks of a sensor, and what they cost: integers, on test windows.

    python benchmarks/tasks.py                        all that is missing, then the page
    python benchmarks/tasks.py --row strike --seed 1  these trainings only
    python benchmarks/tasks.py --row skab             detectors of SKAB; --row nab those of NAB
    python benchmarks/tasks.py --show                 train nothing: the page of what is there
    python benchmarks/tasks.py --write                and docs/tasks.md written
    python benchmarks/tasks_choice.py                 what was tried, on validation windows

Ctrl-C loses nothing: the same command goes on where it was. Data are looked for in the folder that
BITFORMER_DATA names, and fetched if need be. Without scikit-learn there is no isolation forest.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from running import run
from tasks_choice import table
from tasks_detect_page import SECTIONS
from tasks_page import markdown
from tasks_rows import ROWS, SEEDS, TaskRow

import bitformer
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.own_data import suited_to
from bitformer.model.train import train_together
from bitformer.sim.run import simulate

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "tasks.md"
FOLDER = ROOT / "build" / "tasks"
PART = "xc7s15"
_KEYS = [row.key for row in ROWS] + [section.key for section in SECTIONS]


def cell(row: TaskRow, seed: int, fold: int, folder: Path) -> Path:
    """Folder of one training."""
    return folder / row.key / f"seed-{seed}-fold-{fold}"


def known(row: TaskRow, seed: int, fold: int, folder: Path) -> dict[str, Any] | None:
    """What was measured of a training; None where it was not, or of other settings."""
    path = cell(row, seed, fold, folder) / "cell.json"
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return record if record["asked"] == asked(row, seed, fold) else None


def asked(row: TaskRow, seed: int, fold: int) -> dict[str, Any]:
    """What a training is asked for, as plain data."""
    return {
        "data": {**row.data, **row.folds[fold]},
        "config": row.config.to_dict(),
        "settings": {**row.settings, "seed": seed},
    }


def trained(row: TaskRow, seed: int, fold: int, folder: Path, console: Console) -> None:
    """Train a cell unless it is there, and keep its scores."""
    if known(row, seed, fold, folder) is not None:
        return
    console.log(f"{row.key}: seed {seed}, fold {fold + 1} of {len(row.folds)}")
    run = cell(row, seed, fold, folder)
    # the MLP is trained once for all seeds: it has its own
    training = bitformer.Training.run(
        **row.data,
        **row.folds[fold],
        config=row.config,
        to=run,
        baselines="all" if seed == SEEDS[0] else "simple",
        progress=False,
        **settings_of(row, seed),
    )
    assert training.model is not None
    record = {
        "asked": asked(row, seed, fold),
        "model": model_hash(training.model.integer).hex(),
        "validation": {
            "float": training.result.float_val,
            "integer": training.result.quantized_val,
        },
        **training.evaluation.to_dict(),
    }
    write_whole(run / "cell.json", json.dumps(record, indent=1) + "\n")


def measured(
    row: TaskRow, folder: Path, console: Console, *, compute: bool
) -> dict[str, Any] | None:
    """The row's best model by validation on the part, every test window natively, and its costs."""
    cells = [(known(row, seed, 0, folder), seed) for seed in SEEDS]
    there = [(record["validation"]["integer"], seed) for record, seed in cells if record]
    if not there:
        return None
    run = cell(row, min(there)[1], 0, folder)
    model, path = bitformer.load(run / "model.safetensors"), run / "part.json"
    digest = model_hash(model.integer).hex()
    if path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["model"] == digest:
            return record
    if not compute:
        return None
    console.log(f"{row.key}: every test window, natively")
    from bitformer.model.scored_data import scored_data

    test = scored_data(model.integer, data=None).test
    design = bitformer.lower(model, part=PART)
    ran = simulate(design.lowered, model.integer.quantize_input(test.x), engine="native")
    estimate = design.estimate()
    record = {
        "model": digest,
        "windows": len(ran.outputs),
        "exact": ran.bit_exact,
        "as_predicted": ran.cycles_as_predicted,
        "answers": sorted(set(ran.outputs.ravel().tolist())),
        "latency": design.latency,
        "fits": estimate.fits,
        "energy_uj": None if estimate.energy_j is None else estimate.energy_j * 1e6,
        "macs": model.macs,
    }
    write_whole(path, json.dumps(record, indent=1) + "\n")
    return record


def found(row: TaskRow, folder: Path) -> dict[int, list[dict[str, Any] | None]]:
    """The records of a row, by seed, a list over its folds."""
    folds = range(len(row.folds))
    return {seed: [known(row, seed, fold, folder) for fold in folds] for seed in SEEDS}


def train(rows: Sequence[TaskRow], seeds: Sequence[int], folder: Path, console: Console) -> None:
    """Train what is missing: the seeds of a fold together, which is faster and gives the same."""
    for row in rows:
        for fold in range(len(row.folds)):
            missing = [seed for seed in seeds if known(row, seed, fold, folder) is None]
            if len(missing) > 1:
                console.log(f"{row.key}: fold {fold + 1} of {len(row.folds)}, {len(missing)} seeds")
                together(row, missing, fold, folder)
            for seed in missing:
                trained(row, seed, fold, folder, console)


def detect(keys: Sequence[str], folder: Path, console: Console) -> None:
    """Compute the cells that are missing of sections on detectors, of all or of ``keys``."""
    for section in SECTIONS:
        for cell in section.cells if not keys or section.key in keys else ():
            if cell.record(folder) is None:
                console.log(cell.key)
                cell.record(folder, compute=True)


def together(row: TaskRow, seeds: Sequence[int], fold: int, folder: Path) -> None:
    """Train the runs of several seeds, which are finished then."""
    data = {**row.data, **row.folds[fold]}
    config, dataset = suited_to(data.pop("data"), row.config, lambda _: None, **data)
    runs = [{**settings_of(row, seed), "run_dir": cell(row, seed, fold, folder)} for seed in seeds]
    train_together(config, dataset, runs)


def settings_of(row: TaskRow, seed: int) -> dict[str, Any]:
    """Settings of a training, and where it runs."""
    settings = {name: one for name, one in row.settings.items() if name != "progress"}
    return {**settings, "seed": seed, "device": "cpu"}


@click.command()
@click.option("--row", "keys", multiple=True, type=click.Choice(_KEYS))
@click.option("--seed", "seeds", multiple=True, type=click.Choice([*map(str, SEEDS)]))
@click.option("--show", is_flag=True, help="Train and simulate nothing.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(
    keys: tuple[str, ...], seeds: tuple[str, ...], show: bool, folder: Path, write: bool
) -> None:
    """Train and measure what is missing, of all rows or some, and print the page."""
    rows, console = [row for row in ROWS if not keys or row.key in keys], Console()
    if not show:
        train(rows, [int(seed) for seed in seeds] or SEEDS, folder, console)
        detect(keys, folder, console)
    text = markdown(
        [
            (
                row,
                found(row, folder),
                measured(row, folder, console, compute=not show and row in rows),
            )
            for row in ROWS
        ],
        {ROWS[0].key: table(folder)},
    )
    text = "\n".join([text, *(line for one in SECTIONS for line in (*one.lines(folder), ""))])
    text = text.rstrip() + "\n"
    console.print(text, markup=False, soft_wrap=True)
    if write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
