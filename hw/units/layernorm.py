"""LayerNorm: sums of a row as it is written, a table for 1/sqrt, and the normalised values."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.family import Multiplier
from bitformer.hw.timing import LONG_STATISTICS, NORM_DELAY, STATISTICS_QUEUE
from bitformer.hw.units.pipeline import delay, multiply_in_luts
from bitformer.hw.widths import is_long, squared_in_dsp, sum_bits
from bitformer.model import numerics

__all__ = ["Normalizer", "RowStatistics", "statistics_layout"]

#: Bits by which a long variance is first shifted, and those that are kept of it then.
_COARSE, _KEPT = 16, 24


def statistics_layout(features: int, bits: int) -> data.StructLayout:
    """Sum of a row; exponent and mantissa of its reciprocal standard deviation."""
    width = numerics.norm_width(features, bits)
    return data.StructLayout(
        {
            "total": signed(sum_bits(features, bits)),
            "exponent": (width // 2).bit_length(),
            "factor": unsigned(9),
        }
    )


def _square(magnitude: Value) -> Value:
    """The square of a number up to ``2**(b-1)``: a table for all but the largest."""
    bits = len(magnitude)
    if squared_in_dsp(bits):
        return magnitude * magnitude
    table = Array(Const(i * i, 2 * bits - 2) for i in range(1 << (bits - 1)))
    return Mux(magnitude[-1], 1 << (2 * bits - 2), table[magnitude[:-1]])


class RowStatistics(wiring.Component):
    """``sum(x)`` and ``rsqrt(N * sum(x^2) - sum(x)^2)`` of rows, queued in order.

    A row's statistics can be taken 11 cycles after its last word (``timing.STATISTICS``), those of
    long rows ``LONG_STATISTICS`` cycles later: their sum is squared in two steps with one DSP
    block, and their variance is normalised in two. Long rows end at least 2 cycles apart.

    Parameters
    ----------
    features, bits : of a row. ways : elements a word. upper_bits : of elements that are not the
        first of their word, if those are narrower. multiplier : the device's.

    Members
    -------
    i_x : a word. i_valid : its elements. i_first, i_last : bounds of the row.
    i_take : the head of the queue has been taken. o_statistics : the head, held for taking.
    """

    def __init__(
        self,
        *,
        features: int,
        bits: int,
        ways: int,
        multiplier: Multiplier,
        upper_bits: int | None = None,
    ):
        self._features, self._bits, self._ways = features, bits, ways
        self._multiplier = multiplier
        self._upper_bits = bits if upper_bits is None else upper_bits
        super().__init__(
            {
                **{f"i_x_{way}": In(signed(bits)) for way in range(ways)},
                "i_valid": In(ways),
                "i_first": In(1),
                "i_last": In(1),
                "i_take": In(1),
                "o_statistics": Out(statistics_layout(features, bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        features, bits, ways = self._features, self._bits, self._ways
        layout = statistics_layout(features, bits)
        width = numerics.norm_width(features, bits)
        valid = self.i_valid.any()

        # stages 1, 2: squares as rows of partial sums, in LUTs: DSP blocks are for the engine
        sums, squares = [], []
        for way in range(ways):
            own = self._upper_bits if way else bits
            x = getattr(self, f"i_x_{way}")[:own].as_signed()
            real = Signal(signed(own), name=f"real_{way}", reset_less=True)
            magnitude = Signal(own, name=f"magnitude_{way}", reset_less=True)
            m.d.sync += [real.eq(0), magnitude.eq(0)]
            with m.If(self.i_valid[way]):
                m.d.sync += [real.eq(x), magnitude.eq(abs(x))]
            square = Signal(2 * own, name=f"square_{way}", reset_less=True)
            m.d.sync += square.eq(_square(magnitude))
            sums.append(delay(m, real, 1, name=f"real_late_{way}").as_signed())
            squares.append(square)
        # stages 3, 4: the word's sums, the row's sums
        word_sum = Signal(signed(bits + ways - 1), reset_less=True)
        word_power = Signal(2 * bits + ways - 1, reset_less=True)
        m.d.sync += [word_sum.eq(sum(sums)), word_power.eq(sum(squares))]
        first = delay(m, self.i_first, 3, name="first")
        active = delay(m, valid, 3, name="active", reset_less=False)
        total = Signal(layout.members["total"], reset_less=True)
        power = Signal(2 * bits + features.bit_length(), reset_less=True)
        with m.If(active):
            m.d.sync += [
                total.eq(Mux(first, 0, total) + word_sum),
                power.eq(Mux(first, 0, power) + word_power),
            ]
        # stages 5 to 7: D = N * sum(x^2) - sum(x)^2, the square in a DSP block
        long = is_long(features, bits, self._multiplier)
        late_by = LONG_STATISTICS if long else 0
        coarse: Value | None = None
        if long:
            complete = delay(m, self.i_last & valid, 4, name="complete", reset_less=False)
            product = self._long_square(m, total, complete)
            scaled = Signal(width + 1, reset_less=True)
            variance = Signal(width, reset_less=True)
            late = delay(m, scaled, LONG_STATISTICS, name="scaled")
            m.d.sync += [scaled.eq(power * features), variance.eq(late - product)]
            variance, coarse = self._coarse(m, variance)
        else:
            a, product = (
                Signal.like(total, reset_less=True),
                Signal(2 * len(total), reset_less=True),
            )
            scaled, scaled_late = (
                Signal(width + 1, reset_less=True),
                Signal(width + 1, reset_less=True),
            )
            variance = Signal(width, reset_less=True)
            m.d.sync += [
                a.eq(total),
                scaled.eq(power * features),
                product.eq(a * a),
                scaled_late.eq(scaled),
                variance.eq(scaled_late - product),
            ]
        # stages 8 to 11: exponent, even-normalised mantissa, its table
        kept = len(variance)
        steps = (_COARSE if long else kept) // 2
        shape = range(steps) if long else layout.members["exponent"]
        exponent = Signal(shape, reset_less=True)
        late = Signal.like(variance, reset_less=True)
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
        exponent = delay(m, exponent, 1, name="exponent")
        if coarse is not None:
            exponent = Cat(exponent, delay(m, coarse, 2, name="coarse"))
        table = Array(Const(0 if i < 64 else numerics.RSQRT_TABLE[i - 64], 9) for i in range(256))
        result = Signal(layout, reset_less=True)
        m.d.sync += [
            result.factor.eq(table[index]),
            result.exponent.eq(exponent),
            result.total.eq(delay(m, total, 5 + late_by, name="total").as_signed()),
        ]
        finished = delay(m, self.i_last & valid, 10 + late_by, name="finished", reset_less=False)
        self._queue(m, result, finished)
        return m

    def _long_square(self, m: Module, total: Value, complete: Value) -> Value:
        """``total**2`` four cycles after ``complete``: by its upper, then by its lower bits."""
        split = self._multiplier.short_split
        a = Signal.like(total, name="a", reset_less=True)
        b = Signal(signed(split + 1), reset_less=True)
        part = Signal(signed(len(a) + len(b)), reset_less=True)
        upper = Signal(signed(2 * len(a) - split), reset_less=True)
        product = Signal(2 * len(a), reset_less=True)
        m.d.sync += [
            b.eq(Cat(a[:split], Const(0, 1)).as_signed()),
            part.eq(a * b),
            upper.eq(part),
            product.eq((upper << split) + part),
        ]
        with m.If(complete):
            m.d.sync += [a.eq(total), b.eq(total >> split)]
        return product

    @staticmethod
    def _coarse(m: Module, variance: Value) -> tuple[Value, Value]:
        """The upper ``_KEPT`` bits from the first 16 that are not all 0, and their exponent."""
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

    def _queue(self, m: Module, result, finished):
        m.submodules.queue = store = memory.Memory(
            shape=result.shape(),
            depth=STATISTICS_QUEUE,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = store.write_port(), store.read_port(domain="comb")
        tail, head = Signal(range(STATISTICS_QUEUE)), Signal(range(STATISTICS_QUEUE))
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(result),
            write.en.eq(finished),
            read.addr.eq(head),
            self.o_statistics.eq(read.data),
        ]
        with m.If(finished):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.i_take):
            m.d.sync += head.eq(head + 1)


class Normalizer(wiring.Component):
    """``u = (N*x - total) << exponent`` and ``multiplier = gamma * factor``, in ``NORM_DELAY``.

    Members
    -------
    i_x, i_gamma : element and its scale, with i_statistics of the element's row.
    o_u, o_multiplier : 2 cycles later.
    """

    latency = NORM_DELAY

    def __init__(self, *, features: int, bits: int, gamma_bits: int, multiplier: Multiplier):
        self._features, self._bits = features, bits
        width = numerics.norm_width(features, bits)
        # |N*x - sum| <= sqrt((N - 1) * D), and D * 4**exponent < 2**width
        u_bits = width // 2 + (features - 1).bit_length() // 2 + 3
        if is_long(features, bits, multiplier):
            u_bits = numerics.normalized_bound(features, bits).bit_length() + 1
        super().__init__(
            {
                "i_x": In(signed(bits)),
                "i_gamma": In(signed(gamma_bits)),
                "i_statistics": In(statistics_layout(features, bits)),
                "o_u": Out(signed(u_bits)),
                "o_multiplier": Out(signed(gamma_bits + 9)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        row = self.i_statistics
        centred = Signal(signed(len(row.total) + 2), reset_less=True)
        exponent = delay(m, row.exponent, 1, name="exponent")
        low, high = (
            Signal(signed(len(self.i_gamma) + 5), name=f"product_{part}", reset_less=True)
            for part in ("low", "high")
        )
        m.d.sync += [
            centred.eq(self.i_x * self._features - row.total),
            low.eq(multiply_in_luts(self.i_gamma, row.factor[:5])),
            high.eq(multiply_in_luts(self.i_gamma, row.factor[5:])),
            self.o_u.eq(centred << exponent),
            self.o_multiplier.eq(low + (high << 5)),
        ]
        return m
