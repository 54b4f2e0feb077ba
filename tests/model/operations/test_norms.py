"""Normalizations: what they compute, number by number, and the last values that they may have."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.model.errors import UserError
from bitformer.model.operations import Affine, LayerNorm
from bitformer.model.operations.checks import LARGEST_MULTIPLIER
from bitformer.model.tensor import Tensor

TENSORS = {
    name: Tensor(name=name, rows=2, features=3, bits=8, exponent=0, narrow=name == "n")
    for name in ("x", "y", "n")
}
ZERO = np.zeros(3, np.int64)
AFFINE = Affine(x="x", y="y", shift=5, multiplier=ZERO, offset=ZERO, offset_shift=0)
NORM = LayerNorm(x="x", y="y", shift=5, gamma=ZERO, beta=ZERO, beta_shift=0)
LOWEST, MOST = -LARGEST_MULTIPLIER - 1, LARGEST_MULTIPLIER


def refusal(op):
    try:
        op.check("here", TENSORS, {"x"})
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("op", "field", "low", "high"),
    [
        (AFFINE, "multiplier", LOWEST, MOST),
        (AFFINE, "offset", LOWEST, MOST),
        (NORM, "gamma", -128, 127),
        (NORM, "beta", LOWEST, MOST),
    ],
)
def test_limits_of_each_feature(op, field, low, high):
    for value, sound in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        found = refusal(replace(op, **{field: np.array([0, value, 1], np.int64)}))
        assert (found is None) == sound
        assert sound or found.startswith(f"here: {field} must be within {low}..{high}")
    assert "must be of shape (3,)" in refusal(replace(op, **{field: ZERO[:2]}))


@pytest.mark.parametrize(("op", "field"), [(AFFINE, "offset_shift"), (NORM, "beta_shift")])
def test_limits_of_shifts(op, field):
    assert refusal(replace(op, **{field: 48})) is None
    for shift in (-1, 49):
        assert refusal(replace(op, **{field: shift})).startswith(f"here: {field} must be 0 to 48")


def test_sums_and_bounds():
    numbers = np.array([-7, 3, 5], np.int64)
    affine = replace(AFFINE, multiplier=numbers, offset=numbers * 3, offset_shift=4)
    norm = replace(NORM, gamma=numbers, beta=numbers * 3, beta_shift=4)
    assert affine._largest_sum(TENSORS) == 128 * 7 + (21 << 4)
    assert norm._largest_sum(TENSORS) == 21 << 4
    assert affine.multiplicand_bound(TENSORS, 0) == 128
    assert (affine.negates, replace(affine, multiplier=ZERO).negates) == (True, False)
    assert (norm.negates, replace(norm, gamma=ZERO).negates) == (True, False)
    assert norm.multiplier_bound(TENSORS) == 7 * max(norm.tables[0])


def test_an_affine_is_a_factor_and_an_offset():
    x = np.array([[[1, -2, 3], [-128, 127, 0]]])
    op = replace(
        AFFINE,
        multiplier=np.array([2, -3, 4]),
        offset=np.array([1, 1, -1]),
        offset_shift=3,
        shift=0,
    )
    assert op.run({"x": x}, TENSORS).tolist() == [[[10, 14, 4], [-128, -128, -8]]]
