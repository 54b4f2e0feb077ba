"""Widths of numbers, sums and squares: by hand, at their limits."""

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.widths import (
    is_long,
    signed_bits,
    signed_value,
    soft_sum,
    squared_in_dsp,
    sum_bits,
)


@pytest.mark.parametrize("low", [-9, -8, -5, -4, -1, 0])
@pytest.mark.parametrize("high", [0, 1, 3, 4, 7, 8])
def test_the_smallest_signed_number(low, high):
    bits = signed_bits(low, high)
    assert -(1 << bits - 1) <= low <= high < 1 << bits - 1
    assert bits == 1 or not -(1 << bits - 2) <= low <= high < 1 << bits - 2


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_lowest_bits_are_a_number(bits):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    for number in range(low, high + 1):
        assert signed_value(number, bits) == number
        assert signed_value(number + (3 << bits), bits) == number


@pytest.mark.parametrize("features", [1, 2, 3, 4, 5, 24, 32, 33])
@pytest.mark.parametrize("bits", [2, 8])
def test_a_sum_and_its_negative_fit(features, bits):
    """Of as many elements as the next power of two."""
    whole = 1
    while whole < features:
        whole *= 2
    largest = whole << bits - 1
    assert sum_bits(features, bits) == signed_bits(-largest, largest)


def test_a_long_sum_is_one_beyond_the_multipliers_port():
    port = SERIES7.multiplier.short_bits
    assert sum_bits(1 << port - 9, 8) == port
    assert not is_long(1 << port - 9, 8, SERIES7.multiplier)
    assert is_long((1 << port - 9) + 1, 8, SERIES7.multiplier)


def test_what_is_squared_in_luts():
    assert [soft_sum(features, 8) for features in (16, 31, 32)] == [True, True, False]
    assert [squared_in_dsp(bits) for bits in (8, 9, 10)] == [False, False, True]
