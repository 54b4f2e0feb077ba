"""Forecasts that need no network, whose errors are printed beside a model's.

The linear maps are ridge regressions from a window's inputs to all its targets, fitted on the
training windows; the weight of the penalty is selected on the validation windows.
"""

from collections.abc import Iterator

import numpy as np

from bitformer.model.windows import Dataset, Windows

REPEAT_LAST = "repeat last value"
REPEAT_DAY = "repeat last day"
LINEAR = "linear"
LINEAR_FROM_LAST = "linear, last value subtracted"

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # times the number of windows: inputs are z-scores
CHUNK = 4096  # windows that are copied at a time


def baselines(dataset: Dataset) -> dict[str, float | None]:
    """Return the test MSE of each baseline, in units of the target's variance while training.

    None stands for one that does not exist: see :func:`baseline_forecasts`.
    """
    y = dataset.test.y
    return {
        name: None if forecast is None else float(np.mean((forecast - y) ** 2))
        for name, forecast in baseline_forecasts(dataset).items()
    }


def baseline_forecasts(
    dataset: Dataset, windows: Windows | None = None
) -> dict[str, np.ndarray | None]:
    """Return each baseline's standardised forecasts [N, horizon] of windows, by default the test's.

    The repeating ones see the target's past even where it is not among the inputs. None stands
    where a baseline does not exist: *repeat last day* needs dated rows and a window of a day or
    more, *linear, last value subtracted* needs the target among the inputs, and both of them need
    windows to train and to select on.
    """
    test = dataset.test if windows is None else windows
    past = test.past
    unfitted = not (len(dataset.train) and len(dataset.val))
    day = None
    if dataset.period and dataset.period <= test.window:
        last_day = past[:, test.window - dataset.period :]
        day = last_day[:, np.arange(test.horizon) % dataset.period]
    return {
        REPEAT_LAST: np.repeat(past[:, -1:], test.horizon, axis=1),
        REPEAT_DAY: day,
        LINEAR: None if unfitted else _linear(dataset, test, subtract=None),
        LINEAR_FROM_LAST: (
            None
            if unfitted or dataset.target_channel is None
            else _linear(dataset, test, subtract=dataset.target_channel)
        ),
    }


def _linear(dataset: Dataset, of: Windows, *, subtract: int | None) -> np.ndarray:
    """Return the forecasts of windows by the ridge regression.

    ``subtract`` is the input channel that holds the target. With it, inputs are relative to the
    window's last row, targets to that channel's last value: the regression predicts the change.
    """

    def chunks(windows: Windows) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield features, targets, and what is to be added to a forecast."""
        for start in range(0, len(windows), CHUNK):
            batch = windows.take(slice(start, start + CHUNK))
            x, y, base = batch.x, batch.y, np.zeros((len(batch), 1))
            if subtract is not None:
                x, base = x - x[:, -1:], x[:, -1:, subtract]
            yield x.reshape(len(batch), -1), y - base, base

    def sums(windows: Windows) -> "_Sums":
        total = _Sums()
        for x, y, _ in chunks(windows):
            total.add(x, y)
        return total

    train, val = sums(dataset.train), sums(dataset.val)
    candidates = [train.ridge(penalty) for penalty in PENALTIES]
    best = min(candidates, key=val.mse)
    parts = [x @ best[:-1] + best[-1] + base for x, _, base in chunks(of)]
    return np.concatenate([np.empty((0, of.horizon)), *parts])


class _Sums:
    """Second moments of features (x, 1) and targets y: enough to fit and to score."""

    def __init__(self) -> None:
        self.count = 0
        self.xx = self.xy = np.zeros(())
        self.yy = 0.0
        self.outputs = 1

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Count windows in: x [N, features], y [N, outputs]."""
        x = np.column_stack([x, np.ones(len(x))])
        self.xx, self.xy = self.xx + x.T @ x, self.xy + x.T @ y
        self.yy += float((y**2).sum())
        self.count += len(x)
        self.outputs = y.shape[1]

    def ridge(self, penalty: float) -> np.ndarray:
        """Return weights [features + 1, outputs]; the constant is not penalised."""
        weight = np.full(len(self.xx), penalty * self.count)
        weight[-1] = 0.0
        return np.linalg.solve(self.xx + np.diag(weight), self.xy)

    def mse(self, weights: np.ndarray) -> float:
        """Return the mean squared error of ``weights`` over the windows that were added."""
        squared = np.sum(weights * (self.xx @ weights)) - 2 * np.sum(weights * self.xy) + self.yy
        return float(squared) / (self.count * self.outputs)
