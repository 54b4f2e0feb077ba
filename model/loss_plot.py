"""A picture of a training: its loss and validation error by epoch, beside the best baseline."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bitformer.model.baselines import baseline_forecasts, off_device
from bitformer.model.data.windows import Dataset
from bitformer.model.picture import picture
from bitformer.model.task.class_baselines import LOGISTIC, logistic_entropy
from bitformer.model.verdict import mse_in_words

__all__ = ["baseline_line", "plot_history"]


def baseline_line(dataset: Dataset) -> tuple[str, float] | None:
    """Return the baseline of least validation error, and that; None without validation windows.

    Of classifiers, it is the logistic regression: its cross entropy is a model's.
    """
    if dataset.task == "classify":
        return (LOGISTIC, logistic_entropy(dataset)) if len(dataset.val) else None
    y = dataset.val.y
    errors = {
        name: float(np.square(forecast - y).mean())
        for name, forecast in baseline_forecasts(dataset, dataset.val).items()
        if forecast is not None and len(y) and name not in off_device(dataset)
    }
    return min(errors.items(), key=lambda one: one[1], default=None)


def plot_history(history: Sequence[dict[str, Any]], path, *, dataset: Dataset, title: str) -> None:
    """Write the curves of a run to ``path``, whose suffix chooses the format.

    ``history`` : of a :class:`bitformer.model.training_run.TrainResult`. The epochs of all stages
    follow one another; each stage's best one is marked. Raises :class:`UserError` without
    matplotlib, or for a format or a file it cannot write.
    """
    stages = list(dict.fromkeys(one["stage"] for one in history))
    epochs = np.arange(1, len(history) + 1)
    line = baseline_line(dataset)
    with picture(path, figsize=(8, 4.5)) as (_, axes):
        for stage in stages:
            place = [n for n, one in enumerate(history) if one["stage"] == stage]
            loss = [_number(history[n]["loss"]) for n in place]
            error = [_number(history[n]["val"]) for n in place]
            first = stage == stages[0]
            axes.plot(
                epochs[place], loss, ".--", color="C0", label="training loss" if first else None
            )
            axes.plot(
                epochs[place],
                error,
                ".-",
                color="C1",
                label="validation error" if first else None,
            )
            best = int(np.nanargmin(error))
            axes.plot(
                epochs[place[best]],
                error[best],
                "o",
                color="C1",
                markerfacecolor="none",
                markersize=9,
                label="best of a stage" if first else None,
            )
            if not first:
                axes.axvline(epochs[place[0]] - 0.5, color="0.7", linewidth=0.8)
            axes.annotate(
                f" {stage}",
                (epochs[place[0]] - 0.5, 1.0),
                xycoords=("data", "axes fraction"),
                rotation=90,
                verticalalignment="top",
                fontsize=8,
                color="0.4",
            )
        if line is not None:
            label = f"best baseline: {line[0]}, validation error {mse_in_words(line[1])}"
            axes.axhline(line[1], color="C2", linestyle=":", label=label)
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_yscale("log")
        axes.set_xlabel(
            "epoch, all stages; a point without loss is a line alone, or was not trained yet"
        )
        classifies = dataset.task == "classify"
        label = "cross entropy, nats" if classifies else "mean squared error, standardised"
        axes.set_ylabel(label)
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
