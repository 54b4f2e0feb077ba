"""Detectors on series with labelled anomalies: what is trained, set and counted, cell by cell.

No label is used to train or to set a detector. What else there is to choose (the smoothing, the
factor) is chosen by the labels of *other* series: of the other groups, or of the other files. So is
that of the baselines, in the same way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tasks_cells import SEEDS, Cell

from bitformer.model.config import TransformerConfig
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.detection import DetectionSeries, load_detection
from bitformer.model.data.detection_windows import Stretches, detection_dataset, series_windows
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.export import export_run
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.judge import DetectorState, held
from bitformer.model.precision import Precision
from bitformer.model.task.detection_baselines import (
    ewma,
    ewma_scores,
    isolation_scores,
    last_value_scores,
    linear_residuals,
    linear_scores,
    missing_scikit_learn,
)
from bitformer.model.task.detection_scores import (
    EventScores,
    PointScores,
    event_scores,
    point_scores,
)
from bitformer.model.task.thresholds import Rule, learn, residuals_of
from bitformer.model.train import train

__all__ = [
    "EWMA",
    "FALSE_ALARM",
    "FILES",
    "FORECASTER",
    "FOREST",
    "GROUPS",
    "LAST",
    "LINE",
    "NAB",
    "NETWORK",
    "READINGS",
    "SKAB",
    "best_rule",
    "cells",
    "chosen",
    "each_part",
    "events",
    "held_for",
    "nab_file",
    "nab_score",
    "points",
    "whole",
]

GROUPS = ("valve1", "valve2", "other")
FILES = (
    "nyc-taxi",
    "machine-temperature",
    "ambient-temperature",
    "ec2-request-latency",
    "art-daily-flatmiddle",
    "art-daily-jumpsup",
)
SKAB, NAB = "skab", "nab"
NETWORK, READINGS = "network", "no network"
EWMA, LAST, FOREST, LINE = "EWMA", "last value", "isolation forest", "linear residual"
#: Of SKAB: windows that overlap by more than half, each stretch as long as a file.
_STRETCHES = Stretches(rows=1150, apart=300, clean=400)
_FACTORS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
_SMOOTHINGS = (1, 2, 3, 4, 5)
#: What a false alarm costs, in windows: NAB's standard profile.
FALSE_ALARM = 0.11
#: Hours that a flag of NAB stays up.
_HOLDS = (0, 24)

_DETECTOR = TransformerConfig(
    name="skab-16",
    task="detect",
    window=16,
    patch=16,
    inputs=8,
    horizon=8,
    block="mlp",
    d_model=2,
    ffn=8,
    norm="batch",
    input_bits=8,
    output_bits=8,
    default=Precision.parse("8"),
)
FORECASTER = TransformerConfig(
    name="nab-48",
    task="detect",
    window=48,
    patch=4,
    d_model=8,
    heads=2,
    ffn=16,
    subtract_last=True,
    linear_path=True,
    input_bits=12,
    output_bits=12,
    default=Precision.parse("4/8"),
    precision={"Linput": Precision.parse("8"), "Loutput": Precision.parse("8")},
)
_CALENDARS = ((), ("hour", "weekday"))
_EPOCHS = {"epochs": 20, "qat_epochs": 10}


def cells() -> dict[str, list[Cell]]:
    """All cells by the data: the baselines', then one for each seed."""
    skab = [Cell(key="skab-baselines", compute=_skab_baselines)]
    skab += [Cell(key=f"skab-{seed}", compute=_skab_network(seed)) for seed in SEEDS]
    nab = [Cell(key="nab-baselines", compute=_nab_baselines)]
    nab += [
        Cell(key=f"{name}-{seed}", compute=_nab_network(name, seed))
        for seed in SEEDS
        for name in FILES
    ]
    return {SKAB: skab, NAB: nab}


def _named(*settings: object) -> str:
    return " ".join(map(str, settings))


# SKAB: rows.


def _skab_points(
    series: DetectionSeries, scores: np.ndarray, settled: int, factors: Iterable[float]
) -> dict[str, dict[str, int]]:
    """Counts of a file by factor: rows whose score is above that times the largest clean one."""
    largest = scores[settled : series.clean].max()
    return {
        _named(factor): asdict(
            point_scores(scores > factor * largest, series.anomaly, series.judged)
        )
        for factor in factors
    }


def _skab_baselines(folder: Path) -> dict[str, Any]:
    data = load_detection(SKAB, step="row")
    assert data.train is not None
    clean = data.train.values
    line = (clean - clean.mean(axis=0)) / clean.std(axis=0)
    found: dict[str, Any] = {}
    for series in data.series:
        first = series.values[: series.clean]
        std = first.std(axis=0)
        rows = (series.values - first.mean(axis=0)) / np.where(std == 0, 1.0, std)
        left = linear_residuals(line, rows, _DETECTOR.window)
        own: dict[str, Any] = {name: {} for name in (EWMA, LAST, LINE, READINGS, FOREST)}
        own["rows"] = int(series.judged.sum())
        for smoothing in _SMOOTHINGS:
            settled = Rule(smoothing=smoothing).settled
            scored = {
                EWMA: ewma_scores(rows, series.clean, smoothing),
                LAST: last_value_scores(rows, series.clean, smoothing),
                LINE: linear_scores(left, series.clean, smoothing),
                READINGS: _readings(rows, series.clean, smoothing),
            }
            for name, scores in scored.items():
                counts = _skab_points(series, scores, settled, _FACTORS)
                own[name] |= {f"{smoothing} {factor}": one for factor, one in counts.items()}
        if missing_scikit_learn() is None:
            scores = isolation_scores(rows, series.clean)
            own[FOREST]["auto"] = asdict(point_scores(scores > 0.5, series.anomaly, series.judged))
            own[FOREST] |= _skab_points(series, scores, 0, (1.0, 1.02, 1.05, 1.1, 1.2))
        found.setdefault(series.group, {})[series.name] = own
    return found


def _readings(rows: np.ndarray, clean: int, smoothing: int) -> np.ndarray:
    """The detector's own score of the readings themselves, as if 0 were always forecast."""
    means = ewma(rows, smoothing)
    rms = np.sqrt(np.square(means[4 << smoothing : clean]).mean(axis=0))
    return (np.abs(means) / np.maximum(rms, 1e-9)).sum(axis=1)


def _skab_network(seed: int) -> Callable[[Path], dict[str, Any]]:
    def compute(folder: Path) -> dict[str, Any]:
        data = load_detection(SKAB, step="row")
        assert data.train is not None
        windows = {"window": _DETECTOR.window, "ahead": 0}
        dataset = detection_dataset(data.train, **windows, stretches=_STRETCHES)
        model, trained = _trained(_DETECTOR, dataset, folder / "runs" / f"skab-{seed}", seed)
        found: dict[str, Any] = {group: {} for group in GROUPS}
        for series in data.series:
            own = series_windows(series, **windows)
            left, counts = residuals_of(model, own), {}
            clean = [left[own.first < series.clean]]
            for smoothing, factor in product(_SMOOTHINGS, _FACTORS):
                judge = learn(model, clean, Rule(smoothing=smoothing, factor=factor))
                flags = np.zeros(len(series.values), bool)
                flags[own.first] = judge.score(left, DetectorState()) > judge.threshold
                counts[f"{smoothing} {factor}"] = asdict(
                    point_scores(flags, series.anomaly, series.judged)
                )
            found[series.group][series.name] = {NETWORK: counts}
        return found | {"trained": trained}

    return compute


def _trained(
    config: TransformerConfig, dataset: Dataset, run: Path, seed: int, **settings: Any
) -> tuple[IntegerModel, dict[str, Any]]:
    result = train(config, dataset, run_dir=run, seed=seed, progress=False, **settings)
    model = export_run(run)
    facts = {
        "config": config.name,
        "calendar": list(config.calendar),
        "run": str(run),
        "float_val": result.float_val,
        "val": result.quantized_val,
    }
    return model, facts


# NAB: windows and alarms.


def _filled(values: np.ndarray) -> np.ndarray:
    """Rows in which what is not known is as it was before."""
    place = np.maximum.accumulate(np.where(np.isnan(values[:, 0]), 0, np.arange(len(values))))
    return values[place]


def _nab_events(
    series: DetectionSeries,
    scores: np.ndarray,
    clean: np.ndarray,
    rules: Iterable[tuple[float, float]],
) -> dict[str, dict[str, Any]]:
    """Counts of a file by factor, quantile and hold. ``clean`` : scores that set the threshold."""
    assert series.step is not None
    a_day = round(86400 / series.step)
    found = {}
    for factor, quantile in rules:
        over = scores > Rule(factor=factor, quantile=quantile).threshold(clean)
        for hours in _HOLDS:
            flags = held(over, hours * a_day // 24, DetectorState()) > 0
            counts = event_scores(flags, series.windows, series.judged, series.days)
            found[_named(factor, quantile, hours)] = asdict(counts)
    return found


_NAB_RULES = tuple(product(_FACTORS, (1.0, 0.99)))


def _nab_baselines(folder: Path) -> dict[str, Any]:
    return {name: nab_file(name) for name in FILES}


def nab_file(name: str, smoothings: Sequence[int] = _SMOOTHINGS) -> dict[str, Any]:
    """Counts of the baselines on a file, by their settings: smoothing, factor, quantile, hold."""
    series = load_detection(name).series[0]
    values = _filled(series.values)
    first = values[: series.clean]
    rows = (values - first.mean(axis=0)) / first.std(axis=0)
    left = linear_residuals(rows[: series.clean], rows, FORECASTER.window)
    own: dict[str, Any] = {one: {} for one in (EWMA, LAST, LINE, FOREST)}
    for smoothing in smoothings:
        settled = Rule(smoothing=smoothing).settled
        for one, scores in {
            EWMA: ewma_scores(rows, series.clean, smoothing),
            LAST: last_value_scores(rows, series.clean, smoothing),
            LINE: linear_scores(left, series.clean, smoothing),
        }.items():
            clean = scores[settled : series.clean]
            counts = _nab_events(series, scores, clean, _NAB_RULES)
            own[one] |= {f"{smoothing} {rule}": n for rule, n in counts.items()}
    if missing_scikit_learn() is None:
        scores = isolation_scores(rows, series.clean)
        own[FOREST] = _nab_events(series, scores, scores[: series.clean], _NAB_RULES)
    return own


def _nab_network(name: str, seed: int) -> Callable[[Path], dict[str, Any]]:
    def compute(folder: Path) -> dict[str, Any]:
        tried = {}
        for calendar in _CALENDARS if seed == SEEDS[0] else [_best_calendar(name, folder)]:
            config = FORECASTER.replace(
                name=f"{name}{'-clock' * bool(calendar)}", calendar=calendar
            )
            dataset = load_dataset(
                name, window=config.window, horizon=1, calendar=calendar, task="detect"
            )
            run = folder / "runs" / f"{config.name}-{seed}"
            tried[calendar] = (*_trained(config, dataset, run, seed, **_EPOCHS), dataset)
        model, trained, dataset = min(tried.values(), key=lambda one: one[1]["val"])
        series = load_detection(name).series[0]
        windows = whole(dataset)
        assert len(windows.inputs) == len(series.values)
        left, counts = residuals_of(model, windows), {}
        clean = windows.first < series.clean
        for smoothing, absolute in product(_SMOOTHINGS, (False, True)):
            rule = Rule(smoothing=smoothing, absolute=absolute)
            judge = learn(model, [left[clean]], rule)
            found = judge.score(left, DetectorState())
            scores = np.zeros(len(series.values))
            scores[windows.first] = found
            own = _nab_events(series, scores, found[clean][rule.settled :], _NAB_RULES)
            counts |= {f"{smoothing} {absolute} {rule}": n for rule, n in own.items()}
        return {name: {NETWORK: counts}, "trained": trained}

    return compute


def _best_calendar(name: str, folder: Path) -> tuple[str, ...]:
    """The calendar that validation chose with the first seed."""
    cell = Cell(key=f"{name}-{SEEDS[0]}", compute=_nab_network(name, SEEDS[0]))
    record = cell.record(folder, compute=True)
    assert record is not None
    return tuple(record["trained"]["calendar"])


def whole(dataset: Dataset) -> Windows:
    """All windows of a series in the order of time."""
    parts = (dataset.train, dataset.val, dataset.test)
    return replace(dataset.train, first=np.concatenate([one.first for one in parts]))


# What is chosen of it.


def best_rule(scores: Mapping[str, float]) -> str:
    """The settings of the largest score; of equals the first."""
    return max(scores, key=lambda rule: scores[rule])


def chosen(
    counts: Mapping[str, Sequence[Mapping[str, Any]]],
    score: Callable[[list[list[Any]]], float],
) -> dict[str, str]:
    """For each part, the settings that do best on all *other* parts.

    ``counts`` : by part, the counts by settings of each of its series, seed by seed. ``score`` :
    of the counts of the other parts, a list for each.
    """
    found = {}
    for part in counts:
        others = [several for other, several in counts.items() if other != part]
        rules = others[0][0].keys()
        found[part] = best_rule(
            {r: score([[one[r] for one in own] for own in others]) for r in rules}
        )
    return found


def each_part(parts: list[list[Any]]) -> float:
    """F1 of rows: the mean over parts, each of which counts as much."""
    return float(np.mean([points(one).f1 for one in parts]))


def nab_score(parts: list[list[Any]]) -> float:
    """Windows found less those missed and the cost of false alarms, of all parts together."""
    total = events(one for own in parts for one in own)
    return 2 * total.found - total.windows - FALSE_ALARM * total.false


def held_for(counts: Mapping[str, Any], hours: int) -> dict[str, Any]:
    """The counts by the settings whose flag stays up for so many hours."""
    return {rule: one for rule, one in counts.items() if rule.split()[-1] == str(hours)}


def points(counts: Iterable[Mapping[str, int]]) -> PointScores:
    """Counts of rows together."""
    return sum((PointScores(**one) for one in counts), PointScores(hits=0, false=0, missed=0))


def events(counts: Iterable[Mapping[str, Any]]) -> EventScores:
    """Counts of windows and alarms together."""
    return EventScores.total(
        EventScores(**{**one, "delays": tuple(one["delays"])}) for one in counts
    )
