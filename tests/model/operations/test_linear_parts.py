"""A linear layer in parts: sets of weights on the same rows, one after the other."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.model.errors import UserError
from bitformer.model.operations import Linear, Residual
from bitformer.model.tensor import Tensor


def tensor(name, rows, features, bits=12):
    return Tensor(name=name, rows=rows, features=features, bits=bits, exponent=0)


def integers(*values):
    return np.array(values, dtype=np.int64)


TENSORS = {
    "input": tensor("input", 3, 2),
    "x": tensor("x", 2, 2),
    "table": tensor("table", 4, 1),
    "y": tensor("y", 4, 1),
}
#: Two rows of x, and two sets of one output each.
TWO = Linear(
    x="x",
    y="y",
    shift=0,
    weight=integers([1, 2], [10, -20]),
    weight_bits=6,
    bias=integers(3, 300),
    multiplier=integers(1, 2),
    parts=2,
    residual=Residual(source="input", shift=1, channel=(1, 0)),
)
VALUES = {
    "input": integers([[0, 0], [0, 0], [40, 7]]),
    "x": integers([[1, 2], [5, 4]]),
    "table": integers([[1], [2], [3], [4]]),
}
WRITTEN = {"input", "x", "table"}


def run(op):
    op.check("here", TENSORS, WRITTEN)
    return op.run(VALUES, TENSORS)[0, :, 0].tolist()


def test_all_rows_of_a_part_come_first():
    """Each part has its own weights, bias, multiplier and channel."""
    first = [5 + 3 + (7 << 1), 13 + 3 + (7 << 1)]
    second = [2 * (10 - 40 + 300) + (40 << 1), 2 * (50 - 80 + 300) + (40 << 1)]
    assert run(TWO) == [*first, *second]


def test_a_row_that_is_added_is_that_of_the_results():
    op = replace(TWO, residual=Residual(source="table", shift=4))
    plain = run(replace(TWO, residual=None))
    assert run(op) == [value + 16 * one for value, one in zip(plain, (1, 2, 3, 4), strict=True)]


def test_the_largest_sum_is_that_of_the_lowest_numbers():
    """Each product at its largest, the bias and what is added, too."""
    product = 2 * ((10 + 20) * 2**11 + 300)
    assert TWO._largest_sum(TENSORS) == product + (2**11 << 1)
    assert replace(TWO, residual=None)._largest_sum(TENSORS) == product


@pytest.mark.parametrize(("multipliers", "negates"), [((0, 3), False), ((2, -1), True)])
def test_a_multiplier_below_0_negates(multipliers, negates):
    assert replace(TWO, multiplier=integers(*multipliers)).negates == negates


def test_a_row_of_a_table_is_of_all_parts():
    op = replace(TWO, residual=None, clock=0, bias=integers([3, 300], [5, 500]))
    values = VALUES | {"clock": integers([1])}
    op.check("here", TENSORS, WRITTEN)
    assert op.run(values, TENSORS)[0, :, 0].tolist() == [10, 18, 2 * 470, 2 * 470]


def test_a_part_counts_its_own_rows():
    assert TWO.macs(TENSORS) == 2 * 2 * 2
    assert replace(TWO, parts=1, weight=TWO.weight[:1]).macs(TENSORS) == 4 * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": 3}, r"^here: parts must be a divisor of 4, the rows of y, not 3$"),
        ({"parts": 0}, r"^here: parts must be a divisor of 4, the rows of y, not 0$"),
        ({"parts": 4}, r"^here: weight must be of 4 inputs, not 2$"),
        ({"bias": integers(1, 2, 3)}, r"^here: bias must be of shape \(2,\), not \(3,\)$"),
        (
            {"residual": Residual(source="input", shift=0, channel=1)},
            r"^here: residual channel must be one for each of 2 part\(s\), not 1$",
        ),
        (
            {"residual": Residual(source="input", shift=0, channel=(1, 2))},
            r"^here: residual channel must be below 2, not 2$",
        ),
    ],
)
def test_what_no_layer_in_parts_is(changes, message):
    with pytest.raises(UserError, match=message):
        replace(TWO, **changes).check("here", TENSORS, WRITTEN)


@pytest.mark.parametrize(("step", "start", "inputs"), [(3, 0, 4), (2, 0, 7), (3, 1, 3), (0, 0, 4)])
def test_rows_a_step_apart_say_how_many_inputs_they_have(step, start, inputs):
    """Of 16 values five rows, or of 20 in line."""
    rows = 5 if step else 4
    found = {"x": tensor("x", 16 if step else inputs * rows, 1), "y": tensor("y", rows, 1)}
    if step == 2:
        found["x"] = tensor("x", 15, 1)
    op = replace(TWO, parts=1, step=step, start=start, residual=None, multiplier=integers(1))
    op = replace(op, bias=integers(0))
    right = replace(op, weight=np.ones((1, inputs), dtype=np.int64))
    right.check("here", found, {"x"})
    wrong = replace(op, weight=np.ones((1, inputs + 1), dtype=np.int64))
    with pytest.raises(UserError, match=rf"^here: weight must be of {inputs} inputs, not"):
        wrong.check("here", found, {"x"})


def test_a_single_layer_has_one_channel():
    op = replace(TWO, parts=1, weight=TWO.weight[:1], bias=TWO.bias[:1])
    op = replace(op, x="long", multiplier=integers(1))
    found = TENSORS | {"long": tensor("long", 4, 2)}
    with pytest.raises(UserError, match=r"channel must be one for each of 1 part\(s\), not 2$"):
        op.check("here", found, WRITTEN | {"long"})
