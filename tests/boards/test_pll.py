"""The PLL of an ECP5: the clock is exact, and every limit is kept."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.boards.pll import pll_for

MHZ = 10**6


def made(pll):
    """Input, through the dividers; and whether all is within the data sheet's limits."""
    primary = Fraction(pll.input_hz * pll.feedback, pll.reference)
    vco = primary * pll.primary
    clock = primary if pll.secondary is None else vco / pll.secondary
    limits = (
        3_125_000 <= Fraction(pll.input_hz, pll.reference) <= 400 * MHZ,
        400 * MHZ <= vco <= 800 * MHZ,
        all(3_125_000 <= one <= 400 * MHZ for one in (primary, clock)),
        1 <= pll.reference <= 128 and 1 <= pll.feedback <= 80 and 1 <= pll.primary <= 128,
    )
    assert vco == pll.vco_hz
    return clock, all(limits)


@pytest.mark.parametrize(
    ("input_hz", "output_hz", "dividers"),
    [
        # 800 MHz oscillator, the fastest; the input is compared undivided
        (25 * MHZ, 100 * MHZ, (1, 4, 8, None)),
        (25 * MHZ, 120 * MHZ, (5, 24, 6, None)),
        (48 * MHZ, 100 * MHZ, (12, 25, 8, None)),
        # 117 = 25 x 39 x 3 / (5 x 5): no feedback divides it, a second output does
        (25 * MHZ, 117 * MHZ, (5, 1, 117, 5)),
    ],
)
def test_named_clocks(input_hz, output_hz, dividers):
    pll = pll_for(input_hz=input_hz, output_hz=output_hz)
    assert (pll.reference, pll.feedback, pll.primary, pll.secondary) == dividers
    assert made(pll) == (output_hz, True)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from((12, 25, 48, 100)), st.integers(4, 400))
def test_every_clock_is_exact_and_within_the_limits(input_mhz, output_mhz):
    try:
        pll = pll_for(input_hz=input_mhz * MHZ, output_hz=output_mhz * MHZ)
    except ValueError as error:
        if "nearest" not in str(error):
            raise
        return
    assert made(pll) == (output_mhz * MHZ, True)


@pytest.mark.parametrize(
    ("output_hz", "nearest"),
    [
        (99_999_900, "99.609375 and 100 MHz"),
        (500 * MHZ, "400 MHz"),
        (1_000, "3.125 MHz"),
    ],
)
def test_a_clock_that_cannot_be_made_names_the_nearest(output_hz, nearest):
    with pytest.raises(ValueError, match=r"^Clock of \d+ Hz cannot be made from 25000000 Hz") as no:
        pll_for(input_hz=25 * MHZ, output_hz=output_hz)
    assert str(no.value).endswith(f"by a PLL; the nearest that can are {nearest}")
    for mhz in nearest.removesuffix(" MHz").split(" and "):
        clock = round(float(mhz) * MHZ)
        assert made(pll_for(input_hz=25 * MHZ, output_hz=clock)) == (clock, True)
