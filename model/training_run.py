"""A training run that is asked for: its checks, its folder, and its way to a result.

It yields its trainer where an epoch is to be run, so that runs can be carried out side by side.
"""

import dataclasses
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bitformer.model.augmentation import Augmentation
from bitformer.model.config import TransformerConfig
from bitformer.model.data.seen_rows import last_seen
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.float_run import (
    FloatStart,
    float_weights,
    quantized_state,
    with_float_settings,
)
from bitformer.model.plain import built
from bitformer.model.progress import progress_bar
from bitformer.model.run_store import EPOCHS, ERRORS, RunStore
from bitformer.model.stages import Budget
from bitformer.model.task import task_for
from bitformer.model.task.margins import leads_by_percent
from bitformer.model.task.thresholds import learned_facts, residuals_of
from bitformer.model.torch_predict import predict
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

__all__ = ["Epochs", "TrainResult", "TrainingRun", "describe"]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """The result of a run. Errors are mean squared errors of standardised forecasts.

    Those of a classifier are mean cross entropies, in nats.

    ``quantized_*`` : errors of the quantized model, which are those of the integer model as well.
    ``history`` : a dict for each epoch with stage, epoch, training loss, validation error (val) and
    learning rate (lr) of its last step; epoch 0 is a stage's model before training. ``settings`` :
    all of :class:`TrainSettings`, those by default, too. ``continued`` : for each time the run was
    given more epochs, what it had before and its results then. ``warnings`` : sentences about
    tensors and weights of the quantized model that hold one value, or clip most values.
    """

    run_dir: Path
    float_val: float
    float_test: float
    quantized_val: float
    quantized_test: float
    seconds: float
    history: tuple[dict, ...]
    settings: dict[str, Any]
    continued: tuple[dict, ...] = ()
    warnings: tuple[str, ...] = ()


def _check(config: TransformerConfig, dataset: Dataset) -> None:
    """Raise :class:`UserError` unless the model fits the data."""
    task = task_for(config)
    task.check(config, dataset)
    for what, wanted, found in (
        ("window", config.rows_seen, dataset.train.window),
        ("horizon", config.horizon, task.horizon(dataset)),
        ("targets", config.targets, task.targets(dataset)),
        ("inputs", config.inputs, len(dataset.inputs)),
    ):
        if wanted != found:
            raise UserError(f"{what} must be {wanted} as in config {config.name}, not {found}")
    if config.calendar != dataset.calendar:
        raise UserError(
            f"calendar must be {list(dataset.calendar)} as windows of {dataset.name} have it, not"
            f" {list(config.calendar)} as in config {config.name}"
        )
    if config.window_scaling and task.gives_target and dataset.target_channel != 0:
        raise UserError(
            f"inputs must be the target alone, {dataset.target}, for config {config.name}, whose"
            f" forecasts are in deviations of their windows, not {', '.join(dataset.inputs)}"
        )
    if not (config.subtract_last and task.gives_target):
        return
    each = dataset.by_target if config.targets > 1 else (dataset,)
    for one, channel in zip(each, config.added_channels, strict=True):
        if one.target_channel != channel:
            name = "target_channels" if dataset.targets else "target_channel"
            raise UserError(
                f"{name} must be the target's place among the inputs ({one.target_channel}) to"
                f" subtract the last value, not {channel}"
            )


def describe(dataset: Dataset) -> dict[str, object]:
    """Return the identity and the scales of the data, as plain data."""
    rows = len(dataset.train), len(dataset.val), len(dataset.test)
    checksum = zlib.crc32(np.asarray(dataset.train.inputs).tobytes())
    checksum = zlib.crc32(np.asarray(dataset.train.target).tobytes(), checksum)
    if dataset.calendar:
        checksum = zlib.crc32(np.asarray(dataset.train.times).tobytes(), checksum)
    found: dict[str, object] = {
        "name": dataset.name,
        "inputs": list(dataset.inputs),
        "target": dataset.target,
        "mean": np.asarray(dataset.mean).tolist(),
        "std": np.asarray(dataset.std).tolist(),
        "target_mean": float(dataset.target_mean),
        "target_std": float(dataset.target_std),
        "target_channel": dataset.target_channel,
        "windows": dict(zip(("train", "val", "test"), rows, strict=True)),
        "checksum": checksum,
        "last_seen": last_seen(dataset),
    }
    if dataset.targets:
        found["targets"] = [one.to_dict() for one in dataset.targets]
    if dataset.train.ahead != 1:
        found["ahead"] = dataset.train.ahead
    if dataset.step is not None:
        found |= dataset.step.to_dict()
    if dataset.range:
        found["range"] = {column: list(limits) for column, limits in dataset.range.items()}
    return found


def _place(device: str | None) -> torch.device:
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError):  # torch's, by kind of device
        raise UserError(
            f"device must be one that torch can use here, such as cpu, not {name!r}"
        ) from None
    if place.type not in ("cpu", "cuda"):
        raise UserError(f"device must be cpu or cuda, not {name!r}")
    return place


#: A run's way to its result: it yields its trainer where an epoch is to be run, by the caller.
Epochs = Generator[Trainer, None, TrainResult]


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """A run that is asked for: what :func:`bitformer.model.train.train` is told, checked.

    ``weights``, ``kept`` : as of :class:`bitformer.model.trainer.Trainer`. ``source`` identifies
    the run that they are of. ``patient`` : whether patience was asked for.
    """

    config: TransformerConfig
    dataset: Dataset
    store: RunStore
    settings: TrainSettings
    device: torch.device
    resume: bool
    source: dict[str, object] | None
    weights: Mapping[str, Tensor] | None
    kept: Mapping[str, Tensor] | None
    patient: bool

    @classmethod
    def of(
        cls,
        config: TransformerConfig,
        dataset: Dataset,
        *,
        run_dir,
        settings: dict[str, Any],
        device: str | None = None,
        resume: bool = True,
        float_run=None,
        keep_scales: bool = False,
        start: FloatStart | None = None,
    ) -> "TrainingRun":
        """Check what is asked for, as :func:`bitformer.model.train.train` says it."""
        _check(config, dataset)
        weights, source, kept = None, None, None
        if keep_scales:
            if float_run is None:
                raise UserError(
                    "Scales can be kept only of another run to start from: name it with --from"
                )
            kept, checksum = quantized_state(float_run, config)
        if start is not None:
            weights, source = start.weights, start.identity(settings)
        if float_run is not None:
            weights, source = float_weights(
                float_run, config, describe(dataset), same_data=not keep_scales
            )
            settings = with_float_settings(settings, source, float_run)
            if keep_scales:
                source["kept"] = checksum
        chosen = TrainSettings(**settings).fitted(len(dataset.train))
        if chosen.augment is not None:
            Augmentation.of(chosen.augment).check(config, dataset)
        if config.window_scaling and dataset.range:
            raise UserError(
                f"range must not be given with config {config.name}, whose windows are scaled one"
                " by one, so that words cover deviations, not units: leave --range out"
            )
        if keep_scales and dataset.range and not config.adc_words:
            raise UserError(
                f"range must not be given with kept scales, which are those of the run in"
                f" {float_run}: leave --range out, or train without --keep-scales"
            )
        if keep_scales and chosen.method != "qat":
            raise UserError(f"method must be qat to train with kept scales, not {chosen.method!r}")
        return cls(
            config=config,
            dataset=dataset,
            store=RunStore(run_dir),
            settings=chosen,
            device=_place(device),
            resume=resume,
            source=source,
            weights=weights,
            kept=kept,
            patient="patience" in settings,
        )

    def carried_out(self, progress: bool | None) -> Epochs:
        """Resume, begin or read the run, and what it had before it was given more epochs."""
        store, chosen = self.store, self.settings
        identity = {
            "config": self.config.to_dict(),
            "dataset": describe(self.dataset),
            "settings": dataclasses.asdict(chosen),
            "float": self.source,
            **({"classes": list(self.dataset.classes)} if self.dataset.classes else {}),
        }
        follows = () if self.patient else ("patience",)
        before = store.before_more(identity, follows=follows) if self.resume else None
        if before is not None:
            old = built(TrainSettings, before["settings"], f"settings of the run in {store.path}")
            as_it_was = {**identity, "settings": before["settings"]}
            before = yield from self._round(as_it_was, old, progress, resume=True)
            had = {name: before["settings"][name] for name in EPOCHS}
            rounds = [*before.get("continued", []), {**had, "results": before["results"]}]
            more = {**identity, "continued": rounds, "history": before["history"]}
            store.write_record(more)
        record = yield from self._round(identity, chosen, progress, resume=self.resume)
        if not store.history.exists():  # of a run before it was kept
            store.write_history(record["history"])
        return TrainResult(
            run_dir=store.path,
            history=tuple(record["history"]),
            settings=dict(record["settings"]),
            continued=tuple(record.get("continued", ())),
            warnings=tuple(record.get("warnings", ())),
            seconds=store.read_seconds(),
            **{name: record["results"][name] for name in ERRORS},
        )

    def _round(
        self, identity: dict, chosen: TrainSettings, progress: bool | None, *, resume: bool
    ) -> Generator[Trainer, None, dict]:
        """Resume, begin or read the run as it is with some settings; return its record."""
        store = self.store
        state = store.start(identity, resume=resume)
        record = store.read_record()
        if state is not None and "results" in record:
            return record
        rounds = record.get("continued", [])
        if rounds:
            identity = {**identity, "continued": rounds}
        earlier = [Budget(epochs=one["epochs"], qat_epochs=one["qat_epochs"]) for one in rounds]
        try:
            trainer = Trainer(
                self.config,
                self.dataset,
                chosen,
                self.device,
                self.weights,
                self.kept,
                earlier,
            )
        except TrainingDivergedError as error:
            store.write_record({**identity, "history": [], "failure": str(error)})
            raise
        if state is not None:
            _restore(trainer, state, store)
        record = yield from _finish(trainer, store, identity, progress)
        store.write_history(record["history"])
        store.write_record(record)
        return record


def _restore(trainer: Trainer, state: dict, store: RunStore) -> None:
    try:
        trainer.load_state_dict(state)
        trainer.seconds = store.read_seconds()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        raise UserError(
            f"{store.path}/state.pt must belong to run.json beside it, which it does not"
        ) from None


def _finish(
    trainer: Trainer, store: RunStore, identity: dict, progress: bool | None
) -> Generator[Trainer, None, dict]:
    """Yield where an epoch is to be run, save each, and return the result."""
    epochs = [stage.epochs for stage in trainer.stages]
    with progress_bar(progress) as report:
        while not trainer.finished:
            try:
                if trainer.stage_over:
                    trainer.next_stage()
                else:
                    yield trainer
            except UserError as error:
                failed = {**identity, "history": trainer.history, "failure": str(error)}
                store.write_record(failed)
                raise
            store.write_seconds(trainer.seconds)
            store.write_state(trainer.state_dict())
            store.write_history(trainer.history)
            store.write_record({**identity, "history": trainer.history})
            report(
                sum(epochs[: trainer.stage_index]) + trainer.epoch,
                sum(epochs),
                f"{trainer.stage.name}: validation error {trainer.best_error:.5f}",
            )
    found = {
        **identity,
        "history": trainer.history,
        "results": trainer.results(),
        "warnings": trainer.warnings(),
        "intervals": [interval.to_dict() for interval in trainer.intervals()],
    }
    if trainer.config.task == "classify":
        found["leads"] = _leads(trainer)
    if trainer.config.task == "detect" and not trainer.config.has_floats:
        found["judge"] = _judge(trainer)
    return found


def _judge(trainer: Trainer) -> dict[str, Any]:
    """Return how a detector judges, as the training and the validation windows set it."""
    from bitformer.model.export import export  # late: it reads runs

    train, val = trainer.dataset.train, trainer.dataset.val
    model = export(trainer.model)
    clean = dataclasses.replace(train, first=np.concatenate([train.first, val.first]))
    return learned_facts(model, residuals_of(model, clean))


def _leads(trainer: Trainer) -> list[int]:
    """Return by how many steps validation windows' largest scores lead, by percent.

    Of the quantized classifier that :meth:`Trainer.results` leaves: number p is the largest margin
    that rejects at most p percent of them.
    """
    val, model = trainer.dataset.val, trainer.model
    step = 2.0 ** model.activations.exponents()["output"]
    return leads_by_percent(np.rint(predict(model, val.x, val.clock) / step).astype(int))
