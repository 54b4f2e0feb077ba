"""Baselines: exact on series they fit, and the published figures on ETT."""

import numpy as np
import pytest
from dataset_harness import dataset

from bitformer.model.baselines import LINEAR, LINEAR_FROM_LAST, REPEAT_DAY, REPEAT_LAST, baselines
from bitformer.model.data.datasets import load_dataset


def test_daily_series_is_repeated_exactly():
    day = np.random.default_rng(0).normal(size=24)
    errors = baselines(dataset(np.tile(day, 40)[:, np.newaxis]))
    assert errors[REPEAT_DAY] == pytest.approx(0, abs=1e-20)
    assert errors[REPEAT_LAST] > 0.5
    assert errors[LINEAR] < 1e-3


def test_repeat_last_value_is_the_mean_squared_step():
    walk = np.cumsum(np.random.default_rng(1).normal(size=(500, 1)), axis=0)
    data = dataset(walk, window=3, horizon=1)
    steps = np.diff(walk[399:500, 0]) / data.target_std
    assert baselines(data)[REPEAT_LAST] == pytest.approx(np.mean(steps**2))


def test_last_value_subtracted_follows_a_drift_that_training_never_saw():
    ramp = 0.01 * np.arange(1000.0) ** 1.3
    data = dataset(ramp[:, np.newaxis], window=6, horizon=4)
    errors = baselines(data)
    assert errors[LINEAR_FROM_LAST] < errors[REPEAT_LAST] / 100


def test_linear_equals_least_squares():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3000, 2))
    values[1:, 0] += 0.8 * values[:-1, 1]
    data = dataset(values, inputs=("v", "w"), window=4, horizon=2)
    train, test = (
        np.column_stack([part.x.reshape(len(part), -1), np.ones(len(part))])
        for part in (data.train, data.test)
    )
    weights = np.linalg.lstsq(train, data.train.y, rcond=None)[0]
    expected = np.mean((test @ weights - data.test.y) ** 2)
    assert baselines(data)[LINEAR] == pytest.approx(expected, rel=1e-2)


def test_what_does_not_exist_is_none():
    values = np.random.default_rng(3).normal(size=(400, 2))
    errors = baselines(dataset(values, inputs=("w",), window=23, horizon=1))
    assert errors[REPEAT_DAY] is None
    assert errors[LINEAR_FROM_LAST] is None
    assert errors[REPEAT_LAST] is not None
    undated = baselines(dataset(values, window=30, horizon=1, dated=False))
    assert undated[REPEAT_DAY] is None


@pytest.mark.needs("data")
@pytest.mark.parametrize(
    ("name", "window", "figures"),
    [
        ("etth1", 48, (0.0343, 0.0458, 0.0301, 0.0282)),
        ("etth1", 96, (0.0343, 0.0458, 0.0276, 0.0264)),
        ("etth2", 48, (0.2294, 0.0946, 0.0675, None)),
    ],
)
def test_published_figures(name, window, figures):
    errors = baselines(load_dataset(name, window=window, horizon=24))
    names = (REPEAT_LAST, REPEAT_DAY, LINEAR, LINEAR_FROM_LAST)
    for baseline, figure in zip(names, figures, strict=True):
        if figure is not None:
            assert errors[baseline] == pytest.approx(figure, abs=5e-5 if figure < 0.2 else 1e-4)
