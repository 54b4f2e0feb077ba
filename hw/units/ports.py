"""The accelerator's ends: a window of samples is taken in, results are handed out."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import placement_attributes
from bitformer.hw.timing import FETCH

__all__ = ["InputPort", "OutputPort"]


class InputPort(wiring.Component):
    """Writes a window's samples, in order of steps and channels, and counts them.

    When the window is complete nothing is taken until ``i_release``: its samples have been read.
    Nor is anything taken after reset until the first instruction has been fetched (``FETCH``
    cycles), so that the first inference takes as long as every other.
    The last step's samples are also kept by themselves, for two windows in turn.

    Members
    -------
    i : samples. i_release : the next window may begin. i_start : an inference begins.
    o_count : samples of this window that have been written. o_addr, o_data, o_en : write port of
    the input store. o_last_addr, o_last_en : of the store of last steps. o_current : which of
    its two halves belongs to the inference that runs.
    """

    def __init__(self, *, steps: int, channels: int, bits: int):
        self._steps, self._channels = steps, channels
        super().__init__(
            {
                "i": In(stream.Signature(signed(bits))),
                "i_release": In(1),
                "i_start": In(1),
                "o_count": Out(range(steps * channels + 1)),
                "o_addr": Out(range(max(2, steps * channels))),
                "o_data": Out(signed(bits)),
                "o_en": Out(1),
                "o_last_addr": Out(range(2 * channels)),
                "o_last_en": Out(1),
                "o_current": Out(1, init=1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = self._steps * self._channels
        half = Signal()
        asleep = Signal(range(FETCH + 1), init=FETCH)
        with m.If(asleep != 0):
            m.d.sync += asleep.eq(asleep - 1)
        channel = Signal(range(max(2, self._channels)))
        m.d.comb += [
            self.i.ready.eq((self.o_count != total) & (asleep == 0)),
            self.o_en.eq(self.i.valid & self.i.ready),
            self.o_addr.eq(self.o_count),
            self.o_data.eq(self.i.payload),
            self.o_last_addr.eq(Mux(half, self._channels, 0) + channel),
            self.o_last_en.eq(self.o_en & (self.o_count >= total - self._channels)),
        ]
        with m.If(self.o_en):
            m.d.sync += self.o_count.eq(self.o_count + 1)
            m.d.sync += channel.eq(Mux(channel == self._channels - 1, 0, channel + 1))
            with m.If(self.o_count == total - 1):
                m.d.sync += half.eq(~half)
        with m.If(self.i_release):
            m.d.sync += self.o_count.eq(0)
        with m.If(self.i_start):
            m.d.sync += self.o_current.eq(~self.o_current)
        return m


class OutputPort(wiring.Component):
    """Queues a whole result, ``rows`` of ``features``, and hands it out, one element a cycle.

    A result written in cycle t is offered from t + 1.

    Members
    -------
    i_word, i_valid : ``ways`` elements. o : results. o_empty : all have been taken.
    """

    def __init__(
        self, *, features: int, bits: int, ways: int, rows: int = 1, placement: str = "distributed"
    ):
        self._features, self._bits, self._ways, self._rows = features, bits, ways, rows
        self._attributes = placement_attributes(placement, rom=False)
        super().__init__(
            {
                "i_word": In(bits * ways),
                "i_valid": In(ways),
                "o": Out(stream.Signature(signed(bits))),
                "o_empty": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, ways = self._bits, self._ways
        words = self._rows * -(-self._features // ways)
        depth = max(2, 1 << (words - 1).bit_length())
        m.submodules.mem = mem = memory.Memory(
            shape=bits * ways, depth=depth, init=[], attrs=self._attributes
        )
        write = mem.write_port(granularity=bits if ways > 1 else None)
        read = mem.read_port(domain="comb")
        tail, head = Signal(range(depth)), Signal(range(depth))
        stored = Signal(range(depth * ways + 1))
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.i_word),
            write.en.eq(self.i_valid),
            read.addr.eq(head),
            self.o.valid.eq(stored != 0),
            self.o_empty.eq(stored == 0),
        ]
        count = sum(self.i_valid[way] for way in range(ways))
        m.d.sync += stored.eq(stored + count - taken)
        if ways == 1:
            m.d.comb += self.o.payload.eq(read.data)
            with m.If(self.i_valid):
                m.d.sync += tail.eq(tail + 1)
            with m.If(taken):
                m.d.sync += head.eq(head + 1)
            return m
        # a row begins with a word: an odd last element leaves the rest of its word unused
        odd = self._features % ways
        left = Signal(range(self._features + 1), init=self._features)
        upper = Signal()
        m.d.comb += self.o.payload.eq(Mux(upper, read.data[bits:], read.data[:bits]))
        arrived = Signal(range(self._features + 1), init=self._features)
        m.d.sync += arrived.eq(arrived - count)
        with m.If(arrived == count):
            m.d.sync += arrived.eq(self._features)
        with m.If(self.i_valid[1] | ((arrived == 1) & self.i_valid[0] & bool(odd))):
            m.d.sync += tail.eq(tail + 1)
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), upper.eq(~upper)]
            with m.If(upper | (left == 1)):
                m.d.sync += [head.eq(head + 1), upper.eq(0)]
            with m.If(left == 1):
                m.d.sync += left.eq(self._features)
        return m
