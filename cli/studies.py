"""What commands that run many trainings share: options, data, workers, a progress bar."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.model.errors import UserError

from .options import PATH, columns_of, data_options, load_config, together
from .report import Report
from .train import require_torch, suited

if TYPE_CHECKING:
    from bitformer.model.config import TransformerConfig
    from bitformer.search.trials import DataSource, Outcome, Trial

__all__ = ["given", "numbers", "prepared", "run_all", "study_bar", "study_options"]

study_options = together(
    data_options,
    click.option(
        "--config",
        default="etth1-96-24",
        show_default=True,
        metavar="NAME|FILE.json",
        help="Shape of the model; its bitwidths are varied.",
    ),
    click.option("--epochs", type=int, metavar="N", help="Most epochs without rounding [12]."),
    click.option("--qat-epochs", type=int, metavar="N", help="Most epochs with rounding [12]."),
    click.option("--batch", type=int, metavar="N", help="Windows of a step [128]."),
    click.option("--workers", type=int, metavar="N", help="Processes; one a core by default."),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers train, instead."
    ),
    click.option(
        "-o", "--output", type=PATH, required=True, metavar="DIR", help="Folder of all trainings."
    ),
)


def numbers(option: str) -> Callable:
    """A callback that reads ``8,6,4`` into a tuple."""

    def read(_context, _parameter, text: str) -> tuple[int, ...]:
        try:
            found = tuple(int(part) for part in text.split(","))
        except ValueError:
            raise UserError(f"{option} must be numbers such as 8,4,2, not {text!r}") from None
        if len(set(found)) != len(found):
            raise UserError(f"{option} must name each number once, not {text!r}")
        return found

    return read


def prepared(
    report: Report,
    *,
    config: str,
    data: str | None,
    target: str | None,
    inputs: str | None,
    time: str | None,
) -> "tuple[TransformerConfig, DataSource]":
    """The configuration as it suits the data, and what to load them by."""
    from bitformer.search.trials import DataSource

    require_torch()
    if data is None:
        raise UserError("--data must name a data set or a CSV file to train on")
    path = Path(data)
    source = DataSource(
        data=str(path.resolve()) if path.is_file() else data,
        target=target,
        inputs=columns_of(inputs),
        time=time,
    )
    chosen = load_config(config)
    dataset = source.load(chosen)
    for sentence in dataset.notes:
        report.note(sentence)
    return suited(chosen, dataset, report), source


@contextmanager
def study_bar(what: str = "trainings") -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar where a person is watching: told (done, in all, what)."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _done, _total, _text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        yield tell


def run_all(
    trials: "Sequence[Trial]",
    output: Path,
    *,
    workers: int | None,
    scheduler: str | None,
) -> "list[Outcome]":
    """All trials, in their order; what ``output`` holds already is read."""
    from bitformer.search.trials import run_trials
    from bitformer.search.workers import open_pool

    with study_bar() as tell, open_pool(workers, scheduler) as pool:
        return run_trials(trials, output, pool, tell)


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}
