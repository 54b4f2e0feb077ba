"""LightGBM's gradient-boosted trees, trained on the same windows: a model for each step."""

import importlib
from typing import Any

import numpy as np

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.progress import Progress
from bitformer.model.ridge import features

__all__ = ["lightgbm_forecasts", "missing_lightgbm"]

#: Most trees of a step, and how many without a better validation error end it.
_TREES, _PATIENCE = 200, 20
_PARAMETERS: dict[str, Any] = {
    "objective": "l2",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    # on a machine that does other work, threads that wait for one another are many times slower
    "num_threads": 1,
    "verbosity": -1,
}
#: Most inputs of all training windows together: of more, windows are left out evenly.
_MOST = 50_000_000


def missing_lightgbm() -> str | None:
    """Return why LightGBM cannot be used, with what to type; None if it can."""
    try:
        importlib.import_module("lightgbm")
    except ImportError:
        return "it is not installed: pip install lightgbm"
    except OSError as error:  # the system's OpenMP library is not there
        return f"it cannot be loaded: {error}"
    return None


def lightgbm_forecasts(
    dataset: Dataset, of: Windows, *, subtract: int | tuple[int, ...] | None, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return standardised forecasts [N, horizon] of windows, and how the trees were trained.

    Each step of the forecast has a model of its own, with as many trees as validation chooses.

    Parameters
    ----------
    dataset
        Whose training and validation windows are used.
    of
        The windows to forecast.
    subtract
        The input channel that holds the target, to forecast its changes from those of a window; of
        several targets, that of each.
    progress
        Called with the steps done.
    """
    import lightgbm

    train, per = dataset.train, dataset.train.window * len(dataset.inputs)
    if len(train) > (most := max(1, _MOST // per)):
        train = train.take(np.linspace(0, len(train) - 1, most).round().astype(int))
    (x, y), (x_val, y_val) = (_whole(one, subtract)[:2] for one in (train, dataset.val))
    asked, _, base = _whole(of, subtract)
    # all steps have the same inputs, which are sorted into bins once
    options: dict[str, Any] = {"params": _PARAMETERS, "free_raw_data": False}
    bins = lightgbm.Dataset(x, y[:, 0], **options).construct()
    check = lightgbm.Dataset(x_val, y_val[:, 0], reference=bins, **options).construct()
    forecasts, errors, trees = [], [], []
    for step in range(of.outputs):
        bins.set_label(y[:, step])
        check.set_label(y_val[:, step])
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        model = lightgbm.train(_PARAMETERS, bins, _TREES, valid_sets=[check], callbacks=[stop])
        forecasts.append(np.asarray(model.predict(asked)) + base[:, step % base.shape[1]])
        errors.append(float(model.best_score["valid_0"]["l2"]))
        trees.append(model.best_iteration)
        progress(step + 1, of.outputs, "LightGBM, by steps")
    facts = {
        "version": lightgbm.__version__,
        "models": of.outputs,
        "most_trees": _TREES,
        "trees": trees,
        "training_windows": len(train),
        **_PARAMETERS,
        "validation_mse": float(np.mean(errors)),
    }
    return np.column_stack(forecasts), facts


def _whole(
    windows: Windows, subtract: int | tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all windows' inputs, as float32, their targets, and what is to be added."""
    parts = [(x.astype(np.float32), y, base) for x, y, base in features(windows, subtract)]
    x, y, base = (np.concatenate(one) for one in zip(*parts, strict=True))
    return x, y, base
