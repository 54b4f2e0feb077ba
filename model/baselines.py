"""Forecasts that need no network, whose errors are printed beside a model's.

The linear maps are ridge regressions from a window's inputs to all its targets, fitted on the
training windows; the weight of the penalty is selected on the validation windows.
"""

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

    The repeating ones see the target's past even where it is not among the inputs. None stands
    where a baseline does not exist: *repeat last day* needs dated rows and a window of a day or
    more, *linear, last value subtracted* needs the target among the inputs.
    """
    test = dataset.test
    y, past = test.y, test.past
    day = None
    if dataset.period and dataset.period <= test.window:
        last_day = past[:, test.window - dataset.period :]
        day = _mse(last_day[:, np.arange(test.horizon) % dataset.period], y)
    return {
        REPEAT_LAST: _mse(past[:, -1:], y),
        REPEAT_DAY: day,
        LINEAR: _linear(dataset, subtract=None),
        LINEAR_FROM_LAST: (
            None
            if dataset.target_channel is None
            else _linear(dataset, subtract=dataset.target_channel)
        ),
    }


def _mse(forecast: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((forecast - y) ** 2))


def _linear(dataset: Dataset, *, subtract: int | None) -> float:
    """Return the test MSE of the ridge regression.

    ``subtract`` is the input channel that holds the target. With it, inputs are relative to the
    window's last row, targets to that channel's last value: the regression predicts the change.
    """

    def sums(windows: Windows) -> "_Sums":
        total = _Sums()
        for start in range(0, len(windows), CHUNK):
            batch = windows.take(slice(start, start + CHUNK))
            x, y = batch.x, batch.y
            if subtract is not None:
                x, y = x - x[:, -1:], y - x[:, -1:, subtract]
            total.add(x.reshape(len(batch), -1), y)
        return total

    train, val, test = sums(dataset.train), sums(dataset.val), sums(dataset.test)
    candidates = [train.ridge(penalty) for penalty in PENALTIES]
    best = min(candidates, key=val.mse)
    return test.mse(best)


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
