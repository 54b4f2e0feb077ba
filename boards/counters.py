"""The registers that change: a count for each reason, a status byte, and cycles of an inference."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import COUNTER_BYTES, Reason
from bitformer.hw.store import placement_attributes

__all__ = ["CYCLE_BITS", "ChangingRegisters"]

CYCLE_BITS = 24


class ChangingRegisters(wiring.Component):
    """Counts events, measures inferences, and shows both as bytes, in the cycle of their address.

    The counters are a memory of 16-bit words: they keep their values through a reset, and wrap.

    Members
    -------
    i_count : counts `i_reason`, for one cycle; `o_byte` means nothing in the next.
    i_clear : the measured cycles are 0 from the next cycle on. i_run : this cycle is one of them.
    i_status : the status byte.
    i_address, o_byte : the counters from 0 on, status, and 3 bytes of cycles, low bytes first.
    """

    def __init__(self):
        super().__init__(
            {
                "i_count": In(1),
                "i_reason": In(Reason),
                "i_clear": In(1),
                "i_run": In(1),
                "i_status": In(8),
                "i_address": In(5),
                "o_byte": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.counts = counts = memory.Memory(
            shape=8 * COUNTER_BYTES,
            depth=len(Reason),
            init=[],
            attrs=placement_attributes("distributed", rom=False),
        )
        read, write = counts.read_port(domain="comb"), counts.write_port()
        counted, reason = Signal(), Signal.like(self.i_reason, reset_less=True)
        m.d.sync += [counted.eq(self.i_count), reason.eq(self.i_reason)]
        m.d.comb += [
            read.addr.eq(Mux(counted, reason, self.i_address[1:])),
            write.addr.eq(reason),
            write.data.eq(read.data + 1),
            write.en.eq(counted),
        ]
        cycles = Signal(CYCLE_BITS)
        with m.If(self.i_clear):
            m.d.sync += cycles.eq(0)
        with m.Elif(self.i_run):
            m.d.sync += cycles.eq(cycles + 1)
        others = Cat(self.i_status, cycles)
        m.d.comb += self.o_byte.eq(
            Mux(
                self.i_address[4],
                others.word_select(self.i_address[:2], 8),
                read.data.word_select(self.i_address[0], 8),
            )
        )
        return m
