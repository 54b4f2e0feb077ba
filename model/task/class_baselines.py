"""Classifiers without a network: the commonest class, nearest centroid, logistic regression.

They see the standardised numbers of a window, row by row, and are fitted on the training windows.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.task.classify import cross_entropies

__all__ = ["CENTROID", "LOGISTIC", "MAJORITY", "class_answers", "logistic_entropy", "logistic_map"]

MAJORITY, CENTROID, LOGISTIC = "majority class", "nearest centroid", "logistic regression"
#: Weights of the squares of the regression's weights, one of which validation chooses.
_PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
#: Most windows that are fitted to, evenly spaced, and steps at each penalty.
_MOST, _STEPS = 20_000, 60
#: Steps that say how the gradient changes, and halvings of one that goes too far.
_REMEMBERED, _HALVINGS = 8, 20


def class_answers(dataset: Dataset, windows: Windows | None = None) -> dict[str, np.ndarray | None]:
    """Return each baseline's answers, int64 [N], for windows, by default the test's.

    None stands where it does not exist, as there are no windows to fit it to, or to select it on.
    """
    of = dataset.test if windows is None else windows
    if not len(dataset.train):
        return dict.fromkeys((MAJORITY, CENTROID, LOGISTIC))
    common = np.bincount(dataset.train.label).argmax()
    fitted = len(dataset.val) > 0
    return {
        MAJORITY: np.full(len(of), common),
        CENTROID: _nearest(dataset, of),
        LOGISTIC: _flat(of, logistic_map(dataset)).argmax(axis=1) if fitted else None,
    }


def _rows(windows: Windows) -> np.ndarray:
    """Return the numbers of windows, float64 [N, window * inputs]."""
    return windows.x.reshape(len(windows), -1)


def _flat(windows: Windows, weights: np.ndarray) -> np.ndarray:
    """Return scores [N, classes] of windows by weights [numbers of a window + 1, classes]."""
    return _rows(windows) @ weights[:-1] + weights[-1]


def _nearest(dataset: Dataset, of: Windows) -> np.ndarray:
    """Return the class whose mean training window is nearest to each window, int64 [N]."""
    x, label = _rows(dataset.train), dataset.train.label
    far = np.inf
    distances = np.full((len(of), len(dataset.classes)), far)
    own = _rows(of)
    for number in range(len(dataset.classes)):
        if (label == number).any():
            center = x[label == number].mean(axis=0)
            distances[:, number] = np.square(own - center).sum(axis=1)
    return distances.argmin(axis=1)


def logistic_entropy(dataset: Dataset) -> float:
    """Return the logistic regression's mean cross entropy on the validation windows, in nats."""
    scores = _flat(dataset.val, logistic_map(dataset))
    return float(cross_entropies(scores, dataset.val.label).mean())


def logistic_map(dataset: Dataset) -> np.ndarray:
    """Return a logistic regression's weights [numbers of a window + 1, classes]; constants last.

    Of the penalties, it is the one of least cross entropy on the validation windows.
    """
    train, count = dataset.train, len(dataset.train)
    some = np.unique(np.linspace(0, count - 1, min(count, _MOST)).astype(int))
    x = np.column_stack([_rows(train.take(some)), np.ones(len(some))])
    wanted = np.eye(len(dataset.classes))[train.label[some]]
    weights, found = np.zeros((x.shape[1], wanted.shape[1])), []
    for penalty in _PENALTIES:
        weights = _fitted(x, wanted, penalty, weights)
        entropy = cross_entropies(_flat(dataset.val, weights), dataset.val.label).mean()
        found.append((float(entropy), weights))
    return min(found, key=lambda one: one[0])[1]


def _fitted(x: np.ndarray, wanted: np.ndarray, penalty: float, start: np.ndarray) -> np.ndarray:
    """Return weights that make the mean cross entropy and the penalty least, from ``start`` on."""
    shrunk = np.full((len(start), 1), penalty)
    shrunk[-1] = 0.0  # the constants

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(start.shape)
        scores = x @ weights
        top = scores.max(axis=1, keepdims=True)
        shares = np.exp(scores - top)
        total = shares.sum(axis=1, keepdims=True)
        entropy = (np.log(total) + top)[:, 0] - (scores * wanted).sum(axis=1)
        gradient = x.T @ (shares / total - wanted) / len(x) + shrunk * weights
        value = entropy.mean() + (shrunk * weights**2).sum() / 2
        return float(value), gradient.reshape(-1)

    return _least(loss, start.reshape(-1)).reshape(start.shape)


def _least(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray) -> np.ndarray:
    """Return where a convex ``loss`` is least, by L-BFGS (Nocedal and Wright, algorithm 7.4)."""
    at, (value, gradient) = start, loss(start)
    known: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=_REMEMBERED)
    for _ in range(_STEPS):
        way = -_inverse(known, gradient)
        slope, size = float(gradient @ way), 1.0
        for _ in range(_HALVINGS):
            there = at + size * way
            its_value, its_gradient = loss(there)
            if its_value <= value + 1e-4 * size * slope:
                break
            size /= 2
        else:
            return at
        moved, changed = there - at, its_gradient - gradient
        if moved @ changed > 0:
            known.append((moved, changed))
        at, value, gradient = there, its_value, its_gradient
        if np.abs(gradient).max() < 1e-6:
            break
    return at


def _inverse(known: deque[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray) -> np.ndarray:
    """Return the gradient by the inverse of the curvature that the last steps have seen."""
    found, shares = gradient.copy(), []
    for moved, changed in reversed(known):
        share = (moved @ found) / (moved @ changed)
        shares.append(share)
        found -= share * changed
    if known:
        moved, changed = known[-1]
        found *= (moved @ changed) / (changed @ changed)
    for (moved, changed), share in zip(known, reversed(shares), strict=True):
        found += moved * (share - (changed @ found) / (moved @ changed))
    return found
