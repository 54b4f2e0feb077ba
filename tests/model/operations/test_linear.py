"""A linear layer: what it computes, number by number, and the last values that it may have."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from bitformer.model.errors import UserError
from bitformer.model.gelu import gelu_zero
from bitformer.model.operations import Linear, Residual
from bitformer.model.operations.checks import LARGEST_BIAS, LARGEST_DOT, LARGEST_MULTIPLIER
from bitformer.model.operations.linear import rows_of
from bitformer.model.tensor import Tensor


def tensor(name, rows, features, bits=8, **others):
    return Tensor(name=name, rows=rows, features=features, bits=bits, exponent=0, **others)


def layer(outputs=3, inputs=4, *, seed=1, **fields):
    """A layer of random numbers."""
    rng = np.random.default_rng(seed)
    return Linear(
        **{
            "x": "x",
            "y": "y",
            "shift": 3,
            "weight": rng.integers(-7, 8, (outputs, inputs)),
            "weight_bits": 4,
            "bias": rng.integers(-99, 100, outputs),
            "multiplier": rng.integers(1, 9, outputs),
        }
        | fields
    )


def tensors(x=(2, 4), y=(2, 3), y_bits=16, **others):
    return {"x": tensor("x", *x), "y": tensor("y", *y, y_bits), **others}


def refusal(op, there, written=("x",)):
    """What is said of a layer; None where it is sound."""
    try:
        op.check("here", there, set(written))
    except UserError as error:
        return str(error)
    return None


def computed(op, x, rows, clock=0):
    """Results [parts * rows, features] of one window, by the sum of each product."""
    flat = (x.T if op.transposed else x).reshape(-1).tolist()[op.start :]
    inputs = op.weight.shape[1]
    step, outputs = op.step or inputs, len(op.weight) // op.parts
    bias = op.bias if op.clock is None else op.bias[clock]
    found = []
    for part, row in product(range(op.parts), range(rows)):
        values = flat[row * step : row * step + inputs]
        of_part = range(part * outputs, (part + 1) * outputs)
        found.append(
            [
                sum(int(w) * v for w, v in zip(op.weight[n], values, strict=True)) + int(bias[n])
                for n in of_part
            ]
        )
    return found


@pytest.mark.parametrize(
    ("shape", "rows", "fields"),
    [
        ((3, 4), 3, {}),
        ((6, 4), 3, {"inputs": 8}),  # patches
        ((5, 4), 1, {"inputs": 20}),  # a flattened head
        ((5, 4), 2, {"start": 12}),  # the last rows
        ((5, 4), 3, {"inputs": 8, "step": 6}),  # rows that overlap
        ((7, 4), 3, {"inputs": 8, "step": 6, "start": 8}),
        ((5, 4), 4, {"inputs": 5, "transposed": True}),
        ((3, 4), 3, {"outputs": 6, "parts": 2}),
        ((6, 4), 2, {"outputs": 9, "parts": 3, "start": 8, "inputs": 8}),
    ],
)
def test_dot_products_of_rows(shape, rows, fields):
    op = layer(**fields)
    there = tensors(shape, (op.parts * rows, len(op.weight) // op.parts))
    assert refusal(op, there) is None
    x = np.random.default_rng(2).integers(-128, 128, (3, *shape))
    u, multiplier, added = op.compute({"x": x}, there)
    assert added == 0
    assert u.tolist() == [computed(op, one, rows) for one in x]
    expected = [
        op.multiplier[part * u.shape[2] : (part + 1) * u.shape[2]].tolist()
        for part in range(op.parts)
        for _ in range(rows)
    ]
    assert np.broadcast_to(multiplier, u.shape).tolist() == [expected] * 3
    assert op.macs(there) == rows * op.weight.size
    assert op.term_bound(there) == max(abs(int(w)) for w in op.weight.reshape(-1)) * 128


def test_a_clock_selects_the_bias():
    op = layer(bias=np.arange(15).reshape(5, 3), clock=1)
    there = tensors()
    assert refusal(op, there) is None
    x = np.random.default_rng(2).integers(-128, 128, (3, 2, 4))
    clocks = np.array([[9, 0], [9, 4], [9, 2]])
    u, *_ = op.compute({"x": x, "clock": clocks}, there)
    for one, results, clock in zip(x, u.tolist(), (0, 4, 2), strict=True):
        assert results == computed(op, one, 2, clock)


def test_what_is_added():
    there = tensors(r=tensor("r", 2, 3), input=tensor("input", 4, 2))
    rng = np.random.default_rng(5)
    values = {"x": rng.integers(-9, 9, (2, 2, 4)), "r": rng.integers(-9, 9, (2, 2, 3))}
    values["input"] = rng.integers(-9, 9, (2, 4, 2))
    row = layer(residual=Residual(source="r", shift=4))
    last = layer(residual=Residual(source="input", shift=2, channel=1))
    assert row.compute(values, there)[2].tolist() == (values["r"] * 16).tolist()
    added = np.broadcast_to(last.compute(values, there)[2], (2, 2, 3)).tolist()
    assert added == [[[4 * int(one[-1, 1])] * 3] * 2 for one in values["input"]]
    assert (row.added_bound(there), last.added_bound(there)) == (128 << 4, 128 << 2)


def test_parameters_of_each_part():
    op = layer(outputs=6, parts=2)
    added, factors = op.parameters
    assert (added.tolist(), factors.tolist()) == (
        [op.bias[:3].tolist(), op.bias[3:].tolist()],
        [op.multiplier[:3].tolist(), op.multiplier[3:].tolist()],
    )
    table = np.arange(30).reshape(5, 6)
    added, _ = replace(op, bias=table, clock=0).parameters
    assert added.tolist() == [[row[:3].tolist(), row[3:].tolist()] for row in table]
    one = layer()
    assert [a is b for a, b in zip(one.parameters, (one.bias, one.multiplier), strict=True)] == [
        True,
        True,
    ]


def test_rows_of_values():
    values = np.arange(24).reshape(2, 12)
    assert rows_of(values, 4).tolist() == values.reshape(2, 3, 4).tolist()
    assert rows_of(values, 4, 4).tolist() == rows_of(values, 4).tolist()
    assert rows_of(values, 6, 3)[1].tolist() == [
        [*range(12, 18)], [*range(15, 21)], [*range(18, 24)]
    ]  # fmt: skip


def bias(*numbers):
    return np.array(numbers, np.int64)


#: Fields with which a layer is just sound, just not, and what is said then.
LIMITS = [
    ({"start": 7, "inputs": 1, "y": (1, 3)}, {"start": 8}, "start must be below 8, not 8"),
    ({}, {"start": -1}, "start must be below 8, not -1"),
    ({"parts": 1}, {"parts": 0}, "parts must be a divisor of 2"),
    ({"parts": 2, "outputs": 6, "inputs": 8}, {"parts": 3}, "parts must be a divisor of 2"),
    ({"inputs": 6, "step": 2}, {"step": -1}, "step must be 0 or more"),
    ({"inputs": 6, "step": 2}, {"step": 1}, "weight must be of 7 inputs, not 6"),
    ({"inputs": 6, "step": 2}, {"step": 3}, "weight must be of 5 inputs, not 6"),
    ({}, {"inputs": 3}, "weight must be of 4 inputs, not 3"),
    (
        {"weight_bits": 1, "weight": np.ones((3, 4), np.int64)},
        {"weight_bits": 0},
        "weight_bits must be 1 to 16, not 0",
    ),
    ({"weight_bits": 16}, {"weight_bits": 17}, "weight_bits must be 1 to 16, not 17"),
    (
        {"weight": np.full((3, 4), -7)},
        {"weight": np.full((3, 4), -8)},
        r"weight must be within -7\.\.7",
    ),
    ({"weight": np.full((3, 4), 7)}, {"weight": np.full((3, 4), 8)}, r"weight must be within -7"),
    (
        {"weight_bits": 2, "weight": np.ones((3, 4), np.int64)},
        {"weight": np.full((3, 4), 2)},
        r"weight must be within -1\.\.1",
    ),
    (
        {"weight_bits": 1, "weight": -np.ones((3, 4), np.int64)},
        {"weight": np.zeros((3, 4), np.int64)},
        "weight must be -1 or 1 in one bit, not 0",
    ),
    ({}, {"weight": np.ones(12, np.int64)}, r"weight must be two-dimensional, not \(12,\)"),
    ({"bias": bias(0, 0, LARGEST_BIAS)}, {"bias": bias(0, 0, LARGEST_BIAS + 1)}, "bias must be"),
    ({"bias": bias(0, 0, -LARGEST_BIAS)}, {"bias": bias(0, 0, -LARGEST_BIAS - 1)}, "bias must be"),
    ({}, {"bias": bias(0, 0)}, r"bias must be of shape \(3,\), not \(2,\)"),
    ({"clock": 0, "bias": np.zeros((5, 3), np.int64)}, {"clock": -1}, "bias must be a table"),
    ({}, {"clock": 0}, "bias must be a table"),
    ({}, {"bias": np.zeros((5, 3), np.int64)}, r"bias must be of shape \(3,\)"),
    (
        {"multiplier": bias(0, 1, LARGEST_MULTIPLIER)},
        {"multiplier": bias(0, 1, LARGEST_MULTIPLIER + 1)},
        "multiplier must be within 0",
    ),
    ({}, {"multiplier": bias(1, 1, -1)}, "multiplier must be within 0"),
    ({"shift": 48}, {"shift": 49}, "shift must be 0 to 48, not 49"),
    ({"shift": 0}, {"shift": -1}, "shift must be 0 to 48, not -1"),
]


@pytest.mark.parametrize(("sound", "change", "said"), LIMITS)
def test_what_is_just_taken_and_just_refused(sound, change, said):
    y = sound.get("y", (2, 3))
    sound = {name: value for name, value in sound.items() if name != "y"}
    assert refusal(layer(**sound), tensors(y=y)) is None
    assert refusal(layer(**sound | change), tensors(y=y)) is not None
    with pytest.raises(UserError, match=rf"^here: {said}"):
        layer(**sound | change).check("here", tensors(y=y), {"x"})


@pytest.mark.parametrize(
    ("x", "y", "fields", "said"),
    [
        ((4, 2), (2, 3), {"inputs": 4, "transposed": True}, None),
        ((4, 2), (3, 3), {"inputs": 4, "transposed": True}, "y must be of 2 rows"),
        (
            *((4, 2), (2, 3), {"inputs": 4, "transposed": True, "start": 1}),
            "start must be 0 where x is read transposed, not 1",
        ),
        ((4, 2), (2, 3), {"inputs": 4, "transposed": True, "step": 4}, "step must be 0 or more"),
    ],
)
def test_transposed_rows(x, y, fields, said):
    found = refusal(layer(**fields), tensors(x, y))
    assert found is None if said is None else found.startswith(f"here: {said}")


@pytest.mark.parametrize(
    ("channel", "parts", "said"),
    [
        (0, 1, None),
        (1, 1, None),
        ((0, 1), 2, None),
        (2, 1, "residual channel must be below 2, not 2"),
        (-1, 1, "residual channel must be below 2, not -1"),
        ((0, 2), 2, "residual channel must be below 2, not 2"),
        ((0,), 2, r"residual channel must be one for each of 2 part(s), not 1"),
        ((0, 1), 1, r"residual channel must be one for each of 1 part(s), not 2"),
    ],
)
def test_channels_that_are_added(channel, parts, said):
    op = layer(
        3 * parts, 8, parts=parts, residual=Residual(source="input", shift=1, channel=channel)
    )
    there = tensors(y=(parts, 3), input=tensor("input", 4, 2))
    found = refusal(op, there, ("x", "input"))
    assert found == (said and f"here: {said}")


def test_a_residual_is_of_the_outputs_shape_and_known():
    op = layer(residual=Residual(source="r", shift=48))
    there = tensors(r=tensor("r", 2, 3, 2))
    assert refusal(op, there, ("x", "r")) is None
    assert "a tensor written before, not 'r'" in refusal(op, there)
    assert "residual must be of shape" in refusal(op, there | {"r": tensor("r", 3, 2)}, "xr")
    beyond = replace(op, residual=Residual(source="r", shift=49))
    assert "residual shift must be 0 to 48, not 49" in refusal(beyond, there, ("x", "r"))


@pytest.mark.parametrize(
    ("bits", "changes", "fields", "said"),
    [
        (2, {}, {}, None),
        (8, {}, {}, None),
        (8, {}, {"relu": True}, "relu must be false with gelu"),
        (8, {"zero": 1}, {}, "zero point of y must be"),
        (8, {"narrow": True}, {}, "narrow of y must be false"),
        (1, {"zero": 0}, {}, "y must be of 2 to 8 bits with gelu, not of 1"),
        (9, {"zero": 0}, {}, "y must be of 2 to 8 bits with gelu, not of 9"),
    ],
)
def test_gelu(bits, changes, fields, said):
    there = tensors()
    there["y"] = tensor("y", 2, 3, bits, **{"zero": gelu_zero(bits)} | changes)
    found = refusal(layer(gelu=True, **fields), there)
    assert found is None if said is None else found.startswith(f"here: {said}")


def test_the_largest_dot_product_and_sum():
    """Of the most weights, and the bias behind them: to the last number."""
    inputs, ones = 1 << 22, np.ones(1, np.int64)
    there = tensors((1, inputs), (1, 1)) | {"x": tensor("x", 1, inputs, 16)}
    weight = np.full((1, inputs), 32767)
    left = LARGEST_DOT - inputs * 32767 * 32768
    op = layer(weight=weight, weight_bits=16, bias=left * ones, multiplier=ones)
    assert refusal(op, there) is None
    beyond = refusal(replace(op, bias=op.bias + 1), there)
    assert beyond == f"here: dot product must be at most {LARGEST_DOT}, not {LARGEST_DOT + 1}"
    dot = LARGEST_DOT - left
    sums = replace(op, bias=5 * ones, multiplier=3 * ones, residual=Residual(source="r", shift=7))
    there["r"] = tensor("r", 1, 1, 9)
    assert sums._largest_sum(there) == (dot + 5) * 3 + (256 << 7)
    assert replace(sums, residual=None)._largest_sum(there) == (dot + 5) * 3
    negative = replace(sums, bias=-5 * ones, weight=-weight)
    assert negative._largest_sum(there) == sums._largest_sum(there)
    limit = replace(op, multiplier=((1 << 61) // LARGEST_DOT) * ones)
    assert refusal(limit, there) is None
    beyond = refusal(replace(limit, multiplier=limit.multiplier + 1), there)
    assert beyond.startswith("here: sum before it is rounded must be at most ")


def test_a_step_has_its_newest_rows():
    there = tensor("own", 1, 4), tensor("y", 6, 3)
    plain = layer().at_step(*there, tokens=6)
    assert (plain.y.rows, plain.rings, plain.ordered) == (1, {}, True)
    head = layer(inputs=12, start=8).at_step(there[0], replace(there[1], rows=2), tokens=6)
    assert (head.y.rows, head.rings, head.operation.start) == (2, {"x": 3}, 0)
    parted = layer(outputs=6, parts=2).at_step(there[0], replace(there[1], rows=12), tokens=6)
    assert (parted.y.rows, parted.rings) == (2, {})
