"""GELU of a result: a rectifier and a small table, at the end of the post-processor."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.timing import GELU_DELAY
from bitformer.hw.units.parameters import Integer, Items
from bitformer.model.gelu import corrections, gelu_steps, gelu_zero

__all__ = ["Gelu"]


class Gelu(wiring.Component):
    """Computes GELU of whole steps, with its zero point added; other numbers pass.

    Latency: 1 cycle. Throughput: one number a cycle.

    Parameters
    ----------
    widths : sequence of int
        Bits of the results of each table, numbered from 1.
    bits : int
        Width of a number.

    Members
    -------
    i_x : In(signed(bits))
        Steps from 0 on, or a number that passes.
    i_table : In(range(len(widths) + 1))
        Which table it is for; 0 for none.
    o_y : Out(signed(bits))
        Result.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above, or a table's steps do not fit ``bits``.
    """

    latency = GELU_DELAY
    widths = Items(int, "integers")
    bits = Integer(1)

    def __init__(self, *, widths: Sequence[int], bits: int):
        self.widths, self.bits = widths, bits
        if bits <= max(self.widths):
            raise ValueError(f"Bits must be more than {max(self.widths)}, not {bits}")
        super().__init__(
            {
                "i_x": In(signed(bits)),
                "i_table": In(range(len(self.widths) + 1)),
                "o_y": Out(signed(bits)),
            }
        )

    def model(self, x: int, table: int) -> int:
        """Return ``o_y`` of a number."""
        if not table:
            return x
        bits = self.widths[table - 1]
        return int(gelu_steps(np.array(x), bits)) + gelu_zero(bits)

    def elaborate(self, platform):
        m = Module()
        kept, added = Signal(signed(self.bits)), Signal(signed(self.bits))
        m.d.comb += [
            kept.eq(Mux(self.i_x[-1] & self.i_table.any(), 0, self.i_x)),
            added.eq(0),
        ]
        with m.Switch(self.i_table):
            for number, bits in enumerate(self.widths, start=1):
                with m.Case(number):
                    m.d.comb += added.eq(self._added(bits))
        y = Signal(signed(self.bits), reset_less=True)
        m.d.sync += y.eq(kept + added)
        m.d.comb += self.o_y.eq(y)
        return m

    def _added(self, bits: int) -> Value:
        """Return the zero point less the correction of steps of either sign."""
        table, zero = corrections(bits), gelu_zero(bits)
        index_bits = (len(table) - 1).bit_length() + 1
        half = 1 << (index_bits - 1)
        padded = [*table, *[0] * (half + 1 - len(table))]
        entries = [zero - padded[n if n < half else 2 * half - n] for n in range(2 * half)]
        shape = signed(max(-entry for entry in entries).bit_length() + 1)
        upper = self.i_x[index_bits - 1 :]
        entry = Array(Const(value, shape) for value in entries)[self.i_x[:index_bits]]
        return Mux(upper.all() | ~upper.any(), entry, zero)
