"""How well the named models forecast: integer models on test windows, beside what needs no network.

    python benchmarks/accuracy.py           all trainings that are missing, then the tables
    python benchmarks/accuracy.py --write   and docs/accuracy.md written

Ctrl-C loses nothing: the same command goes on where it was.
"""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from bitformer.model.baselines import baselines
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.datasets import load_source
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar
from bitformer.study.trials import Outcome, Trial, run_trials
from bitformer.study.workers import open_pool

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "accuracy.md"
FOLDER = ROOT / "build" / "accuracy"
SEEDS = (0, 1, 2)

#: Ozone an hour ahead from seven other quantities; it is not among them, so nothing is subtracted.
OZONE = named_config("etth1-48-24").replace(
    name="beijing-24-1", window=24, horizon=1, inputs=7, subtract_last=False
)
#: Task, data set, models.
TASKS: tuple[tuple[str, str, tuple[TransformerConfig, ...]], ...] = (
    (
        "ETTh1, 96 hours to 24",
        "etth1",
        tuple(named_config("etth1-96-24" + kind) for kind in ("", "-w2a8", "-w2a4")),
    ),
    (
        "ETTh1, 48 hours to 24",
        "etth1",
        tuple(named_config("etth1-48-24" + kind) for kind in ("", "-w2a8", "-ed")),
    ),
    (
        "ETTh2, 48 hours to 24",
        "etth2",
        tuple(named_config("etth1-48-24" + kind) for kind in ("", "-w2a8")),
    ),
    (
        "Beijing air, 24 hours of 7 inputs to ozone one hour ahead",
        "beijing-air",
        (OZONE,),
    ),
)


def trials_of(data: str, configs: tuple[TransformerConfig, ...]) -> list[Trial]:
    """A trial for each config and seed, in this order."""
    source = DataSource(data=data)
    return [
        Trial(config=config, source=source, settings={"seed": seed})
        for config in configs
        for seed in SEEDS
    ]


def _errors(values: list[float]) -> str:
    spread = ", ".join(f"{value:.4f}" for value in sorted(values))
    return f"{statistics.median(values):.4f} ({spread})"


def table(data: str, outcomes: list[Outcome]) -> Iterator[str]:
    """A line for each config, then one for each baseline."""
    yield "| forecast | weights | activations | float32 | integers |"
    yield "| --- | --- | --- | --- | --- |"
    for start in range(0, len(outcomes), len(SEEDS)):
        group = outcomes[start : start + len(SEEDS)]
        config, bits = group[0].trial.config, group[0].trial.config.default
        floats = _errors([one.float_test for one in group])
        integers = _errors([one.test for one in group])
        widths = f"{bits.weights} bit | {bits.activations} bit"
        yield f"| {config.name} | {widths} | {floats} | {integers} |"
    dataset = load_source(DataSource(data=data), outcomes[0].trial.config)
    for name, error in baselines(dataset).items():
        if error is not None:
            yield f"| {name} | – | – | {error:.4f} | – |"


def markdown(results: list[tuple[str, str, list[Outcome]]]) -> str:
    """The whole page."""
    lines = [
        "# What the models forecast",
        "",
        "Written by `python benchmarks/accuracy.py`. Errors are the test MSE of standardised"
        f" forecasts: the median of {len(SEEDS)} seeds and, in brackets, each seed. Everything is"
        " selected on validation windows. The bits are those of most layers. The linear path has"
        " weights of 8 bits, and so has the last layer; the first of a `-w2` model keeps 4-bit"
        " weights and 8-bit activations; in `etth1-48-24-ed`, which has no path, `Linput`,"
        " `Dinput`, `CMHA` and `Loutput` keep 16 bits.",
    ]
    for task, data, outcomes in results:
        lines += ["", f"## {task}", "", *table(data, outcomes)]
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(workers: int | None, folder: Path, write: bool) -> None:
    """Train what is missing and print the tables."""
    groups = [trials_of(data, configs) for _, data, configs in TASKS]
    trials = [trial for group in groups for trial in group]
    with open_pool(workers, None) as pool, progress_bar() as tell:
        found = iter(run_trials(trials, folder, pool, tell))
    outcomes = [[next(found) for _ in group] for group in groups]
    text = markdown([(*task[:2], group) for task, group in zip(TASKS, outcomes, strict=True)])
    Console().print(text, markup=False, soft_wrap=True)
    if write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except UserError as error:
        sys.exit(f"Error: {error}")
