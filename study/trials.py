"""Trainings by the dozen: each is described, keyed by its description, run once and kept.

All trials of one shape, data and seed start from the same float model, which is trained once, so
that what is compared differs in its rounding only. A folder of trials holds

    results/KEY.json           what a trial came to, written when it is done
    results/KEY.safetensors    its integer model, unless something is kept in float32
    runs/KEY/                  its training run, from which a killed one resumes
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bitformer.model.config import TransformerConfig
from bitformer.model.data.datasets import load_source
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.files import write_whole
from bitformer.model.own_data import resolved, suited_to
from bitformer.model.plain import built, partly
from bitformer.model.precision import Precision
from bitformer.model.progress import Progress, silent
from bitformer.model.strict_json import read_json
from bitformer.model.torch_installed import require_torch
from bitformer.study.workers import WorkerPool

if TYPE_CHECKING:
    from bitformer.model.training_run import TrainResult

__all__ = ["FOLDERS", "Outcome", "Trial", "known_outcomes", "run_trials", "source_of"]

#: What a folder of trials has in it, as patterns: for :func:`bitformer.model.folder_lock.held`.
FOLDERS = ("results", "runs/*")

#: Settings that belong to the float stage; a trial takes them from the run it starts from.
_FLOAT_SETTINGS = ("epochs", "lr", "dropout")
#: Settings of both stages.
_SHARED = ("seed", "batch", "weight_decay", "patience", "augment", "class_weights")
_RUN_FILES = ("run.json", "state.pt")
#: Trials that are trained together at most: more gain little.
_TOGETHER = 8


def source_of(
    data: str | None,
    config: str | TransformerConfig | None,
    note: Callable[[str], None],
    **columns: Any,
) -> tuple[TransformerConfig, DataSource]:
    """Return the configuration as it suits the data, and what workers load these by.

    Parameters
    ----------
    data, config, note, **columns
        As of :func:`bitformer.model.own_data.suited_to`.

    Raises
    ------
    UserError
        If torch is not installed; and as `suited_to`.
    """
    require_torch()
    chosen, dataset = suited_to(data, config, note, **columns)
    if chosen.adc_words:
        raise UserError(
            f"adc_words of config {chosen.name} must be false here: compare and search without it,"
            " then train the one you choose with --raw"
        )
    path = Path(str(data))
    found = resolved(columns, dataset)
    return chosen, DataSource.of(data=str(path.resolve() if path.is_file() else data), **found)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training: ``config`` on ``source`` with ``settings``.

    ``settings`` are fields of :class:`bitformer.model.train_settings.TrainSettings`.
    """

    config: TransformerConfig
    source: DataSource
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> dict:
        """Plain data: all that decides what comes out."""
        return {
            "config": self.config.to_dict(),
            "source": self.source.to_dict(),
            "settings": dict(self.settings),
        }

    @property
    def key(self) -> str:
        """The same for the same description, in every session."""
        text = json.dumps(self.description, sort_keys=True)
        return f"{self.config.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def origin(self) -> "Trial":
        """The trial whose float model this one starts from; it is rounded to 8 bits at no cost."""
        config = self.config.replace(
            name="float",
            default=Precision(weights=8, activations=8),
            precision={},
            tensors={},
            weight_scales="channel",
            asymmetric=False,
        )
        own = (*_SHARED, *_FLOAT_SETTINGS)
        settings = {name: self.settings[name] for name in own if name in self.settings}
        return Trial(config=config, source=self.source, settings={**settings, "method": "ptq"})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial came to: errors as the model's task has them.

    Mean squared errors of standardised forecasts, of a detector's, too, whose threshold is learned
    afterwards; cross entropies of a classifier.

    ``model`` is the file of its integer model; None where something is kept in float32.
    """

    trial: Trial
    float_val: float
    float_test: float
    val: float
    test: float
    warnings: tuple[str, ...]
    model: Path | None


#: Key and files of the run that a trial starts from, for a machine that does not have it.
_Origin = tuple[str, dict[str, bytes]] | None


def _train(asked: list[tuple[dict, _Origin]], folder: str) -> list[dict]:
    """Train in ``folder``/runs, on whatever machine this is, and return results as plain data.

    ``asked`` : descriptions of trials that differ in their seed alone, with their origins.
    """
    from bitformer.model.train import train_together

    config = TransformerConfig.from_dict(asked[0][0]["config"])
    source = built(DataSource, asked[0][0]["source"], "source")
    runs, wanted = Path(folder) / "runs", []
    for description, origin in asked:
        trial = Trial(config=config, source=source, settings=description["settings"])
        run = {**trial.settings, "run_dir": runs / trial.key}
        if origin is not None:
            key, files = origin
            run["float_run"] = runs / key
            for name in _FLOAT_SETTINGS:
                run.pop(name, None)
            if not (runs / key / _RUN_FILES[-1]).exists():
                (runs / key).mkdir(parents=True, exist_ok=True)
                for name, content in files.items():
                    write_whole(runs / key / name, content)
        wanted.append(run)
    results = train_together(config, load_source(source, config), wanted)
    return [
        _plain(result, config, first=origin is None)
        for result, (_, origin) in zip(results, asked, strict=True)
    ]


def _plain(
    result: "TrainResult | TrainingDivergedError", config: TransformerConfig, *, first: bool
) -> dict:
    """Return the result of a training as plain data.

    ``first`` : whether others start from it; then their error is raised, and its files are added.
    """
    from bitformer.model.checkpoint import save_model
    from bitformer.model.export import export_run

    if isinstance(result, TrainingDivergedError):
        if first:
            raise result
        return {"record": _diverged(str(result)), "model": None, "files": {}}
    run = result.run_dir
    record = {
        "float_val": result.float_val,
        "float_test": result.float_test,
        "val": result.quantized_val,
        "test": result.quantized_test,
        "warnings": list(result.warnings),
    }
    model = None
    if not config.has_floats:
        save_model(export_run(run), run / "model.safetensors")
        model = (run / "model.safetensors").read_bytes()
    files = {name: (run / name).read_bytes() for name in _RUN_FILES} if first else {}
    return {"record": record, "model": model, "files": files}


def _diverged(sentence: str) -> dict:
    """Return the record of a training that diverged; its origin has the float model's errors."""
    lost = dict.fromkeys(("float_val", "float_test", "val", "test"), math.inf)
    return {**lost, "warnings": [sentence]}


class _Result(TypedDict):
    """What is kept of a training, beside its description."""

    float_val: float
    float_test: float
    val: float
    test: float
    warnings: list[str]


_ERRORS = ("float_val", "float_test", "val", "test")


class _Folder:
    """Results on disk."""

    def __init__(self, path: Path):
        self.path = path
        for name in ("results", "runs"):
            try:
                (path / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"Folder {path / name} cannot be made: {error.strerror}") from None

    def _files(self, key: str) -> tuple[Path, Path]:
        results = self.path / "results"
        return results / f"{key}.json", results / f"{key}.safetensors"

    def read(self, trial: Trial) -> Outcome | None:
        """Return a result that is there; None for one that is damaged or of another trial."""
        record, model = self._files(trial.key)
        try:
            data = read_json(record, finite=False)  # of a training that diverged
            description = json.loads(json.dumps(trial.description))
            if not isinstance(data, dict) or data.get("trial") != description:
                return None
            found = partly(_Result, data, str(record))
            if any(math.isnan(found[name]) for name in _ERRORS):
                return None
            made = math.isfinite(found["val"]) and not trial.config.has_floats
            if made and not model.is_file():
                return None
            return Outcome(
                trial=trial,
                model=model if made else None,
                warnings=tuple(found["warnings"]),
                **{name: found[name] for name in _ERRORS},
            )
        except UserError:
            return None

    def write(self, trial: Trial, result: dict) -> None:
        record, model = self._files(trial.key)
        if result["model"] is not None:
            write_whole(model, result["model"])
        data = {"trial": trial.description, **result["record"]}
        write_whole(record, json.dumps(data, indent=1) + "\n")

    def run_files(self, key: str) -> dict[str, bytes]:
        run = self.path / "runs" / key
        try:
            return {name: (run / name).read_bytes() for name in _RUN_FILES}
        except OSError as error:
            raise UserError(
                f"Run folder {run}, whose result is there, must be there too: {error.strerror}"
            ) from None


def known_outcomes(trials: Iterable[Trial], folder) -> list[Outcome | None]:
    """Return the outcome of every trial that ``folder`` holds, and None for the others."""
    store = _Folder(Path(folder))
    return [store.read(trial) for trial in trials]


def _groups(trials: Sequence[Trial], workers: int) -> list[list[Trial]]:
    """Return trials that differ in their seed alone together, as long as every worker has some."""
    alike: dict[str, list[Trial]] = {}
    for trial in trials:
        settings = {name: value for name, value in trial.settings.items() if name != "seed"}
        description = {**trial.description, "settings": settings}
        alike.setdefault(json.dumps(description, sort_keys=True), []).append(trial)
    most = min(_TOGETHER, -(-len(trials) // workers))
    return [
        some[first : first + most] for some in alike.values() for first in range(0, len(some), most)
    ]


def run_trials(
    trials: Iterable[Trial],
    folder,
    pool: WorkerPool,
    progress: Progress = silent,
) -> list[Outcome]:
    """Return the outcome of every trial, in their order; read those that ``folder`` holds.

    ``progress`` counts trainings and names the last one. Float models are trained first, each once.
    Trials that differ in their seed alone are trained together, which is faster and gives the same.
    """
    trials = list(trials)
    store = _Folder(Path(folder))
    origins = {trial.origin.key: trial.origin for trial in trials}
    wanted = {trial.key: trial for trial in trials} | origins
    missing = {key: trial for key, trial in wanted.items() if store.read(trial) is None}
    total, done = len(wanted), len(wanted) - len(missing)
    progress(done, total, "read")

    def keep(trial: Trial, result: dict) -> None:
        nonlocal done
        if (before := store.read(trial.origin)) is not None:
            result["record"] |= {"float_val": before.float_val, "float_test": before.float_test}
        store.write(trial, result)
        for name, content in result["files"].items():
            target = store.path / "runs" / trial.key / name
            if not target.exists():
                write_whole(target, content)
        done += 1
        progress(done, total, trial.key)

    def run(some: Sequence[Trial], origin: Callable[[Trial], _Origin]) -> None:
        groups = {group[0].key: group for group in _groups(some, pool.size)}
        tasks = {
            key: ([(trial.description, origin(trial)) for trial in group], str(store.path))
            for key, group in groups.items()
        }
        for key, results in pool.run(_train, tasks):
            for trial, result in zip(groups[key], results, strict=True):
                keep(trial, result)

    def its_origin(trial: Trial) -> _Origin:
        key = trial.origin.key
        return key, store.run_files(key)

    run([trial for key, trial in missing.items() if key in origins], lambda _: None)
    run([trial for key, trial in missing.items() if key not in origins], its_origin)
    outcomes = [store.read(trial) for trial in trials]
    if None in outcomes:
        raise UserError(f"Results in {store.path} must not change while trials run")
    return [outcome for outcome in outcomes if outcome is not None]
