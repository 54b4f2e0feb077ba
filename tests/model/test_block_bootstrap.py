"""Intervals of ratios: as sure as they say, also of errors that hang together."""

import time

import numpy as np
import pytest

from bitformer.model import block_bootstrap
from bitformer.model.block_bootstrap import block_length, correlated, overlapping, ratio_interval
from bitformer.model.data.windows import Windows

TRIALS = 200


def windows(count, *, horizon, every=1):
    target = np.zeros(horizon + every * count)
    return Windows(
        inputs=target[:, np.newaxis],
        target=target,
        first=every * np.arange(count),
        window=1,
        horizon=horizon,
    )


def errors(rng, count, horizon, keep):
    """Errors of windows by two models that are equally good.

    What goes wrong at a step comes to ``keep`` from the step before, and most of it is common to
    both models; a window's error is the mean over its steps, which its neighbours share.
    """
    noise = rng.normal(size=(3, count + horizon + 100))
    for step in range(1, noise.shape[1]):
        noise[:, step] += keep * noise[:, step - 1]
    common, *own = noise[:, 100:]
    mean = np.ones(horizon) / horizon
    ours, theirs = (np.convolve(np.square(common + one / 2), mean, "valid") for one in own)
    return ours[:count], theirs[:count]


def covered(count, horizon, keep):
    """In how many of all trials the interval holds the truth: that neither is better."""
    rng, of = np.random.default_rng(0), windows(count, horizon=horizon)
    found = [ratio_interval(*errors(rng, count, horizon, keep), of) for _ in range(TRIALS)]
    return sum(low <= 1 <= high for low, high in found) / TRIALS


@pytest.fixture
def few_samples(monkeypatch):
    """Whoever asks for many intervals can do with rougher ones."""
    monkeypatch.setattr(block_bootstrap, "SAMPLES", 300)


@pytest.mark.parametrize(
    ("count", "horizon", "keep"), [(400, 12, 0.0), (600, 12, 0.8), (60, 4, 0.0), (300, 1, 0.0)]
)
def test_it_is_as_certain_as_it_says(few_samples, count, horizon, keep):
    """Two deviations of the share of 200 trials are 3 %."""
    assert 0.91 <= covered(count, horizon, keep) <= 0.99


def test_windows_one_by_one_would_be_far_too_certain(few_samples, monkeypatch):
    """The mutant: a bootstrap that takes neighbours for independent."""
    monkeypatch.setattr(block_bootstrap, "block_length", lambda *_: 1)
    assert covered(400, 12, 0.0) < 0.6
    assert covered(600, 12, 0.8) < 0.6
    # where they are independent, it is right
    assert covered(300, 1, 0.0) > 0.91


def test_a_block_holds_what_overlaps():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=4000)
    assert overlapping(windows(400, horizon=24)) == 23
    assert overlapping(windows(400, horizon=24, every=12)) == 2
    assert overlapping(windows(400, horizon=24, every=24)) == 1
    assert overlapping(windows(1, horizon=24)) == 1
    assert correlated(noise) <= 3
    assert correlated(np.ones(100)) == 1
    assert block_length(windows(400, horizon=24), noise[:400]) == 46
    assert block_length(windows(40, horizon=24), noise[:40]) == 10, "four blocks at least"
    assert block_length(windows(4000, horizon=1), noise) <= 6


def test_what_hangs_together_for_longer_has_longer_blocks():
    rng, series = np.random.default_rng(1), np.zeros(4000)
    for step in range(1, 4000):
        series[step] = 0.98 * series[step - 1] + rng.normal()
    assert correlated(series) > 60
    assert block_length(windows(4000, horizon=24), series) == 2 * correlated(series)
    # the optimum for this process by its own correlations: (1.5 g² n)^(1/3)
    slope = 2 * 0.98 / (1 - 0.98**2)
    assert correlated(series) == pytest.approx((1.5 * slope**2 * 4000) ** (1 / 3), rel=0.5)


def test_pairs_stay_pairs():
    """Windows that are hard for both say nothing of which is better."""
    rng = np.random.default_rng(2)
    hard = rng.lognormal(0, 2, 500)
    of = windows(500, horizon=4)
    low, high = ratio_interval(0.9 * hard, hard, of)
    assert (low, high) == (pytest.approx(0.9), pytest.approx(0.9))
    apart_low, apart_high = ratio_interval(0.9 * hard, rng.permutation(hard), of)
    assert apart_low < 0.7
    assert apart_high > 1.1


def test_where_nothing_tells_there_is_none():
    ones = np.ones(3)
    assert ratio_interval(ones, ones, windows(3, horizon=1)) is None
    ones = np.ones(40)
    assert ratio_interval(ones, 0 * ones, windows(40, horizon=1)) is None
    assert ratio_interval(0 * ones, ones, windows(40, horizon=1)) == (0, 0)


def test_equal_errors_have_equal_intervals_and_ten_thousands_are_quick():
    rng, of = np.random.default_rng(3), windows(100_000, horizon=24)
    ours, theirs = rng.lognormal(size=(2, len(of)))
    started = time.process_time()
    first = ratio_interval(ours, theirs, of)
    assert time.process_time() - started < 5
    assert ratio_interval(ours, theirs, of) == first
    assert first[0] < ours.mean() / theirs.mean() < first[1]


def test_rare_errors_of_classes_have_an_interval():
    """Of errors that are 0 or 1, many samples hold none: a ratio to it would be endless."""
    ours, theirs = np.zeros(200), np.zeros(200)
    ours[::10], theirs[[50, 51]] = 1.0, 1.0
    low, high = ratio_interval(ours, theirs, windows(200, horizon=1))
    assert np.isfinite(high)
    assert low < 10 < high <= 40  # ours in 20 of 200, theirs in 2, or in 1 where none was drawn
