# amaranth: UnusedElaboratable=no
"""The sums in a drained accumulator, against what they are by definition."""

import random

import pytest
from amaranth.hdl import Const, Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.units import drained_sums as module
from bitformer.hw.units.drained_sums import drained_sums
from bitformer.hw.units.pipeline import delay
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.widths import signed_value

SHIFT, BITS = 6, 15
PLAIN = {
    **dict.fromkeys(("accumulator_bits", "narrow_bits", "value_bits", "scale_bits"), 12),
    **dict.fromkeys(("activation_bits", "position_bits", "last_bits", "factor_bits"), 4),
    **dict.fromkeys(("low_bits", "high_bits", "sum_bits", "shifted_bits", "result_bits"), 16),
}


class Sums(wiring.Component):
    """The sums with their carries, as numbers."""

    def __init__(self, ways, *, soft, **fields):
        self.ways, self.soft = ways, soft
        self.widths = PostProcessorWidths(product_bits=BITS, pack_shift=SHIFT, **PLAIN, **fields)
        bits = BITS + self.widths.extension
        ports = {"i_p": In(signed(bits)), "i_packed": In(1), "i_soft": In(1)}
        super().__init__(ports | {f"o_{n}": Out(signed(bits + 1)) for n in range(ways)})

    def elaborate(self, platform):
        m = Module()
        packed = delay(m, self.i_packed, 1, name="packed_now")
        soft = self.i_soft if self.soft else None
        found = drained_sums(m, self.i_p, packed, soft, widths=self.widths, ways=self.ways)
        for way, (total, carry) in enumerate(found):
            m.d.comb += getattr(self, f"o_{way}").eq(total + carry)
        return m


def expected(dut, p, packed, soft):
    """The sums of an accumulator: of a pair, of a single product, or of a broad column's."""
    widths = dut.widths
    if packed and dut.ways > 1:
        if widths.apart:
            low = p & ((1 << SHIFT) - 1) | p >> BITS << SHIFT
            return [
                signed_value(low, SHIFT + widths.extension),
                signed_value(p, BITS) >> SHIFT,
            ]
        upper = p >> SHIFT
        return [signed_value(p, SHIFT), upper + (0 if soft else p >> SHIFT - 1 & 1)]
    alone = widths.apart == 2 or (widths.broad and soft)
    return [signed_value(p, SHIFT if alone else BITS)] * dut.ways


def played(play, dut, seed=0):
    chance, steps = random.Random(seed), []
    most = 1 << BITS + dut.widths.extension - 1
    for _ in range(300):
        p = chance.choice([-most, most - 1, chance.randrange(-most, most)])
        packed = chance.randint(0, dut.ways - 1)
        steps.append(
            {"i_p": p, "i_packed": packed, "i_soft": int(dut.soft and chance.random() < 0.5)}
        )
    names = [f"o_{n}" for n in range(dut.ways)]
    shown = play(dut, [*steps, {}], names)[1:]
    wanted = [expected(dut, s["i_p"], s["i_packed"], s["i_soft"]) for s in steps]
    return [list(row) for row in shown], wanted


@pytest.mark.parametrize(
    ("ways", "soft", "fields"),
    [
        (1, False, {}),
        (2, False, {}),
        (2, True, {}),
        (2, True, {"broad": 2}),
        (2, False, {"apart": 1, "extension": 3}),
        (2, False, {"apart": 2}),
        (1, False, {"apart": 2}),
    ],
)
def test_sums_are_those_of_their_fields(play, ways, soft, fields):
    found, wanted = played(play, Sums(ways, soft=soft, **fields))
    assert found[: len(wanted)] == wanted


def test_a_sign_that_is_not_extended_is_found(play, monkeypatch):
    monkeypatch.setattr(module, "extended", lambda alone, low, whole: whole)
    found, wanted = played(play, Sums(2, soft=True, broad=2))
    assert found[: len(wanted)] != wanted


def test_a_carry_into_a_column_of_luts_is_found(play, monkeypatch):
    honest = module.delay

    def never(m, value, cycles, *, name, **options):
        return (
            Const(0) if name == "drained_soft" else honest(m, value, cycles, name=name, **options)
        )

    monkeypatch.setattr(module, "delay", never)
    found, wanted = played(play, Sums(2, soft=True))
    assert found[: len(wanted)] != wanted
