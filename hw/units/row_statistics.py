"""Statistics of rows for LayerNorm: their sums as they are written, and a table for 1/sqrt."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from bitformer.hw.families.family import Multiplier
from bitformer.hw.timing import LONG_STATISTICS, SOFT_STATISTICS, STATISTICS, STATISTICS_QUEUE
from bitformer.hw.units.layernorm import FACTOR_BITS, statistics_layout
from bitformer.hw.units.multiplier import Product
from bitformer.hw.units.parameters import Flag, Integer, Parameter
from bitformer.hw.units.pipeline import after, delay, multiply_in_luts, twice
from bitformer.hw.widths import is_long, soft_sum, squared_in_dsp
from bitformer.model import numerics

__all__ = ["RowStatistics"]

#: Bits by which a long variance is first shifted, and those that are kept of it then.
_COARSE, _KEPT = 16, 24


def _square(m: Module, magnitude: Value, *, name: str) -> Value:
    """Return a number up to ``2**(b-1)`` squared a cycle later: a table for all but the largest."""
    bits = len(magnitude)
    square = Signal(2 * bits, name=name, reset_less=True)
    table = Array(Const(i * i, 2 * bits - 2) for i in range(1 << (bits - 1)))
    m.d.sync += square.eq(Mux(magnitude[-1], 1 << (2 * bits - 2), table[magnitude[:-1]]))
    return square


class RowStatistics(wiring.Component):
    """Computes ``sum(x)`` and ``1 / sqrt(N * sum(x^2) - sum(x)^2)`` of rows, and queues them.

    Latency: 11 cycles from ``i_last`` to the queue's end, 14 for long rows: their sum is squared in
    two steps with one multiplier, and their variance is normalised in two. Throughput: one word a
    cycle, rows back to back; long rows end at least 2 cycles apart.

    Parameters
    ----------
    features : int
        Elements of a row.
    bits : int
        Width of an element.
    ways : int
        Elements of a word.
    multiplier : Multiplier
        The device's, which says what rows are long.
    upper_bits : int
        Width of the elements that are not the first of their word; that of all by default.
    queue : int
        Rows whose results wait at most.
    apart : int
        Cycles at least from a row's end to the next row's. Where they are many, a sum is held while
        it is needed, and not passed on from stage to stage.
    rounds : int
        Rows whose words come in turn: each has sums of its own.
    soft : bool
        A row's sum is squared in LUTs, which takes a cycle more.

    Members
    -------
    i_x : In(ArrayLayout(signed(bits), ways))
        Word of elements.
    i_valid : In(ways)
        Which of them belong to the row; a word of which none does is ignored.
    i_first : In(1)
        The word is its row's first.
    i_last : In(1)
        The word is its row's last.
    i_round : In(range(rounds))
        Which of such rows the word is of; only with several.
    i_take : In(1)
        The head of the queue has been taken.
    o_statistics : Out(statistics_layout(features, bits))
        Head of the queue.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above, or ``upper_bits`` more than ``bits``.
    """

    features = Integer(1)
    bits = Integer(1)
    ways = Integer(1)
    upper_bits = Integer(1)
    queue = Integer(1, STATISTICS_QUEUE)
    apart = Integer(1)
    rounds = Integer(1)
    soft = Flag()
    multiplier = Parameter(Multiplier, "a Multiplier")

    def __init__(
        self,
        *,
        features: int,
        bits: int,
        ways: int,
        multiplier: Multiplier,
        upper_bits: int | None = None,
        queue: int = STATISTICS_QUEUE,
        apart: int = 1,
        rounds: int = 1,
        soft: bool = False,
    ):
        self.queue, self.apart, self.rounds, self.soft = queue, apart, rounds, soft
        if soft and not soft_sum(features, bits):
            raise ValueError(f"Soft must be False for rows of {features} elements of {bits} bits")
        self.features, self.bits, self.ways, self.multiplier = features, bits, ways, multiplier
        self.upper_bits = bits if upper_bits is None else upper_bits
        if self.upper_bits > bits:
            raise ValueError(f"Upper bits must be {bits} at most, not {upper_bits}")
        super().__init__(
            {
                "i_x": In(data.ArrayLayout(signed(bits), ways)),
                "i_valid": In(ways),
                "i_first": In(1),
                "i_last": In(1),
                **({"i_round": In(range(rounds))} if rounds > 1 else {}),
                "i_take": In(1),
                "o_statistics": Out(statistics_layout(features, bits)),
            }
        )

    @property
    def long(self) -> bool:
        """Whether rows are long: their sum does not fit the multiplier's short port."""
        return is_long(self.features, self.bits, self.multiplier)

    @property
    def latency(self) -> int:
        """Cycles from a row's last word to its statistics."""
        return STATISTICS + (LONG_STATISTICS if self.long else 0) + SOFT_STATISTICS * self.soft

    def model(self, row: Sequence[int]) -> tuple[int, int, int]:
        """Return the total, exponent and factor of a row."""
        total, exponent, factor = numerics.row_statistics(np.array(row), self.bits)
        return int(total[0]), int(exponent[0]), int(factor[0])

    def elaborate(self, platform):
        m = Module()
        valid = self.i_valid.any()
        ends = self.i_last & valid
        total, power = self._sums(m, platform, valid)
        coarse = None
        complete = delay(m, ends, 4, name="complete", reset_less=False)
        scaled = self._scaled(m, power, complete, LONG_STATISTICS if self.long else 1)
        if self.long:
            long = self._long_variance(m, platform, total, scaled, complete)
            variance, coarse = self._coarse(m, long)
        elif self.soft:
            variance = self._soft_variance(m, total, scaled)
        else:
            variance = self._variance(m, platform, total, scaled)
        exponent, factor = self._root(m, variance, coarse)

        result = Signal(statistics_layout(self.features, self.bits), reset_less=True)
        late = self.latency - 1
        m.d.sync += [
            result.total.eq(self._kept(m, total, complete, late - 5, name="total").as_signed()),
            result.exponent.eq(exponent),
            result.factor.eq(factor),
        ]
        self._waiting(m, result, delay(m, ends, late, name="finished", reset_less=False))
        return m

    def _sums(self, m: Module, platform: object, valid: Value) -> tuple[Signal, Signal]:
        """Return the sum of a row and of its squares, after stages 1 to 4."""
        features, bits, ways = self.features, self.bits, self.ways
        # stages 1, 2: squares by table, in LUTs: multipliers are for the engine
        sums, squares = [], []
        for way in range(ways):
            own = self.upper_bits if way else bits
            x = self.i_x[way][:own].as_signed()
            real = Signal(signed(own), name=f"real_{way}", reset_less=True)
            unit = None
            names = f"magnitude_{way}", f"square_{way}"
            if squared_in_dsp(own):
                unit = Product(m, platform, self.multiplier, own, None, *names)
            magnitude = unit.a if unit else Signal(own, name=names[0], reset_less=True)
            domain = unit.domain if unit else "sync"
            m.d.sync += real.eq(0)
            m.d[domain] += magnitude.eq(0)
            with m.If(self.i_valid[way]):
                m.d.sync += real.eq(x)
                m.d[domain] += magnitude.eq(abs(x))
            square = unit.product if unit else _square(m, magnitude, name=names[1])
            sums.append(delay(m, real, 1, name=f"real_late_{way}").as_signed())
            squares.append(square)
        # stages 3, 4: the word's sums, the row's sums
        word_sum = Signal(signed(bits + ways - 1), reset_less=True)
        word_power = Signal(2 * bits + ways - 1, reset_less=True)
        m.d.sync += [word_sum.eq(sum(sums)), word_power.eq(sum(squares))]
        # it resets, and so is no shift register in LUTs, which would answer late
        first = delay(m, self.i_first, 3, name="first", reset_less=False)
        total = Signal(statistics_layout(features, bits).members["total"], reset_less=True)
        power = Signal(2 * bits + features.bit_length(), reset_less=True)
        active = delay(m, valid, 3, name="active", reset_less=False)
        totals, powers = [total], [power]
        for number in range(1, self.rounds):
            totals.append(Signal.like(total, name=f"total_{number}", reset_less=True))
            powers.append(Signal.like(power, name=f"power_{number}", reset_less=True))
        turn, begins = Const(0, 1), (first, first)
        if self.rounds > 1:
            turn = delay(m, self.i_round, 3, name="turn", reset_less=False)
            # there are more sums: those of numbers and of squares have a register each
            begins = twice(
                m, delay(m, self.i_first, 2, name="begin", reset_less=False), name="begins"
            )
        for number, (own, own_power) in enumerate(zip(totals, powers, strict=True)):
            with m.If(active & (turn == number)):
                m.d.sync += [
                    own.eq(Mux(begins[0], 0, own) + word_sum),
                    own_power.eq(Mux(begins[1], 0, own_power) + word_power),
                ]
        if self.rounds == 1:
            return total, power
        late = delay(m, turn, 1, name="turn_late", reset_less=False)
        now, power_now = Signal.like(total, name="total_now"), Signal.like(power, name="power_now")
        m.d.comb += [now.eq(Array(totals)[late]), power_now.eq(Array(powers)[late])]
        return now, power_now

    def _kept(self, m: Module, value: Value, complete: Value, cycles: int, *, name: str) -> Value:
        """Return a row's sum of so many cycles before, or the same from the next cycle on."""
        if cycles > self.apart:
            return delay(m, value, cycles, name=name)
        held = Signal(len(value), name=f"{name}_kept", reset_less=True)
        with m.If(complete):
            m.d.sync += held.eq(value)
        return held

    def _scaled(self, m: Module, power: Value, complete: Value, wait: int) -> Value:
        """Return ``N * sum(x^2)``, ``wait`` cycles and one after the sum."""
        width = numerics.norm_width(self.features, self.bits) + 1
        if wait < self.apart:
            power = self._kept(m, power, complete, wait + 1, name="power")
            if self.features & (self.features - 1) == 0:
                zeros = exact_log2(self.features)
                return Cat(Const(0, zeros), power, Const(0, width))[:width]
            wait = 0
        scaled = Signal(width, name="scaled", reset_less=True)
        m.d.sync += scaled.eq(multiply_in_luts(power, Const(self.features)))
        return delay(m, scaled, wait, name="scaled")

    def _variance(self, m: Module, platform: object, total: Value, scaled: Value) -> Signal:
        """Return ``D = N * sum(x^2) - sum(x)^2`` after stages 5 to 7, squared by a multiplier."""
        variance = Signal(len(scaled) - 1, reset_less=True)
        # a block that is inferred takes a sum behind its product with it, but no difference
        own, minus = total.shape(), signed(len(total) + 1)
        added = self.multiplier.cell is None and minus.width <= self.multiplier.long_bits
        names = "minus", "a", "product"
        unit = (
            Product(m, platform, self.multiplier, minus, own, *names)
            if added
            else Product(m, platform, self.multiplier, own, None, *names[1:])
        )
        if added:
            m.d[unit.domain] += [unit.a.eq(-total), unit.b.eq(total)]
            m.d.sync += variance.eq(scaled + unit.product)
        else:
            m.d[unit.domain] += unit.a.eq(total)
            m.d.sync += variance.eq(scaled - unit.product)
        return variance

    @staticmethod
    def _soft_variance(m: Module, total: Value, scaled: Value) -> Signal:
        """Return D a cycle later than with a multiplier: of the sum's three parts of 4 bits each.

        With parts a, b and c, highest first, the square is a number of the squares of all, more
        2ab and 2bc side by side, more 2ac: tables, and two sums behind them.
        """
        bits = 4
        magnitude = Signal(3 * bits, reset_less=True)
        m.d.sync += magnitude.eq(abs(total))
        c, b, a = (magnitude.word_select(n, bits) for n in range(3))
        square = Array(Const(n * n, 2 * bits) for n in range(1 << bits))
        squares = Signal(6 * bits, reset_less=True)
        ab, bc, ac = (Signal(2 * bits, name=n, reset_less=True) for n in ("ab", "bc", "ac"))
        product = Array(Const((n & 15) * (n >> bits), 2 * bits) for n in range(1 << 2 * bits))
        m.d.sync += [
            squares.eq(Cat(square[c], square[b], square[a])),
            ab.eq(product[Cat(a, b)]),
            bc.eq(product[Cat(b, c)]),
            ac.eq(product[Cat(a, c)]),
        ]
        known = Signal(6 * bits + 1, reset_less=True)
        left = Signal(signed(len(scaled) + 1), reset_less=True)
        variance = Signal(len(scaled) - 1, reset_less=True)
        beside = Cat(Const(0, bits + 1), bc, ab)
        m.d.sync += [
            known.eq(squares + beside),
            left.eq(scaled - (ac << 2 * bits + 1)),
            variance.eq(left - known),
        ]
        return variance

    def _long_variance(
        self, m: Module, platform: object, total: Value, scaled: Value, complete: Value
    ) -> Signal:
        """Return D after 3 more stages: the sum is multiplied by its upper, then its lower bits."""
        split = self.multiplier.short_split
        held = Signal.like(total, name="held", reset_less=True)
        lower = Cat(held[:split], Const(0, 1)).as_signed()
        names = "a", "b", "part"
        unit = Product(m, platform, self.multiplier, total.shape(), signed(split + 1), *names)
        whole = Mux(complete, total, held)
        m.d[unit.domain] += [unit.a.eq(whole), unit.b.eq(Mux(complete, total >> split, lower))]
        part = unit.product
        upper = Signal(signed(2 * len(total) - split), reset_less=True)
        product = Signal(2 * len(total), reset_less=True)
        variance = Signal(len(scaled) - 1, reset_less=True)
        m.d.sync += [
            held.eq(whole),
            upper.eq(part),
            product.eq((upper << split) + part),
            variance.eq(scaled - product),
        ]
        return variance

    @staticmethod
    def _coarse(m: Module, variance: Value) -> tuple[Value, Value]:
        """Return the upper ``_KEPT`` bits from the first 16 that are not all 0, and their place."""
        width = len(variance)
        shifts = range(-(-width // _COARSE))
        kept, coarse = Signal(_KEPT, reset_less=True), Signal(range(len(shifts)), reset_less=True)
        padded = Cat(Const(0, _KEPT), variance)
        m.d.sync += [coarse.eq(0), kept.eq(padded[width:])]
        for shift in reversed(shifts):
            end = _KEPT + width - shift * _COARSE
            group = padded[max(_KEPT, end - _COARSE) : end]
            with m.If(group.any()):
                m.d.sync += [coarse.eq(shift), kept.eq(padded[end - _KEPT : end])]
        return kept, coarse

    def _root(self, m: Module, variance: Value, coarse: Value | None) -> tuple[Value, Value]:
        """Return the exponent and the factor of a variance, for the last of stages 8 to 11.

        The exponent makes the mantissa's first two bits not both 0; the table has its first eight.
        """
        kept = len(variance)
        steps = (kept if coarse is None else _COARSE) // 2
        exponent = Signal(range(steps + (coarse is None)), reset_less=True)
        late = Signal.like(variance, name="late", reset_less=True)
        index = Signal(8, reset_less=True)
        m.d.sync += [
            exponent.eq(0),
            late.eq(variance),
            index.eq((late << (exponent << 1)) >> (kept - 8)),
        ]
        for step in reversed(range(steps)):
            top = kept - 2 * step
            with m.If(variance[top - 2 : top].any()):
                m.d.sync += exponent.eq(step)
        found = delay(m, exponent, 1, name="exponent")
        if coarse is not None:
            found = Cat(found, delay(m, coarse, 2, name="coarse"))
        unused = 256 - len(numerics.RSQRT_TABLE)
        table = Array(Const(entry, FACTOR_BITS) for entry in [0] * unused + numerics.RSQRT_TABLE)
        return found, table[index]

    def _waiting(self, m: Module, result: Value, finished: Value) -> None:
        """Keep results in order until they are taken."""
        depth = self.queue
        m.submodules.queue = store = memory.Memory(
            shape=result.shape(), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = store.write_port(), store.read_port(domain="comb")
        tail, head = Signal(range(depth)), Signal(range(depth))
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(result),
            write.en.eq(finished),
            read.addr.eq(head),
            self.o_statistics.eq(read.data),
        ]
        with m.If(finished):
            m.d.sync += tail.eq(after(tail, depth))
        with m.If(self.i_take):
            m.d.sync += head.eq(after(head, depth))
