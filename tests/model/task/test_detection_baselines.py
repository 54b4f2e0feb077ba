"""Baselines of a detector: what they score high, by hand."""

import numpy as np
import pytest

from bitformer.model.task.detection_baselines import (
    ewma,
    ewma_scores,
    isolation_scores,
    last_value_scores,
    linear_residuals,
    linear_scores,
    missing_scikit_learn,
)


def noise(rows=400, channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, channels))


def test_weighted_means_by_hand():
    rows = np.array([[4.0], [0.0], [8.0]])
    assert ewma(rows, 1).ravel().tolist() == [2.0, 1.0, 4.5]
    assert ewma(rows, 0).tolist() == rows.tolist()


def test_scores_are_in_deviations_of_clean_means():
    rows = noise()
    rows[300:] += [0.0, 1.0]  # half a deviation of a reading is much of a mean's
    means = ewma(rows, 4)
    scores = ewma_scores(rows, 200, 4)
    assert scores[350] == pytest.approx(np.abs(means[350] / means[:200].std(axis=0)).max())
    assert scores[320:].mean() > 4 * scores[50:200].mean()
    assert ewma_scores(rows, 200, 0)[320:].mean() < 2 * scores[50:200].mean()


def test_a_level_is_no_change():
    rows = noise() * 0.1
    rows[300:] += 50.0
    scores = last_value_scores(rows, 200, 0)
    assert scores.argmax() == 300
    assert scores[301:].max() < 10 * scores[:200].max()


def test_a_constant_channel_has_no_deviation():
    rows = np.concatenate([noise(channels=1), np.ones((400, 1))], axis=1)
    for scores in (ewma_scores(rows, 200, 2), last_value_scores(rows, 200, 2)):
        assert np.isfinite(scores).all()


def test_a_line_learns_what_follows():
    time = np.arange(500)
    rows = np.stack([np.sin(time / 5), np.cos(time / 5)], axis=1)
    left = linear_residuals(rows[:300], rows, 8)
    assert left.shape == rows.shape
    assert not left[:8].any()
    assert np.abs(left).max() < 0.05
    rows[400] += 1.0
    left = linear_residuals(rows[:300], rows, 8)
    assert np.abs(left).max(axis=1).argmax() == 400
    scores = linear_scores(left, 300, 0)
    assert scores.argmax() == 400


def test_rows_that_are_not_known_leave_nothing():
    rows = noise()
    rows[250] = np.nan
    left = linear_residuals(rows[:200], rows, 4)
    assert np.isfinite(left).all()
    assert not left[250:255].any()


def test_a_missing_library_is_said(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    assert missing_scikit_learn() == "it is not installed: pip install scikit-learn"


@pytest.mark.needs("scikit-learn")
def test_a_forest_tells_what_is_far_off():
    rows = noise()
    rows[300] = 20.0
    scores = isolation_scores(rows, 200)
    assert scores.argmax() == 300
    assert scores[300] > 0.5
