"""Intervals: against a count of one's own, and what a file may say of them."""

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import export_run
from bitformer.model.intervals import (
    ForecastInterval,
    coverage_sentence,
    intervals_of,
    measured,
    named_interval,
)
from bitformer.model.meta import check_meta, known
from bitformer.model.reference import predict
from bitformer.model.train import train


def naive(errors, percent):
    """The limits of one step: of n + 1 places between and beside n errors, cut off alike."""
    ordered = sorted(errors)
    places = len(ordered) + 1
    outside = 0
    while 2 * 100 * (outside + 1) <= places * (100 - percent):
        outside += 1
    if outside == 0:
        return None
    for _ in range(outside - 1):
        ordered = ordered[1:-1]
    return ordered[0], ordered[-1]


@pytest.mark.parametrize("count", [1, 3, 8, 9, 38, 39, 40, 100, 999])
def test_limits_are_those_of_a_naive_count(count):
    errors = np.random.default_rng(count).normal(size=(count, 3))
    found = {one.percent: one for one in intervals_of(errors)}
    for percent in (50, 80, 95):
        for step in range(3):
            limits = naive(errors[:, step].tolist(), percent)
            if limits is None:
                assert percent not in found
            else:
                assert (found[percent].low[step], found[percent].high[step]) == limits


def test_a_value_more_lies_inside_as_often_as_promised():
    """Exactly as often with 39 errors, of which 10, 4 and 1 lie beyond either limit or on it."""
    rng = np.random.default_rng(0)
    for percent in (50, 80, 95):
        inside = 0
        for _ in range(2000):
            (interval,) = intervals_of(rng.exponential(size=(39, 1)), [percent])
            inside += interval.inside(rng.exponential(size=(1, 1)))
        assert abs(inside / 2000 - percent / 100) < 0.035


def test_coverage_is_of_all_steps_of_all_windows():
    interval = ForecastInterval(percent=80, low=(-1.0, -2.0), high=(1.0, 0.0))
    errors = np.array([[-1.0, 0.1], [1.1, -2.0], [0.0, -1.0], [0.0, 3.0]])
    (found,) = measured([interval], errors)
    assert found.coverage == 5 / 8


def test_coverage_in_words():
    assert coverage_sentence({80: 0.7849}) == "80 % interval covers 78.5 % of test values"
    assert coverage_sentence({50: 0.4, 80: 0.785, 95: 1.0}) == (
        "80 % interval covers 78.5 % of test values (50 %: 40 %, 95 %: 100 %)"
    )


def test_limits_that_are_no_numbers_are_no_interval():
    errors = np.zeros((9, 1))
    assert len(intervals_of(errors, [80])) == 1
    errors[0] = np.inf
    assert intervals_of(errors, [80]) == ()


@pytest.fixture(scope="module")
def finished(small_dataset, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    dataset = small_dataset()
    short = {"epochs": 1, "qat_epochs": 1, "progress": False, "device": "cpu"}
    train(named_config("tiny"), dataset, run_dir=run, **short)
    return dataset, export_run(run)


def test_a_trained_model_knows_the_intervals_of_its_integers(finished):
    dataset, model = finished
    val, test = (
        2.0 * (windows.y - predict(model, windows.x)) for windows in (dataset.val, dataset.test)
    )
    found = known(model.meta)["intervals"]
    assert [one.percent for one in found] == [50, 80, 95]
    for one in found:
        limits = [naive(errors.tolist(), one.percent) for errors in val.T]
        assert np.allclose(np.transpose([one.low, one.high]), limits, rtol=1e-12)
        inside = [
            low <= e <= high for row in test for e, (low, high) in zip(row, limits, strict=True)
        ]
        assert one.coverage == np.mean(inside)


def test_intervals_are_in_the_file(finished, tmp_path):
    _, model = finished
    save_model(model, tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").meta["intervals"] == model.meta["intervals"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"low": [0.0] * 5}, "low and high must be finite, as many"),
        ({"low": [0.0] * 5, "high": [1.0] * 5}, "intervals must have 6 steps .* not 5"),
        ({"low": [2.0] * 6}, "low not above high"),
        ({"percent": 100}, "percent must be from 1 to 99, not 100"),
        ({"coverage": 1.5}, r"coverage must be from 0 to 1, not 1\.5"),
        ({"percent": 80.0}, "percent must be an integer"),
    ],
)
def test_impossible_intervals_in_a_file(change, sentence):
    interval = {"percent": 80, "low": [0.0] * 6, "high": [1.0] * 6, "coverage": 0.8} | change
    with pytest.raises(UserError, match=f"meta: .*{sentence}"):
        check_meta({"intervals": [interval]}, named_config("tiny"))


def test_the_interval_that_is_asked_for():
    fifty, ninety = (ForecastInterval(percent=p, low=(-1.0,), high=(1.0,)) for p in (50, 95))
    assert named_interval([fifty, ninety], None) is ninety
    assert named_interval([fifty, ninety], 50) is fifty
    assert named_interval([], None) is None
    with pytest.raises(UserError, match="--interval must be one that this model has, 50, 95"):
        named_interval([fifty, ninety], 80)
    with pytest.raises(UserError, match=r"no intervals.*leave --interval out, or train it again"):
        named_interval([], 80)
