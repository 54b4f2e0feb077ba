"""Baselines that are trained: better than a line where there is more, and trained once."""

import dataclasses
import importlib
import importlib.util

import numpy as np
import pytest
from dataset_harness import dataset

from bitformer.model import lightgbm_baseline, mlp_baseline, trained_baselines
from bitformer.model.baselines import LINEAR, baselines
from bitformer.model.errors import UserError
from bitformer.model.mlp_baseline import hidden_width, mlp_forecasts
from bitformer.model.progress import silent
from bitformer.model.trained_baselines import ALL, BASELINES, LIGHTGBM, MLP, SIMPLE

FROM_LAST = ", last value subtracted"


@pytest.fixture(scope="module")
def tent():
    """A chaotic map: the next value follows from the last, but no line says how."""
    values = [0.37]
    for _ in range(900):
        values.append(0.999 * (1 - abs(2 * values[-1] - 1)) + 1e-4)
    return dataset(np.array(values)[:, np.newaxis], window=3, horizon=2)


@pytest.fixture
def quick(monkeypatch):
    """Trainings of one seed and few epochs."""
    monkeypatch.setattr(mlp_baseline, "SEEDS", (0,))
    monkeypatch.setattr(mlp_baseline, "_EPOCHS", (2, 2))


@pytest.fixture
def no_trees(monkeypatch):
    monkeypatch.setattr(lightgbm_baseline, "missing_lightgbm", lambda: "it is not here")


def error(data, forecasts):
    return float(np.square(forecasts - data.test.y).mean())


def trained(data, *, asked=ALL, macs=600, run=None, note=lambda _: None, progress=silent):
    return trained_baselines.trained_baselines(
        asked, data, macs=macs, run=run, note=note, progress=progress
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "macs"), [(48, 12, 32_000), (7, 1, 100), (96, 24, 5), (1, 1, 1 << 40)]
)
def test_the_hidden_layers_are_as_wide_as_the_macs_allow(inputs, outputs, macs):
    width = hidden_width(inputs, outputs, macs)
    cost = [w * (inputs + w + outputs) for w in (width, width + 1)]
    assert 1 <= width <= 1024
    assert cost[0] <= macs or width == 1
    assert cost[1] > macs or width == 1024


def test_an_mlp_finds_what_no_line_does(tent):
    forecasts, facts = mlp_forecasts(tent, tent.test, macs=600, subtract=None, progress=silent)
    assert forecasts.shape == tent.test.y.shape
    assert baselines(tent)[LINEAR] > 0.9
    assert error(tent, forecasts) < 0.1
    assert facts["widths"] == [3, 22, 22, 2]
    assert facts["macs"] == 3 * 22 + 22 * 22 + 22 * 2 <= 600
    assert facts["parameters"] == facts["macs"] + 22 + 22 + 2
    assert facts["seeds"] == [0, 1, 2]
    # validation chose, and the test error is that of what it chose
    best = int(np.argmin(facts["validation_mse"]))
    assert facts["seed"] == best
    assert facts["test_mse"][best] == error(tent, forecasts)
    assert len(set(facts["test_mse"])) == 3


def test_equal_trainings_have_equal_forecasts_and_leave_random_numbers_alone(tent, quick):
    import torch

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    options = {"macs": 100, "subtract": None, "progress": silent}
    first, second = (mlp_forecasts(tent, tent.test, **options)[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert torch.rand(1) == expected


def test_changes_follow_a_drift_that_training_never_saw(monkeypatch):
    monkeypatch.setattr(mlp_baseline, "SEEDS", (0,))
    ramp = dataset(np.arange(600.0)[:, np.newaxis], window=4, horizon=2)
    options: dict = {"macs": 200, "progress": silent}
    values = mlp_forecasts(ramp, ramp.test, subtract=None, **options)[0]
    changes = mlp_forecasts(ramp, ramp.test, subtract=0, **options)[0]
    assert error(ramp, changes) < 1e-3 < error(ramp, values)


def test_a_calendar_is_an_input(monkeypatch):
    """What depends on the hour alone: without the time, nothing is known."""
    monkeypatch.setattr(mlp_baseline, "SEEDS", (0,))
    rng = np.random.default_rng(0)
    of_hour = rng.normal(size=24)
    noise = rng.normal(size=24 * 80)
    values = np.column_stack([np.tile(of_hour, 80), noise])
    made = [
        dataset(values, inputs=("w",), window=2, horizon=1, calendar=calendar)
        for calendar in ((), ("hour",))
    ]
    options = {"macs": 1000, "subtract": None, "progress": silent}
    without, knows = (error(one, mlp_forecasts(one, one.test, **options)[0]) for one in made)
    assert knows < 0.05
    assert without > 0.8


def test_all_are_trained_once(tent, quick, no_trees, tmp_path, monkeypatch):
    (tmp_path / "run.json").write_text("{}")
    said, steps = [], []
    first = trained(tent, run=tmp_path, note=said.append, progress=lambda *step: steps.append(step))
    assert [one.name for one in first] == [MLP, MLP + FROM_LAST]
    assert steps == [(1, 2, "MLP, seed 0"), (2, 2, "MLP, seed 0")] * 2
    assert said[0].startswith("MLP: 3 - 22 - 22 - 2 numbers, 594 MACs, 640 parameters, in floats; ")
    assert said[-1] == "LightGBM is not scored, as it is not here"
    assert len(list((tmp_path / "baselines").iterdir())) == 2
    with monkeypatch.context() as patched:
        patched.setattr(mlp_baseline, "mlp_forecasts", lambda *_, **__: pytest.fail("trained"))
        again = trained(tent, run=tmp_path)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.forecasts, other.forecasts)
        assert dict(one.facts) == dict(other.facts)
        assert str(one) == str(other)
    # other MACs, and other windows to forecast, are other forecasts
    trained(tent, run=tmp_path, macs=100)
    assert len(list((tmp_path / "baselines").iterdir())) == 4


def test_what_was_kept_and_damaged_is_made_anew(tent, quick, no_trees, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    first = trained(tent, run=tmp_path)
    for path in (tmp_path / "baselines").iterdir():
        path.write_bytes(path.read_bytes()[:-7] + b"changed")
    again = trained(tent, run=tmp_path)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.forecasts, other.forecasts)


def test_elsewhere_they_are_kept_in_the_users_cache(tent, quick, no_trees, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setattr(trained_baselines, "user_folder", lambda kind: cache / kind)
    trained(tent, run=tmp_path)
    trained(tent, run=None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    assert len(list((cache / "baselines").iterdir())) == 2


def test_some_of_the_windows(tent, quick, no_trees, tmp_path):
    one = trained(tent, run=None)[0]
    index = np.array([3, 1])
    assert np.array_equal(one.take(index).forecasts, one.forecasts[[3, 1]])
    assert (one.take(index).name, one.take(index).facts) == (one.name, one.facts)


def test_what_is_missing_is_told_in_a_sentence(tent, quick, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    def absent(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert trained(tent, note=said.append) == ()
    assert said == [
        "An MLP is not scored, as torch is not installed: pip install torch",
        "LightGBM is not scored, as it is not installed: pip install lightgbm",
    ]

    def broken(_):
        raise OSError("libgomp.so.1: no such file")

    monkeypatch.setattr(importlib, "import_module", broken)
    assert lightgbm_baseline.missing_lightgbm() == (
        "it cannot be loaded: libgomp.so.1: no such file"
    )


def test_without_training_windows_nothing_is_trained(tent):
    said = []
    none = dataclasses.replace(tent, train=tent.train.take(slice(0, 0)))
    assert trained(none, note=said.append) == ()
    assert said == ["An MLP and LightGBM are not scored, as there are no training windows here"]


def test_what_is_asked_for(tent):
    assert BASELINES == (SIMPLE, ALL)
    assert trained(tent, asked=SIMPLE, note=pytest.fail) == ()
    with pytest.raises(UserError, match="baselines must be simple or all, not 'most'"):
        trained(tent, asked="most")


@pytest.mark.needs("lightgbm")
def test_trees_find_what_no_line_does(tent, monkeypatch):
    steps = []
    forecasts, facts = lightgbm_baseline.lightgbm_forecasts(
        tent, tent.test, subtract=None, progress=lambda *step: steps.append(step)
    )
    assert forecasts.shape == tent.test.y.shape
    assert error(tent, forecasts) < 0.1
    # each step has a model of its own
    assert np.square(forecasts - tent.test.y).mean(axis=0).max() < 0.2
    assert steps == [(1, 2, "LightGBM, by steps"), (2, 2, "LightGBM, by steps")]
    assert (facts["models"], len(facts["trees"])) == (2, 2)
    assert facts["training_windows"] == len(tent.train)
    monkeypatch.setattr(lightgbm_baseline, "_MOST", 300)
    fewer = lightgbm_baseline.lightgbm_forecasts(tent, tent.test, subtract=0, progress=silent)
    assert fewer[1]["training_windows"] == 100
    assert error(tent, fewer[0]) > error(tent, forecasts)


@pytest.mark.needs("lightgbm")
def test_all_of_them_together(tent, quick):
    found = trained(tent)
    assert [one.name for one in found] == [
        *(MLP, MLP + FROM_LAST),
        *(LIGHTGBM, LIGHTGBM + FROM_LAST),
    ]
    assert "2 model(s), one for each step, of " in str(found[2])
