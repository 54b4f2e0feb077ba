# amaranth: UnusedElaboratable=no
"""Widths of the post-processor: which are taken, which are refused, and what they have to hold."""

from dataclasses import replace

import pytest
from postprocessor_harness import NARROW, NORM, WIDE, make, widths_of


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"factor_bits": 0}, ValueError, "^Factor bits must be a positive integer, not 0$"),
        ({"factor_bits": 2.0}, TypeError, r"^Factor bits must be a positive integer, not 2\.0$"),
        ({"factor_bits": True}, TypeError, "^Factor bits must be a positive integer, not True$"),
        ({"pack_shift": -1}, ValueError, "^Pack shift must be a non-negative integer, not -1$"),
    ],
)
def test_widths_are_checked(changes, error, message):
    widths = widths_of(NARROW, 2)
    assert replace(widths, pack_shift=0).pack_shift == 0
    with pytest.raises(error, match=message):
        replace(widths, **changes)


def test_a_norm_needs_its_rows():
    with pytest.raises(ValueError, match=r"^Norm features must be positive for operations that"):
        make((NORM,), 2, norm_bits=5)


def test_narrow_operations_must_fit_the_multiplier():
    message = r"^Narrow bits must fit the 10 bits of the SMALL's long port, not be 11$"
    assert make(NARROW, 2, narrow_bits=11)
    with pytest.raises(ValueError, match=message):
        make(WIDE, 2, narrow_bits=11)
