"""How well streams forecast, beside the windows that they take the place of, three seeds each.

    python benchmarks/streaming.py             train what is missing, then the table
    python benchmarks/streaming.py --show      train nothing: the table of what is there
    python benchmarks/streaming.py --write     and its section in docs/streaming.md written
    python benchmarks/streaming.py --cycles    the steps of untrained models on the XC7S15, alone

All test windows also go through the model by steps, a stream for each phase of a patch, and every
forecast must be that of its window to the last bit. Ctrl-C loses nothing: the same command goes on
where it was. The file of traffic is in the folder that BITFORMER_DATA names.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from accuracy_rows import ETTH1, SEEDS, TRAFFIC, WEEK
from routing_page import with_section
from tables import console, markdown_table, show

from bitformer.hw.lowering.lower import lower
from bitformer.model import reference, stream
from bitformer.model.checkpoint import load_model
from bitformer.model.config import TransformerConfig, named_config, streamed
from bitformer.model.data.datasets import load_source
from bitformer.model.data.reading import DataSource
from bitformer.model.data.windows import Dataset
from bitformer.model.initialize import initialize
from bitformer.model.progress import progress_bar
from bitformer.sim.run import simulate
from bitformer.study.trials import Outcome, Trial, known_outcomes, run_trials
from bitformer.study.workers import open_pool

__all__ = ["ROWS", "TITLE", "Measured", "Row", "section"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "streaming.md"
FOLDER = ROOT / "build" / "streaming"
TITLE = "## How well streams forecast"
COLUMNS = (
    *("model", "test MSE", "of seeds 0, 1, 2", "float32", "beside the window's"),
    *("MACs of a forecast", "by steps"),
)


STEP_COLUMNS = (
    *("model", "columns", "cycles of a window", "latency and interval of a step", "must"),
    *("simulated", "bit-exact steps", "instructions, operations"),
)
#: Cycles that a step must not exceed.
MUST = {"etth1-96-24-stream": 420, "grid-12-32-4-stream": 700, "grid-24-64-4-stream": 2010}
#: The steps of the table: each model, and columns of LUTs beside its multipliers.
STEPS: tuple[tuple[str, int | str | None], ...] = (
    *((name, None) for name in MUST),
    ("grid-12-32-4-stream", 16),
    ("grid-24-64-4-stream", 16),
    ("grid-24-64-4-stream", "auto"),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A task, the model of windows, and streams; all are trained with the same settings."""

    task: str
    source: DataSource
    window: TransformerConfig
    streams: tuple[TransformerConfig, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def trials(self, config: TransformerConfig) -> list[Trial]:
        """The trainings of a model, one for each seed."""
        settings = dict(self.settings)
        made = functools.partial(Trial, config=config, source=self.source)
        return [made(settings={**settings, "seed": seed}) for seed in SEEDS]


#: Settings are those of docs/accuracy.md.
ROWS = (
    Row(
        task="ETTh1, 96 hours to 24",
        source=ETTH1,
        window=named_config("etth1-96-24"),
        streams=(named_config("etth1-96-24-stream"),),
    ),
    Row(
        task="I-94 traffic, 168 hours to 24",
        source=TRAFFIC,
        window=WEEK,
        streams=(streamed(WEEK),),
        settings={"dropout": 0.05, "epochs": 30, "qat_epochs": 10, "qat_lr": 1e-3},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of a model.

    Parameters
    ----------
    config : the model.
    outcomes : of its trainings, those that are there.
    equal : windows whose forecast by steps is theirs, and of how many; None of a model of windows.
    """

    config: TransformerConfig
    outcomes: Sequence[Outcome]
    equal: tuple[int, int] | None = None

    @property
    def errors(self) -> np.ndarray:
        """Test MSE of each seed's integers."""
        return np.array([one.test for one in self.outcomes])


def stepped(outcome: Outcome, dataset: Dataset) -> tuple[int, int]:
    """How many test windows have the same forecast by steps, and how many there are."""
    assert outcome.model is not None
    model, x = load_model(outcome.model), dataset.test.x
    same = (stream.predict(model, x) == reference.predict(model, x)).all(axis=1)
    return int(same.sum()), len(same)


def measured(row: Row, folder: Path) -> list[Measured]:
    """What is known of the models of a row, that of windows first."""
    found = []
    for config in (row.window, *row.streams):
        outcomes = [one for one in known_outcomes(row.trials(config), folder) if one is not None]
        equal = None
        if config.stream and outcomes:
            equal = stepped(outcomes[0], load_source(row.source, config))
        found.append(Measured(config=config, outcomes=outcomes, equal=equal))
    return found


def verdict(one: Measured, window: Measured) -> str:
    """Whether a stream's mean is within the seeds of the model of windows."""
    if not one.config.stream or not len(one.outcomes) or not len(window.outcomes):
        return "–"
    change = f"{one.errors.mean() / window.errors.mean() - 1:+.1%}"
    worst, best = window.errors.max(), window.errors.min()
    if one.errors.mean() > worst:
        return f"{change}, **worse** than its worst seed"
    return f"{change}, {'within its seeds' if one.errors.mean() >= best else 'better than all'}"


def cells(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Rows of the table, of the models of a task."""
    rows = []
    for one in found:
        errors, floats = one.errors, np.array([each.float_test for each in one.outcomes])
        steps = "–"
        if one.equal is not None:
            same, count = one.equal
            differ = f"**{count - same} of {count} differ**"
            steps = f"all {count} equal" if same == count else differ
        known = len(errors) > 0
        rows.append(
            (
                one.config.name,
                f"{errors.mean():.4f} ± {errors.std(ddof=1 if len(errors) > 1 else 0):.4f}"
                if known
                else "–",
                ", ".join(f"{error:.4f}" for error in errors) or "–",
                f"{floats.mean():.4f}" if known else "–",
                verdict(one, found[0]),
                str(one.config.macs),
                steps,
            )
        )
    return rows


def section(rows: Sequence[Row], found: Sequence[Sequence[Measured]]) -> list[str]:
    """The lines of the section."""
    lines = [
        TITLE,
        "",
        "Written by `python benchmarks/streaming.py --write`, which goes on where it was. Integer"
        " models, weights of 4 and activations of 8 bits, the last layer 8 and 8, the linear path 8"
        " and 16; in `etth1-96-24-stream` both have weights of 6, and the tokens that the last"
        " layer reads have 7. All models of a task are trained with the settings of"
        " [accuracy.md](accuracy.md), on the same training, validation and test rows. Mean and"
        " deviation of three seeds; what was looked at to choose is the validation error alone. *By"
        " steps*: the test windows of seed 0, each row's through"
        " the stream of its phase, against windows that are computed as a whole, forecast by"
        " forecast, to the last bit.",
        "",
    ]
    for row, models in zip(rows, found, strict=True):
        lines += [f"{row.task}:", "", *markdown_table(COLUMNS, cells(models))]
    return lines


def step_cells(
    measured: Sequence[tuple[str, int | str | None]], steps: int
) -> list[tuple[str, ...]]:
    """Rows of the table of steps: their cycles beside a window's, and whether each was exact.

    ``measured`` : models, and the columns of LUTs of both.
    """
    rows = []
    for name, soft in measured:
        model = initialize(named_config(name), seed=1)
        design = lower(model, soft=soft)
        window = lower(initialize(named_config(name.removesuffix("-stream"))), soft=soft)
        weights = design.geometry.weights
        windows = model.random_windows(np.random.default_rng(0), 1 + steps // 8)
        x = windows.reshape(-1, model.config.patch, model.config.inputs)[:steps]
        free = simulate(design, x[:200], engine="native")
        held = simulate(design, x, engine="native", back_pressure=0.2)
        exact = free.bit_exact and held.bit_exact
        rows.append(
            (
                name,
                f"{weights.hard}" + (f" + {weights.soft} of LUTs" if weights.soft else ""),
                str(window.latency),
                f"{design.latency}, {design.interval}",
                f"<= {MUST[name]} {'reached' if design.latency <= MUST[name] else '**missed**'}",
                "as predicted" if free.cycles_as_predicted else "**not** as predicted",
                f"all {steps}" if exact else f"**no**: {free.difference or held.difference}",
                f"{len(design.program.instructions)}, {len(design.program.operations)}",
            )
        )
    return rows


@click.command(help=__doc__)
@click.option("--show", "shows", is_flag=True, help="Train nothing.")
@click.option("--cycles", is_flag=True, help="Only the table of steps, of a minute or more each.")
@click.option("--steps", default=10_000, show_default=True, help="Steps under back-pressure.")
@click.option("--workers", type=int, help="Processes; one a core by default.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--write", is_flag=True, help="Write the section.")
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, show_default=True)
def main(
    shows: bool,
    cycles: bool,
    steps: int,
    workers: int | None,
    folder: Path,
    write: bool,
    page: Path,
) -> None:
    if cycles:
        print("\n".join(markdown_table(STEP_COLUMNS, step_cells(STEPS, steps))))
        return
    trials = [t for row in ROWS for one in (row.window, *row.streams) for t in row.trials(one)]
    if not shows:
        with open_pool(workers, None) as pool, progress_bar() as tell:
            run_trials(trials, folder, pool, tell)
    found = [measured(row, folder) for row in ROWS]
    for models in found:
        show(console(), COLUMNS, cells(models))
    if write:
        lines = section(ROWS, found)
        page.write_text(with_section(page.read_text(encoding="utf-8"), lines), encoding="utf-8")


if __name__ == "__main__":
    main()
