"""The matrix engine: a skewed row of multiply-accumulators that share one activation a cycle."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.family import Multiplier
from bitformer.hw.units.pipeline import delay

__all__ = ["MatrixEngine"]


class MatrixEngine(wiring.Component):
    """``columns`` dot products side by side, one multiplier each.

    Activations travel from column to column, one a cycle, and the weights of column ``j`` are
    delayed by ``j`` cycles to meet them. So the columns finish one after another, each result
    stands in its accumulator for the one cycle in which the drain reads it, and nothing has to
    be captured, enabled or broadcast.

    In a packed operation a column's weight word holds two weights w0 (low half) and w1, multiplied
    as ``(w1 << pack_shift) + w0`` at once. With A the accumulator,
    ``sum(w0*x) = sext(A[:pack_shift])`` and ``sum(w1*x) = (A >> pack_shift) + A[pack_shift-1]``,
    provided that the first sum fits ``pack_shift`` bits, which lowering proves. Since the low
    weight is below zero just when its sign bit is set, the sum of both is
    ``{w1 - sign(w0), sext(w0)}``: no adder over the full port.

    Latency: column ``j``'s accumulator has taken in the activation of cycle t in t + 3 + j.

    Parameters
    ----------
    columns, column_bits : multipliers, and bits of each one's weight word.
    operand_bits : signed width of an activation.
    pack_shift, half_bits : distance of packed weights and their width; 0 without packing.
    always_packed : no operation is unpacked.
    product_bits : width of an accumulator.
    multiplier : the device's, whose ports and accumulator bound the others.

    Members
    -------
    i_x : activation. i_first : it begins a dot product (the accumulator starts anew).
    i_packed : the operation is packed. i_w : weights of all columns, column 0 lowest.
    o_p : accumulators of all columns.
    """

    def __init__(
        self,
        *,
        columns: int,
        column_bits: int,
        operand_bits: int,
        pack_shift: int,
        half_bits: int,
        always_packed: bool,
        product_bits: int,
        multiplier: Multiplier,
    ):
        if columns < 1:
            raise ValueError(f"Columns must be a positive integer, not {columns}")
        for what, bits, most in (
            ("Operand", operand_bits, multiplier.short_bits),
            ("Accumulator", product_bits, multiplier.accumulator_bits),
        ):
            if not 1 <= bits <= most:
                raise ValueError(
                    f"{what} must have 1 to {most} bits ({multiplier.name}), not {bits}"
                )
        if half_bits and not pack_shift + half_bits <= multiplier.long_bits:
            raise ValueError(
                f"Packed weights must fit {multiplier.long_bits} bits ({multiplier.name}),"
                f" not {pack_shift + half_bits}"
            )
        if half_bits and 2 * half_bits > column_bits:
            raise ValueError(f"Column must hold two weights of {half_bits} bits, not {column_bits}")
        self._columns, self._column_bits = columns, column_bits
        self._pack_shift, self._half_bits = pack_shift, half_bits
        self._always_packed, self._product_bits = always_packed, product_bits
        self._multiplier = multiplier
        super().__init__(
            {
                "i_x": In(signed(operand_bits)),
                "i_first": In(1),
                "i_packed": In(1),
                "i_w": In(unsigned(columns * column_bits)),
                "o_p": Out(data.ArrayLayout(signed(product_bits), columns)),
            }
        )

    @property
    def columns(self) -> int:
        return self._columns

    def _operand(self, m: Module, word, packed, name: str):
        """A column's weight word as a multiplicand for the long port."""
        plain = word.as_signed()
        if not self._half_bits:
            return plain
        half, shift = self._half_bits, self._pack_shift
        low, high = word[:half].as_signed(), word[half : 2 * half].as_signed()
        borrowed = Signal(signed(half + 1), name=f"high_{name}")
        m.d.comb += borrowed.eq(high - low[-1])
        low_field = Signal(signed(shift), name=f"low_{name}")
        m.d.comb += low_field.eq(low)
        pair = Cat(low_field, borrowed)[: self._multiplier.long_bits].as_signed()
        if self._always_packed:
            return pair
        return Mux(packed, pair, plain)

    def elaborate(self, platform):
        m = Module()
        x, packed, first = self.i_x, self.i_packed, delay(m, self.i_first, 2, name="first")
        words = Array(
            self.i_w[j * self._column_bits : (j + 1) * self._column_bits]
            for j in range(self._columns)
        )
        for j in range(self._columns):
            word = delay(m, words[j], j, name=f"w_{j}")
            operand = self._operand(m, word, packed, str(j))
            a = Signal(operand.shape(), name=f"a_{j}", reset_less=True)
            b = Signal.like(x, name=f"b_{j}", reset_less=True)
            product = Signal(signed(len(a) + len(b)), name=f"m_{j}", reset_less=True)
            total = Signal(signed(self._product_bits), name=f"p_{j}", reset_less=True)
            m.d.sync += [
                a.eq(operand),
                b.eq(x),
                product.eq(a * b),
                total.eq(Mux(first, 0, total) + product),
            ]
            m.d.comb += self.o_p[j].eq(total)
            if j + 1 < self._columns:
                x = delay(m, x, 1, name=f"x_{j}")
                packed = delay(m, packed, 1, name=f"packed_{j}")
                first = delay(m, first, 1, name=f"first_{j}")
        return m
