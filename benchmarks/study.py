"""What each bitwidth costs: with training and by calibration alone, two models, two data sets.

    python benchmarks/study.py                      all trainings that are missing, then the tables
    python benchmarks/study.py --only etth1         of one data set or one config
    python benchmarks/study.py --write              and docs/study.md written

Ctrl-C loses nothing: the same command goes on where it was. On two cores it takes some hours.
"""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from bitformer.model.baselines import baselines
from bitformer.model.checkpoint import load_model
from bitformer.model.compression import published_ratio, stored_size
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_source
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar
from bitformer.study.comparison import ComparisonRow, at_width, comparison_trials, tabulate
from bitformer.study.trials import Outcome, Trial, run_trials
from bitformer.study.workers import open_pool

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "study.md"
FOLDER = ROOT / "build" / "study"

CONFIGS = {"etth1-48-24-ed": "encoder–decoder", "etth1-48-24": "encoder only"}
DATA = ("etth1", "etth2")
WIDTHS = (8, 6, 4, 3, 2, 1)
SEEDS = (0, 1, 2)
#: Bits of the first, the last and the context-attention layers in the main table.
PRECISE = 8
#: Of the same layers at 2-bit weights, in the encoder-decoder on ETTh1: float32 and integers.
PRECISE_TRIED = (32, 16, 8)
SETTINGS = {"batch": 128, "qat_epochs": 8, "lr": 1e-3, "qat_lr": 1e-3, "patience": 5}
#: Of arXiv 2408.16495, at 2 bits with those layers in float32.
PUBLISHED_COMPRESSION, PUBLISHED_INCREASE = 7.46545, 0.10

Study = dict[tuple[str, str], list[Trial]]


def main_trials() -> Study:
    """Trials by (config, data set)."""
    return {
        (name, data): comparison_trials(
            named_config(name),
            DataSource(data=data),
            widths=WIDTHS,
            seeds=SEEDS,
            precise=PRECISE,
            settings=SETTINGS,
        )
        for data in DATA
        for name in CONFIGS
    }


def precise_trials() -> dict[int, list[Trial]]:
    """Trials of 2-bit weights by the bits of the layers kept precise."""
    config, source = named_config("etth1-48-24-ed"), DataSource(data="etth1")
    return {
        bits: [
            Trial(
                config=at_width(config, 2, 8, bits),
                source=source,
                settings={**SETTINGS, "seed": seed, "method": "qat"},
            )
            for seed in SEEDS
        ]
        for bits in PRECISE_TRIED
    }


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"


def _cell(row: ComparisonRow) -> str:
    return f"{row.test:.4f} ± {row.test_spread:.4f} ({row.increase:+.0%})"


def main_table(groups: dict[tuple[str, str], list[ComparisonRow]]) -> Iterator[str]:
    """Test errors: a line for each width, a column for each data set, model and method."""
    columns = [(key, method) for key in groups for method in ("qat", "ptq")]
    heads = [f"{data} {CONFIGS[name]}, {method.upper()}" for (name, data), method in columns]
    yield "| weights | " + " | ".join(heads) + " |"
    yield "| --- |" + " --- |" * len(heads)
    for bits in (None, *WIDTHS):
        cells = []
        for key, method in columns:
            found = [
                row
                for row in groups[key]
                if row.bits == bits and (bits is None or row.method == method)
            ]
            cells.append(_cell(found[0]) if found else "–")
        label = "float32" if bits is None else f"{bits} bit"
        yield f"| {label} | " + " | ".join(cells) + " |"


def precise_table(groups: dict[int, list[Outcome]]) -> Iterator[str]:
    """The published 2-bit model, and what integers in its precise layers make of it."""
    yield "| precise layers | test MSE | against float32 | as published | every bit counted |"
    yield "| --- | --- | --- | --- | --- |"
    for bits, outcomes in groups.items():
        tests = [one.test for one in outcomes]
        increase = statistics.mean(one.test / one.float_test - 1 for one in outcomes)
        size = "–"
        if outcomes[0].model is not None:
            size = f"{stored_size(load_model(outcomes[0].model)).ratio:.2f} ×"
        kind = "float32" if bits == 32 else f"{bits}-bit integers"
        published = published_ratio(outcomes[0].trial.config)
        yield f"| {kind} | {_spread(tests)} | {increase:+.1%} | {published:.2f} × | {size} |"


def baseline_table() -> Iterator[str]:
    """Forecasts without a network."""
    found = {
        data: baselines(load_source(DataSource(data=data), named_config("etth1-48-24")))
        for data in DATA
    }
    yield "| forecast | " + " | ".join(DATA) + " |"
    yield "| --- |" + " --- |" * len(DATA)
    for name in found[DATA[0]]:
        errors = [found[data][name] for data in DATA]
        yield f"| {name} | " + " | ".join("–" if e is None else f"{e:.4f}" for e in errors) + " |"


def _cost_of_one_bit(groups: dict[tuple[str, str], list[ComparisonRow]]) -> str:
    said = []
    for (name, data), rows in groups.items():
        by = {(row.bits, row.method): row for row in rows}
        two, one = by.get((2, "qat")), by.get((1, "qat"))
        if two and one:
            said.append(
                f"{one.test / two.test - 1:+.0%} on {data} with the {CONFIGS[name]} model"
                f" ({one.increase:+.0%} against float32)"
            )
    return "One bit against two, trained: " + "; ".join(said) + "."


def markdown(
    groups: dict[tuple[str, str], list[ComparisonRow]], precise: dict[int, list[Outcome]]
) -> str:
    """The whole page."""
    lines = [
        "# What each bitwidth costs",
        "",
        "Written by `python benchmarks/study.py`. 48 hours of oil temperature in, 24 out, one"
        f" variable, standardised; test MSE, mean ± standard deviation of {len(SEEDS)} seeds,"
        " in parentheses the increase over the same seeds' float models. QAT trains with rounding,"
        " PTQ calibrates the same float model. Activations have 8 bits, first, last and"
        f" context-attention layers {PRECISE}-bit weights throughout; everything else has the"
        " width of its line.",
        "",
        *main_table(groups),
        "",
        _cost_of_one_bit(groups),
        "",
        "Without a network:",
        "",
        *baseline_table(),
        "",
    ]
    if precise:
        lines += [
            "## The published 2-bit model",
            "",
            "ETTh1, encoder–decoder, 2-bit weights; the output layer, the encoder's and the"
            " decoder's input and context attention as precise as the line says, weights and"
            f" activations. Published: {PUBLISHED_COMPRESSION} times smaller, below"
            f" {PUBLISHED_INCREASE:.0%} more error. *As published* counts linear layers at nominal"
            " widths; *every bit* counts what the integer model stores, tables included.",
            "",
            *precise_table(precise),
            "",
        ]
    return "\n".join(lines)


def _run(trials: list[Trial], folder: Path, workers: int | None, scheduler: str | None):
    with progress_bar() as tell, open_pool(workers, scheduler) as pool:
        return run_trials(trials, folder, pool, tell)


def _split(outcomes: list[Outcome], groups: dict) -> dict:
    """Outcomes of all groups' trials, by group."""
    found = iter(outcomes)
    return {key: [next(found) for _ in trials] for key, trials in groups.items()}


@click.command()
@click.option("--only", multiple=True, help="A data set or a config; may be repeated.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--scheduler", help="Address of a Dask scheduler.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help=f"Write {REPORT.relative_to(ROOT)}.")
def main(only, workers, scheduler, folder, write) -> None:
    """Train what is missing and print the tables."""
    known = {*DATA, *CONFIGS}
    if unknown := set(only) - known:
        raise UserError(f"--only must be of {sorted(known)}, not {sorted(unknown)}")
    chosen = [{*only} & {*kind} or {*kind} for kind in (CONFIGS, DATA)]
    groups = {
        key: trials
        for key, trials in main_trials().items()
        if all(word in names for word, names in zip(key, chosen, strict=True))
    }
    precise = precise_trials() if ("etth1-48-24-ed", "etth1") in groups else {}
    wanted = [*groups.values(), *precise.values()]
    outcomes = _run([trial for group in wanted for trial in group], folder, workers, scheduler)
    split = _split(outcomes, {**groups, **precise})
    rows = {key: tabulate(split[key]) for key in groups}
    text = markdown(rows, {bits: split[bits] for bits in precise})
    Console().print(text, markup=False, soft_wrap=True)
    if write:
        if only:
            raise UserError("--write needs the whole study, not --only a part")
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except UserError as error:
        sys.exit(f"Error: {error}")
