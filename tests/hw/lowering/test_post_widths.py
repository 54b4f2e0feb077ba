"""The post-processor is as wide as what it multiplies, adds and shifts, and no bit wider."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.post_widths import multiplicands, post_widths

MULTIPLIER = replace(SERIES7.multiplier, long_bits=6, accumulator_bits=20)
NONE = frozenset()


@dataclass(kw_only=True)
class WideStep:
    """As much of an operation as the widths of its post-processor depend on."""

    y: str = "y"
    u: int = 0
    factor: int = 0
    added: int = 0
    zero: int = 0
    shift: int = 3
    at_port: bool = False
    normalizes: bool = False

    @property
    def reads(self):
        return ("row",)

    def multiplicand_bound(self, tensors, norm_bits):
        return self.u << norm_bits

    def multiplier_bound(self, tensors):
        return self.factor

    def added_bound(self, tensors):
        return self.added

    def limits(self, tensors):
        return self.zero, -8, 7


def widths(*operations, shifts=None, wide=NONE, multiplier=MULTIPLIER):
    """The post-processor's widths; each operation at its own shift, or at one of ``shifts``."""
    model = SimpleNamespace(operations=operations, tensors={"row": SimpleNamespace(bits=2)})
    shifts = shifts or [0 if op.at_port else op.shift for op in operations]
    found = post_widths(Batch.of(model), np.array([shifts]), wide, multiplier)
    return {name.removesuffix("_bits"): int(bits[0]) for name, bits in found.items()}


def signed(largest):
    """Bits of numbers from ``-largest`` to ``largest``."""
    return next(bits for bits in range(1, 64) if largest < 1 << bits - 1)


STEPS = [
    # a product alone, of 63 and of 64: half a step and what is rounded away are 1 << shift
    {"u": 5, "factor": 11, "shift": 3},
    {"u": 8, "factor": 7, "shift": 3},
    # a result of 6, and of one more where it is negative
    {"u": 1, "factor": 47, "shift": 3},
    {"u": 0, "factor": 3, "added": 55},
    {"u": 0, "factor": 3, "added": 56},
    {"u": 4, "factor": 4, "added": 15, "zero": 3, "shift": 3},
    {"u": 4, "factor": 4, "added": 15, "zero": -3, "shift": 3},
    {"u": 4, "factor": 4, "added": 16, "zero": 3, "shift": 3},
    {"zero": 6, "shift": 0},
    {"zero": -7, "shift": 0},
]


@pytest.mark.parametrize("step", STEPS)
def test_sums_fit_and_no_bit_is_spared(step):
    op = WideStep(**step)
    total = op.u * op.factor + op.added + (1 << op.shift) + (abs(op.zero) << op.shift)
    result = (op.u * op.factor + op.added + (1 << op.shift)) // (1 << op.shift)
    found = widths(op)
    assert found["value"] == found["low"] == found["high"] == signed(total)
    assert found["factor"] == signed(op.factor)
    assert found["result"] == signed(result + abs(op.zero) + 1)
    assert found["sum"] == 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("power", [0, 1, 2])
def test_a_longer_shift_scales_all_that_is_added(step, power):
    op = WideStep(**step)
    longer = replace(op, factor=op.factor << power, added=op.added << power, shift=op.shift + power)
    assert widths(op, shifts=[op.shift + power]) == widths(longer)
    # of a normalised row, the power is in the multiplicand
    row = replace(op, normalizes=True)
    assert widths(row, shifts=[op.shift + power]) == widths(
        replace(longer, u=op.u << 2, factor=op.factor)
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_wide_operation_has_its_product_in_two_parts(step):
    """Of long_bits 6, the first multiplier has 5 bits of u and the other those above."""
    op = WideStep(**step, y="wide")
    offset = op.added + (1 << op.shift) + (abs(op.zero) << op.shift)
    found = widths(op, wide=frozenset({"wide"}))
    assert found["low"] == signed(op.factor * 32 + offset)
    assert found["high"] == signed((op.u // 32 + 1) * op.factor)
    assert found["sum"] == signed(op.u * op.factor + offset)
    assert found["value"] == 1
    # where another operation's sums are longer, both multipliers' are as long
    long = WideStep(y="long", u=1, factor=1 << 15)
    both = widths(op, long, wide=frozenset({"wide"}))
    assert both["value"] == both["low"] == both["high"] == widths(long)["value"]
    assert both["sum"] == found["sum"]


def test_an_upper_part_begins_behind_the_lower_bits():
    wide = frozenset({"y"})
    for u, upper in ((31, 1), (32, 2), (95, 3), (96, 4)):
        assert widths(WideStep(u=u, factor=1000), wide=wide)["high"] == signed(upper * 1000)


def test_the_widest_operation_counts_and_what_is_at_a_port_does_not():
    small, large = WideStep(u=3, factor=3), WideStep(u=300, factor=20, zero=2, shift=1)
    port = WideStep(u=9000, factor=9000, added=9000, at_port=True)
    assert widths(small, large, port, small) == widths(large)
    model = SimpleNamespace(
        operations=(small, port, WideStep(u=3, normalizes=True)),
        tensors={"row": SimpleNamespace(bits=5)},
    )
    # one unit serves all normalised rows, as wide as the widest
    assert multiplicands(Batch.of(model)).tolist() == [[3, 0, 3 << 5]]


def test_a_shift_beyond_the_accumulator_is_too_wide_and_does_not_wrap():
    for shift in (20, 40, 61):
        assert widths(WideStep(zero=100, shift=shift))["value"] > MULTIPLIER.accumulator_bits
    # up to the last bit of the accumulator a zero point is moved as far as it must be
    assert widths(WideStep(zero=1, shift=19))["value"] == signed(2 << 19)
    longest = WideStep(zero=-(1 << 15), shift=48)
    assert widths(longest, multiplier=SERIES7.multiplier)["value"] > 48
