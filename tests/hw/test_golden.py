"""What a self-test replays: of a detector a flag down and up, of a stream steps from a reset."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw.golden import golden_vectors
from bitformer.model import reference
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.operations.judge import JUDGED, DetectorState
from bitformer.model.stream import StepModel, Stream
from bitformer.model.task.thresholds import with_judge

SMALL = {"window": 4, "inputs": 2, "d_model": 4, "ffn": 5, "task": "detect"}


def detector(share, *, smoothing=1, hold=0, **config):
    """An untrained detector whose threshold is a share of the largest score."""
    model = initialize(TransformerConfig(name="d", **SMALL | {"horizon": 2} | config), samples=8)
    judge = replace(model.detector, smoothing=smoothing, hold=hold)
    threshold = int(judge.score_bound(model.tensors) * share)
    return with_judge(model, replace(judge, threshold=threshold))


def flags_of(model, count, seed=0):
    return [results[0] for _, results in golden_vectors(model, count, seed=seed)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.01, 0.05, 0.15])
@pytest.mark.parametrize("config", [{}, {"horizon": 5}, {"calendar": ("hour",), "inputs": 3}])
def test_a_flag_is_down_and_then_up(config, share, seed):
    model = detector(share, **config)
    assert flags_of(model, 2, seed) == [0, 1]
    found = flags_of(model, 5, seed)
    assert found[:3] == [0, 0, 0]
    assert found[4] == 1


def test_random_windows_have_it_up_at_once():
    """The mutant of before: a board whose flag never went down would have passed."""
    model = detector(0.01)
    x = model.random_windows(np.random.default_rng(0), 2)
    assert reference.run(model, x)["answer"].ravel().tolist() == [1, 1]


def test_results_are_the_references():
    model = detector(0.05, smoothing=3, hold=1, calendar=("hour",))
    pairs = golden_vectors(model, 6)
    windows = np.array([words for words, _ in pairs]).reshape(6, model.input.rows + 2, 2)
    x = model.numbers(windows)
    values = {model.detector.x: reference.run(model, x)[model.detector.x]}
    values[JUDGED] = reference.judged_of(model, x)
    expected = model.detector.flags(values, model.tensors, DetectorState()).ravel()
    assert [results[0] for _, results in pairs] == expected.tolist()
    plain = model.random_windows(np.random.default_rng(0), 6)
    # samples and time are as random as ever
    assert np.array_equal(x[:, :5], plain[:, :5])


def test_a_flag_that_so_few_windows_do_not_raise():
    assert flags_of(detector(0.9, smoothing=6), 2) == [0, 0]


def test_other_models_have_random_windows():
    model = initialize(TransformerConfig(name="f", **SMALL | {"task": "forecast", "horizon": 2}))
    x = model.random_windows(np.random.default_rng(7), 3)
    assert [words for words, _ in golden_vectors(model, 3, seed=7)] == x.reshape(3, -1).tolist()


def test_a_streams_steps_begin_at_a_reset():
    ring = {"causal": True, "stream": True, "position": "relative", "window": 6, "patch": 2}
    model = initialize(TransformerConfig(name="s", d_model=4, ffn=5, horizon=3, **ring), samples=8)
    vectors = golden_vectors(StepModel.of(model), 5)
    stream = Stream(model)
    wanted = [
        stream.step(np.array(patch).reshape(1, 2, 1)).ravel().tolist() for patch, _ in vectors
    ]
    assert [results for _, results in vectors] == wanted
    anew = Stream(model)
    assert anew.step(np.array(vectors[4][0]).reshape(1, 2, 1)).ravel().tolist() != wanted[4]
