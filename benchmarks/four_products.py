"""What four products of 4 bits in a DSP48E1 take: LUTs of a multiplier, for docs/lanes.md.

    python benchmarks/four_products.py

Two weights and two activations of 4 bits make four products in one multiplication, 10 bits apart:
exact as long as each sum fits 10 bits, that is for nine terms. So they are added up nine at a time
in the multiplier's accumulator, and all in sums of their own, in LUTs.
"""

import itertools

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.units.multiplier import Product
from bitformer.hw.units.pipeline import delay
from bitformer.synth.synthesize import synthesize

#: Bits of a number, from one product to the next, and of a sum of 32 terms.
BITS, APART, SUM = 4, 10, 12
#: Terms that fit: 4-bit weights are never -8, activations may be.
TERMS = ((1 << APART - 1) - 1) // (7 * 8)
COLUMNS = 8


class FourProducts(wiring.Component):
    """Multipliers side by side, each of two token rows' activations and two weights."""

    i_x: In(2 * BITS)
    i_w: In(2 * BITS * COLUMNS)
    i_first: In(1)
    i_drain: In(1)
    o_sums: Out(4 * SUM * COLUMNS)

    def elaborate(self, platform):
        m = Module()
        x = delay(m, _apart(self.i_x, 2 * APART), 1, name="x").as_signed()
        first, drain, sums = self.i_first, self.i_drain, []
        for j in range(COLUMNS):
            first, drain = delay(m, first, 1, name=f"f_{j}"), delay(m, drain, 1, name=f"d_{j}")
            word = self.i_w.word_select(j, 2 * BITS)
            w = delay(m, _apart(word, APART), 1, name=f"w_{j}").as_signed()
            names = f"a_{j}", f"b_{j}", f"m_{j}"
            unit = Product(m, platform, SERIES7.multiplier, x.shape(), w.shape(), *names)
            m.d[unit.domain] += [unit.a.eq(x), unit.b.eq(w)]
            part = Signal(signed(4 * APART + BITS), name=f"p_{j}", reset_less=True)
            m.d.sync += part.eq(Mux(drain, 0, part) + unit.product)
            sums += self._drained(m, j, part, first, drain)
            x = delay(m, x, 1, name=f"x_{j}").as_signed()
        m.d.comb += self.o_sums.eq(Cat(sums))
        return m

    def _drained(self, m: Module, j: int, part: Signal, first: Value, drain: Value) -> list[Value]:
        """Return the four sums of a multiplier: each field takes the borrow of the one below."""
        sums: list[Value] = []
        borrow: Value = Const(0, 1)
        for place in range(4):
            field = part[place * APART : (place + 1) * APART]
            total = Signal(signed(SUM), name=f"sum_{j}_{place}", reset_less=True)
            terms = Cat(Const(1, 1), Mux(first, 0, total)), Cat(borrow, field)
            with m.If(drain):
                m.d.sync += total.eq((terms[0].as_signed() + terms[1].as_signed()) >> 1)
            borrow = field[-1]
            sums.append(total)
        return sums


def _apart(pair: Value, bits: int) -> Value:
    """Return two numbers in one, so many bits apart."""
    low, high = (pair[n * BITS : (n + 1) * BITS].as_signed() for n in (0, 1))
    return ((high << bits) + low)[: bits + BITS + 1]


def exact(terms: int) -> bool:
    """Return whether sums of so many products, the most and the least, come out of their fields."""
    for low, high in itertools.product((-8 * 7, 8 * 7), repeat=2):
        whole = terms * (low + (high << APART))
        found = (whole + (1 << APART - 1) & (1 << APART) - 1) - (1 << APART - 1)
        if found != terms * low:
            return False
    return True


def main() -> None:
    result = synthesize(FourProducts(), part="xc7s15")
    taken = result.resources
    print(f"terms at a time: {TERMS} (exact: {exact(TERMS)}; of one more: {exact(TERMS + 1)})")
    print(f"{taken.dsps} multipliers, {taken.luts} LUTs: {taken.luts / taken.dsps:.1f} each")


if __name__ == "__main__":
    main()
