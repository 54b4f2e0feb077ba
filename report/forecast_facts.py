"""Forecasts of test windows as a page shows them: against truth, by step, by hour, by baseline."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bitformer.model.baselines import baseline_forecasts
from bitformer.model.data.targets import in_parts
from bitformer.model.data.windows import Dataset
from bitformer.model.evaluation import Evaluation
from bitformer.model.intervals import ForecastInterval, named_interval
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.reference import predict
from bitformer.report.row_times import RowTimes

__all__ = ["MODEL", "WINDOWS", "forecast_facts"]

#: What the model is called in charts.
MODEL = "model"
#: Windows that a page shows, evenly spaced; those of a good, a usual and a bad error come first.
WINDOWS = 9
#: Of a window's past, the steps that a chart has room for.
_PAST = 168


def forecast_facts(
    model: IntegerModel,
    scores: Evaluation,
    times: RowTimes | None,
    *,
    rows: bool = True,
) -> list[dict[str, Any]]:
    """Return what is shown of each target's forecasts, all errors in the target's units.

    Parameters
    ----------
    model
        What forecasts.
    scores
        Its scores on the test windows.
    times
        When the rows were.
    rows
        Whether windows of the data are shown, which are rows of somebody's file.
    """
    dataset, test = scores.dataset, scores.dataset.test
    ours = predict(model, test.x, test.clock)
    others = baseline_forecasts(dataset)
    intervals = known(model.meta).get("intervals", [])
    if not dataset.targets:
        return [_of_target(scores, ours, others, intervals, times, rows=rows)]
    count = len(dataset.targets)
    own = in_parts(ours, count)
    parts = {n: None if one is None else in_parts(one, count) for n, one in others.items()}
    return [
        _of_target(
            one,
            own[number],
            {name: None if all_ is None else all_[number] for name, all_ in parts.items()},
            [interval.of_target(number, count) for interval in intervals],
            times,
            rows=rows,
        )
        for number, one in enumerate(scores.by_target)
    ]


def _of_target(
    scores: Evaluation,
    ours: np.ndarray,
    others: Mapping[str, np.ndarray | None],
    intervals: Sequence[ForecastInterval],
    times: RowTimes | None,
    *,
    rows: bool,
) -> dict[str, Any]:
    dataset = scores.dataset
    all_ = {MODEL: ours, **{name: one for name, one in others.items() if one is not None}}
    best = None if scores.verdict is None else scores.verdict.baseline
    first = dataset.test.ahead
    return {
        "target": dataset.target,
        "data": dataset.name,
        "windows": len(dataset.test),
        "window": dataset.test.window,
        "horizon": dataset.test.horizon,
        "steps": list(range(first, first + dataset.test.horizon)),
        "best": best,
        "sentence": None if scores.verdict is None else str(scores.verdict),
        "outcome": None if scores.verdict is None else scores.verdict.outcome,
        "errors": list(_errors(scores)),
        "by_step": {name: _rms(one - dataset.test.y, dataset) for name, one in all_.items()},
        "by_hour": _by_hour(dataset, all_, times),
        "coverage": {str(percent): share for percent, share in scores.coverage.items()},
        "shown": _shown(dataset, ours, others, intervals, best, times) if rows else None,
    }


def _rms(errors: np.ndarray, dataset: Dataset) -> list[float]:
    """Return the root of the mean squares of columns, in the target's units."""
    return (np.sqrt(np.mean(np.square(errors), axis=0)) * dataset.target_std).tolist()


def _errors(scores: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield a row of the table for each forecast, with the interval of the difference."""
    against = {} if scores.verdict is None else scores.verdict.against
    std, ours = scores.dataset.target_std, list(scores.models)[-1]
    for name, error in {**scores.models, **scores.baselines}.items():
        if error is None:
            continue
        other = against.get(name)
        yield {
            "name": name,
            "of": "baseline" if name in scores.baselines else "model",
            "deployed": name == ours,
            "on_device": name not in scores.off_device,
            "mse": error,
            "rmse": scores.rmse(error),
            "mae": scores.mae[name] * std if name in scores.mae else None,
            "relative": None if other is None else other.relative,
            "interval": None if other is None or other.interval is None else list(other.interval),
            "outcome": None if other is None else other.outcome,
        }


def _by_hour(
    dataset: Dataset, forecasts: Mapping[str, np.ndarray], times: RowTimes | None
) -> dict[str, Any] | None:
    """Return root mean squares by the hour of the row that is forecast; None without hours."""
    if times is None or times.hours is None:
        return None
    test = dataset.test
    hours = times.hours[test.first[:, None] + np.arange(test.horizon)].reshape(-1)
    counts = np.bincount(hours, minlength=24)
    there = np.flatnonzero(counts)
    if len(there) < 2:
        return None
    found = {}
    for name, forecast in forecasts.items():
        squares = np.square(forecast - test.y).reshape(-1)
        sums = np.bincount(hours, weights=squares, minlength=24)[there]
        found[name] = (np.sqrt(sums / counts[there]) * dataset.target_std).tolist()
    return {"hours": there.tolist(), "counts": counts[there].tolist(), "errors": found}


def _picked(errors: np.ndarray) -> dict[int, str]:
    """Return which windows are shown, and what is said of each."""
    order = np.argsort(errors, kind="stable")
    last = len(errors) - 1
    told = {
        int(order[last // 2]): "a usual error (median)",
        int(order[last // 10]): "a small error (10 % are smaller)",
        int(order[last - last // 10]): "a large error (10 % are larger)",
    }
    for place in np.linspace(0, last, WINDOWS).round().astype(int):
        told.setdefault(int(place), "evenly spaced, not picked by error")
    return told


def _shown(
    dataset: Dataset,
    ours: np.ndarray,
    others: Mapping[str, np.ndarray | None],
    intervals: Sequence[ForecastInterval],
    best: str | None,
    times: RowTimes | None,
) -> dict[str, Any] | None:
    """Return a few windows in the target's units, each with its past, truth and forecasts."""
    test = dataset.test
    if not len(test):
        return None
    scale = dataset.target_scales[0]
    interval = named_interval(intervals, None)
    baseline = None if best is None else others.get(best)

    def units(values: np.ndarray) -> list[float]:
        return (values * scale.std + scale.mean).tolist()

    off = np.sqrt(np.mean(np.square(ours - test.y), axis=1)) * scale.std
    found = []
    for place, why in _picked(off).items():
        one = test.take(np.array([place]))
        forecast = ours[place] * scale.std + scale.mean
        found.append(
            {
                "window": place,
                "why": why,
                "last": None if times is None else times.words(int(one.last[0])),
                "rmse": float(off[place]),
                "past": units(one.past[0])[-_PAST:],
                "truth": units(one.y[0]),
                "forecast": forecast.tolist(),
                "low": None if interval is None else (forecast + interval.low).tolist(),
                "high": None if interval is None else (forecast + interval.high).tolist(),
                "baseline": None if baseline is None else units(baseline[place]),
            }
        )
    percent = None if interval is None else interval.percent
    return {"percent": percent, "baseline": best, "windows": found}
