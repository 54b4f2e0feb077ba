"""Ridge regressions from a window's inputs to all its targets.

They are fitted on the training windows; the weight of the penalty is selected on the validation
windows. Second moments are all that it takes. A window's time, where it has one, is more inputs: 1
for its hour and 0 for each other, and so for its weekday.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from bitformer.model.calendar import ROWS
from bitformer.model.data.windows import Dataset, Windows

__all__ = ["PENALTIES", "Moments", "features", "linear_map", "parts_of", "shift_map"]

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # times the number of windows: inputs are z-scores
_CHUNK = 4096  # windows that are copied at a time


class Moments:
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

    def ridge(self, penalty: float, ties: Sequence[tuple[np.ndarray, float]] = ()) -> np.ndarray:
        """Return weights [features + 1, outputs]; the constant is not penalised.

        Each of ``ties``, a vector [features + 1] and a number, penalises the difference between the
        vector's product with the weights and the number, too.
        """
        size = penalty * self.count
        weight = np.full(len(self.xx), size)
        weight[-1] = 0.0
        xx, xy = self.xx + np.diag(weight), self.xy
        for vector, wanted in ties:
            xx = xx + size * np.outer(vector, vector)
            xy = xy + size * wanted * vector[:, None]
        return np.linalg.solve(xx, xy)

    def mse(self, weights: np.ndarray) -> float:
        """Return the mean squared error of ``weights`` over the windows that were added."""
        squared = np.sum(weights * (self.xx @ weights)) - 2 * np.sum(weights * self.xy) + self.yy
        return float(squared) / (self.count * self.outputs)


def features(
    windows: Windows, subtract: int | tuple[int, ...] | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield features, targets, and what is to be added to a forecast: see :func:`linear_map`."""
    for start in range(0, len(windows), _CHUNK):
        batch = windows.take(slice(start, start + _CHUNK))
        x, y, base = batch.x, batch.y, np.zeros((len(batch), 1))
        if isinstance(subtract, tuple):  # a channel for each target
            x, base = x - x[:, -1:], np.repeat(x[:, -1, subtract], batch.horizon, axis=1)
        elif subtract is not None:
            x, base = x - x[:, -1:], x[:, -1:, subtract]
        yield np.column_stack([x.reshape(len(batch), -1), *_times(batch)]), y - base, base


def _times(windows: Windows) -> Iterator[np.ndarray]:
    """Yield for each number of the calendar which of its values windows have, [N, values]."""
    for name, numbers in zip(windows.calendar, windows.clock.T, strict=True):
        yield np.eye(ROWS[name])[numbers]


def parts_of(weights: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the weights of windows and the constant, and those of each number of the calendar.

    ``weights`` are of a :func:`linear_map`; the tables are [values, horizon], by the number's name.
    """
    tables, rows = {}, dataset.train.window * len(dataset.inputs)
    start = rows
    for name in dataset.calendar:
        tables[name] = weights[start : start + ROWS[name]]
        start += ROWS[name]
    return np.concatenate([weights[:rows], weights[-1:]]), tables


def linear_map(dataset: Dataset, *, subtract: int | None) -> np.ndarray:
    """Return the ridge regression's weights [inputs of a window + 1, horizon]; a constant last.

    Those of the window's time, if it has one, are between: :func:`parts_of` tells them apart.

    ``subtract`` is the input channel that holds the target. With it, inputs are relative to the
    window's last row, targets to that channel's last value: the regression predicts the change.
    """
    return _selected(dataset, subtract, ())


def shift_map(dataset: Dataset, target: int) -> np.ndarray:
    """Return the weights of a regression of changes, as :func:`linear_map` with ``subtract`` does.

    The penalty is that of the weights of the values themselves: the last one's, which is added
    back, is what the others leave of 1 (of another channel than ``target``, of 0). So the forecast
    does not hang on the last value alone where that is noisy.
    """
    steps, channels = dataset.train.window, len(dataset.inputs)
    others = np.zeros(1 + sum(ROWS[name] for name in dataset.calendar))
    ties = []
    for channel in range(channels):
        vector = np.zeros((steps, channels))
        vector[:-1, channel] = 1.0
        ties.append((np.append(vector.reshape(-1), others), float(channel == target)))
    return _selected(dataset, target, ties)


def _selected(
    dataset: Dataset, subtract: int | None, ties: Sequence[tuple[np.ndarray, float]]
) -> np.ndarray:
    train, val = Moments(), Moments()
    for total, windows in ((train, dataset.train), (val, dataset.val)):
        for x, y, _ in features(windows, subtract):
            total.add(x, y)
    return min((train.ridge(penalty, ties) for penalty in PENALTIES), key=val.mse)
