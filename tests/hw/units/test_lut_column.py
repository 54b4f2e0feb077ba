# amaranth: UnusedElaboratable=no
"""Sums in LUTs, of primitives and plain, and how the rows of a weight are added."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st
from slice_harness import instead_of_cells

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.adder import LutAdder
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lut_rows import ahead, levels_of, product_cost
from bitformer.hw.timing import ACCUMULATE
from bitformer.hw.units.lut_adder import Term, add_in_luts
from bitformer.hw.widths import signed_value

ADDER = SERIES7.multiplier.adder


class Sums(wiring.Component):
    """A sum of numbers with the given widths, shifts and signs; with ``own`` it goes on."""

    def __init__(self, terms, bits, *, own, platform, adder=ADDER):
        self.terms, self.bits, self.own = terms, bits, own
        self.platform, self.adder = platform, adder
        ports = {f"i_{n}": In(signed(width)) for n, (width, *_) in enumerate(terms)}
        super().__init__({**ports, "i_first": In(1), "o": Out(signed(bits))})

    def elaborate(self, platform):
        m = Module()
        terms = [
            Term(getattr(self, f"i_{n}"), shift, negative)
            for n, (_, shift, negative) in enumerate(self.terms)
        ]
        first = self.i_first if self.own else None
        total = add_in_luts(
            m, self.platform, self.adder, terms, self.bits, name="total", first=first
        )
        m.d.comb += self.o.eq(total)
        m.d.sync += Signal(name="clocked").eq(1)
        return m


def script_of(dut, steps, seed):
    chance, script = random.Random(seed), []
    for _ in range(steps):
        step = {"i_first": chance.getrandbits(1)}
        for n, (width, *_) in enumerate(dut.terms):
            low, high = -(1 << width - 1), (1 << width - 1) - 1
            step[f"i_{n}"] = chance.choice([low, high, chance.randint(low, high)])
        script.append(step)
    return script


def sums_of(dut, script):
    total, found = 0, []
    for step in script:
        added = sum(
            (-step[f"i_{n}"] if negative else step[f"i_{n}"]) << shift
            for n, (_, shift, negative) in enumerate(dut.terms)
        )
        kept = total if dut.own and not step["i_first"] else 0
        total = signed_value(added + kept, dut.bits)
        found.append(total)
    return found


@st.composite
def cases(draw):
    own, count = draw(st.booleans()), draw(st.integers(1, 3))
    count = min(max(count, 2 - own), 3 - own)
    shifts = [0, *(draw(st.integers(1, 5)) for _ in range(count - 1))]
    places = [sum(shifts[: n + 1]) for n in range(count)]
    # what only the lowest number has, it must have
    widths = [draw(st.integers(max(1, *shifts), 7)) for _ in range(count)]
    subtracted = draw(st.sampled_from([None, *range(0 if own else 1, count)]))
    terms = [(w, s, n == subtracted) for n, (w, s) in enumerate(zip(widths, places, strict=True))]
    return terms, draw(st.integers(max(places) + 1, 14)), own


@pytest.mark.parametrize("platform", [None, FOR_SYNTHESIS], ids=["plain", "cells"])
def test_any_sums(play, monkeypatch, platform):
    instead_of_cells(monkeypatch)

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(case=cases(), seed=st.integers(0, 99))
    def check(case, seed):
        terms, bits, own = case
        dut = Sums(terms, bits, own=own, platform=platform)
        script = script_of(dut, 30, seed)
        shown = play(dut, script, ["o"])
        assert [total for (total,) in shown[1:]] == sums_of(dut, script)[:-1]

    check()


def test_a_wrong_table_is_found(play, monkeypatch):
    instead_of_cells(monkeypatch)
    cells = replace(ADDER.cells, outputs=ADDER.cells.outputs[::-1])
    terms = [(5, 0, False), (5, 1, True)]
    for adder, right in ((ADDER, True), (replace(ADDER, cells=cells), False)):
        dut = Sums(terms, 9, own=True, platform=FOR_SYNTHESIS, adder=adder)
        script = script_of(dut, 30, 1)
        shown = play(dut, script, ["o"])
        assert ([total for (total,) in shown[1:]] == sums_of(dut, script)[:-1]) == right


@pytest.mark.parametrize(
    ("terms", "own", "message"),
    [
        ([(4, 0, False), (4, 1, False), (4, 2, False)], True, r"^Terms must be 3 at most"),
        ([(4, 0, False), (4, 1, True), (4, 2, True)], False, r"^Terms must be 3 at most"),
        ([(4, 0, True), (4, 1, False)], False, r"^Term must not be negative where it is the low"),
    ],
)
def test_sums_that_are_refused(play, terms, own, message):
    with pytest.raises(ValueError, match=message):
        play(Sums(terms, 9, own=own, platform=None), [{}], ["o"])


@pytest.mark.parametrize("terms", [2, 3])
@pytest.mark.parametrize("bits", range(2, 9))
def test_rows_are_added_in_few_levels(bits, terms):
    left = bits
    for groups in levels_of(bits, terms):
        assert sum(groups) == left
        assert set(groups) <= {1, *range(2, terms + 1)}
        assert len(groups) < left
        left = len(groups)
    assert left <= terms - 1
    assert ahead(bits, terms) == 2 + len(levels_of(bits, terms)) - ACCUMULATE


def test_levels_by_hand():
    assert levels_of(2, 3) == []
    assert levels_of(4, 3) == [[3, 1]]
    assert levels_of(8, 3) == [[3, 3, 1, 1], [3, 1]]
    assert levels_of(8, 2) == [[2, 2, 2, 2], [2, 2], [2]]
    assert [ahead(bits, 3) for bits in (2, 4, 6, 8)] == [-1, 0, 0, 1]


def test_luts_are_those_that_synthesis_counts():
    """Two products a column, and a shift register for each bit of both weights (Yosys)."""
    counted = {(2, 8, 14): 32, (3, 8, 15): 54, (4, 8, 16): 60, (4, 4, 13): 46, (6, 6, 17): 78}
    for (weight, activation, total), luts in counted.items():
        assert 2 * (product_cost(weight, activation, total, 3).luts + weight) == luts


def test_an_adder_without_cells_is_inferred(play):
    dut = Sums([(5, 0, False), (6, 2, True)], 9, own=False, platform=FOR_SYNTHESIS)
    dut.adder = LutAdder(terms=2)
    script = script_of(dut, 20, 3)
    shown = play(dut, script, ["o"])
    assert [total for (total,) in shown[1:]] == sums_of(dut, script)[:-1]
