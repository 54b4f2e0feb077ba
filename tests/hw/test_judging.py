"""A detector's widths hold what can come, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw.judging import judged_depth, level_bits, limits_word, score_bits, weight_bits
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.operations.judge import LARGEST_WEIGHT


@pytest.fixture(scope="module")
def model():
    config = TransformerConfig(
        name="judged", window=4, horizon=3, d_model=4, ffn=6, task="detect", subtract_last=True
    )
    return initialize(config, seed=0, samples=8)


def judge_of(model, *weight, **changes):
    return replace(model.detector, weight=np.array(weight), **changes)


@pytest.mark.parametrize("weight", [(0, 0, 0), (0, 1, 0), (3, 4, 1), (LARGEST_WEIGHT,) * 3])
@pytest.mark.parametrize("smoothing", [0, 2])
def test_widths_are_those_of_the_largest(model, weight, smoothing):
    judge = judge_of(model, *weight, smoothing=smoothing)
    level = judge.residual_bound(model.tensors) << smoothing
    # a number of no bits is none: all weights may be 0
    for bits, largest in (
        (weight_bits(judge), max(weight)),
        (score_bits(judge, model), level * sum(weight)),
    ):
        assert bits >= 1
        assert largest < 1 << bits
        assert bits == 1 or largest >= 1 << bits - 1
    signed = level_bits(judge, model)
    assert 1 << signed - 2 <= level < 1 << signed - 1


def test_of_any_weights_the_widths_are_those_of_the_largest_ones(model):
    judge, most = judge_of(model, 1, 0, 0), judge_of(model, *(LARGEST_WEIGHT,) * 3)
    assert weight_bits(judge, any_weights=True) == weight_bits(most)
    assert score_bits(judge, model, any_weights=True) == score_bits(most, model)


@pytest.mark.parametrize(
    ("numbers", "depth"), [(1, 4), (2, 8), (3, 16), (5, 16), (6, 32), (11, 64)]
)
def test_three_windows_of_judged_numbers_wait(numbers, depth):
    assert judged_depth(numbers) == depth


def test_the_threshold_is_below_the_hold(model):
    assert limits_word(judge_of(model, 1, 1, 1, threshold=5, hold=3), 4) == 3 << 4 | 5
