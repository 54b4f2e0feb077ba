"""A multilayer perceptron of as many MACs as a model has, trained in floats on the same windows."""

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.one_thread import one_thread
from bitformer.model.progress import Progress
from bitformer.model.ridge import features
from bitformer.model.task import TASKS
from bitformer.model.task.losses import loss_of

__all__ = ["hidden_width", "mlp_forecasts"]

#: Windows that a training sees, all its epochs together, and the fewest and most epochs.
_SEEN, _EPOCHS = 600_000, (10, 40)
_SETTINGS: dict[str, Any] = {"lr": 2e-3, "weight_decay": 1e-2}
#: Steps of an epoch that a batch leaves at least, as far as it stays between these limits.
_STEPS, _BATCHES = 32, (16, 128)
SEEDS = (0, 1, 2)
#: Most numbers of a hidden layer: a model with so many MACs trains for hours, too.
_WIDEST = 1024


def hidden_width(inputs: int, outputs: int, macs: int) -> int:
    """Return the width of two hidden layers with which an MLP has at most ``macs`` MACs."""
    both = inputs + outputs
    width = int((math.sqrt(both * both + 4 * macs) - both) / 2)
    return min(max(width, 1), _WIDEST)


def mlp_forecasts(
    dataset: Dataset,
    of: Windows,
    *,
    macs: int,
    subtract: int | tuple[int, ...] | None,
    progress: Progress,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return standardised forecasts [N, horizon] of windows, and how the MLP was trained.

    Of windows with classes, these are the classes' numbers [N, 1].

    It has two hidden layers of ReLUs, and is trained with each seed. Of each training the epoch
    with the least validation error is kept, and of all of them the training.

    Parameters
    ----------
    dataset
        Whose training and validation windows are used.
    of
        The windows to forecast.
    macs
        Most MACs of a forecast.
    subtract
        The input channel that holds the target, to forecast its changes from those of a window; of
        several targets, that of each.
    progress
        Called with the epochs done.
    """
    epochs = min(max(_SEEN // max(1, len(dataset.train)), _EPOCHS[0]), _EPOCHS[1])
    trained = []
    with one_thread():
        for place, seed in enumerate(SEEDS):
            one = _Training(dataset, subtract, macs, seed, epochs)
            for epoch in range(epochs):
                one.run_epoch()
                progress(place * epochs + epoch + 1, len(SEEDS) * epochs, f"MLP, seed {seed}")
            trained.append(one)
        forecasts = [one.forecast(of) for one in trained]
    errors = [one.best_error for one in trained]
    key = trained[0].task.error_key
    tested = [one.task.error(its, of) for one, its in zip(trained, forecasts, strict=True)]
    best, widths = int(np.argmin(errors)), trained[0].widths
    facts = {
        "widths": widths,
        "macs": sum(a * b for a, b in itertools.pairwise(widths)),
        "parameters": sum((a + 1) * b for a, b in itertools.pairwise(widths)),
        "epochs": epochs,
        "batch": trained[0].batch,
        **_SETTINGS,
        "seeds": list(SEEDS),
        "seed": SEEDS[best],
        f"validation_{key}": errors,
        f"test_{key}": tested,
    }
    return trained[best].task.answers(forecasts[best]), facts


class _Training:
    """One MLP, its optimizer, and the best it was by validation."""

    def __init__(
        self,
        dataset: Dataset,
        subtract: int | tuple[int, ...] | None,
        macs: int,
        seed: int,
        epochs: int,
    ) -> None:
        self.dataset, self.subtract = dataset, subtract
        one = next(features(dataset.train.take(slice(0, 1)), subtract))
        self.task = TASKS[dataset.task]
        inputs, outputs = one[0].shape[1], self.task.outputs(dataset)
        width = hidden_width(inputs, outputs, macs)
        self.widths = [inputs, width, width, outputs]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = []
            for a, b in itertools.pairwise(self.widths):
                layers += [nn.Linear(a, b), nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])
        self.order = np.random.default_rng(seed)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(),
            lr=_SETTINGS["lr"],
            weight_decay=_SETTINGS["weight_decay"],
            fused=True,
        )
        self.batch = min(max(len(dataset.train) // _STEPS, _BATCHES[0]), _BATCHES[1])
        steps = epochs * -(-len(dataset.train) // self.batch)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.best_error, self.best = math.inf, self.net.state_dict()

    def run_epoch(self) -> None:
        """See all training windows once, then validate."""
        train, batch = self.dataset.train, self.batch
        order = self.order.permutation(len(train))
        for start in range(0, len(train), batch):
            for x, y, _ in features(train.take(order[start : start + batch]), self.subtract):
                loss = loss_of(self.task.name, self.net(_tensor(x)), _tensor(y), None, 0.0)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
        error = self.task.error(self._predict(self.dataset.val), self.dataset.val)
        if error < self.best_error:
            state = self.net.state_dict().items()
            self.best_error, self.best = error, {name: one.clone() for name, one in state}

    def forecast(self, of: Windows) -> np.ndarray:
        """Return forecasts of windows by the best epoch's weights."""
        self.net.load_state_dict(self.best)
        return self._predict(of)

    def _predict(self, of: Windows) -> np.ndarray:
        with torch.no_grad():
            rows = [
                self.net(_tensor(x)).double().numpy() + base
                for x, _, base in features(of, self.subtract)
            ]
        return np.concatenate([np.empty((0, self.widths[-1])), *rows])


def _tensor(numbers: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(numbers.astype(np.float32))
