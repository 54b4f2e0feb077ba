"""The decision of a classifier: ties, leads that are too small, and scores at their extremes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations import Decide
from bitformer.model.operations.decide import decided
from bitformer.model.reference import predict, run
from bitformer.model.tensor import Tensor

SMALL = {"name": "c", "window": 4, "d_model": 4, "ffn": 5, "horizon": 3, "task": "classify"}
MODEL = initialize(TransformerConfig(**SMALL), samples=8)


def by_hand(scores, margin):
    """The rule read off one row, number by number."""
    best = 0
    for place, score in enumerate(scores):
        if score > scores[best]:
            best = place
    others = [score for place, score in enumerate(scores) if place != best]
    return len(scores) if scores[best] - max(others) < margin else best


@pytest.mark.parametrize(
    ("scores", "margin", "answer"),
    [
        ([1, 5, 5], 0, 1),  # the lowest of equals
        ([5, 5, 5], 0, 0),
        ([-3, -9, -3], 0, 0),
        ([5, 5, 1], 1, 3),  # a tie leads by nothing
        ([1, 2, 4], 2, 2),
        ([1, 2, 4], 3, 3),
        ([-128, 127], 255, 1),
        ([127, -128], 255, 0),
        ([126, -128], 255, 2),
        ([-32768, -32768, 32767], 65535, 2),
        ([32767] * 256, 0, 0),
        ([0] * 255 + [1], 1, 255),
        ([0] * 255 + [1], 2, 256),
    ],
)
def test_decisions(scores, margin, answer):
    bits = 16 if max(scores) > 127 or min(scores) < -128 else 8
    tensors = {
        "x": Tensor(name="x", rows=1, features=len(scores), bits=bits, exponent=-3),
        "y": Tensor(name="y", rows=1, features=1, bits=16, exponent=0),
    }
    op = Decide(x="x", y="y", margin=margin)
    op.check("here", tensors, {"x"})
    found = op.run({"x": np.array([[scores]])}, tensors)
    assert found.tolist() == [[[answer]]]
    assert found.dtype == np.int64
    assert by_hand(scores, margin) == answer


@given(
    st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(-8, 7), min_size=n, max_size=n), min_size=1)
    ),
    st.integers(0, 15),
)
def test_many_rows_are_each_by_itself(rows, margin):
    assert decided(np.array(rows), margin).tolist() == [by_hand(row, margin) for row in rows]


@given(st.lists(st.integers(-8, 7), min_size=2, max_size=6))
def test_without_a_margin_nothing_is_rejected(scores):
    assert decided(np.array(scores)) < len(scores)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda scores, margin: len(scores) - 1 - np.argmax(scores[::-1]),  # the highest of equals
        lambda scores, margin: len(scores) if np.ptp(scores) < margin else np.argmax(scores),
        lambda scores, margin: (
            len(scores) if np.diff(np.sort(scores))[-1] <= margin else np.argmax(scores)
        ),
    ],
)
def test_a_wrong_rule_is_found(mutant):
    rng = np.random.default_rng(0)
    rows = [(rng.integers(-4, 4, 3), int(rng.integers(0, 4))) for _ in range(200)]
    assert any(mutant(scores, margin) != by_hand(scores, margin) for scores, margin in rows)
    assert all(decided(scores, margin) == by_hand(scores, margin) for scores, margin in rows)


def with_decision(**changes):
    *before, last = MODEL.operations
    return replace(MODEL, operations=(*before, replace(last, **changes)))


def with_answer(**changes):
    answer = replace(MODEL.output, **changes)
    return replace(MODEL, tensors={**MODEL.tensors, "answer": answer})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: with_decision(margin=-1), r"-> answer\): margin must be 0 to 255 steps of a scor"),
        (lambda: with_decision(margin=256), r"margin must be 0 to 255 steps of a score, not 256$"),
        (lambda: with_decision(margin=1.5), r"margin must be 0 to 255 steps of a score, not 1.5$"),
        (lambda: with_decision(shift=1), r"shift must be 0, as nothing is rounded, not 1$"),
        (lambda: with_decision(x="layers.0.norm2"), r"x must be one row of 2 to 256 scores, not "),
        (lambda: with_answer(bits=2), r"bits of y must be enough for 3, which says rejected, not"),
        (lambda: with_answer(exponent=1), r"exponent of y must be 0, of a class's number, not 1$"),
        (lambda: with_answer(zero=1), r"zero of y must be 0, of a class's number, not 1$"),
        (lambda: with_answer(features=2), r"y must be of shape \(1, 1\), not \(1, 2\)$"),
        (
            lambda: replace(
                MODEL,
                tensors={n: one for n, one in MODEL.tensors.items() if n != "answer"},
                operations=MODEL.operations[:-1],
            ),
            r"^operation 11 \(Linear -> output\): the last operation must be Decide for task",
        ),
        (
            lambda: replace(MODEL, config=MODEL.config.replace(task="forecast")),
            r"\(Decide -> answer\): task must be classify with a decision, not forecast$",
        ),
        (
            lambda: replace(
                MODEL,
                tensors={**MODEL.tensors, "more": replace(MODEL.output, name="more")},
                operations=(*MODEL.operations, replace(MODEL.operations[-1], y="more")),
            ),
            r"-> answer\): Decide must be the last operation, not followed by Decide$",
        ),
        (
            lambda: replace(MODEL, config=MODEL.config.replace(horizon=4)),
            r"^output: shape must be \(1, 4\) as in config, not \(1, 3\)$",
        ),
    ],
)
def test_mistakes_in_a_decision(build, message):
    with pytest.raises(UserError, match=message):
        build()


def test_fewest_bits_of_an_answer_hold_what_is_rejected():
    assert with_answer(bits=3).output.high == 3


def test_a_classifier_answers_with_a_class():
    assert MODEL.results.name == "output"
    assert MODEL.output.name == "answer"
    assert MODEL.decision is MODEL.operations[-1]
    x = np.random.default_rng(0).normal(size=(40, 4, 1))
    values = run(MODEL, MODEL.quantize_input(x))
    answers = values["answer"].ravel()
    assert len(set(answers)) > 1
    assert answers.tolist() == values["output"].reshape(40, 3).argmax(axis=1).tolist()
    assert predict(MODEL, x).ravel().tolist() == answers.tolist()
    assert predict(MODEL, x[:0]).shape == (0, 1)


def test_a_margin_rejects_more():
    x = np.random.default_rng(0).normal(size=(200, 4, 1))
    shares = [np.mean(predict(with_decision(margin=m), x) == 3) for m in (0, 20, 60, 255)]
    assert shares[0] == 0 < shares[1] < shares[2] < shares[3] == 1


def test_nothing_is_added_back_to_scores():
    model = initialize(MODEL.config.replace(subtract_last=True, linear_path=True), samples=8)
    assert not any(op.adds_channels for op in model.operations)
    assert model.subtraction is not None
    other = initialize(
        MODEL.config.replace(subtract_last=True, linear_path=True, task="forecast"), samples=8
    )
    assert any(op.adds_channels for op in other.operations)


class Unbuilt(Decide):
    """A decision that no unit makes."""


def test_the_hardware_says_which_operation_it_has_not():
    last = MODEL.operations[-1]
    unbuilt = Unbuilt(**vars(last))
    message = r"^answer must be written by an operation that the hardware has, not by Unbuilt$"
    model = replace(MODEL, operations=(*MODEL.operations[:-1], unbuilt))
    with pytest.raises(UserError, match=message):
        lower(model)
    assert lower(MODEL).latency > 0
