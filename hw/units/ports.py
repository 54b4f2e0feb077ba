"""The accelerator's ends: a window of samples is taken in, results are handed out."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import placement_attributes
from bitformer.hw.timing import FETCH
from bitformer.hw.units.parameters import Integer, Parameter
from bitformer.hw.units.pipeline import after
from bitformer.hw.widths import signed_value

__all__ = ["InputPort", "OutputPort", "number_shape", "part_of"]


def number_shape(bits: int, unsigned: bool) -> Shape:
    """Return the shape of a number at a port: two's complement, or an ADC's word from 0 on."""
    return Shape(bits, signed=not unsigned)


def _moved(value: Value, unsigned: bool) -> Value:
    """Return the signed number of an unsigned word, or the reverse: its highest bit inverted."""
    return Cat(value[:-1], ~value[-1]) if unsigned else value


def part_of(number: Value, size: int, parts: int) -> Value:
    """Return where part ``number`` of a store begins, of so many parts of ``size`` words."""
    if parts == 2:
        return Mux(number, size, 0)
    return Array(Const(part * size, range(parts * size)) for part in range(parts))[number]


class InputPort(wiring.Component):
    """Writes a window's samples, in order of steps and channels, and counts them.

    When the window is complete, none is taken until ``i_release``: its samples have been read. None
    is taken after reset until the first instruction has been fetched (``timing.FETCH`` cycles), so
    that the first inference takes as long as every other. The samples of the last step are written
    to a store of their own as well, for so many windows in turn as it keeps.

    The numbers of the window's time come behind its samples, in whole steps: those that fill the
    last of them are taken and dropped. Behind them come the numbers that a detector judges, in
    whole steps likewise. Only then is the window complete. They are moved as samples are where
    these are unsigned.

    Latency: 0 cycles from a sample taken to the write ports, 1 cycle to ``o_count``. Throughput:
    one sample a cycle.

    Parameters
    ----------
    steps, channels : int
        Shape of a window.
    bits : int
        Width of a sample.
    unsigned : bool
        Whether samples come as unsigned words, ``2**(bits - 1)`` more than what is written.
    numbers : int
        Numbers of the window's time.
    judged : int
        Numbers that a detector judges.
    lanes, patch : int
        Lanes of the input store, which take patches of so many samples in turn.
    kept : int
        Windows whose last steps are kept: that of the inference in hand, and those before it.

    Members
    -------
    i : In(stream.Signature(number_shape(bits, unsigned))), samples, and what comes behind them.
    i_release : In(1), the window has been read: the next may begin.
    i_start : In(1), an inference begins.
    o_count : Out(range(steps * channels + behind + 1)), samples of this window that have been
        written, and what has come behind them.
    o_addr : Out(range(steps * channels)), address in the input store, of each of its lanes.
    o_data : Out(signed(bits)), the sample.
    o_en : Out(lanes), enable of the input store, by lane.
    o_last_addr : Out(range(kept * channels)), address in the store of last steps.
    o_last_en : Out(1), enable of the store of last steps.
    o_current : Out(range(kept)), part of the store of last steps that belongs to the inference in
        hand.
    o_oldest : Out(range(kept)), part that holds the last step of the oldest window; only where more
        than two are kept.
    o_half : Out(range(kept)), part that belongs to the window that is taken in; this and the
        following only with numbers of the time.
    o_time_en : Out(numbers), ``o_data`` is a number of the time: a bit for each.
    o_judged_en : Out(1), ``o_data`` is a number that is judged; only with such numbers.
    """

    steps = Integer(1)
    channels = Integer(1)
    bits = Integer(1)
    unsigned = Parameter(bool, "True or False")
    numbers = Integer(0)
    judged = Integer(0)
    lanes = Integer(1)
    patch = Integer(0)
    kept = Integer(2)

    def __init__(
        self,
        *,
        steps: int,
        channels: int,
        bits: int,
        unsigned: bool = False,
        numbers: int = 0,
        judged: int = 0,
        lanes: int = 1,
        patch: int = 0,
        kept: int = 2,
    ):
        self.lanes, self.patch, self.kept = lanes, patch, kept
        if lanes & (lanes - 1):
            raise ValueError(f"Lanes must be a power of two, not {lanes}")
        if lanes > 1 and not patch:
            raise ValueError("Patch must be positive with several lanes")
        self.steps, self.channels, self.bits = steps, channels, bits
        self.unsigned, self.numbers, self.judged = unsigned, numbers, judged
        behind = self.behind
        super().__init__(
            {
                **({"o_half": Out(range(kept)), "o_time_en": Out(numbers)} if numbers else {}),
                **({"o_judged_en": Out(1)} if judged else {}),
                **({"o_oldest": Out(range(kept))} if kept > 2 else {}),
                "i": In(stream.Signature(number_shape(bits, unsigned))),
                "i_release": In(1),
                "i_start": In(1),
                "o_count": Out(range(steps * channels + behind + 1)),
                "o_addr": Out(range(max(2, steps * channels))),
                "o_data": Out(signed(bits)),
                "o_en": Out(lanes),
                "o_last_addr": Out(range(kept * channels)),
                "o_last_en": Out(1),
                "o_current": Out(range(kept), init=kept - 1),
            }
        )

    @property
    def behind(self) -> int:
        """What comes behind the samples of a window: time and judged numbers, in whole steps."""
        return self._whole_steps(self.numbers) + self._whole_steps(self.judged)

    def _whole_steps(self, numbers: int) -> int:
        return -(-numbers // self.channels) * self.channels

    def elaborate(self, platform):
        m = Module()
        samples = self.steps * self.channels
        total = samples + self.behind
        half = Signal(range(self.kept))
        asleep = Signal(range(FETCH + 1), init=FETCH)
        with m.If(asleep != 0):
            m.d.sync += asleep.eq(asleep - 1)
        channel = Signal(range(max(2, self.channels)))
        enable = Signal()
        m.d.comb += [
            self.i.ready.eq((self.o_count != total) & (asleep == 0)),
            enable.eq(self.i.valid & self.i.ready),
            self.o_data.eq(_moved(self.i.payload, self.unsigned)),
            self.o_last_addr.eq(part_of(half, self.channels, self.kept) + channel),
            self.o_last_en.eq(enable & (self.o_count >= samples - self.channels)),
        ]
        taken: Value = enable
        if self.behind:
            taken = self.i.valid & self.i.ready
            m.d.comb += enable.eq(taken & (self.o_count < samples))
        if self.lanes == 1:
            m.d.comb += [self.o_addr.eq(self.o_count), self.o_en.eq(enable)]
        else:
            self._write_lanes(m, enable)
        if self.judged:
            first = samples + self._whole_steps(self.numbers)
            here = self.o_count >= first
            if first + self.judged < total:
                here &= self.o_count < first + self.judged
            m.d.comb += self.o_judged_en.eq(taken & here)
        if self.numbers:
            places = range(samples, samples + self.numbers)
            m.d.comb += [
                self.o_half.eq(half),
                self.o_time_en.eq(Cat(taken & (self.o_count == place) for place in places)),
            ]
        with m.If(taken):
            m.d.sync += self.o_count.eq(self.o_count + 1)
            m.d.sync += channel.eq(Mux(channel == self.channels - 1, 0, channel + 1))
            with m.If(self.o_count == total - 1):
                m.d.sync += half.eq(self._following(half))
        with m.If(self.i_release):
            m.d.sync += self.o_count.eq(0)
        with m.If(self.i_start):
            m.d.sync += self.o_current.eq(self._following(self.o_current))
            if self.kept > 2:
                m.d.sync += self.o_oldest.eq(self._following(self.o_oldest))
        return m

    def _following(self, part: Value) -> Value:
        """Return the part of the store of last steps that the next window has."""
        return ~part if self.kept == 2 else after(part, self.kept)

    def _write_lanes(self, m: Module, enable: Value) -> None:
        """Write patch after patch to the lanes in turn."""
        place = Signal(range(max(2, self.patch)))
        lane, base = Signal(range(self.lanes)), Signal.like(self.o_addr)
        m.d.comb += [self.o_addr.eq(base + place), self.o_en.eq(enable << lane)]
        with m.If(enable):
            m.d.sync += place.eq(place + 1)
            with m.If(place == self.patch - 1):
                m.d.sync += [place.eq(0), lane.eq(lane + 1)]
                with m.If(lane == self.lanes - 1):
                    m.d.sync += base.eq(base + self.patch)
        with m.If(self.i_release):
            m.d.sync += [place.eq(0), lane.eq(0), base.eq(0)]

    def place(self, sample: int) -> tuple[int, int]:
        """Return the lane and the address of a sample of a window."""
        if self.lanes == 1:
            return 0, sample
        patch, place = divmod(sample, self.patch)
        return patch % self.lanes, patch // self.lanes * self.patch + place

    def model(self, samples: Sequence[int]) -> list[tuple[int, int, int | None]]:
        """Return (``o_addr``, ``o_data``, ``o_last_addr``) of each sample, from reset on.

        The address is that of the sample in its window: ``place`` says where it lies.

        ``o_last_addr`` is None where ``o_last_en`` is not set. What comes behind a window's
        samples is not among them.
        """
        total, offset = self.steps * self.channels, (1 << self.bits - 1) * self.unsigned
        writes = []
        for number, sample in enumerate(samples):
            window, address = divmod(number, total + self.behind)
            if address >= total:
                continue
            channel = address - (total - self.channels)
            part = window % self.kept * self.channels
            last = part + channel if channel >= 0 else None
            writes.append((address, sample - offset, last))
        return writes


class OutputPort(wiring.Component):
    """Queues a whole result, ``rows`` of ``features``, and hands it out.

    A row begins with a word: after an odd number of features the rest of its last word is unused.

    Latency: 1 cycle from a word written to its first element offered (``timing.OUTPUT``).
    Throughput: one element a cycle out, one word a cycle in.

    Parameters
    ----------
    features : int
        Elements of a row.
    bits : int
        Width of an element.
    ways : int
        Elements of a word, 1 or 2.
    rows : int
        Rows of a result.
    placement : str
        One of :data:`bitformer.hw.memory.PLACEMENTS`; where the queue lives.
    unsigned : bool
        Whether elements are handed out as unsigned words, ``2**(bits - 1)`` more than was written.

    Members
    -------
    i_word : In(bits * ways), elements of a row, the first in the lowest bits.
    i_valid : In(ways), elements to write.
    o : Out(stream.Signature(number_shape(bits, unsigned))), elements, in order.
    o_empty : Out(1), all have been taken.
    """

    features = Integer(1)
    bits = Integer(1)
    ways = Integer(1, 2)
    rows = Integer(1)
    placement = Parameter(str, "a string")
    unsigned = Parameter(bool, "True or False")

    def __init__(
        self,
        *,
        features: int,
        bits: int,
        ways: int,
        rows: int = 1,
        placement: str = "distributed",
        unsigned: bool = False,
    ):
        self.features, self.bits, self.ways, self.rows = features, bits, ways, rows
        self.placement, self.unsigned = placement, unsigned
        placement_attributes(placement, rom=False)
        super().__init__(
            {
                "i_word": In(bits * ways),
                "i_valid": In(ways),
                "o": Out(stream.Signature(number_shape(bits, unsigned))),
                "o_empty": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, ways = self.bits, self.ways
        words = self.rows * -(-self.features // ways)
        # registers are as many as are needed; elsewhere a power of two takes no more
        depth = max(2, words if self.placement == "registers" else 1 << (words - 1).bit_length())
        m.submodules.mem = mem = memory.Memory(
            shape=bits * ways,
            depth=depth,
            init=[],
            attrs=placement_attributes(self.placement, rom=False),
        )
        write = mem.write_port(granularity=bits if ways > 1 else None)
        tail, head, following = (Signal(range(depth), name=n) for n in ("tail", "head", "next"))
        if self.placement == "block":
            # read a cycle ahead; what is written in the same cycle passes the block by
            read = mem.read_port(transparent_for=(write,))
            m.d.comb += read.addr.eq(following)
        else:
            read = mem.read_port(domain="comb")
            m.d.comb += read.addr.eq(head)
        stored = Signal(range(depth * ways + 1))
        taken = self.o.valid & self.o.ready
        m.d.sync += head.eq(following)
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.i_word),
            write.en.eq(self.i_valid),
            following.eq(head),
            self.o.valid.eq(stored != 0),
            self.o_empty.eq(stored == 0),
        ]
        count = sum(self.i_valid[way] for way in range(ways))
        m.d.sync += stored.eq(stored + count - taken)
        if ways == 1:
            m.d.comb += self.o.payload.eq(_moved(read.data, self.unsigned))
            with m.If(self.i_valid):
                m.d.sync += tail.eq(after(tail, depth))
            with m.If(taken):
                m.d.comb += following.eq(after(head, depth))
            return m
        # a row begins with a word: an odd last element leaves the rest of its word unused
        odd = self.features % ways
        left = Signal(range(self.features + 1), init=self.features)
        upper = Signal()
        element = Mux(upper, read.data[bits:], read.data[:bits])
        m.d.comb += self.o.payload.eq(_moved(element, self.unsigned))
        arrived = Signal(range(self.features + 1), init=self.features)
        m.d.sync += arrived.eq(arrived - count)
        with m.If(arrived == count):
            m.d.sync += arrived.eq(self.features)
        with m.If(self.i_valid[1] | ((arrived == 1) & self.i_valid[0] & bool(odd))):
            m.d.sync += tail.eq(after(tail, depth))
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), upper.eq(~upper)]
            with m.If(upper | (left == 1)):
                m.d.comb += following.eq(after(head, depth))
                m.d.sync += upper.eq(0)
            with m.If(left == 1):
                m.d.sync += left.eq(self.features)
        return m

    def model(self, words: Iterable[tuple[int, int]]) -> list[int]:
        """Return the elements handed out for words (``i_word``, ``i_valid``)."""
        offset = (1 << self.bits - 1) * self.unsigned
        return [
            signed_value(word >> way * self.bits, self.bits) + offset
            for word, valid in words
            for way in range(self.ways)
            if valid >> way & 1
        ]
