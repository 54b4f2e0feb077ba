"""Forecasts that need no network, whose errors are printed beside a model's.

The linear maps are those of :mod:`bitformer.model.ridge`.
"""

from collections.abc import Sequence

import numpy as np

from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.ridge import features, linear_map

REPEAT_LAST = "repeat last value"
REPEAT_DAY = "repeat last day"
LINEAR = "linear"
LINEAR_FROM_LAST = "linear, last value subtracted"
MEAN = "mean of training"


def off_device(dataset: Dataset) -> frozenset[str]:
    """Return the baselines that see what a model's device does not: the past of no input."""
    hidden = any(one.target_channel is None for one in dataset.by_target)
    return frozenset({REPEAT_LAST, REPEAT_DAY} if hidden else ())


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
    """Return each baseline's standardised forecasts [N, outputs] of windows, by default the test's.

    Several targets are forecast each by itself; a baseline exists if it does for all of them. The
    repeating ones see the target's past even where it is not among the inputs: see
    :func:`off_device`; *mean of training* is there where they see more than the model. None stands
    where a baseline does not exist: a value that is told for a window's last row is not repeated,
    *repeat last day* needs dated rows and a window of a day or more, *linear, last value
    subtracted* needs the target among the inputs, and the linear ones need windows to train and to
    select on. Where windows have a time, there are linear ones that know it, too:
    :func:`calendar_name`.
    """
    test = dataset.test if windows is None else windows
    if dataset.targets:
        return _of_each_target(dataset, test)
    past = test.past
    unfitted = not (len(dataset.train) and len(dataset.val))
    day, repeated = None, test.ahead > 0
    if repeated and dataset.period and dataset.period <= test.window:
        last_day = past[:, test.window - dataset.period :]
        day = last_day[:, (np.arange(test.horizon) + test.ahead - 1) % dataset.period]
    hidden = dataset.target_channel is None
    linear: dict[str, np.ndarray | None] = {}
    for name, subtract, unknown in (
        (LINEAR, None, unfitted),
        (LINEAR_FROM_LAST, dataset.target_channel, unfitted or hidden),
    ):
        plain = dataset.without_clock(), test.without_clock()
        linear[name] = None if unknown else _linear(*plain, subtract=subtract)
        if dataset.calendar:
            timed = calendar_name(name, dataset.calendar)
            linear[timed] = None if unknown else _linear(dataset, test, subtract=subtract)
    return {
        REPEAT_LAST: np.repeat(past[:, -1:], test.horizon, axis=1) if repeated else None,
        REPEAT_DAY: day,
        **linear,
        **({MEAN: np.zeros((len(test), test.horizon))} if hidden else {}),
    }


def _of_each_target(dataset: Dataset, windows: Windows) -> dict[str, np.ndarray | None]:
    """Return the forecasts of several targets, one after the other."""
    each = [
        baseline_forecasts(one, windows.of_target(number))
        for number, one in enumerate(dataset.by_target)
    ]
    found: dict[str, np.ndarray | None] = {}
    for name in (name for name in each[0] if all(name in one for one in each)):
        own = [forecast for one in each if (forecast := one[name]) is not None]
        found[name] = np.concatenate(own, axis=1) if len(own) == len(each) else None
    return found


def calendar_name(name: str, calendar: Sequence[str]) -> str:
    """Return what a linear baseline is called that knows the time of each window."""
    return f"{name}, with {' and '.join(calendar)}"


def _linear(dataset: Dataset, of: Windows, *, subtract: int | None) -> np.ndarray:
    """Return the forecasts of windows by :func:`bitformer.model.ridge.linear_map`."""
    best = linear_map(dataset, subtract=subtract)
    parts = [x @ best[:-1] + best[-1] + base for x, _, base in features(of, subtract)]
    return np.concatenate([np.empty((0, of.horizon)), *parts])
