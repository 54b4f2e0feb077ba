"""Registers that change: a count for each reason, a status byte, and cycles of an inference."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import COUNTER_BYTES, Reason
from bitformer.hw.memory import placement_attributes

__all__ = ["ChangingRegisters"]

#: Where the upper 16 bits of the cycles are, in words of the memory: as they are read, behind the
#: counts and a word of the status and the lowest 8 bits.
_CYCLES = len(Reason) + 1
#: A word that is all ones, and with 1 added all zeros: what the cycles begin with.
_ONES = _CYCLES + 2


class ChangingRegisters(wiring.Component):
    """Counts events, measures inferences, and shows both as bytes.

    The counters are a memory of 16-bit words: they keep their values through a reset, and wrap. One
    more word counts every 256th cycle, by the same adder.

    Latency: none, a byte is there in the cycle of its address. Throughput: an event every other
    cycle.

    Members
    -------
    i_count : In(1)
        Counts ``i_reason``; ``o_byte`` is undefined in the next cycle.
    i_reason : In(Reason)
        The counter to add 1 to.
    i_clear : In(1)
        Sets the measured cycles to 0; not within two cycles before ``i_count``.
    i_run : In(1)
        Measures this cycle; not together with ``i_count``.
    i_status : In(8)
        Status byte.
    i_address : In(5)
        Of a byte: the counters from 0 on, the status, then 3 bytes of cycles, low bytes first.
    o_byte : Out(8)
        Byte at the address.
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
            depth=_ONES + 1,
            init=[0] * _ONES + [0xFFFF],
            attrs=placement_attributes("distributed", rom=False),
        )
        read, write = counts.read_port(domain="comb"), counts.write_port()
        counted, reason = Signal(), Signal.like(self.i_reason, reset_less=True)
        m.d.sync += [counted.eq(self.i_count), reason.eq(self.i_reason)]
        # a clear waits until a count of the same cycle is written
        lowest, spilled, soon, cleared = Signal(8), Signal(), Signal(), Signal()
        m.d.sync += [
            spilled.eq(self.i_run & (lowest == 255)),
            soon.eq(self.i_clear),
            cleared.eq(soon),
        ]
        with m.If(self.i_clear):
            m.d.sync += lowest.eq(0)
        with m.Elif(self.i_run):
            m.d.sync += lowest.eq(lowest + 1)

        m.d.comb += [
            read.addr.eq(self.i_address[1:]),
            write.addr.eq(Mux(cleared, _CYCLES, read.addr)),
            write.data.eq(read.data + 1),
            write.en.eq(counted | spilled | cleared),
        ]
        with m.If(cleared):
            m.d.comb += read.addr.eq(_ONES)
        with m.Elif(spilled):
            m.d.comb += read.addr.eq(_CYCLES)
        with m.Elif(counted):
            m.d.comb += read.addr.eq(reason)
        m.d.comb += self.o_byte.eq(read.data.word_select(self.i_address[0], 8))
        with m.If(self.i_address[4] & ~self.i_address[1]):
            m.d.comb += self.o_byte.eq(Mux(self.i_address[0], lowest, self.i_status))
        return m
