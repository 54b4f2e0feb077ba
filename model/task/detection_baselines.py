"""What a detector must beat: scores of rows without a network, each higher where it is unusual.

Each takes rows float64 [rows, m], scaled by the first ``clean`` ones, and gives a score of each
row, float64 [rows]. What it learns, it learns on the clean rows, or on rows without a fault.
"""

import importlib

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = [
    "ewma",
    "ewma_scores",
    "isolation_scores",
    "last_value_scores",
    "linear_residuals",
    "linear_scores",
    "missing_scikit_learn",
]

#: Regularises the line, as a share of the mean square of its inputs.
_RIDGE = 1e-3


def ewma(rows: np.ndarray, smoothing: int) -> np.ndarray:
    """Return the exponentially weighted mean of rows [rows, ...], by 2**-smoothing, from 0."""
    found, level = np.empty_like(rows), np.zeros(rows.shape[1:])
    for place, row in enumerate(rows):
        level = level + (row - level) * 2.0**-smoothing
        found[place] = level
    return found


def ewma_scores(rows: np.ndarray, clean: int, smoothing: int) -> np.ndarray:
    """Return the largest z-score of the channels' weighted means.

    The deviation of a mean is that of its clean rows, as readings follow one another.
    """
    means = ewma(rows, smoothing)
    std = means[:clean].std(axis=0)
    std[std == 0] = 1.0
    return np.abs(means / std).max(axis=1)


def last_value_scores(rows: np.ndarray, clean: int, smoothing: int) -> np.ndarray:
    """Return the largest z-score of the channels' changes from row to row, smoothed."""
    changes = np.diff(rows, axis=0, prepend=rows[:1])
    std = changes[:clean].std(axis=0)
    std[std == 0] = 1.0
    return ewma(np.abs(changes / std), smoothing).max(axis=1)


def linear_residuals(train: np.ndarray, rows: np.ndarray, window: int) -> np.ndarray:
    """Return what a line from ``window`` rows to the next one leaves, float64 [rows, m].

    It is a ridge regression of all channels on ``train``; the first rows, without a window, leave
    0.
    """
    x, y = _windows(train, window)
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] += _RIDGE * len(x)
    weight = np.linalg.solve(gram, x.T @ y)
    x, y = _windows(rows, window)
    return np.concatenate([np.zeros((window, rows.shape[1])), y - x @ weight])


def _windows(rows: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows with a 1 behind, [N, window * m + 1], and the row after each, [N, m]."""
    views = sliding_window_view(rows, window, axis=0)[:-1].reshape(len(rows) - window, -1)
    used = np.isfinite(views).all(axis=1) & np.isfinite(rows[window:]).all(axis=1)
    x = np.concatenate([views, np.ones((len(views), 1))], axis=1)
    return np.where(used[:, None], x, 0.0), np.where(used[:, None], rows[window:], 0.0)


def linear_scores(residuals: np.ndarray, clean: int, smoothing: int) -> np.ndarray:
    """Return the largest smoothed magnitude of a line's residuals, in their clean deviations."""
    std = residuals[:clean].std(axis=0)
    std[std == 0] = 1.0
    return ewma(np.abs(residuals / std), smoothing).max(axis=1)


def missing_scikit_learn() -> str | None:
    """Return why scikit-learn cannot be used, with what to type; None if it can."""
    try:
        importlib.import_module("sklearn.ensemble")
    except ImportError:
        return "it is not installed: pip install scikit-learn"
    return None


def isolation_scores(rows: np.ndarray, clean: int, *, seed: int = 0) -> np.ndarray:
    """Return how soon an isolation forest, grown on the clean rows, tells each row from others.

    0.5 is scikit-learn's own threshold, ``contamination="auto"``.
    """
    ensemble = importlib.import_module("sklearn.ensemble")
    forest = ensemble.IsolationForest(random_state=seed).fit(rows[:clean])
    return -np.asarray(forest.score_samples(rows))
