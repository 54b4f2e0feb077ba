"""Softmax without a divider: a row's maximum, its exponentials, and the reciprocal of their sum."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.units.pipeline import delay
from bitformer.model import numerics

__all__ = ["Exponential", "Reciprocal", "RowMaximum"]

_FRACTION = numerics.SCORE_FRACTION_BITS
_WEIGHT_BITS = max(numerics.EXP_TABLE).bit_length()


class Exponential(wiring.Component):
    """``EXP_TABLE[frac] >> int`` of the distance to the maximum; see ``numerics.exp2_weights``.

    Latency 3 cycles, one result a cycle.

    Members
    -------
    i_score, i_maximum : signed, 1/8 octaves; the maximum is no less. o_weight : 0 to 255.
    """

    latency = 3

    def __init__(self):
        super().__init__(
            {
                "i_score": In(signed(numerics.SCORE_BITS)),
                "i_maximum": In(signed(numerics.SCORE_BITS)),
                "o_weight": Out(unsigned(_WEIGHT_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        distance = Signal(numerics.SCORE_BITS, reset_less=True)
        base = Signal(_WEIGHT_BITS, reset_less=True)
        shift = Signal(numerics.SCORE_BITS - _FRACTION, reset_less=True)
        table = Array(Const(entry, _WEIGHT_BITS) for entry in numerics.EXP_TABLE)
        m.d.sync += [
            distance.eq(self.i_maximum - self.i_score),
            base.eq(table[distance[:_FRACTION]]),
            shift.eq(distance[_FRACTION:]),
            self.o_weight.eq(base >> shift),
        ]
        return m


class Reciprocal(wiring.Component):
    """Sums a row's weights and looks up the multiplier that divides by the sum.

    The sum is complete with the weight marked ``i_last``; the multiplier
    (``numerics.reciprocal``) is out ``latency`` cycles after it and stays until the next.

    Parameters
    ----------
    keys : most weights in a row.

    Members
    -------
    i_weight, i_valid, i_first, i_last : a row, one weight a cycle. o_factor : the multiplier.
    """

    latency = 6

    def __init__(self, *, keys: int):
        if keys < 1:
            raise ValueError(f"Keys must be a positive integer, not {keys}")
        self._keys = keys
        largest = max(numerics.RECIPROCAL_TABLE) << (numerics.reciprocal_headroom(keys) + 1)
        super().__init__(
            {
                "i_weight": In(_WEIGHT_BITS),
                "i_valid": In(1),
                "i_first": In(1),
                "i_last": In(1),
                "o_factor": Out(largest.bit_length()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        headroom = numerics.reciprocal_headroom(self._keys)
        bits = (max(numerics.EXP_TABLE) * self._keys).bit_length()
        total, final = Signal(bits, reset_less=True), Signal(max(9, bits), reset_less=True)
        # exponents run from -1 (a sum of 255) to the headroom
        step = Signal(range(headroom + 2))
        mantissa = Signal(8)
        with m.If(self.i_valid):
            m.d.sync += total.eq(Mux(self.i_first, 0, total) + self.i_weight)
        with m.If(delay(m, self.i_valid & self.i_last, 1, name="last", reset_less=False)):
            m.d.sync += final.eq(total)
        m.d.comb += [step.eq(0), mantissa.eq(final << 1)]
        for exponent in range(headroom + 1):
            with m.If(final[exponent + 8]):
                m.d.comb += [step.eq(exponent + 1), mantissa.eq(final[exponent : exponent + 8])]
        index = delay(m, mantissa, 1, name="mantissa")
        exponent = delay(m, step, 2, name="exponent")
        entry = Signal(9, reset_less=True)
        table = Array(Const(value, 9) for value in numerics.RECIPROCAL_TABLE)
        m.d.sync += entry.eq(table[index])
        factor = Signal.like(self.o_factor)
        m.d.comb += factor.eq(Cat(Const(0, headroom + 1), entry) >> exponent)
        m.d.comb += self.o_factor.eq(delay(m, factor, 2, name="factor"))
        return m


class RowMaximum(wiring.Component):
    """Largest score of a row that arrives ``ways`` at a time.

    ``o_maximum`` is valid 2 cycles after ``i_last``, when ``o_done`` is high.

    Members
    -------
    i_score, i_valid : ``ways`` scores, each with its valid bit. i_first, i_last : the row's bounds.
    """

    def __init__(self, *, ways: int):
        self._ways = ways
        ports = {f"i_score_{way}": In(signed(numerics.SCORE_BITS)) for way in range(ways)}
        super().__init__(
            {
                **ports,
                "i_valid": In(ways),
                "i_first": In(1),
                "i_last": In(1),
                "o_maximum": Out(signed(numerics.SCORE_BITS)),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lowest = Const(-(1 << (numerics.SCORE_BITS - 1)), signed(numerics.SCORE_BITS))
        scores = [getattr(self, f"i_score_{way}") for way in range(self._ways)]
        best = Signal(signed(numerics.SCORE_BITS), reset_less=True)
        masked = [Mux(self.i_valid[w], score, lowest) for w, score in enumerate(scores)]
        larger = masked[0]
        for score in masked[1:]:
            larger = Mux(larger > score, larger, score)
        m.d.sync += best.eq(larger)
        valid = delay(m, self.i_valid.any(), 1, name="valid", reset_less=False)
        first = delay(m, self.i_first, 1, name="first")
        with m.If(valid & (first | (best > self.o_maximum))):
            m.d.sync += self.o_maximum.eq(best)
        last = self.i_last & self.i_valid.any()
        m.d.comb += self.o_done.eq(delay(m, last, 2, name="last", reset_less=False))
        return m
