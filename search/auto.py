"""``--config auto``: a configuration for data and a part, chosen by short trainings.

Shapes come from the data's cycle, then one change each of the best. Each is trained without
rounding on the training windows; of those that fit the part, beside a board's shell, the cheapest
within a hundredth of the least validation error is chosen: the mean square of forecasts, of a
detector's, too, or the cross entropy of classes. All is kept in the folder: the same question has
the same answer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS, find_part
from bitformer.model.config import TransformerConfig
from bitformer.model.config_choice import changed_config, start_config
from bitformer.model.data.clock import require_calendar
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import DataSource
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import TooFewRowsError, TrainingDivergedError, UserError
from bitformer.model.files import write_whole
from bitformer.model.folder_lock import held
from bitformer.model.initialize import initialize
from bitformer.model.own_data import resolved, suited
from bitformer.model.progress import Progress, silent
from bitformer.model.sealed_json import read_sealed, write_sealed
from bitformer.search.choice import Choice, Tried, best_of, nothing, why
from bitformer.search.proposals import (
    MOST,
    Cycle,
    Proposal,
    cycle_of,
    default_horizon,
    shapes,
    thinned,
    variants,
)
from bitformer.study.trials import FOLDERS, Trial, run_trials
from bitformer.study.workers import WorkerPool

__all__ = ["CONFIG_FILE", "Choice", "Tried", "propose", "write_config"]

#: In a run's folder: the configuration, to be named again; and what was tried.
CONFIG_FILE, _FOLDER, _RECORD = "config.json", "auto", "auto.json"
#: Training windows that a short training sees in all, and its fewest and most epochs.
_SEEN, _EPOCHS = 60_000, (4, 24)
#: LUTs that are left for the shell of a board; its memory lies in them if no block RAM is left.
_SHELL = {"LUT": 700}
#: Validation windows that a candidate must have, as a part of the most that one has; of classes,
#: whose windows lie within a recording's part, and what it has too few of.
_MOST_WINDOWS, _MOST_OF_CLASSES = 0.8, 0.5
_GAPPED, _SHORT = "too few windows without a gap", "too few windows within a recording's part"


def propose(
    data: str | None,
    *,
    part: str,
    folder: Path,
    sizes: Mapping[str, Any],
    kinds: Mapping[str, Any],
    seed: int = 0,
    note: Callable[[str], None],
    progress: Progress = silent,
    **columns: Any,
) -> Choice:
    """Choose window, patch, widths and kind for data and a part.

    Parameters
    ----------
    data
        A data set's name or a CSV file.
    part
        The FPGA whose budget counts.
    folder
        Of the run. What is tried is kept in ``auto`` inside.
    sizes, kinds
        ``window``, ``horizon``, ``patch`` and ``block``; and bits and ``calendar`` as of
        :func:`bitformer.model.config_choice.changed_config`; None stands for what is not given.
    seed
        Of the short trainings.
    note
        Told what the cycle is, and what is missing.
    progress
        Called with the trainings done.
    **columns
        ``target``, ``inputs``, ``sense``, ``ahead`` and ``task``, and fields of
        :class:`bitformer.model.data.reading.Reading`.

    Raises
    ------
    UserError
        If the data will not do, or nothing fits the part.
    """
    if data is None:
        raise UserError("--data must name a data set or a CSV file to train on")
    find_part(part)
    from bitformer.model.training_run import describe  # late: it imports torch

    calendar = kinds.get("calendar") or ()
    rows = load_dataset(data, window=1, horizon=1, calendar=calendar, **columns)
    require_calendar(calendar, rows.calendar, rows.step, rows.name)
    cycle = cycle_of(rows)
    _about_cycle(cycle, note)
    given = sizes.get("horizon")
    start = {"sense": columns.get("sense"), "ahead": columns.get("ahead"), "horizon": given}
    base = start_config(None, task=rows.task, **start)
    horizon = given or _horizon(base, rows.task, cycle, columns, note)
    own = {name: sizes.get(name) for name in ("window", "patch")}
    block = sizes.get("block")
    base = changed_config(base.replace(horizon=horizon), block=block, **kinds)
    base = suited(base, rows)[0]
    question = json.loads(
        json.dumps(
            {
                "data": describe(rows),
                "columns": {n: v for n, v in columns.items() if v is not None},
                "base": base.to_dict(),
                "sizes": {**own, "block": block},
                "part": part,
                "seed": seed,
                "seen": _SEEN,
            }
        )
    )
    with held(folder / _FOLDER, inside=FOLDERS):
        record = folder / _FOLDER / _RECORD
        tried = _known(record, question)
        if tried is None:
            bench = _Bench(data, columns, rows, part, seed, folder / _FOLDER, progress)
            tried = bench.look_at(shapes(base, cycle, **own))
            if (first := best_of(tried)) is not None:
                kept = kinds.get("delta") is not None
                more = variants(first.config, patch=own["patch"], block=block, subtracts=kept)
                tried += bench.look_at(more[: max(0, MOST - len(tried))])
            write_sealed(record, {"question": question, "tried": [one.to_dict() for one in tried]})
    best = best_of(tried)
    if best is None:
        raise UserError(nothing(tried, part, None if columns.get("every") else thinned(cycle)))
    return Choice(config=best.config, part=part, sentence=why(best, tried, part), tried=tried)


def write_config(folder: Path, config: TransformerConfig) -> Path:
    """Write a configuration beside its run, for ``--config``; return the file."""
    path = folder / CONFIG_FILE
    write_whole(path, json.dumps(config.to_dict(), indent=1) + "\n")
    return path


class _Bench:
    """Trains proposals shortly, and lowers them for a part."""

    def __init__(
        self,
        data: str,
        columns: Mapping[str, Any],
        rows: Dataset,
        part: str,
        seed: int,
        folder: Path,
        progress: Progress,
    ):
        self._data, self._columns, self._part = data, dict(columns), part
        path = Path(data)
        self._source = DataSource.of(
            data=str(path.resolve() if path.exists() else data), **resolved(columns, rows)
        )
        self._seed, self._folder, self._progress = seed, folder, progress
        self._predictor = Predictor(shipped_entries(), family=PARTS[part].family)
        self._windows: dict[int, tuple[int, int] | str] = {}
        self._done = 0

    def look_at(self, proposals: Sequence[Proposal]) -> tuple[Tried, ...]:
        """Return what each proposal comes to."""
        counts = [self._counts(one.config) for one in proposals]
        most = max((one[1] for one in counts if not isinstance(one, str)), default=0)
        found = []
        for one, count in zip(proposals, counts, strict=True):
            self._progress(self._done, None, f"auto: {one.what}")
            found.append(self._tried(one, count, most))
            self._done += 1
        return tuple(found)

    def _counts(self, config: TransformerConfig) -> tuple[int, int] | str:
        """Return how many training and validation windows there are, or why there are none."""
        size = config.window
        if size not in self._windows:
            try:
                own = load_dataset(self._data, window=size, horizon=config.horizon, **self._columns)
                self._windows[size] = len(own.train), len(own.val)
            except TooFewRowsError:
                self._windows[size] = "too few rows"
            except UserError as error:
                self._windows[size] = str(error)
        return self._windows[size]

    def _tried(self, one: Proposal, count: tuple[int, int] | str, most: int) -> Tried:
        taken, against = self._taken(one.config)
        if isinstance(count, str):
            return Tried(config=one.config, what=one.what, error=None, taken=taken, against=count)
        classes = one.config.task == "classify"
        if count[1] < (_MOST_OF_CLASSES if classes else _MOST_WINDOWS) * most:
            against = against or (_SHORT if classes else _GAPPED)
        error = None
        if against is None:
            try:
                error = self._error(one.config, count[0])
            except TrainingDivergedError:
                against = "the training diverged"
        return Tried(config=one.config, what=one.what, error=error, taken=taken, against=against)

    def _taken(self, config: TransformerConfig) -> tuple[dict[str, int], str | None]:
        """Return what a design takes, and what is too much of it."""
        try:
            design = lower(initialize(config), part=self._part)
        except UserError as error:
            return {}, str(error)
        prediction = self._predictor.predict(design)
        found = prediction.counts
        over = [
            f"{use.used} of {use.available} {use.resource}"
            f"{'' if use.over else ', and a shell of a board takes more'}"
            for use in prediction.uses
            if use.used + _SHELL.get(use.resource, 0) > use.available
        ]
        return found, ", ".join(over) or None

    def _error(self, config: TransformerConfig, windows: int) -> float:
        """Return the validation error of a short training without rounding."""
        epochs = min(max(-(-_SEEN // windows), _EPOCHS[0]), _EPOCHS[1])
        settings = {"seed": self._seed, "epochs": epochs, "dropout": 0.1}
        trial = Trial(config=config, source=self._source, settings=settings).origin
        return run_trials([trial], self._folder, WorkerPool())[0].float_val


def _horizon(
    base: TransformerConfig,
    task: str,
    cycle: Cycle | None,
    columns: Mapping[str, Any],
    note: Callable[[str], None],
) -> int:
    """Return the horizon where none is given, and say it."""
    if task != "forecast" or columns.get("sense") is not None or columns.get("ahead") == 0:
        return base.horizon
    found = default_horizon(cycle)
    whole = "" if cycle is None or cycle.rows != found else f", a {cycle.name}"
    note(f"Horizon {found}{whole}: say --horizon for another")
    return found


def _about_cycle(cycle: Cycle | None, note: Callable[[str], None]) -> None:
    """Say that there is no cycle, where there is none."""
    if cycle is None:
        note(
            "Rows have no dates, or a day is no whole number of them, so no cycle is known: windows"
            " are powers of two; --time names the column of times, --window a window"
        )


def _known(record: Path, question: Mapping[str, Any]) -> tuple[Tried, ...] | None:
    """Return what was tried for the same question before."""
    try:
        found = read_sealed(record)
        if found["question"] != question:
            return None
        return tuple(Tried.from_dict(one) for one in found["tried"])
    except (UserError, KeyError, TypeError):
        return None
