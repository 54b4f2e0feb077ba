"""Registers that change: counts of frames and of numbers, a status byte, cycles of an inference."""

from types import SimpleNamespace

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import COUNTER_BYTES, Reason
from bitformer.hw.memory import StoreSpec, placement_attributes
from bitformer.hw.units.parameters import Flag
from bitformer.hw.units.pipeline import delay

__all__ = ["COUNTERS", "ChangingRegisters"]

#: Where things are in words of the memory, as they are read: behind the counts of frames and a word
#: of the status and the lowest 8 bits, the upper 16 bits of the cycles, then the counts of numbers.
_CYCLES = len(Reason) + 1
_ENDS = _CYCLES + 1
#: Windows that were rejected, behind the counts of a window's numbers and of results.
_REJECTED = _ENDS + 2
#: A word that is all ones, and with 1 added all zeros: what the cycles begin with.
_ONES = _REJECTED + 1

#: What is counted, and how.
_EVENTS = ("count", "reason", "end", "result", "last", "clear", "run")

#: The memory, where it is in block RAM.
COUNTERS = StoreSpec(name="counters", depth=_ONES + 1, width=8 * COUNTER_BYTES, placement="block")


class ChangingRegisters(wiring.Component):
    """Counts frames and numbers, measures inferences, and shows all as bytes.

    The counters are a memory of 16-bit words: they keep their values through a reset, and wrap. One
    more word counts every 256th cycle, by the same adder. Of the numbers of a window, or of its
    results, every second that counts is written with the one before it, and a single one with the
    last: so half of the cycles are left for that word.

    Latency: none, a byte is there in the cycle of its address. Throughput: an event every other
    cycle; a number every cycle.

    ``pipelined``, all is counted a cycle later. With ``block``, where a family has no memories in
    LUTs, a byte is there in the cycle after its address, all is counted one more cycle later, and a
    last number that is counted by itself two.

    Parameters
    ----------
    rejects : bool
        Whether results that count are windows rejected by a classifier, and not numbers at an end.
    pipelined : bool
        Whether what is counted passes a register first, as it comes of long logic.
    block : bool
        Whether the memory is in block RAM.

    Members
    -------
    i_count : In(1)
        Counts ``i_reason``; ``o_byte`` is undefined in the next cycle, or the third.
    i_reason : In(Reason)
        The counter to add 1 to; 0 while numbers are counted.
    i_end : In(1)
        Counts a number that stands at an end of its range, or a result that rejects; ``o_byte`` is
        undefined in the next cycle, or the fourth. Not together with ``i_count``.
    i_result : In(1)
        The number is a result, and not one of a window; 0 together with ``i_count``.
    i_last : In(1)
        The numbers of a window, or the results, end with that of this cycle, counted or not.
    i_clear : In(1)
        Sets the measured cycles to 0.
    i_run : In(1)
        Measures this cycle; not together with ``i_count``.
    i_status : In(8)
        Status byte.
    i_address : In(5)
        Of a byte: the counters of frames from 0 on, the status, 3 bytes of cycles, then the
        counters of windows' numbers, of results and of rejected windows; low bytes first.
    o_byte : Out(8)
        Byte at the address.
    """

    rejects = Flag()
    pipelined = Flag()
    block = Flag()

    def __init__(self, *, rejects: bool = False, pipelined: bool = False, block: bool = False):
        self.rejects, self.pipelined, self.block = rejects, pipelined, block
        super().__init__(
            {
                "i_count": In(1),
                "i_reason": In(Reason),
                "i_end": In(1),
                "i_result": In(1),
                "i_last": In(1),
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
            attrs=placement_attributes("block" if self.block else "distributed", rom=False),
        )
        read = counts.read_port(domain="sync" if self.block else "comb")
        write = counts.write_port()

        seen = SimpleNamespace(**{name: getattr(self, f"i_{name}") for name in _EVENTS})
        if self.pipelined:
            for name, value in vars(seen).items():
                setattr(seen, name, delay(m, value, 1, name=name, reset_less=False))

        # numbers are written in pairs, and the last of an odd count by itself
        odd, pair, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            pair.eq(seen.end & odd),
            ends.eq(pair | (seen.last & (seen.end | odd))),
        ]
        m.d.sync += odd.eq((seen.end ^ odd) & ~seen.last)

        # what is counted is written in the next cycle; a spill and a clear wait for it
        counted, counter, two = Signal(), Signal(4, reset_less=True), Signal(reset_less=True)
        result: Value = seen.result
        if self.block:  # a pair may have been counted in the cycle before
            single = delay(m, ends & ~pair, 1, name="single", reset_less=False)
            result = Mux(single, delay(m, seen.result, 1, name="result"), result)
            ends = pair | single
        number = Mux(result, _REJECTED if self.rejects else _ENDS + 1, _ENDS)
        m.d.sync += [
            counted.eq(seen.count | ends),
            counter.eq(seen.reason | Mux(ends, number, 0)),
            two.eq(pair),
        ]
        lowest, spilled, cleared = Signal(8), Signal(), Signal()
        m.d.sync += [
            spilled.eq((seen.run & (lowest == 255)) | (spilled & counted)),
            cleared.eq(seen.clear | (cleared & counted)),
        ]
        with m.If(seen.clear):
            m.d.sync += lowest.eq(0)
        with m.Elif(seen.run):
            m.d.sync += lowest.eq(lowest + 1)

        place, steps, writes = Signal.like(write.addr), Signal(2), Signal()
        m.d.comb += [
            read.addr.eq(self.i_address[1:]),
            place.eq(read.addr),
            steps.eq(Mux(two, 2, 1)),
            writes.eq(counted | spilled | cleared),
        ]
        with m.If(counted):
            m.d.comb += read.addr.eq(counter)
        with m.Elif(cleared):
            m.d.comb += [read.addr.eq(_ONES), place.eq(_CYCLES)]
        with m.Elif(spilled):
            m.d.comb += read.addr.eq(_CYCLES)
        if self.block:
            place, steps = (delay(m, value, 1, name="late") for value in (place, steps))
            writes = delay(m, writes, 1, name="writes")
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(read.data + steps),
            write.en.eq(writes),
        ]
        m.d.comb += self.o_byte.eq(read.data.word_select(self.i_address[0], 8))
        with m.If(self.i_address[4] & (self.i_address[1:4] == 0)):
            m.d.comb += self.o_byte.eq(Mux(self.i_address[0], lowest, self.i_status))
        return m
