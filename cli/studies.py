"""Options that commands with many trainings share, and the trainings."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.class_options import task_option
from bitformer.cli.options import (
    PATH,
    Decorator,
    batch_option,
    epochs_options,
    given,
    together,
    training_data_options,
)
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report
from bitformer.model.errors import UserError
from bitformer.model.precision import UNIFORM, Width, read_weights
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.study.trials import Outcome, Trial

__all__ = ["Study", "seeds_option", "study_options", "widths_option"]

study_options = together(
    training_data_options,
    task_option,
    click.option(
        "--config",
        metavar="NAME|FILE.json",
        help="Shape of the model; its bitwidths are varied [etth1-96-24; sense-24-1 with --sense,"
        " strike-25 for classes].",
    ),
    epochs_options,
    batch_option,
    click.option("--workers", type=COUNT, metavar="N", help="Processes; one a core by default."),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers train, instead."
    ),
    click.option(
        "-o", "--output", type=PATH, required=True, metavar="DIR", help="Folder of all trainings."
    ),
)


def widths_option(default: str, text: str) -> Decorator:
    """Make ``--widths``, given as a tuple of widths; ``text`` says what has these bits."""
    return click.option(
        "--widths",
        default=default,
        show_default=True,
        metavar="BITS,...",
        callback=_widths,
        help=f"{text} 4p: weights are powers of two.",
    )


def _widths(_context, _parameter, text: str) -> tuple[Width, ...]:
    try:
        read = [read_weights(part) for part in text.split(",")]
    except UserError:
        raise UserError(
            f"--widths must be numbers such as 8,4,2, or 4p for powers of two, not {text!r}"
        ) from None
    found = tuple(bits if scheme == UNIFORM else f"{bits}p" for bits, scheme in read)
    if len(set(found)) != len(found):
        raise UserError(f"--widths must name each number once, not {text!r}")
    return found


def seeds_option(default: int) -> Decorator:
    """Make ``--seeds``, a number of them."""
    return click.option(
        "--seeds",
        type=COUNT,
        default=default,
        show_default=True,
        metavar="N",
        help="Trainings of everything, from seeds 0 to N - 1.",
    )


class Study:
    """Trainings on one data set, of what :data:`study_options` say.

    Parameters
    ----------
    report : told what is remarkable of the data.
    data : name or file, and columns.
    config : the shape's name or JSON file.
    task : what the models are for; None for what the data say.
    workers, scheduler : processes, or a Dask scheduler's address.
    output : folder of all trainings.
    settings : of each training.
    """

    def __init__(
        self,
        report: Report,
        *,
        data: dict[str, Any],
        config: str | None,
        task: str | None,
        workers: int | None,
        scheduler: str | None,
        output: Path,
        **settings: Any,
    ):
        from bitformer.study.trials import source_of

        self.data, self.output, self.settings = data["data"], output, given(settings)
        self.pool: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
        self.config, self.source = source_of(config=config, task=task, note=report.note, **data)

    def run(self, trials: "Sequence[Trial]") -> "list[Outcome]":
        """Run all trials, in their order; what the folder holds already is read."""
        from bitformer.model.folder_lock import held
        from bitformer.study.trials import FOLDERS, run_trials
        from bitformer.study.workers import open_pool

        with (
            held(self.output, inside=FOLDERS),
            progress_bar() as progress,
            open_pool(**self.pool) as pool,
        ):
            return run_trials(trials, self.output, pool, progress)
