# amaranth: UnusedElaboratable=no
"""A multiplier with its registers, as simulators see it and as it is instantiated."""

import random
import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Module, Shape, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mac16_harness import instead_of_blocks

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.units.multiplier import Product

SHAPES = [
    (signed(18), signed(18)),
    (signed(7), unsigned(5)),
    (unsigned(17), signed(3)),
    (signed(20), signed(18)),  # two multipliers of an ECP5
    (signed(40), signed(9)),  # three
    (unsigned(12), None),
    (signed(18), None),
]


class Multiplying(wiring.Component):
    """A product by itself; its square where there is no second operand."""

    def __init__(self, a, b, *, multiplier, unit=Product):
        self._unit, self._shapes, self._multiplier = unit, (a, b), multiplier
        bits = Shape.cast(a).width + Shape.cast(a if b is None else b).width
        whole = unsigned(bits) if b is None else signed(bits + 1)
        super().__init__({"a": In(a), "o": Out(whole), **({} if b is None else {"b": In(b)})})

    def elaborate(self, platform):
        m = Module()
        unit = self._unit(m, platform, self._multiplier, *self._shapes, "x", "y", "z")
        m.d[unit.domain] += unit.a.eq(self.a)
        if self._shapes[1] is not None:
            m.d[unit.domain] += unit.b.eq(self.b)
        m.d.comb += self.o.eq(unit.product)
        return m


def operand(chance, shape):
    low = -(1 << shape.width - 1) if shape.signed else 0
    high = low + (1 << shape.width) - 1
    return chance.choice([low, high, chance.randint(low, high)])


def script_of(a, b, steps=60):
    chance = random.Random(a.width)
    names = {"a": a} if b is None else {"a": a, "b": b}
    return [{name: operand(chance, shape) for name, shape in names.items()} for _ in range(steps)]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_products(play, a, b):
    script = script_of(a, b)
    dut = Multiplying(a, b, multiplier=ECP5.multiplier)
    shown = play(dut, script, ["o"])
    expected = [step["a"] * step.get("b", step["a"]) for step in script]
    assert [o for (o,) in shown[Product.latency :]] == expected[: -Product.latency]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_it_is_instantiated_for_synthesis_alone(a, b):
    dut = Multiplying(a, b, multiplier=ECP5.multiplier)
    cells = [
        re.findall(r"^  cell \\?(\$mul|MULT18X18D) ", text, re.M)
        for text in (
            rtlil.convert(dut, emit_src=False),
            rtlil.convert(dut, platform=FOR_SYNTHESIS, emit_src=False),
            rtlil.convert(
                Multiplying(a, b, multiplier=SERIES7.multiplier),
                platform=FOR_SYNTHESIS,
                emit_src=False,
            ),
        )
    ]
    blocks = ECP5.multiplier.blocks(a.width + (not a.signed))
    assert cells == [["$mul"], ["MULT18X18D"] * blocks, ["$mul"]]
    assert blocks == {20: 2, 40: 3}.get(a.width, 1)


def test_a_long_second_operand_is_refused(play):
    dut = Multiplying(signed(4), signed(19), multiplier=ECP5.multiplier)
    with pytest.raises(ValueError, match=r"^Operand y must fit 18 bits \(MULT18X18D\), not 19$"):
        play(dut, [{}], ["o"])


#: What fits a port of 16 bits, signed or not, and what does not: blocks, and rows of LUTs.
MAC_SHAPES = [
    (signed(16), signed(16), 1),
    (signed(16), unsigned(16), 1),
    (unsigned(16), unsigned(16), 1),
    (unsigned(16), None, 1),
    (signed(7), unsigned(5), 1),
    (signed(16), signed(17), 1),  # a row of LUTs
    (signed(11), signed(18), 1),
    (signed(16), unsigned(17), 1),
    (signed(20), unsigned(16), 2),
    (signed(20), signed(17), 2),
    (unsigned(33), signed(18), 3),
    (signed(48), signed(18), 3),
]


class ForSynthesis(wiring.Component):
    """A component as synthesis has it, in a simulator."""

    def __init__(self, inner):
        self.inner = inner
        super().__init__(inner.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = Fragment.get(self.inner, FOR_SYNTHESIS)
        for name, member in self.signature.members.items():
            own, other = getattr(self, name), getattr(self.inner, name)
            m.d.comb += other.eq(own) if member.flow is In else own.eq(other)
        return m


@pytest.mark.parametrize(("a", "b", "blocks"), MAC_SHAPES, ids=str)
def test_blocks_of_16_bits_make_any_product(play, monkeypatch, a, b, blocks):
    dut = Multiplying(a, b, multiplier=ICE40UP.multiplier)
    text = rtlil.convert(dut, platform=FOR_SYNTHESIS, emit_src=False)
    cells = re.findall(r"^  cell \\?(\$mul|SB_MAC16) ", text, re.M)
    assert cells == ["SB_MAC16"] * blocks
    assert blocks == ICE40UP.multiplier.blocks(a.width + (not a.signed) * (a.width > 16))
    instead_of_blocks(monkeypatch)
    script = script_of(a, b, steps=300)
    shown = play(ForSynthesis(dut), script, ["o"])
    expected = [step["a"] * step.get("b", step["a"]) for step in script]
    assert [o for (o,) in shown[Product.latency :]] == expected[: -Product.latency]


def test_what_rows_of_luts_cannot_multiply_is_refused(play):
    dut = Multiplying(signed(4), signed(19), multiplier=ICE40UP.multiplier)
    with pytest.raises(ValueError, match=r"^Operand y must fit 18 bits \(SB_MAC16\), not 19$"):
        play(dut, [{}], ["o"])
