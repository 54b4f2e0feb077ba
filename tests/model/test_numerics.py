"""The number contract: rounding half up, and the tables' errors."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitformer.model import numerics
from bitformer.model.errors import UserError


def half_up(value: Fraction) -> int:
    """The nearest integer; of two, the higher."""
    return math.floor(value + Fraction(1, 2))


integers = st.integers(-(2**40), 2**40)


@pytest.mark.parametrize(
    ("x", "rounded"),
    [(0.5, 1), (-0.5, 0), (1.5, 2), (-1.5, -1), (2.5, 3), (-2.5, -2), (0.49, 0), (-0.51, -1)],
)
def test_halves_go_up(x, rounded):
    assert numerics.round_half_up(x) == rounded
    assert numerics.round_half_up(np.array([x])).dtype == np.int64


def test_half_to_even_is_another_rounding():
    halves = np.arange(-9.5, 10)
    assert (np.round(halves) != numerics.round_half_up(halves)).sum() == 10


EXACT = 2**53


@pytest.mark.parametrize("kind", [np.float64, np.float32, float])
@pytest.mark.parametrize(
    ("x", "rounded"),
    [
        (1e19, EXACT),
        (-1e19, -EXACT),
        (2.0**63, EXACT),
        (3e38, EXACT),
        (-3e38, -EXACT),
        (math.inf, EXACT),
        (-math.inf, -EXACT),
        (-(2.0**52), -(2**52)),
    ],
)
def test_what_is_too_large_ends_at_its_own_end(kind, x, rounded):
    assert numerics.round_half_up(kind(x)) == rounded
    sign = 1 if x > 0 else -1
    assert numerics.round_half_up(kind(x), 0, -8, 7) == (7 if sign > 0 else -8)


def test_scale_may_leave_the_floats():
    ends = [1e300, -1e300]
    assert numerics.round_half_up(ends, -40, -8, 7).tolist() == [7, -8]
    assert numerics.round_half_up(
        [[12.0, -12.0], [12.0, 1e308]], [[3], [-1020]], -8, 7
    ).tolist() == [
        [2, -1],
        [7, 7],
    ]


@pytest.mark.parametrize("x", [math.nan, np.float32("nan"), [0.0, math.nan]])
def test_nan_is_no_integer(x):
    with pytest.raises(UserError, match=r"^numbers that are rounded must be numbers, not nan$"):
        numerics.round_half_up(x)


def test_standardised_readings_stay_finite():
    values = np.array([[1e308, 3.0], [-1e308, math.nan], [5.0, 4.0]])
    z = numerics.standardised(values, np.array([1.0, 2.0]), np.array([0.5, 2.0]))
    largest = np.finfo(np.float64).max
    assert np.array_equal(z, [[largest, 0.5], [-largest, math.nan], [8, 1]], equal_nan=True)


@given(integers, st.integers(0, 40))
def test_round_shift_is_division_rounded_half_up(x, shift):
    assert numerics.round_shift(x, shift) == half_up(Fraction(x, 1 << shift))
    assert numerics.round_shift(np.array([x]), shift)[0] == half_up(Fraction(x, 1 << shift))


@given(
    u=st.integers(-(2**24), 2**24 - 1),
    multiplier=st.integers(-(2**17), 2**17 - 1),
    addend=st.integers(-(2**40), 2**40),
    shift=st.integers(0, 40),
    zero=st.integers(-128, 127),
)
def test_requantize_is_exact_then_rounded_then_clamped(u, multiplier, addend, shift, zero):
    exact = half_up(Fraction(u * multiplier + addend, 1 << shift)) + zero
    y = numerics.requantize(np.int64(u), multiplier, addend, shift, zero, -128, 127)
    assert y == min(max(exact, -128), 127)


@pytest.mark.parametrize(
    ("x", "bits"),
    [(0, 0), (1, 1), (2, 2), (3, 2), (255, 8), (256, 9), (2**31, 32), (2**53 - 1, 53)],
)
def test_bit_length(x, bits):
    assert numerics.bit_length(x) == bits


def test_exponentials_are_a_table_and_a_shift():
    assert numerics.EXP_TABLE == [255, 234, 214, 197, 180, 165, 152, 139]
    row = np.arange(-128, 128)
    exact = 255 * 2.0 ** (-(127 - row) / 8)
    weights = numerics.exp2_weights(row)
    assert weights[-1] == 255
    assert np.all(np.diff(weights) >= 0)
    # half a unit of the table, and what the shift drops
    assert np.all((weights <= exact + 0.5) & (weights > exact - 1.5))


def test_exponentials_depend_on_the_distance_to_the_rows_maximum():
    scores = np.array([[-128, -120, -112], [100, 108, 116]])
    weights = numerics.exp2_weights(scores)
    assert weights.tolist() == [[63, 127, 255]] * 2


@pytest.mark.parametrize("keys", [1, 2, 3, 6, 24, 96, 255, 256])
def test_reciprocal_is_within_its_table(keys):
    total = np.arange(255, 255 * keys + 1)
    factor = numerics.reciprocal(total, keys)
    headroom = numerics.reciprocal_headroom(keys)
    relative = factor * total / 2.0 ** (17 + headroom) - 1
    # 9 bits of mantissa, the middle of each step
    assert np.abs(relative).max() < 0.0040
    assert factor.max() < 1 << (numerics.MULTIPLIER_BITS - 1)
    assert factor.min() > 0


@pytest.mark.parametrize(
    ("keys", "headroom"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (24, 4), (256, 7)]
)
def test_headroom_is_the_largest_exponent(keys, headroom):
    assert numerics.reciprocal_headroom(keys) == headroom


def test_reciprocal_of_one_full_weight():
    assert numerics.reciprocal(np.array([255]), 1)[0] == 2 * numerics.RECIPROCAL_TABLE[254]


@pytest.mark.parametrize(("features", "bits"), [(1, 4), (3, 4), (8, 8), (12, 7), (64, 8), (256, 8)])
def test_norm_width_holds_the_largest_variance(features, bits):
    width = numerics.norm_width(features, bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    row = np.where(np.arange(features) % 2, low, high)
    for values in (row, np.full(features, low), np.full(features, high)):
        variance = features * int((values * values).sum()) - int(values.sum()) ** 2
        assert 0 <= variance < 1 << width
    assert width % 2 == 0
    assert width >= 8


@pytest.mark.parametrize("width", [8, 10, 14, 22, 32])
def test_rsqrt_is_within_its_table(width):
    rng = np.random.default_rng(width)
    edges = [v for bit in range(width) for v in ((1 << bit), (1 << (bit + 1)) - 1)]
    variance = np.array([*edges, *rng.integers(1, 1 << width, 5000)])
    exponent, factor = numerics.rsqrt(variance, width)
    approximate = factor * 2.0 ** (exponent - 12 - (width - 8) / 2)
    relative = approximate * np.sqrt(variance) - 1
    assert np.abs(relative).max() < 0.0055
    assert factor.max() < 1 << 9
    assert exponent.min() >= 0


def test_rsqrt_of_nothing_is_nothing():
    exponent, factor = numerics.rsqrt(np.array([0, 4]), 8)
    assert (exponent[0], factor[0]) == (0, 0)
    assert factor[1] > 0


@pytest.mark.parametrize("name", ["EXP_TABLE", "RECIPROCAL_TABLE", "RSQRT_TABLE"])
def test_tables_fall_and_fit(name):
    table = getattr(numerics, name)
    assert table == sorted(table, reverse=True)
    assert 0 < table[-1] <= table[0] < 1 << (8 if name == "EXP_TABLE" else 10)
