"""Whether a model beats the best baseline: wins, ties and losses, and how they are told."""

import dataclasses

import numpy as np
import pytest

from bitformer.model.data.windows import Windows
from bitformer.model.evaluation import Evaluation
from bitformer.model.verdict import LOSES, TIES, WINS, compare, mse_in_words


def windows(count=400, *, horizon=4, every=1):
    rng = np.random.default_rng(0)
    target = rng.normal(size=20 + every * count + horizon)
    return Windows(
        inputs=target[:, np.newaxis],
        target=target,
        first=20 + every * np.arange(count),
        window=8,
        horizon=horizon,
    )


def judged(model_error, baseline_error, *, of=None, seed=1, advice=None, **kwargs):
    """Forecasts with errors of these deviations, independent of each other."""
    of = windows(**kwargs) if of is None else of
    rng = np.random.default_rng(seed)
    shape = of.y.shape
    return compare(
        model="integer",
        forecast=of.y + model_error * rng.normal(size=shape),
        baselines={
            "bad": of.y + 9,
            "linear": of.y + baseline_error * rng.normal(size=shape),
            "none": None,
        },
        windows=of,
        advice=advice,
    )


def test_a_clear_win_and_a_clear_loss():
    won = judged(0.1, 0.2)
    assert (won.outcome, won.baseline, won.remedies) == (WINS, "linear", ())
    assert won.error == pytest.approx(0.01, rel=0.1)
    assert won.relative == pytest.approx(-0.75, abs=0.03)
    said = str(won)
    assert said.startswith("The integer model beats the best baseline (linear) by 73 % (7")
    assert " % with 95 % certainty): test MSE 0.0" in said
    low, high = won.interval
    assert low < won.relative < high < -0.6
    assert f"({-100 * high:.0f} to {-100 * low:.0f} % with" in said
    lost = judged(0.2, 0.16)
    assert lost.outcome == LOSES
    low, high = lost.interval
    assert f" by 67 % ({100 * low:.0f} to {100 * high:.0f} % with 95 % certainty)" in str(lost)
    assert 0 < low < lost.relative < high < 1
    worst = judged(0.2, 0.1)
    assert "a factor of 4" in str(worst)
    assert f"({1 + worst.interval[0]:.3g} to {1 + worst.interval[1]:.3g} with" in str(worst)


def test_each_baseline_is_compared():
    won = judged(0.2, 0.2)
    assert won.outcome == TIES
    assert list(won.against) == ["bad", "linear"]
    bad = won.against["bad"]
    assert (bad.outcome, bad.relative) == (WINS, pytest.approx(won.error / 81 - 1))
    assert bad.interval[1] < -0.99
    assert won.to_dict()["against"]["bad"] == {
        "relative": bad.relative,
        "interval": bad.interval,
        "outcome": WINS,
    }


def test_an_equal_model_ties():
    of = windows()
    forecast = of.y + 0.2 * np.random.default_rng(0).normal(size=of.y.shape)
    tie = compare(model="m", forecast=forecast, baselines={"b": forecast}, windows=of)
    assert (tie.outcome, tie.relative, tie.interval) == (TIES, 0, (0, 0))
    assert str(tie).endswith("within the noise: +0.0 to +0.0 % with 95 % certainty")


def test_a_difference_within_the_noise_is_a_tie():
    tie = judged(0.2, 0.201)
    assert tie.outcome == TIES
    low, high = tie.interval
    assert low < 0 < high
    assert low < tie.relative < high
    assert "ties with the best baseline (linear): test MSE 0.0" in str(tie)
    between = f"-{-100 * low:.1f} to +{100 * high:.0f} % with 95 % certainty"
    assert str(tie).endswith(f", within the noise: {between}")


def test_what_is_a_thousandth_of_a_deviation_is_a_tie():
    tie = judged(9e-4, 1e-5, advice=lambda _: pytest.fail("asked for advice"))
    assert (tie.outcome, tie.remedies) == (TIES, ())
    assert str(tie).endswith("both off by less than a thousandth of a standard deviation")
    assert judged(1.1e-3, 1e-5).outcome == LOSES
    assert judged(1e-5, 1.1e-3).outcome == WINS


def test_what_would_be_printed_as_nothing_is_a_tie_however_sure():
    of = windows()
    base = of.y + 0.2
    found = compare(model="m", forecast=of.y + 0.2004, baselines={"b": base}, windows=of)
    assert found.outcome == TIES
    assert found.interval[0] > 0
    assert str(found).startswith("m ties with")
    assert "less than half a percent apart" in str(found)
    assert compare(model="m", forecast=of.y + 0.202, baselines={"b": base}, windows=of).outcome == (
        LOSES
    )


def test_a_model_that_is_much_worse_in_one_place_does_not_tie():
    of = windows()
    spoilt = of.y + 0.1
    spoilt[350] += 10
    found = compare(model="m", forecast=spoilt, baselines={"b": of.y + 0.1}, windows=of)
    assert found.interval[0] < 0 < found.interval[1]
    assert found.outcome == LOSES
    other = compare(model="m", forecast=of.y + 0.1, baselines={"b": spoilt}, windows=of)
    assert other.outcome == TIES


def test_few_windows_need_a_clear_difference():
    assert judged(0.1, 0.5, count=3).interval is None
    assert " by 96 %: test MSE" in str(judged(0.1, 0.5, count=3))
    assert judged(0.1, 0.5, count=3).outcome == WINS
    base = windows(3)
    near = compare(model="m", forecast=base.y + 1.04, baselines={"b": base.y + 1}, windows=base)
    assert near.outcome == TIES
    assert "3 test window(s) are too few" in str(near)


def test_remedies_are_asked_for_only_of_a_loss():
    asked = []

    def advice(error):
        asked.append(error)
        return ["--epochs 24", "--window 96"]

    assert judged(0.1, 0.2, advice=advice).remedies == ()
    assert asked == []
    lost = judged(0.2, 0.1, advice=advice)
    assert asked == [lost.baseline_error]
    assert str(lost).endswith(". Try training with --epochs 24; or with --window 96")
    assert lost.to_dict() == {
        **{name: getattr(lost, name) for name in ("outcome", "model", "baseline", "relative")},
        "mse": lost.error,
        "baseline_mse": lost.baseline_error,
        "interval": list(lost.interval),
        "windows": 400,
        "against": {
            name: {field: getattr(one, field) for field in ("relative", "interval", "outcome")}
            for name, one in lost.against.items()
        },
        "remedies": ["--epochs 24", "--window 96"],
        "sentence": str(lost),
    }


def test_what_cannot_be_compared_has_no_verdict():
    of = windows(10)
    assert compare(model="m", forecast=of.y, baselines={"b": None}, windows=of) is None
    with np.errstate(over="ignore"):
        huge = of.y + 1e200
        assert compare(model="m", forecast=huge, baselines={"b": of.y}, windows=of) is None
    perfect = compare(model="m", forecast=of.y + 1, baselines={"b": of.y}, windows=of)
    assert (perfect.outcome, perfect.relative, perfect.interval) == (LOSES, None, None)
    assert "loses to the best baseline (b): test MSE 1.0000 against 0.0000" in str(perfect)


def test_an_evaluation_judges_the_last_forecasts(small_dataset):
    dataset = small_dataset()
    y = dataset.test.y
    found = Evaluation.of(dataset, {"float": 0.5, "first": y, "integer": y + 3})
    assert found.models == {"float": 0.5, "first": 0.0, "integer": pytest.approx(9.0)}
    assert (found.verdict.model, found.verdict.outcome) == ("integer", LOSES)
    assert found.verdict.baseline_error == min(e for e in found.baselines.values() if e is not None)
    assert found.to_dict()["verdict"]["sentence"] == str(found.verdict)
    nothing = Evaluation.of(dataset, {"float": 0.5})
    assert nothing.verdict is None
    assert nothing.to_dict()["verdict"] is None


@pytest.mark.needs("data")
def test_etth1s_linear_models_tie():
    """Neither .0276 is worse than .0264 for certain, as docs/accuracy.md says, nor .0265."""
    from bitformer.model.baselines import baseline_forecasts
    from bitformer.model.data.datasets import load_dataset

    dataset = load_dataset("etth1", window=96, horizon=24)
    found = baseline_forecasts(dataset)
    best = found.pop("linear, last value subtracted")
    last = found["repeat last value"]

    def verdict(forecast, others):
        return compare(model="m", forecast=forecast, baselines=others, windows=dataset.test)

    assert verdict(best, found).outcome == TIES
    assert verdict(last, {"best": best}).outcome == LOSES
    assert verdict(best, {"last": last}).outcome == WINS
    # 3 % of the naive forecast in it
    near = verdict(0.97 * best + 0.03 * last, {"best": best})
    assert (f"{near.error:.4f}", near.outcome) == ("0.0264", TIES)


def test_dataclass_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        judged(0.1, 0.2).error = 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0.02638, "0.0264"),
        (1.5, "1.5000"),
        (0.001, "0.0010"),
        (0.0004123, "0.000412"),
        (3.23e-9, "3.23e-09"),
        (0.0, "0.0000"),
    ],
)
def test_no_error_looks_like_none(error, words):
    assert mse_in_words(error) == words
