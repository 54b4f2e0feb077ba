"""Shifts of requantizers: as few as change no result, found again by trying them all."""

import itertools
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering import shifts
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.shifts import added_shifts, common_shifts, powers_of

SIGNED = replace(SERIES7.multiplier, short_bits=7, accumulator_bits=16)
UNSIGNED = replace(ICE40UP.multiplier, short_bits=7, accumulator_bits=16)


@dataclass(kw_only=True)
class FixedStep:
    """As much of an operation as its shift depends on: ``(u * m + added) >> shift``, plus zero."""

    y: str = "y"
    u: int = 3
    factors: tuple = (2,)
    added: int = 0
    added_shift: int | None = None
    zero: int = 0
    shift: int = 4
    at_port: bool = False

    @property
    def multipliers(self):
        return None if self.factors is None else np.array(self.factors)

    @property
    def negates(self):
        return any(factor < 0 for factor in self.factors or ())

    def multiplicand_bound(self, tensors, norm_bits):
        return self.u << norm_bits

    def added_bound(self, tensors):
        return self.added

    def limits(self, tensors):
        return self.zero, -8, 7

    def headroom(self, tensors):
        return 0


class OtherStep(FixedStep):
    """Of another kind: made by a unit of its own."""


def batch_of(*operations):
    return Batch.of(SimpleNamespace(operations=operations, tensors={}))


def allowed(op, shift, multiplier, negates):
    """Whether a shift changes no result and fits the multiplier, by the numbers themselves."""
    power = shift - op.shift
    if power == 0:
        return True
    if power < 0:
        whole = all(factor % (1 << -power) == 0 for factor in op.factors)
        return shift >= 1 and whole and (op.added_shift is None or op.added_shift + power >= 0)
    widest = multiplier.short_bits + (multiplier.unsigned and not negates)
    largest = max(map(abs, op.factors))
    total = op.u * largest + op.added + (1 + abs(op.zero) << op.shift)
    return (largest << power) < 1 << widest - 1 and (
        (total << power) < 1 << multiplier.accumulator_bits - 1
    )


STEPS = st.builds(
    FixedStep,
    u=st.integers(0, 2000),
    factors=st.lists(st.integers(-15, 15).map(lambda n: 4 * n), min_size=1, max_size=3).filter(any)
    | st.lists(st.integers(0, 63), min_size=1, max_size=2).filter(any),
    added=st.integers(0, 9000),
    added_shift=st.none() | st.integers(0, 4),
    zero=st.integers(-40, 40),
    shift=st.integers(0, 12),
)


@pytest.mark.parametrize("multiplier", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@settings(max_examples=300, deadline=None, derandomize=True)
@given(op=STEPS)
@example(op=FixedStep(u=0, factors=(1,), shift=10))
def test_an_operation_alone_has_the_end_of_what_it_may(multiplier, op):
    """Where a multiplier may be unsigned the least shift of all, else the longest."""
    may = [n for n in range(48) if allowed(op, n, multiplier, op.negates)]
    assert may == [*range(may[0], may[-1] + 1)]
    for wanted in (-1, may[0] - 1, may[0], may[-1], may[-1] + 1):
        found = common_shifts(batch_of(op), multiplier, {"y": wanted})[0, 0]
        alone = may[0] if multiplier.unsigned else may[-1]
        assert found == (wanted if wanted in may else alone)


def least_points(spans):
    """The fewest numbers of which one is in each span, by trying."""
    ends = sorted({high for _, high in spans})
    for count in range(len(ends) + 1):
        for points in itertools.combinations(ends, count):
            if all(any(low <= p <= high for p in points) for low, high in spans):
                return count
    raise AssertionError


@pytest.mark.parametrize("multiplier", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    spans=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 3), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_shifts_are_as_few_as_can_be(multiplier, spans):
    """Of spans (low, more, headroom, kind); all of a kind have the headroom of the most."""
    operations = [
        (OtherStep if other else FixedStep)(y=f"y{n}") for n, (*_, other) in enumerate(spans)
    ]
    table = {f"y{n}": (low, low + more, room) for n, (low, more, room, _) in enumerate(spans)}
    lifted = []
    for low, more, room, other in spans:
        lift = max(one[2] for one in spans if one[3] == other) - room
        lifted.append((low + lift, low + lift + more))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shifts, "_interval", lambda model, op, **_: table[op.y])
        found = common_shifts(batch_of(*operations), multiplier)[0].tolist()
    assert all(low <= own <= high for own, (low, high) in zip(found, lifted, strict=True))
    assert len(set(found)) == least_points(lifted)
    for point in set(found):
        together = [span for own, span in zip(found, lifted, strict=True) if own == point]
        if multiplier.unsigned:
            assert point == max(low for low, _ in together)
        else:
            assert point == min(high for _, high in together)


def test_an_operation_without_fixed_multipliers_keeps_its_shift():
    op = FixedStep(factors=None, shift=9)
    assert common_shifts(batch_of(op), SIGNED).tolist() == [[9]]
    assert common_shifts(batch_of(op), SIGNED, {"y": 8}).tolist() == [[9]]


def test_multipliers_of_zero_are_whole_at_any_shift():
    op = FixedStep(factors=(0,), shift=45)
    found = [common_shifts(batch_of(op), SIGNED, {"y": n})[0, 0] for n in (1, 2, 44, 45)]
    assert found == [1, 2, 44, 45]
    assert common_shifts(batch_of(op), SIGNED, {"y": 0})[0, 0] == 45


def test_what_passes_at_a_port_has_none():
    ports = FixedStep(y="in", shift=5, added_shift=2, at_port=True)
    adds = FixedStep(y="adds", factors=(1,), shift=4, added_shift=3, u=0)
    plain = FixedStep(y="plain", factors=(2,), shift=5, u=0)
    batch = batch_of(ports, adds, plain, FixedStep(y="kept", factors=None, shift=9))
    found = common_shifts(batch, SIGNED)
    assert found.tolist() == [[0, 9, 9, 9]]
    assert powers_of(batch, found).tolist() == [[0, 5, 4, 0]]
    # what is added moves along; where nothing is, there is no shift
    assert added_shifts(batch, found).tolist() == [[2, 8, 0, 0]]
