"""How a detector is set by clean rows: weights, thresholds, and what no clean rows give."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Windows
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations.judge import DetectorState
from bitformer.model.reference import predict
from bitformer.model.task.thresholds import Rule, learn, residuals_of, with_judge

CONFIG = TransformerConfig(name="d", window=4, inputs=2, d_model=4, ffn=5, horizon=2, task="detect")
MODEL = initialize(CONFIG, samples=8)
RNG = np.random.default_rng(0)


def clean(rows=300, scale=(4, 40)):
    return np.rint(RNG.normal(size=(rows, 2)) * scale).astype(np.int64)


def test_a_channel_weighs_as_it_is_still():
    judge = learn(MODEL, [clean()], Rule(smoothing=0))
    assert judge.weight[0] == 255
    assert 20 <= judge.weight[1] <= 31


def test_a_channel_that_never_moves_does_not_silence_the_others():
    judge = learn(MODEL, [clean() * [0, 1]], Rule(smoothing=0))
    assert judge.weight[0] == 255
    assert judge.weight[1] >= 1


def test_the_threshold_is_a_factor_of_the_largest_clean_score():
    rows = clean()
    one, two = (learn(MODEL, [rows], Rule(smoothing=2, factor=f)) for f in (1.0, 1.5))
    scores = one.score(rows, DetectorState())[Rule(smoothing=2).settled :]
    assert one.threshold == scores.max()
    assert two.threshold == int(1.5 * scores.max())
    assert not (scores > one.threshold).any()
    # so any less is reached
    assert (scores > one.threshold - 1).any()


def test_a_quantile_leaves_out_what_may_be_unusual():
    rows = clean()
    rows[200] = 120
    whole, most = (
        learn(MODEL, [rows], Rule(smoothing=0, factor=1.0, quantile=q)) for q in (1.0, 0.99)
    )
    assert most.threshold < 0.7 * whole.threshold


def test_levels_that_come_from_0_set_nothing():
    rows = np.full((400, 2), 10)
    rule = Rule(smoothing=3, factor=1.0)
    assert rule.settled == 32
    assert learn(MODEL, [rows], rule).threshold == learn(MODEL, [rows[:40]], rule).threshold
    with pytest.raises(UserError, match=r"^Clean rows must give more than 32 windows in a row to"):
        learn(MODEL, [rows[:32]], rule)


def test_each_stretch_begins_at_a_reset():
    rows, rule = clean(), Rule(smoothing=4, factor=1.0)
    apart = learn(MODEL, [rows[:150], rows[150:]], rule)
    levels = np.concatenate(
        [
            replace(apart, weight=np.ones(2, np.int64)).score(part, DetectorState())[rule.settled :]
            for part in (rows[:150], rows[150:])
        ]
    )
    assert len(levels) == 300 - 2 * 64
    both = np.concatenate(
        [apart.score(p, DetectorState())[rule.settled :] for p in (rows[:150], rows[150:])]
    )
    assert apart.threshold == both.max()


def test_no_threshold_is_beyond_the_largest_score():
    judge = learn(MODEL, [clean()], Rule(smoothing=0, factor=1e9))
    assert judge.threshold == judge.score_bound(MODEL.tensors)
    with_judge(MODEL, judge)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factor": 0.0}, r"^factor must be a positive number, not 0.0$"),
        ({"factor": float("inf")}, r"^factor must be a positive number, not inf$"),
        ({"quantile": 0.0}, r"^quantile must be above 0 and at most 1, not 0.0$"),
        ({"quantile": 1.1}, r"^quantile must be above 0 and at most 1, not 1.1$"),
    ],
)
def test_mistakes_in_a_rule(changes, message):
    with pytest.raises(UserError, match=message):
        Rule(**changes)


def test_residuals_of_windows_are_those_of_the_reference():
    rows = RNG.normal(size=(700, 2))
    windows = Windows(
        inputs=rows, target=rows, first=np.arange(4, 700), window=4, horizon=1, ahead=1
    )
    assert windows.y.tolist() == rows[4:].tolist()
    left = residuals_of(MODEL, windows)
    assert left.shape == (696, 2)
    judge = learn(MODEL, [left[:300]], Rule(smoothing=2, factor=1.0, hold=1))
    model = with_judge(MODEL, judge)
    flags = predict(model, windows.x, None, windows.y).ravel()
    over = judge.score(left, DetectorState()) > judge.threshold
    assert 0 < over.sum() < 100
    assert flags.tolist() == (over | np.r_[False, over[:-1]]).tolist()
