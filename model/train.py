"""Training: floats first, then with rounding; saved after every epoch, resumable at any.

Weights and scales are selected on validation windows only. The test windows are looked at once, by
the selected models, at the end.
"""

import dataclasses
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .config import TransformerConfig
from .errors import UserError
from .progress import Report, progress_bar
from .run_store import RunStore
from .train_settings import TrainSettings
from .trainer import STAGES, Trainer
from .windows import Dataset

__all__ = ["TrainResult", "train"]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a run came to. Errors are mean squared ones of standardised forecasts.

    ``quantized_*`` are the errors of the integer model too: the two are equal. ``history`` has a
    dict for each epoch: stage, epoch, loss, val.
    """

    run_dir: Path
    float_val: float
    float_test: float
    quantized_val: float
    quantized_test: float
    seconds: float
    history: tuple[dict, ...]


def _check(config: TransformerConfig, dataset: Dataset) -> None:
    """The model must fit the data."""
    for what, wanted, found in (
        ("window", config.window, dataset.train.window),
        ("horizon", config.horizon, dataset.train.horizon),
        ("inputs", config.inputs, len(dataset.inputs)),
    ):
        if wanted != found:
            raise UserError(f"{what} must be {wanted} as in config {config.name}, not {found}")
    if config.subtract_last and config.target_channel != dataset.target_channel:
        raise UserError(
            f"target_channel must be the target's place among the inputs"
            f" ({dataset.target_channel}) to subtract the last value, not {config.target_channel}"
        )


def describe(dataset: Dataset) -> dict[str, object]:
    """What identifies the data and turns its units to standardised ones, as plain data."""
    rows = len(dataset.train), len(dataset.val), len(dataset.test)
    checksum = zlib.crc32(np.asarray(dataset.train.inputs).tobytes())
    checksum = zlib.crc32(np.asarray(dataset.train.target).tobytes(), checksum)
    return {
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
    }


def _place(device: str | None) -> torch.device:
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError):  # torch's, by kind of device
        raise UserError(f"device must be one that torch can use here, not {name!r}") from None
    if place.type not in ("cpu", "cuda"):
        raise UserError(f"device must be cpu or cuda, not {name!r}")
    return place


@contextmanager
def _one_thread() -> Iterator[None]:
    """Models this small are slower on more threads: 8 times, on a busy machine with two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train(
    config: TransformerConfig,
    dataset: Dataset,
    *,
    run_dir,
    device: str | None = None,
    progress: bool | None = None,
    resume: bool = True,
    **settings,
) -> TrainResult:
    """Train ``config`` on ``dataset``, keeping everything in ``run_dir``.

    Parameters
    ----------
    run_dir : folder of the run; holding the same run unfinished, it is resumed, finished, read.
    device : torch device; a GPU when there is one by default.
    progress : whether to draw a bar; None when a person is watching.
    resume : False starts again, whatever ``run_dir`` holds.
    settings : fields of :class:`TrainSettings`.

    Raises
    ------
    UserError
        The data do not fit the model, the training diverges, or ``run_dir`` holds another run.
    """
    chosen = TrainSettings(**settings)
    _check(config, dataset)
    place = _place(device)
    identity = {
        "config": config.to_dict(),
        "dataset": describe(dataset),
        "settings": dataclasses.asdict(chosen),
    }
    store = RunStore(run_dir)
    state = store.start(identity, resume=resume)
    record = store.read_record()
    trainer = Trainer(config, dataset, chosen, place)
    if state is not None:
        try:
            trainer.load_state_dict(state)
        except (KeyError, RuntimeError, ValueError):
            raise UserError(
                f"{store.path}/state.pt must belong to run.json beside it, which it does not"
            ) from None
    if state is None or "results" not in record:
        with _one_thread(), progress_bar(chosen.epochs + chosen.qat_epochs, progress) as report:
            _run(trainer, store, identity, report)
            record = {**identity, "history": trainer.history, "results": trainer.results()}
        store.write_record(record)
    return TrainResult(run_dir=store.path, history=tuple(record["history"]), **record["results"])


def _run(trainer: Trainer, store: RunStore, identity: dict, report: Report) -> None:
    """All epochs that are left, each saved."""
    before = trainer.settings.epochs
    while not (trainer.stage == 1 and trainer.stage_over):
        if trainer.stage_over:
            trainer.next_stage()
        trainer.run_epoch()
        store.write_state(trainer.state_dict())
        store.write_record({**identity, "history": trainer.history})
        text = f"{STAGES[trainer.stage]}: validation error {trainer.best_error:.5f}"
        report(trainer.stage * before + trainer.epoch, text)
