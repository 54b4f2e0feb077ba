"""What commands that run many trainings share: options, data, workers, a progress bar."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.options import (
    PATH,
    Decorator,
    batch_option,
    columns_of,
    data_options,
    epochs_options,
    given,
    load_config,
    together,
)
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.model.config import TransformerConfig
    from bitformer.study.trials import DataSource, Outcome, Trial

__all__ = [
    "Study",
    "given",
    "prepared",
    "seeds_option",
    "study_options",
    "widths_option",
]

study_options = together(
    data_options,
    click.option(
        "--config",
        default="etth1-96-24",
        show_default=True,
        metavar="NAME|FILE.json",
        help="Shape of the model; its bitwidths are varied.",
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
    """``--widths`` as a tuple of numbers; ``text`` says what has these bits."""
    return click.option(
        "--widths",
        default=default,
        show_default=True,
        metavar="BITS,...",
        callback=_widths,
        help=text,
    )


def _widths(_context, _parameter, text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--widths must be numbers such as 8,4,2, not {text!r}") from None
    if len(set(found)) != len(found):
        raise UserError(f"--widths must name each number once, not {text!r}")
    return found


def seeds_option(default: int) -> Decorator:
    """``--seeds``, a number of them."""
    return click.option(
        "--seeds",
        type=COUNT,
        default=default,
        show_default=True,
        metavar="N",
        help="Trainings of everything, from seeds 0 to N - 1.",
    )


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
    from bitformer.model.own_data import suited
    from bitformer.study.trials import DataSource

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
    chosen, changed = suited(chosen, dataset)
    for sentence in (*dataset.notes, *changed):
        report.note(sentence)
    return chosen, source


@dataclass(frozen=True, kw_only=True)
class Study:
    """What :data:`study_options` were given; ``settings`` are those of each training."""

    data: str | None
    target: str | None
    inputs: str | None
    time: str | None
    config: str
    workers: int | None
    scheduler: str | None
    output: Path
    settings: dict[str, Any]

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Study":
        """The study of a command's options, of which those not named here are settings."""
        own = {field.name for field in fields(cls)} - {"settings"}
        settings = {name: value for name, value in options.items() if name not in own}
        return cls(**{name: options[name] for name in own}, settings=given(settings))

    def prepared(self, report: Report) -> "tuple[TransformerConfig, DataSource]":
        """See :func:`prepared`."""
        return prepared(
            report,
            config=self.config,
            data=self.data,
            target=self.target,
            inputs=self.inputs,
            time=self.time,
        )

    def run(self, trials: "Sequence[Trial]") -> "list[Outcome]":
        """All trials, in their order; what ``output`` holds already is read."""
        from bitformer.model.folder_lock import held
        from bitformer.study.trials import FOLDERS, run_trials
        from bitformer.study.workers import open_pool

        with (
            held(self.output, inside=FOLDERS),
            progress_bar() as tell,
            open_pool(self.workers, self.scheduler) as pool,
        ):
            return run_trials(trials, self.output, pool, tell)
