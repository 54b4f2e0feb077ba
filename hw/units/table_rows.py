"""The time of a window: it selects the rows of tables of parameters."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bitformer.hw.units.parameters import Integer, Items

__all__ = ["TableRows"]


class TableRows(wiring.Component):
    """Keeps the time of two windows, and says where the rows begin that the running one selects.

    A number that is no row of its table selects row 0.

    Latency: 2 cycles from a number, or from ``i_current``, to the offset. Throughput: one number a
    cycle.

    Parameters
    ----------
    rows : sequence of int
        Rows of the tables that each number of the time selects from.
    strides : sequence of int
        Words from one row to the next, of the tables of each number.
    bits : int
        Width of a number.

    Members
    -------
    i_number : In(signed(bits)), a number of the time.
    i_en : In(len(rows)), which number it is, a bit for each.
    i_half : In(1), which of two windows it belongs to.
    i_current : In(1), the window that is computed.
    o_offset_{n} : Out(range((rows - 1) * stride + 1)), words from the first row of the tables of
        number ``n`` to the row in use.
    """

    rows = Items(int, "integers")
    strides = Items(int, "integers")
    bits = Integer(1)

    def __init__(self, *, rows: Sequence[int], strides: Sequence[int], bits: int):
        self.rows, self.strides, self.bits = rows, strides, bits
        if len(self.rows) != len(self.strides):
            raise ValueError(f"Strides must be {len(self.rows)}, as rows are, not {strides}")
        if bits_for(max(self.rows) - 1) >= bits:
            raise ValueError(f"Bits must hold the row {max(self.rows) - 1}, not be {bits}")
        super().__init__(
            {
                "i_number": In(signed(bits)),
                "i_en": In(len(self.rows)),
                "i_half": In(1),
                "i_current": In(1),
                **{f"o_offset_{n}": Out(range(self._last(n) + 1)) for n in range(len(self.rows))},
            }
        )

    def _last(self, n: int) -> int:
        """Return the offset of the last row of a number's tables."""
        return (self.rows[n] - 1) * self.strides[n]

    def _running(self, m: Module, n: int, width: int) -> Value:
        """Return a number of the running window, out of the registers of two."""
        beyond = self.i_number[width:].any()
        kept = [Signal(width, name=f"number_{n}_{half}", reset_less=True) for half in range(2)]
        for half, register in enumerate(kept):
            with m.If(self.i_en[n] & (self.i_half == half)):
                m.d.sync += register.eq(Mux(beyond, 0, self.i_number[:width]))
        return Mux(self.i_current, kept[1], kept[0])

    def elaborate(self, platform):
        m = Module()
        for n, (rows, stride) in enumerate(zip(self.rows, self.strides, strict=True)):
            number = self._running(m, n, bits_for(rows - 1))
            # a look-up of few bits takes the place of a multiplication
            offset = Signal(range(self._last(n) + 1), name=f"offset_{n}", reset_less=True)
            with m.Switch(number):
                for row in range(1, rows):
                    with m.Case(row):
                        m.d.sync += offset.eq(row * stride)
                with m.Default():
                    m.d.sync += offset.eq(0)
            m.d.comb += getattr(self, f"o_offset_{n}").eq(offset)
        return m

    def model(self, numbers: Sequence[int]) -> list[int]:
        """Return the offset for each number of a window's time."""
        found = zip(numbers, self.rows, self.strides, strict=True)
        return [number * stride if 0 <= number < rows else 0 for number, rows, stride in found]
