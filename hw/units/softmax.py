"""Softmax without a divider: a row's maximum, its exponentials, and the reciprocal of their sum."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitformer.hw.units.parameters import Integer
from bitformer.hw.units.pipeline import delay
from bitformer.model import numerics

__all__ = ["Exponential", "Reciprocal", "RowMaximum"]

_FRACTION = numerics.SCORE_FRACTION_BITS
_WEIGHT_BITS = max(numerics.EXP_TABLE).bit_length()


class Exponential(wiring.Component):
    """Looks up a softmax numerator: ``EXP_TABLE[frac] >> int`` of the distance to the maximum.

    Latency: 3 cycles. Throughput: one numerator a cycle.

    Members
    -------
    i_score : In(signed(8))
        Logit, in 1/8 octaves.
    i_maximum : In(signed(8))
        Largest logit of its row, not less than ``i_score``.
    o_weight : Out(8)
        Numerator, 0 to 255.
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

    def model(self, score: int, maximum: int) -> int:
        """Return ``o_weight`` of a logit in a row with this maximum."""
        return int(numerics.exp2_weights(np.array([score, maximum]))[0])

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
    """Sums a row's numerators and looks up the multiplier that divides by the sum.

    Latency: 6 cycles from ``i_last`` to ``o_factor``, which stays until the next row's. Throughput:
    one numerator a cycle, rows back to back.

    Parameters
    ----------
    keys : int
        Most numerators in a row.

    Members
    -------
    i_weight : In(8)
        Numerator.
    i_valid : In(1)
        It belongs to a row.
    i_first : In(1)
        It is its row's first.
    i_last : In(1)
        It is its row's last.
    o_factor : Out(bits_for(max(RECIPROCAL_TABLE) << (reciprocal_headroom(keys) + 1)))
        Multiplier, see :func:`bitformer.model.numerics.reciprocal`.

    Raises
    ------
    TypeError, ValueError
        If ``keys`` is no positive integer.
    """

    latency = 6
    keys = Integer(1)

    def __init__(self, *, keys: int):
        self.keys = keys
        largest = max(numerics.RECIPROCAL_TABLE) << (numerics.reciprocal_headroom(keys) + 1)
        super().__init__(
            {
                "i_weight": In(_WEIGHT_BITS),
                "i_valid": In(1),
                "i_first": In(1),
                "i_last": In(1),
                "o_factor": Out(bits_for(largest)),
            }
        )

    def model(self, weights: Sequence[int]) -> int:
        """Return ``o_factor`` of a row of numerators, of which one at least is 255."""
        return int(numerics.reciprocal(np.int64(sum(weights)), self.keys))

    def elaborate(self, platform):
        m = Module()
        headroom = numerics.reciprocal_headroom(self.keys)
        bits = (max(numerics.EXP_TABLE) * self.keys).bit_length()
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
    """Finds the largest logit of a row that arrives ``ways`` at a time.

    Latency: 2 cycles from ``i_last`` to ``o_done``. Throughput: one word a cycle, rows back to
    back.

    Parameters
    ----------
    ways : int
        Logits in a word.

    Members
    -------
    i_score : In(ArrayLayout(signed(8), ways))
        Word of logits.
    i_valid : In(ways)
        Which of them belong to the row; a word of which none does is ignored.
    i_first : In(1)
        The word is its row's first.
    i_last : In(1)
        The word is its row's last.
    o_maximum : Out(signed(8))
        Largest logit of the row so far.
    o_done : Out(1)
        ``o_maximum`` is a whole row's.

    Raises
    ------
    TypeError, ValueError
        If ``ways`` is no positive integer.
    """

    latency = 2
    ways = Integer(1)

    def __init__(self, *, ways: int):
        self.ways = ways
        super().__init__(
            {
                "i_score": In(data.ArrayLayout(signed(numerics.SCORE_BITS), ways)),
                "i_valid": In(ways),
                "i_first": In(1),
                "i_last": In(1),
                "o_maximum": Out(signed(numerics.SCORE_BITS)),
                "o_done": Out(1),
            }
        )

    def model(self, scores: Sequence[int]) -> int:
        """Return ``o_maximum`` of a row of logits."""
        return max(scores)

    def elaborate(self, platform):
        m = Module()
        lowest = Const(-(1 << (numerics.SCORE_BITS - 1)), signed(numerics.SCORE_BITS))
        best = Signal(signed(numerics.SCORE_BITS), reset_less=True)
        masked = [Mux(self.i_valid[w], self.i_score[w], lowest) for w in range(self.ways)]
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
