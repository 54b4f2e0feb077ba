"""Training: floats first, then with rounding; saved after every epoch, resumable at any.

Weights and scales are selected on validation windows only. The test windows are looked at once, by
the selected models, at the end.
"""

import dataclasses
import math
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .calibrate import calibrate
from .config import TransformerConfig
from .errors import UserError
from .progress import Report, progress_bar
from .run_store import RunStore
from .transformer import Transformer
from .windows import Dataset, Windows

__all__ = ["TrainResult", "TrainSettings", "predict", "train"]

STAGES = ("float", "qat")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a model is trained.

    Parameters
    ----------
    seed : of the initial weights, the order of windows and dropout.
    epochs, qat_epochs : most passes over the training windows without and with rounding.
    lr, qat_lr : peak learning rates of AdamW; each decays to 0 along a half cosine.
    scale_lr : learning rate of log2 scales, as a multiple of the stage's.
    batch : windows of a step.
    weight_decay : of weight matrices.
    dropout : probability, before each residual, without rounding only.
    patience : epochs without a better validation error after which a stage ends.
    """

    seed: int = 0
    epochs: int = 12
    qat_epochs: int = 12
    lr: float = 2e-3
    qat_lr: float = 1e-3
    scale_lr: float = 1.0
    batch: int = 32
    weight_decay: float = 1e-2
    dropout: float = 0.0
    patience: int = 5

    def __post_init__(self):
        for name in ("epochs", "qat_epochs", "batch", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a positive integer, not {value!r}")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be an integer from 0 to 2**32 - 1, not {self.seed!r}")
        for name in ("lr", "qat_lr", "scale_lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} must be a positive number, not {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay must not be negative, but is {self.weight_decay}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be at least 0 and below 1, not {self.dropout}")


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


def predict(model: Transformer, x: np.ndarray, *, batch: int = 512) -> np.ndarray:
    """Standardised forecasts [N, horizon] of windows [N, window, inputs], in evaluation mode."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    dtype = torch.float64 if model.quantized else torch.float32
    rows = [np.zeros((0, model.config.horizon))]
    with torch.no_grad():
        for start in range(0, len(x), batch):
            part = torch.tensor(x[start : start + batch], dtype=dtype, device=device)
            rows.append(model(part).to("cpu", torch.float64).numpy())
    model.train(was_training)
    return np.concatenate(rows)


def _error(model: Transformer, windows: Windows) -> float:
    return float(np.square(predict(model, windows.x) - windows.y).mean())


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
    values = np.ascontiguousarray(dataset.train.inputs), np.ascontiguousarray(dataset.train.target)
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
        "checksum": zlib.crc32(values[1], zlib.crc32(values[0])),
    }


def _tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


class _Trainer:
    """The state of a run and the steps that change it."""

    def __init__(self, config, dataset: Dataset, settings: TrainSettings, device: torch.device):
        self.settings, self.dataset, self.device = settings, dataset, device
        self.model = Transformer(config, dropout=settings.dropout).to(device)
        self.x = torch.tensor(dataset.train.x, dtype=torch.float32, device=device)
        self.y = torch.tensor(dataset.train.y, dtype=torch.float32, device=device)
        self.stage, self.epoch, self.idle = 0, 0, 0
        self.best, self.best_error = _tensors(self.model.state_dict()), math.inf
        self.float_best: dict[str, Tensor] = {}
        self.float_error = math.inf
        self.history: list[dict] = []
        self.seconds = 0.0
        self.optimizer = self.make_optimizer()

    def make_optimizer(self) -> torch.optim.AdamW:
        groups: dict[str, list[nn.Parameter]] = {"decayed": [], "plain": [], "scales": []}
        for name, parameter in self.model.named_parameters():
            if name.endswith("log2_scale"):
                groups["scales"].append(parameter)
            else:
                groups["decayed" if parameter.dim() > 1 else "plain"].append(parameter)
        decay = self.settings.weight_decay
        return torch.optim.AdamW(
            [
                {"params": groups["decayed"], "weight_decay": decay, "factor": 1.0},
                {"params": groups["plain"], "weight_decay": 0.0, "factor": 1.0},
                {
                    "params": groups["scales"],
                    "weight_decay": 0.0,
                    "factor": self.settings.scale_lr,
                },
            ]
        )

    @property
    def stage_epochs(self) -> int:
        return (self.settings.epochs, self.settings.qat_epochs)[self.stage]

    @property
    def stage_over(self) -> bool:
        return self.epoch >= self.stage_epochs or self.idle >= self.settings.patience

    def batches(self) -> Iterator[Tensor]:
        """Indices of this epoch's batches, a function of seed, stage and epoch alone."""
        order = torch.randperm(len(self.x)).to(self.device)
        yield from order.split(self.settings.batch)

    def run_epoch(self) -> None:
        """One pass over the training windows, then the validation error."""
        settings, started = self.settings, time.monotonic()
        peak = (settings.lr, settings.qat_lr)[self.stage]
        steps = -(-len(self.x) // settings.batch)
        devices = [self.device] if self.device.type == "cuda" else []
        total = torch.zeros((), device=self.device)
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(settings.seed * 1_000_003 + self.stage * 1009 + self.epoch + 1)
            self.model.train()
            for step, batch in enumerate(self.batches()):
                done = (self.epoch + step / steps) / self.stage_epochs
                warm = min(1.0, (self.epoch * steps + step + 1) / 100)
                for group in self.optimizer.param_groups:
                    rate = peak * 0.5 * (1 + math.cos(math.pi * done))
                    group["lr"] = rate * warm * group["factor"]
                loss = (self.model(self.x[batch]) - self.y[batch]).square().mean()
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                total += loss.detach() * len(batch)
        self.epoch += 1
        self.validate(float(total) / len(self.x))
        self.seconds += time.monotonic() - started

    def validate(self, loss: float) -> None:
        """Record the epoch; keep the model if it is the best of its stage."""
        error = _error(self.model, self.dataset.val)
        if not (math.isfinite(loss) and math.isfinite(error)):
            name, rate = ("lr", "qat_lr")[self.stage], ""
            rate = f"{name} below {getattr(self.settings, name):g}"
            raise UserError(
                f"Training diverged in epoch {self.epoch} of stage {STAGES[self.stage]}"
                f" (loss {loss}): try {rate}, and look for extreme values in the data"
            )
        entry = {"stage": STAGES[self.stage], "epoch": self.epoch, "loss": loss, "val": error}
        self.history.append(entry)
        self.idle += 1
        if error < self.best_error:
            self.best, self.best_error = _tensors(self.model.state_dict()), error
            self.idle = 0

    def next_stage(self) -> None:
        """From the best float model to a quantized one."""
        self.model.load_state_dict(self.best)
        self.float_best, self.float_error = self.best, self.best_error
        generator = torch.Generator().manual_seed(self.settings.seed)
        some = torch.randperm(len(self.x), generator=generator)[:1024].to(self.device)
        calibrate(self.model, self.x[some], self.y[some])
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.stage, self.epoch, self.idle, self.best_error = 1, 0, 0, math.inf
        self.optimizer = self.make_optimizer()
        self.validate(self.history[-1]["loss"])

    def state_dict(self) -> dict[str, object]:
        return {
            "stage": self.stage,
            "epoch": self.epoch,
            "idle": self.idle,
            "model": _tensors(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "best_error": self.best_error,
            "float_best": self.float_best,
            "float_error": self.float_error,
            "history": self.history,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict) -> None:
        self.stage, self.epoch, self.idle = state["stage"], state["epoch"], state["idle"]
        self.model.load_state_dict(state["model"])
        self.model.activations.quantized = self.stage == 1
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.best_error = state["best"], state["best_error"]
        self.float_best, self.float_error = state["float_best"], state["float_error"]
        self.history, self.seconds = state["history"], state["seconds"]

    def results(self) -> dict[str, float]:
        """Both selected models on the test windows; leaves the quantized one in ``model``."""
        self.model.load_state_dict(self.float_best)
        self.model.activations.quantized = False
        float_test = _error(self.model, self.dataset.test)
        self.model.load_state_dict(self.best)
        self.model.activations.quantized = True
        return {
            "float_val": self.float_error,
            "float_test": float_test,
            "quantized_val": self.best_error,
            "quantized_test": _error(self.model, self.dataset.test),
            "seconds": self.seconds,
        }


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
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    identity = {
        "config": config.to_dict(),
        "dataset": describe(dataset),
        "settings": dataclasses.asdict(chosen),
    }
    store = RunStore(run_dir)
    state = store.start(identity, resume=resume)
    record = store.read_record()
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(chosen.seed)
        trainer = _Trainer(config, dataset, chosen, place)
    if state is not None:
        trainer.load_state_dict(state)
    if state is None or "results" not in record:
        with progress_bar(chosen.epochs + chosen.qat_epochs, progress) as report:
            _run(trainer, store, identity, report)
        record = {**identity, "history": trainer.history, "results": trainer.results()}
        store.write_record(record)
    return TrainResult(run_dir=store.path, history=tuple(record["history"]), **record["results"])


def _run(trainer: _Trainer, store: RunStore, identity: dict, report: Report) -> None:
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
