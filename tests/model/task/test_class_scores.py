"""Scores of classes, by hand and against the definitions, with what is rejected."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_classes import make_classes

from bitformer.model.class_evaluation import ClassEvaluation
from bitformer.model.data.windows import Windows
from bitformer.model.task.class_baselines import (
    CENTROID,
    LOGISTIC,
    MAJORITY,
    class_answers,
    logistic_entropy,
    logistic_map,
)
from bitformer.model.task.class_scores import ClassScores
from bitformer.model.task.classify import cross_entropies
from bitformer.model.trained_baselines import trained_baselines
from bitformer.model.verdict import LOSES, TIES, WINS


def windows(label, group=None):
    """Windows of one row with these classes."""
    label = np.asarray(label)
    return Windows(
        inputs=np.zeros((len(label), 1)),
        target=label.astype(float),
        first=np.arange(len(label)),
        window=1,
        horizon=1,
        ahead=0,
        labels=label,
        group=None if group is None else np.asarray(group),
    )


#: Class 0 has 4 windows, class 1 three, class 2 one; answer 3 is «rejected».
LABEL = [0, 0, 0, 0, 1, 1, 1, 2]
ANSWER = [0, 0, 1, 3, 1, 1, 0, 1]
SCORES = ClassScores.of(
    ANSWER, windows(LABEL, [0, 0, 1, 1, 0, 0, 1, 1]), classes=3, groups=("a", "b", "none")
)


def test_scores_by_hand():
    assert SCORES.confusion.tolist() == [[2, 1, 0, 1], [1, 2, 0, 0], [0, 1, 0, 0]]
    assert SCORES.windows == 8
    assert SCORES.accuracy == 4 / 8
    assert SCORES.error == 4 / 8
    assert SCORES.rejected == 1 / 8
    assert SCORES.accuracy_of_answered == 4 / 7
    assert SCORES.recall.tolist() == [2 / 4, 2 / 3, 0]
    assert SCORES.precision.tolist() == [2 / 3, 2 / 4, 0]
    assert SCORES.balanced_accuracy == pytest.approx((2 / 4 + 2 / 3) / 3)
    f1 = [4 / 7, 4 / 7, 0]
    assert SCORES.f1.tolist() == pytest.approx(f1)
    assert SCORES.weighted_f1 == pytest.approx((4 * f1[0] + 3 * f1[1]) / 8)
    assert SCORES.macro_f1 == pytest.approx(8 / 21)


def test_groups_by_hand():
    # a: labels 0 0 1 1, answers 0 0 1 1; b: labels 0 0 1 2, answers 1 - 0 1
    assert SCORES.group_f1 == {"a": 1.0, "b": 0.0}
    assert SCORES.mean_group_f1 == 0.5
    assert ClassScores.of(ANSWER, windows(LABEL), classes=3).mean_group_f1 is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_scores_are_what_they_are_called(pairs):
    label, answer = map(np.array, zip(*pairs, strict=True))
    found = ClassScores.of(answer, windows(label), classes=4)
    weighted, used = 0.0, []
    for number in range(4):
        right = np.sum((label == number) & (answer == number))
        recall = right / max(1, np.sum(label == number))
        precision = right / max(1, np.sum(answer == number))
        f1 = 2 * recall * precision / (recall + precision) if right else 0.0
        assert found.f1[number] == pytest.approx(f1)
        weighted += f1 * np.mean(label == number)
        used += [f1] * bool(np.sum(label == number) + np.sum(answer == number))
    assert found.weighted_f1 == pytest.approx(weighted)
    assert found.macro_f1 == pytest.approx(np.mean(used))
    assert found.accuracy == pytest.approx(np.mean(label == answer))
    assert found.rejected == np.mean(answer == 4)


def test_plain_data_have_the_names():
    found = SCORES.to_dict(("x", "y", "z"))
    assert found["f1"] == dict(zip("xyz", SCORES.f1, strict=True))
    assert found["confusion"] == SCORES.confusion.tolist()
    assert found["group_f1"] == {"a": 1.0, "b": 0.0}


def test_baselines_of_separable_classes():
    dataset = make_classes(noise=0.1)
    found = class_answers(dataset)
    label = dataset.test.label
    assert set(found[MAJORITY]) == {np.bincount(dataset.train.label).argmax()}
    assert np.mean(found[CENTROID] == label) > 0.9
    assert np.mean(found[LOGISTIC] == label) > 0.9
    some = class_answers(dataset, dataset.val)
    assert {name: len(one) for name, one in some.items()} == dict.fromkeys(some, len(dataset.val))


def test_the_nearest_centroid_by_hand():
    dataset = make_classes(window=2, rows=40)
    x, label = dataset.train.x.reshape(-1, 4), dataset.train.label
    centers = np.stack([x[label == n].mean(axis=0) for n in range(3)])
    own = dataset.test.x.reshape(-1, 4)
    nearest = np.square(own[:, None] - centers).sum(axis=2).argmin(axis=1)
    assert class_answers(dataset)[CENTROID].tolist() == nearest.tolist()


def test_the_logistic_regression_is_at_its_least():
    """No step from it makes the penalised cross entropy of the training windows smaller."""
    dataset = make_classes(window=3, noise=1.5)
    weights = logistic_map(dataset)
    x = dataset.train.x.reshape(len(dataset.train), -1)

    def loss(found, penalty):
        scores = x @ found[:-1] + found[-1]
        return (
            cross_entropies(scores, dataset.train.label).mean()
            + penalty * np.sum(found[:-1] ** 2) / 2
        )

    rng = np.random.default_rng(0)
    steps = [1e-3 * rng.normal(size=weights.shape) for _ in range(50)]
    least = [
        penalty
        for penalty in (1e-1, 1e-2, 1e-3, 1e-4)
        if all(loss(weights + step, penalty) > loss(weights, penalty) for step in steps)
    ]
    assert len(least) == 1  # of the penalty that was chosen, and of no other
    val = dataset.val.x.reshape(len(dataset.val), -1) @ weights[:-1] + weights[-1]
    assert logistic_entropy(dataset) == pytest.approx(
        cross_entropies(val, dataset.val.label).mean()
    )


def test_without_training_windows_there_are_no_baselines():
    dataset = make_classes()
    none = dataset.train.take(slice(0, 0))
    found = ClassEvaluation.of(
        replace(dataset, train=none, val=none), {"integer": dataset.test.label}
    )
    assert set(found.baselines.values()) == {None}
    assert found.verdict is None
    assert found.scores.accuracy == 1.0


@pytest.mark.parametrize(
    ("wrong", "outcome", "said"),
    [
        (0.0, WINS, r"^The integer model beats the best baseline \(.*\) by 100 % \(100 to 100 %"),
        (0.9, LOSES, r"^The integer model loses to the best baseline \(.*\) by .*\. Try training"),
        (
            None,
            TIES,
            r"^The integer model ties with the best baseline \(.*\): test error rate 0\.\d",
        ),
    ],
)
def test_the_verdict_is_on_errors(wrong, outcome, said):
    dataset = make_classes(noise=2.0)
    label = dataset.test.label
    if wrong is None:
        answers = class_answers(dataset)[LOGISTIC]
    else:
        spoiled = np.random.default_rng(0).random(len(label)) < wrong
        answers = np.where(spoiled, 3, label)  # «rejected» is an error
    found = ClassEvaluation.of(dataset, {"integer": answers}, advice=lambda error: ["--epochs 9"])
    assert found.verdict.outcome == outcome
    assert found.verdict.error == pytest.approx(found.scores.error)
    assert found.verdict.to_dict()["error"] == found.verdict.error
    assert "mse" not in found.verdict.to_dict()
    assert re.match(said, str(found.verdict))


def test_two_that_make_no_error_tie():
    dataset = make_classes(noise=0.01, window=4)
    found = ClassEvaluation.of(dataset, {"integer": dataset.test.label})
    assert found.verdict.outcome == TIES
    assert str(found.verdict).endswith(
        "test error rate 0.0000 against 0.0000, both without an error"
    )
    plain = found.to_dict()
    assert plain["task"] == "classify"
    assert plain["scores"]["integer"]["accuracy"] == 1.0
    assert plain["data"]["classes"] == list(dataset.classes)
    assert repr(found).startswith("<ClassEvaluation, test accuracy on made: integer 1.0000, ")


def test_an_mlp_of_as_many_macs_learns_classes(tmp_path, monkeypatch):
    dataset, said = make_classes(noise=0.3), []
    monkeypatch.setattr("bitformer.model.mlp_baseline._EPOCHS", (8, 8))
    more = {"macs": 600, "run": tmp_path, "note": said.append}
    (tmp_path / "run.json").touch()
    (found,) = trained_baselines("all", dataset, **more)
    assert found.name == "MLP"
    assert found.forecasts.shape == (len(dataset.test), 1)
    assert np.mean(found.forecasts[:, 0] == dataset.test.label) > 0.85
    assert found.facts["widths"][-1] == 3
    assert found.facts["macs"] <= 600
    assert min(found.facts["validation_cross_entropy"]) < 0.5
    assert "test cross entropy of 3 seeds" in said[0]
    assert said[1] == "LightGBM is not scored, as it is trained on forecasts alone"
    again = trained_baselines("all", dataset, **more)[0]  # it is kept
    assert np.array_equal(again.forecasts, found.forecasts)
    scores = ClassEvaluation.of(dataset, {"integer": dataset.test.label}, trained=[found])
    right = np.mean(found.forecasts[:, 0] == dataset.test.label)
    assert scores.baselines["MLP"].accuracy == right
    assert scores.to_dict()["trained_baselines"]["MLP"]["macs"] == found.facts["macs"]
