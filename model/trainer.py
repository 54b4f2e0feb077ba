"""The state of a training run and the steps that change it."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from .calibrate import calibrate
from .errors import UserError
from .train_settings import TrainSettings
from .transformer import Transformer
from .windows import Dataset, Windows

__all__ = ["STAGES", "Trainer", "predict"]

#: Without and with rounding.
STAGES = ("float", "qat")


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


def _tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


class Trainer:
    """The state of a run and the steps that change it."""

    def __init__(self, config, dataset: Dataset, settings: TrainSettings, device: torch.device):
        self.settings, self.dataset, self.device = settings, dataset, device
        with self.randomness(settings.seed):
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

    @contextmanager
    def randomness(self, seed: int) -> Iterator[None]:
        """Random numbers from ``seed``, without a trace in the caller's."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

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
        total = torch.zeros((), device=self.device)
        with self.randomness(settings.seed * 1_000_003 + self.stage * 1009 + self.epoch + 1):
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
                norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                if not torch.isfinite(loss.detach() + norm):
                    raise self.diverged()
                self.optimizer.step()
                total += loss.detach() * len(batch)
        self.validate(self.epoch + 1, float(total) / len(self.x))
        self.epoch += 1
        self.seconds += time.monotonic() - started

    def diverged(self) -> UserError:
        name = ("lr", "qat_lr")[self.stage]
        return UserError(
            f"Training diverged in epoch {self.epoch + 1} of stage {STAGES[self.stage]}: try {name}"
            f" below {getattr(self.settings, name):g}, and look for extreme values in the data"
        )

    def validate(self, epoch: int, loss: float | None) -> None:
        """Record the epoch; keep the model if it is the best of its stage."""
        error = _error(self.model, self.dataset.val)
        if not math.isfinite(error):
            raise self.diverged()
        entry = {"stage": STAGES[self.stage], "epoch": epoch, "loss": loss, "val": error}
        self.history.append(entry)
        self.idle += 1
        if error < self.best_error:
            self.best, self.best_error = _tensors(self.model.state_dict()), error
            self.idle = 0

    def next_stage(self) -> None:
        """From the best float model to a quantized one."""
        self.model.load_state_dict(self.best)
        self.float_best, self.float_error = self.best, self.best_error
        calibrate(self.model, self.x, self.y)
        self.stage, self.epoch, self.idle, self.best_error = 1, 0, 0, math.inf
        self.stop_dropout()
        self.optimizer = self.make_optimizer()
        self.validate(0, loss=None)

    def stop_dropout(self) -> None:
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

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
        if self.stage == 1:
            self.model.activations.quantized = True
            self.stop_dropout()
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
