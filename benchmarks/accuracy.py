"""How well models forecast, and what they cost: integer models on test windows, beside figures.

    python benchmarks/accuracy.py                       all that is missing, then the page
    python benchmarks/accuracy.py --row traffic-w4 --seed 1   these cells only
    python benchmarks/accuracy.py --recipes             what was tried, on validation windows
    python benchmarks/accuracy.py --show                train nothing: the page of what is there
    python benchmarks/accuracy.py --write               and docs/accuracy.md written

Ctrl-C loses nothing: the same command goes on where it was. ETTh1, ETTh2 and Beijing are
downloaded if need be; the file of traffic is in the folder that BITFORMER_DATA names.
"""

from collections.abc import Sequence
from pathlib import Path

import click
from accuracy_cells import Cells
from accuracy_ensembles import ensemble_errors, train_ensembles
from accuracy_page import Measured, markdown
from accuracy_rows import RECIPE_ROWS, RECIPES, ROWS, SEEDS, Candidate, Row
from rich.console import Console
from running import run

from bitformer.model.progress import progress_bar
from bitformer.study.trials import Outcome, known_outcomes, run_trials
from bitformer.study.workers import WorkerPool, open_pool

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "accuracy.md"
FOLDER = ROOT / "build" / "accuracy"


def tried(row: Row, folder: Path) -> list[tuple[float, Candidate]]:
    """The candidates that were trained with the first seed, with their validation errors."""
    first = known_outcomes([row.trial(one, SEEDS[0]) for one in row.candidates], folder)
    return [
        (outcome.val, candidate)
        for candidate, outcome in zip(row.candidates, first, strict=True)
        if outcome is not None
    ]


def chosen(row: Row, folder: Path) -> tuple[Candidate, list[Outcome]]:
    """The candidate of smallest validation error with the first seed, and its outcomes."""
    known = tried(row, folder)
    candidate = min(known, key=lambda one: one[0])[1] if known else row.candidates[0]
    outcomes = known_outcomes([row.trial(candidate, seed) for seed in SEEDS], folder)
    return candidate, [one for one in outcomes if one is not None]


def measure(row: Row, cells: Cells, folder: Path, *, on_part: bool) -> Measured:
    """What is known of a row; with ``on_part``, its best model is simulated if it was not."""
    candidate, outcomes = chosen(row, folder)
    seeds = [(outcome, cells.scored(outcome)) for outcome in outcomes]
    part = None
    if outcomes:
        best = min(outcomes, key=lambda one: one.val)
        part = cells.measured(best, compute=on_part)
    count = len(tried(row, folder))
    return Measured(row=row, candidate=candidate, tried=count, seeds=seeds, part=part)


def recipe_errors(folder: Path) -> dict[tuple[str, str], float]:
    """Validation MSE by what was tried and row, of those that were."""
    keys = [(recipe, row) for recipe in RECIPES for row in RECIPE_ROWS if row.key in recipe.rows]
    found = known_outcomes([recipe.of(row) for recipe, row in keys], folder)
    errors = {
        (recipe.name, row.key): outcome.val
        for (recipe, row), outcome in zip(keys, found, strict=True)
        if outcome is not None
    }
    return errors | ensemble_errors(folder)


def train(rows: Sequence[Row], seeds: Sequence[int], folder: Path, pool: WorkerPool) -> None:
    """Train what is missing of rows: all candidates with the first seed, the best with all."""
    several = [row for row in rows if len(row.candidates) > 1]
    trials = [row.trial(one, SEEDS[0]) for row in several for one in row.candidates]
    with progress_bar() as tell:
        run_trials(trials, folder, pool, tell)
    trials = [row.trial(chosen(row, folder)[0], seed) for row in rows for seed in seeds]
    with progress_bar() as tell:
        run_trials(trials, folder, pool, tell)


@click.command()
@click.option("--row", "keys", multiple=True, type=click.Choice([row.key for row in ROWS]))
@click.option("--seed", "seeds", multiple=True, type=click.Choice([*map(str, SEEDS)]))
@click.option("--recipes", is_flag=True, help="Train what was tried instead of the rows.")
@click.option("--show", is_flag=True, help="Train and simulate nothing.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(
    keys: tuple[str, ...],
    seeds: tuple[str, ...],
    recipes: bool,
    show: bool,
    workers: int | None,
    folder: Path,
    write: bool,
) -> None:
    """Train and measure what is missing, of all rows or some, and print the page."""
    rows = [row for row in ROWS if not keys or row.key in keys]
    trains, console = not show, Console()
    if trains:
        with open_pool(workers, None) as pool:
            if recipes:
                trials = [
                    recipe.of(row)
                    for row in RECIPE_ROWS
                    for recipe in RECIPES
                    if row in rows and row.key in recipe.rows
                ]
                with progress_bar() as tell:
                    run_trials(trials, folder, pool, tell)
                train_ensembles(rows, folder, pool)
            else:
                train(rows, [int(seed) for seed in seeds] or SEEDS, folder, pool)
    cells = Cells(folder, console.log)
    text = markdown(
        [
            measure(row, cells, folder, on_part=trains and not recipes and row in rows)
            for row in ROWS
        ],
        recipe_errors(folder),
    )
    console.print(text, markup=False, soft_wrap=True)
    if write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
