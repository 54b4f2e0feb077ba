"""Training: floats first, then with rounding; saved after every epoch, and resumable.

Weights and scales are selected on validation windows. The selected models see the test windows
once, at the end.
"""

import dataclasses
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bitformer.model.config import TransformerConfig
from bitformer.model.data.seen_rows import last_seen
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.float_run import float_weights, quantized_state, with_float_settings
from bitformer.model.folder_lock import held
from bitformer.model.one_thread import one_thread
from bitformer.model.plain import built
from bitformer.model.progress import progress_bar
from bitformer.model.run_store import EPOCHS, ERRORS, RunStore
from bitformer.model.stages import Budget
from bitformer.model.task import task_for
from bitformer.model.task.margins import leads_by_percent
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer, predict

__all__ = ["TrainResult", "train"]


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
        ("window", config.window, dataset.train.window),
        ("horizon", config.horizon, task.outputs(dataset)),
        ("inputs", config.inputs, len(dataset.inputs)),
    ):
        if wanted != found:
            raise UserError(f"{what} must be {wanted} as in config {config.name}, not {found}")
    if config.calendar != dataset.calendar:
        raise UserError(
            f"calendar must be {list(dataset.calendar)} as windows of {dataset.name} have it, not"
            f" {list(config.calendar)} as in config {config.name}"
        )
    adds_back = config.subtract_last and task.gives_target
    if adds_back and config.target_channel != dataset.target_channel:
        raise UserError(
            f"target_channel must be the target's place among the inputs"
            f" ({dataset.target_channel}) to subtract the last value, not {config.target_channel}"
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


def train(
    config: TransformerConfig,
    dataset: Dataset,
    *,
    run_dir,
    device: str | None = None,
    progress: bool | None = None,
    resume: bool = True,
    float_run=None,
    keep_scales: bool = False,
    hold: bool = True,
    **settings,
) -> TrainResult:
    """Train ``config`` on ``dataset``, keeping everything in ``run_dir``.

    A run that is asked for with more ``epochs`` or ``qat_epochs`` than it had goes on: what is
    unfinished is finished first as it was. From the best models so far, the learning rate falls
    once more along a half cosine, from half the peak; floats that went on are rounded anew. The
    models with the smallest validation error of all rounds are kept. That is not the same as a run
    with so many epochs from the start, but the same wherever it was interrupted.

    Parameters
    ----------
    config, dataset
        The model and its data, whose sizes must agree.
    run_dir
        Folder of the run. The same run in it is resumed, or read if it is finished.
    device
        A torch device; by default a GPU if there is one.
    progress
        Whether to draw a bar; None draws it on a terminal.
    resume
        False starts again, whatever ``run_dir`` holds.
    float_run
        Folder of a run of the same shape on the same data, whose float model this one takes over.
    keep_scales
        Take over the quantized model of ``float_run`` instead, which must have the same
        configuration, and columns of the same names. Its scales, zero points and norms stay;
        weights, biases and positions are trained. A device built from that model takes the new
        weights.
    hold
        Whether to hold ``run_dir`` against other processes; False if a folder above is held.
    settings
        Fields of :class:`TrainSettings`. With ``float_run``, those of its float stage are its own.

    Raises
    ------
    UserError
        The data do not fit the model, the training diverges, ``run_dir`` holds another run or is
        in use by another process, or ``float_run`` does not fit.
    """
    _check(config, dataset)
    weights, source, kept = None, None, None
    if keep_scales:
        if float_run is None:
            raise UserError(
                "Scales can be kept only of another run to start from: name it with --from"
            )
        kept, checksum = quantized_state(float_run, config)
    if float_run is not None:
        weights, source = float_weights(
            float_run, config, describe(dataset), same_data=not keep_scales
        )
        settings = with_float_settings(settings, source, float_run)
        if keep_scales:
            source["kept"] = checksum
    chosen = TrainSettings(**settings).fitted(len(dataset.train))
    if keep_scales and dataset.range and not config.adc_words:
        raise UserError(
            f"range must not be given with kept scales, which are those of the run in {float_run}:"
            " leave --range out, or train without --keep-scales"
        )
    if keep_scales and chosen.method != "qat":
        raise UserError(f"method must be qat to train with kept scales, not {chosen.method!r}")
    place = _place(device)
    identity = {
        "config": config.to_dict(),
        "dataset": describe(dataset),
        "settings": dataclasses.asdict(chosen),
        "float": source,
        **({"classes": list(dataset.classes)} if dataset.classes else {}),
    }

    def carried_out(identity: dict, chosen: TrainSettings, *, resume: bool) -> dict:
        """Resume, begin or read the run; return its record."""
        state = store.start(identity, resume=resume)
        record = store.read_record()
        if state is not None and "results" in record:
            return record
        rounds = record.get("continued", [])
        if rounds:
            identity = {**identity, "continued": rounds}
        earlier = [Budget(epochs=one["epochs"], qat_epochs=one["qat_epochs"]) for one in rounds]
        try:
            trainer = Trainer(config, dataset, chosen, place, weights, kept, earlier)
        except TrainingDivergedError as error:
            store.write_record({**identity, "history": [], "failure": str(error)})
            raise
        if state is not None:
            _restore(trainer, state, store)
        record = _finish(trainer, store, identity, progress)
        store.write_history(record["history"])
        store.write_record(record)
        return record

    store = RunStore(run_dir)
    with held(run_dir) if hold else nullcontext(), one_thread():
        follows = () if "patience" in settings else ("patience",)
        before = store.before_more(identity, follows=follows) if resume else None
        if before is not None:
            old = built(TrainSettings, before["settings"], f"settings of the run in {run_dir}")
            as_it_was = {**identity, "settings": before["settings"]}
            before = carried_out(as_it_was, old, resume=True)
            had = {name: before["settings"][name] for name in EPOCHS}
            rounds = [*before.get("continued", []), {**had, "results": before["results"]}]
            more = {**identity, "continued": rounds, "history": before["history"]}
            store.write_record(more)
        record = carried_out(identity, chosen, resume=resume)
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


def _restore(trainer: Trainer, state: dict, store: RunStore) -> None:
    try:
        trainer.load_state_dict(state)
        trainer.seconds = store.read_seconds()
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        raise UserError(
            f"{store.path}/state.pt must belong to run.json beside it, which it does not"
        ) from None


def _finish(trainer: Trainer, store: RunStore, identity: dict, progress: bool | None) -> dict:
    """Train the epochs that are left, save each, and return the result."""
    epochs = [stage.epochs for stage in trainer.stages]
    with progress_bar(progress) as report:
        while not trainer.finished:
            try:
                if trainer.stage_over:
                    trainer.next_stage()
                else:
                    trainer.run_epoch()
            except UserError as error:
                failed = {**identity, "history": trainer.history, "failure": str(error)}
                store.write_record(failed)
                raise
            store.write_seconds(trainer.seconds)
            store.write_state(trainer.state_dict())
            store.write_history(trainer.history)
            store.write_record({**identity, "history": trainer.history})
            done = sum(epochs[: trainer.stage_index]) + trainer.epoch
            report(
                done,
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
        return found


def _leads(trainer: Trainer) -> list[int]:
    """Return by how many steps validation windows' largest scores lead, by percent.

    Of the quantized classifier that :meth:`Trainer.results` leaves: number p is the largest margin
    that rejects at most p percent of them.
    """
    val, model = trainer.dataset.val, trainer.model
    step = 2.0 ** model.activations.exponents()["output"]
    return leads_by_percent(np.rint(predict(model, val.x, val.clock) / step).astype(int))
