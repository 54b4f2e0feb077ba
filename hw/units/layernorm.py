"""LayerNorm: a row's statistics as they are handed on, and its elements normalised by them."""

from amaranth.hdl import Const, Module, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.family import Multiplier
from bitformer.hw.timing import NORM_DELAY
from bitformer.hw.units.parameters import Flag, Integer, Parameter
from bitformer.hw.units.pipeline import delay, multiply_in_luts
from bitformer.hw.widths import is_long, sum_bits
from bitformer.model import numerics

__all__ = ["FACTOR_BITS", "Normalizer", "statistics_layout"]

#: Bits of a reciprocal standard deviation's mantissa.
FACTOR_BITS = max(numerics.RSQRT_TABLE).bit_length()
#: Bits of it that are multiplied at a time: a third.
_PART = -(-FACTOR_BITS // 3)


def statistics_layout(features: int, bits: int) -> data.StructLayout:
    """Return the layout of what :func:`bitformer.model.numerics.row_statistics` says of a row."""
    width = numerics.norm_width(features, bits)
    return data.StructLayout(
        {
            "total": signed(sum_bits(features, bits)),
            "exponent": (width // 2).bit_length(),
            "factor": unsigned(FACTOR_BITS),
        }
    )


class Normalizer(wiring.Component):
    """Normalises elements: ``u = (N*x - total) << exponent`` and ``multiplier = gamma * factor``.

    The product of both is a scaled element less its mean over its row's deviation.

    Latency: 2 cycles. Throughput: one element a cycle.

    Parameters
    ----------
    features : int
        Elements of a row.
    bits : int
        Width of an element.
    gamma_bits : int
        Width of its scale.
    multiplier : Multiplier
        The device's, which says what rows are long.
    elsewhere : bool
        The product of scale and factor is made elsewhere, and ``o_multiplier`` is 0.

    Members
    -------
    i_x : In(signed(bits))
        Element.
    i_gamma : In(signed(gamma_bits))
        Its scale, in the cycle before it.
    i_statistics : In(statistics_layout(features, bits))
        Statistics of its row, in the cycle before it.
    o_u : Out(signed)
        Multiplicand, as wide as the largest of a row needs.
    o_multiplier : Out(signed(gamma_bits + 9))
        Multiplier.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above.
    """

    latency = NORM_DELAY
    features = Integer(1)
    bits = Integer(1)
    gamma_bits = Integer(1)
    multiplier = Parameter(Multiplier, "a Multiplier")
    elsewhere = Flag()

    def __init__(
        self,
        *,
        features: int,
        bits: int,
        gamma_bits: int,
        multiplier: Multiplier,
        elsewhere: bool = False,
    ):
        self.elsewhere = elsewhere
        self.features, self.bits = features, bits
        self.gamma_bits, self.multiplier = gamma_bits, multiplier
        # |N*x - sum| <= sqrt((N - 1) * D), and D * 4**exponent < 2**width
        width = numerics.norm_width(features, bits)
        u_bits = width // 2 + (features - 1).bit_length() // 2 + 3
        if is_long(features, bits, multiplier):
            u_bits = numerics.normalized_bound(features, bits).bit_length() + 1
        super().__init__(
            {
                "i_x": In(signed(bits)),
                "i_gamma": In(signed(gamma_bits)),
                "i_statistics": In(statistics_layout(features, bits)),
                "o_u": Out(signed(u_bits)),
                "o_multiplier": Out(signed(gamma_bits + FACTOR_BITS)),
            }
        )

    def model(self, x: int, gamma: int, total: int, exponent: int, factor: int) -> tuple[int, int]:
        """Return ``o_u`` and ``o_multiplier`` of an element with its row's statistics."""
        u = numerics.deviation(x, total, exponent, self.features)
        return u, gamma * factor

    def elaborate(self, platform):
        m = Module()
        row = self.i_statistics
        total = delay(m, row.total, 1, name="total").as_signed()
        centred = Signal(signed(len(total) + 2), reset_less=True)
        exponent = delay(m, row.exponent, 2, name="exponent")
        scaled: Value = Const(0)
        if not self.elsewhere:
            # three bits of the factor at a time: the product takes three cycles
            starts = range(0, FACTOR_BITS, _PART)
            parts = [multiply_in_luts(self.i_gamma, row.factor[n : n + _PART]) for n in starts]
            low, middle, high = (
                delay(m, part, 1, name=f"product_{n}").as_signed() for n, part in enumerate(parts)
            )
            lower = delay(m, low + (middle << _PART), 1, name="product_lower").as_signed()
            upper = delay(m, high, 1, name="product_upper").as_signed()
            scaled = lower + (upper << 2 * _PART)
        m.d.sync += [
            centred.eq(multiply_in_luts(self.i_x, Const(self.features)) - total),
            self.o_u.eq(centred << exponent),
            self.o_multiplier.eq(scaled),
        ]
        return m
