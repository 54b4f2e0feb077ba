"""The flag of a detector: levels, scores and hold-off by hand, state over windows, and limits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations import Judge
from bitformer.model.operations.judge import JUDGED, LARGEST_LEVEL, DetectorState, held, smoothed
from bitformer.model.reference import predict, run
from bitformer.model.tensor import Tensor

SMALL = {"name": "d", "window": 4, "inputs": 2, "d_model": 4, "ffn": 5, "horizon": 3}
DETECTOR = initialize(TransformerConfig(**SMALL, task="detect"), samples=8)


def integers(*values):
    return np.array(values, dtype=np.int64)


def specs(*, judged=0, x=0, zero=0, bits=8, features=2):
    return {
        "input": Tensor(name="input", rows=4, features=2, bits=bits, exponent=judged),
        "x": Tensor(name="x", rows=1, features=features, bits=bits, exponent=x, zero=zero),
        "y": Tensor(name="y", rows=1, features=1, bits=16, exponent=0),
    }


def flags(op, tensors, judged, x, state=None):
    """The flags of windows, as a list."""
    op.check("here", tensors, {"x"})
    values = {JUDGED: integers(*judged)[:, None], "x": integers(*x)[:, None]}
    if state is None:
        return op.run(values, tensors).ravel().tolist()
    return op.flags(values, tensors, state).ravel().tolist()


def by_hand(op, tensors, judged, x):
    """The rule as docs/detect.md writes it, number by number."""
    exponents = tensors["input"].exponent, tensors["x"].exponent
    finer = min(exponents)
    levels, left, found = [0] * len(op.weight), 0, []
    for row, forecast in zip(judged, x, strict=True):
        score = 0
        for place, (came, said) in enumerate(zip(row, forecast, strict=True)):
            residual = came * 2 ** (exponents[0] - finer)
            residual -= (said - tensors["x"].zero) * 2 ** (exponents[1] - finer)
            residual = abs(residual) if op.absolute else residual
            aim, steps = residual * 2**op.smoothing, 2**op.smoothing
            levels[place] += (2 * (aim - levels[place]) + steps) // (2 * steps)  # half up
            score += int(op.weight[place]) * abs(levels[place])
        over = score > op.threshold
        found.append(int(over or left > 0))
        left = op.hold if over else max(0, left - 1)
    return found


def flag(**changes):
    fields = {"x": "x", "y": "y", "smoothing": 0, "threshold": 10, "weight": integers(1, 1)}
    return Judge(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "scales", "rows", "expected"),
    [
        # |3| + |-7| is no more than 10, |4| + |-7| is
        ({}, {}, [([3, 0], [0, 7]), ([4, 0], [0, 7])], [0, 1]),
        ({"weight": integers(2, 0)}, {}, [([5, 99], [0, -9]), ([6, 0], [0, 0])], [0, 1]),
        # a level goes a quarter of the way, in quarters: 16, 28, 37
        (
            {"smoothing": 2, "threshold": 27, "weight": integers(1, 0)},
            {},
            [([16, 0], [0, 0])] * 3,
            [0, 1, 1],
        ),
        # signed residuals cancel, absolute ones do not
        (
            {"smoothing": 1, "threshold": 12},
            {},
            [([8, 0], [0, 0]), ([-8, 0], [0, 0]), ([8, 0], [0, 0])],
            [0, 0, 0],
        ),
        (
            {"smoothing": 1, "threshold": 12, "absolute": True},
            {},
            [([8, 0], [0, 0]), ([-8, 0], [0, 0]), ([8, 0], [0, 0])],
            [0, 0, 1],
        ),
        # a finer forecast: 3 * 4 - 1, and a coarser one: 3 - 4 * (3 - 1)
        ({}, {"judged": 2}, [([3, 0], [2, 0]), ([3, 0], [1, 0])], [0, 1]),
        ({}, {"x": 2, "zero": 1}, [([3, 0], [4, 1]), ([3, 0], [-2, 1])], [0, 1]),
        # it stays up for two windows after the last that was over
        (
            {"hold": 2, "weight": integers(1, 0)},
            {},
            [([n, 0], [0, 0]) for n in (0, 11, 0, 11, 0, 0, 0, 0)],
            [0, 1, 1, 1, 1, 1, 0, 0],
        ),
        # extremes, and the largest threshold: never
        ({"threshold": 510}, {}, [([127, -128], [-128, 127])], [0]),
        ({"threshold": 509}, {}, [([127, -128], [-128, 127])], [1]),
    ],
)
def test_flags(changes, scales, rows, expected):
    op, tensors = flag(**changes), specs(**scales)
    judged, x = zip(*rows, strict=True)
    assert by_hand(op, tensors, judged, x) == expected
    assert flags(op, tensors, judged, x) == expected


def test_levels_are_rounded_half_up():
    state = DetectorState()
    found = smoothed(integers([1], [-1], [-1]), 1, state, absolute=False)
    # 0 + (2 + 1 >> 1), then 1 + (-3 + 1 >> 1), then 0 + (-2 + 1 >> 1)
    assert found.ravel().tolist() == [1, 0, 1]
    assert state.levels.tolist() == [-1]


CASES = st.integers(0, 2**32 - 1)


def random_case(seed):
    rng = np.random.default_rng(seed)
    scales = {"judged": int(rng.integers(-4, 3)), "x": int(rng.integers(-4, 3))}
    tensors = specs(**scales, zero=int(rng.integers(-128, 128)), features=3)
    op = flag(
        weight=rng.integers(0, 256, 3),
        smoothing=int(rng.integers(0, 8)),
        hold=int(rng.integers(0, 4)),
        absolute=bool(rng.integers(2)),
        threshold=0,
    )
    walk = rng.integers(-128, 128, (30, 3))
    walk[rng.random(30) < 0.5] //= 8
    x = rng.integers(-128, 128, (30, 3))
    state = DetectorState()
    values = {JUDGED: walk[:, None], "x": x[:, None]}
    scores = op.score(op.residuals(values, tensors), state)
    return replace(op, threshold=int(np.quantile(scores, 0.6, method="higher"))), tensors, walk, x


@given(CASES)
def test_any_flag_is_as_written(seed):
    op, tensors, judged, x = random_case(seed)
    assert flags(op, tensors, judged, x) == by_hand(op, tensors, judged.tolist(), x.tolist())


@given(CASES, st.integers(0, 30))
def test_state_goes_on_where_it_was(seed, cut):
    op, tensors, judged, x = random_case(seed)
    state = DetectorState()
    first = flags(op, tensors, judged[:cut], x[:cut], state) if cut else []
    rest = flags(op, tensors, judged[cut:], x[cut:], state) if cut < 30 else []
    assert first + rest == flags(op, tensors, judged, x)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda op: replace(op, smoothing=0),
        lambda op: replace(op, hold=op.hold + 1),
        lambda op: replace(op, absolute=not op.absolute),
        lambda op: replace(op, threshold=op.threshold - 1),  # up at the threshold itself
        lambda op: replace(op, weight=op.weight[::-1].copy()),
    ],
)
def test_a_wrong_rule_is_found(mutant):
    def differs(seed):
        op, tensors, judged, x = random_case(seed)
        rows = judged.tolist(), x.tolist()
        return by_hand(mutant(op), tensors, *rows) != flags(op, tensors, judged, x)

    assert any(differs(seed) for seed in range(300))


@pytest.mark.parametrize(
    ("rounds", "same"),
    [
        (lambda way: int(np.floor(way + 0.5)), True),
        (lambda way: int(way), False),  # towards 0
        (lambda way: int(np.rint(way)), False),  # half to even
        (lambda way: int(np.floor(way)), False),
    ],
)
def test_other_roundings_are_found(rounds, same):
    rows = np.random.default_rng(0).integers(-9, 10, 200)
    level, found = 0, []
    for row in rows.tolist():
        level += rounds((row * 4 - level) / 4)
        found.append(abs(level))
    right = smoothed(rows[:, None], 2, DetectorState(), absolute=False).ravel().tolist()
    assert (right == found) is same


@pytest.mark.parametrize("shift", [0, 1, 7, 15])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_level_never_leaves_the_range_of_residuals(shift, absolute):
    bound = LARGEST_LEVEL >> shift
    rng = np.random.default_rng(shift)
    rows = rng.choice([-bound, bound], (400, 2))
    found = smoothed(rows, shift, DetectorState(), absolute=absolute)
    assert found.max() <= bound << shift
    steady = smoothed(
        np.full((1 << 18 if shift == 15 else 4000, 1), -bound),
        shift,
        DetectorState(),
        absolute=False,
    )
    assert steady[-1, 0] >= (bound << shift) - (1 << shift >> 1)


def test_hold_counts_from_the_last_window_that_was_over():
    state = DetectorState()
    assert held(np.array([True, False]), 3, state).tolist() == [1, 1]
    assert state.left == 2
    assert held(np.array([False, False, False]), 3, state).tolist() == [1, 1, 0]
    assert state.left == 0


def with_flag(**changes):
    *before, last = DETECTOR.operations
    return replace(DETECTOR, operations=(*before, replace(last, **changes)))


def with_tensor(name, **changes):
    one = replace(DETECTOR.tensors[name], **changes)
    return replace(DETECTOR, tensors={**DETECTOR.tensors, name: one})


def forecaster():
    return initialize(TransformerConfig(**SMALL), samples=8)


MOST = DETECTOR.detector.score_bound(DETECTOR.tensors)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: with_flag(shift=1), r"-> answer\): shift must be 0, as nothing is requantized, n"),
        (lambda: with_flag(smoothing=16), r"smoothing must be 0 to 15, not 16$"),
        (lambda: with_flag(smoothing=-1), r"smoothing must be 0 to 15, not -1$"),
        (lambda: with_flag(hold=-1), r"hold must be 0 to 65535 windows, not -1$"),
        (lambda: with_flag(hold=65536), r"hold must be 0 to 65535 windows, not 65536$"),
        (lambda: with_flag(threshold=-1), rf"threshold must be 0 to {MOST}, the largest "),
        (lambda: with_flag(threshold=MOST + 1), rf"largest score, not {MOST + 1}$"),
        (lambda: with_flag(weight=integers(1, 2)), r"weight must be of shape \(3,\), not \(2,\)$"),
        (lambda: with_flag(weight=integers(1, 2, 256)), r"weight must be within 0..255, not 1..25"),
        (lambda: with_flag(weight=integers(1, -2, 2)), r"weight must be within 0..255, not -2..2$"),
        (lambda: with_flag(x="layers.0.norm2"), r"x must be one row of 1 to 256 numbers, not of s"),
        (lambda: with_tensor("answer", exponent=1), r"exponent of y must be 0, of a flag, not 1$"),
        (lambda: with_tensor("answer", zero=1), r"zero of y must be 0, of a flag, not 1$"),
        (lambda: with_tensor("answer", rows=2), r"y must be of shape \(1, 1\), not \(2, 1\)$"),
        (
            lambda: with_tensor("output", exponent=20),
            r"smoothing must be so small, beside the scales of output and of the input, that a lev",
        ),
        (
            lambda: replace(
                DETECTOR,
                operations=DETECTOR.operations[:-1],
                tensors={name: one for name, one in DETECTOR.tensors.items() if name != "answer"},
            ),
            r"^operation 11 \(Linear -> output\): the last operation must be Judge for task",
        ),
        (
            lambda: replace(DETECTOR, config=DETECTOR.config.replace(task="forecast")),
            r"\(Judge -> answer\): task must be detect with a flag, not forecast$",
        ),
        (
            lambda: replace(DETECTOR, config=DETECTOR.config.replace(task="classify")),
            r"\(Judge -> answer\): the last operation must be Decide for task class",
        ),
    ],
)
def test_mistakes_in_a_flag(build, message):
    with pytest.raises(UserError, match=message):
        build()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 257}, r"^horizon must be the numbers that are judged, 1 to 256, with"),
        ({"decoder_layers": 1, "horizon": 4}, r"^decoder_layers must be 0 with task detect, "),
        ({"adc_words": True}, r"^adc_words must be false with task detect, not true: an"),
    ],
)
def test_what_a_detector_has_not(changes, message):
    with pytest.raises(UserError, match=message):
        TransformerConfig(**SMALL | changes, task="detect")


def test_what_is_judged_lies_behind_the_window_and_the_time():
    config = TransformerConfig(**SMALL, task="detect", calendar=("hour",))
    model = initialize(config, samples=8)
    assert model.window_shape == (4 + 1 + 2, 2)
    judged = [[0.5, -0.25, 1.0]]
    found = model.quantize_input(np.zeros((1, 4, 2)), [[23]], judged)
    unit = 2.0**model.input.exponent
    assert found.shape == (1, 7, 2)
    assert found[0, 4].tolist() == [23, 0]
    assert (found[0, 5:].ravel() * unit).tolist() == [0.5, -0.25, 1.0, 0.0]
    values = run(model, found)
    assert JUDGED not in values
    assert "clock" not in values
    assert values["answer"].tolist() == [[[1]]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DETECTOR.quantize_input(np.zeros((2, 4, 2))), r"^judged must be given to a"),
        (
            lambda: DETECTOR.quantize_input(np.zeros((2, 4, 2)), None, np.zeros((2, 2))),
            r"^judged must have shape \(2, 3\), not \(2, 2\)$",
        ),
        (
            lambda: DETECTOR.quantize_input(np.zeros((2, 4, 2)), None, [[0, 0, 0], [0, np.nan, 0]]),
            r"^judged must be finite numbers, not nan: sample 1, step 0, channel 1$",
        ),
        (
            lambda: forecaster().quantize_input(np.zeros((2, 4, 2)), None, np.zeros((2, 3))),
            r"^judged must be left out with task forecast: only a detector compares",
        ),
        (
            lambda: replace(
                DETECTOR,
                tensors={
                    "judged" if name == "h" else name: one for name, one in DETECTOR.tensors.items()
                }
                | {"judged": replace(DETECTOR.input, name="judged")},
                constants={**DETECTOR.constants, "judged": np.zeros((4, 2), np.int64)},
            ),
            r"^tensors must not be named judged in a detector, whose numbers are$",
        ),
    ],
)
def test_mistakes_in_what_is_judged(make, message):
    with pytest.raises(UserError, match=message):
        make()


def learned():
    """The detector with a rule whose flags are sometimes up."""
    model = with_flag(smoothing=3, hold=2, weight=integers(3, 0, 200))
    x = np.random.default_rng(0).normal(size=(700, 4, 2))
    judged = np.random.default_rng(1).normal(size=(700, 3))
    q = model.quantize_input(x, None, judged)
    values = run(model, q)
    residuals = model.detector.residuals(
        values | {JUDGED: q[:, 4:].reshape(700, 1, 4)[:, :, :3]}, model.tensors
    )
    scores = model.detector.score(residuals, DetectorState())
    *before, last = model.operations
    last = replace(last, threshold=int(np.quantile(scores, 0.95)))
    return replace(model, operations=(*before, last)), x, judged, (scores > last.threshold)


def test_batches_make_no_difference():
    model, x, judged, over = learned()
    whole = run(model, model.quantize_input(x, None, judged))["answer"].ravel()
    assert 0.05 < whole.mean() < 0.2
    assert whole[over].all()
    for batch in (1, 100, 512):
        assert predict(model, x, None, judged, batch=batch).ravel().tolist() == whole.tolist()
    assert model.results.name == "output"
    assert model.output.name == "answer"


def test_a_detector_is_saved_and_loaded(tmp_path):
    model, x, judged, _ = learned()
    save_model(model, tmp_path / "d.safetensors")
    loaded = load_model(tmp_path / "d.safetensors")
    for name in ("x", "y", "shift", "smoothing", "threshold", "hold", "absolute"):
        assert getattr(loaded.detector, name) == getattr(model.detector, name)
    assert loaded.detector.weight.tolist() == [3, 0, 200]
    expected = predict(model, x, None, judged)
    assert np.array_equal(predict(loaded, x, None, judged), expected)


def test_the_hardware_has_a_flag():
    """Its bits are those of the operation: tests/sim/test_detect.py."""
    design = lower(DETECTOR)
    assert {"levels", "judged", "judge_weights"} <= {*design.stores}
    assert design.images["judge_weights"] == DETECTOR.detector.weight.tolist()
