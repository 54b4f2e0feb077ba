"""The writer of the key/value store, whose words go across tokens or across features."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.units.parameters import Integer

__all__ = ["KeyValueWriter"]


class KeyValueWriter(wiring.Component):
    """Writes keys one feature at a time, and values as many as come at a time.

    The features of a key lie in one slot, its token's, of successive words; they are queued. The
    features of a value fill the slots of successive words. Results of keys and of values must not
    be written in the same cycle, nor may a key come before the one before it is written: lowering
    sees to both.

    Latency: 1 cycle from a value to the write port, 2 cycles from a key's first feature.
    Throughput: one word of a value a cycle, one feature of a key a cycle.

    Parameters
    ----------
    queue : int
        Words of a key that wait at most behind the one in hand; 0 where none does.
    ways : int
        Results a cycle, 1 or 2.
    slots : int
        Elements of a word of the store.
    bits : int
        Width of such an element.
    depth : int
        Words of the store.
    result_bits : int
        Width of a result, of which the lowest ``bits`` are written.
    dst_bits : int
        Width of an address: a value's word, or a key's word and slot.

    Members
    -------
    i_y : In(ArrayLayout(signed(result_bits), ways)), results.
    i_valid : In(ways), results to write.
    i_first : In(1), they are the first of their row.
    i_key : In(1), they belong to a key.
    i_value : In(1), they belong to a value.
    i_dst : In(dst_bits), address of the row's first result: of a key, the slot is in the lowest
        bits.
    o_addr : Out(range(depth)), word of the store.
    o_data : Out(slots * bits), the elements, the first slot in the lowest bits.
    o_en : Out(slots), slots to write.
    o_write : Out(1), there are some.
    """

    queue = Integer(0)
    ways = Integer(1, 2)
    slots = Integer(1)
    bits = Integer(1)
    depth = Integer(1)
    result_bits = Integer(1)
    dst_bits = Integer(1)

    def __init__(
        self,
        *,
        queue: int,
        ways: int,
        slots: int,
        bits: int,
        depth: int,
        result_bits: int,
        dst_bits: int,
    ):
        self.queue, self.ways, self.slots, self.bits = queue, ways, slots, bits
        self.depth, self.result_bits, self.dst_bits = depth, result_bits, dst_bits
        if slots % ways:
            raise ValueError(f"Slots must be a multiple of the {ways} ways, not {slots}")
        if bits > result_bits:
            raise ValueError(f"Bits must be those of a result, {result_bits}, or less, not {bits}")
        super().__init__(
            {
                "i_y": In(data.ArrayLayout(signed(result_bits), ways)),
                "i_valid": In(ways),
                "i_first": In(1),
                "i_key": In(1),
                "i_value": In(1),
                "i_dst": In(dst_bits),
                "o_addr": Out(range(max(2, depth))),
                "o_data": Out(slots * bits),
                "o_en": Out(slots),
                "o_write": Out(1),
            }
        )

    @property
    def _slot_bits(self) -> int:
        return max(1, (self.slots - 1).bit_length())

    def elaborate(self, platform):
        m = Module()
        bits, slots, ways = self.bits, self.slots, self.ways
        elements = [self.i_y[way][:bits] for way in range(ways)]

        # values: a counter of slots and words that begins with the row
        place, word = Signal(range(max(2, slots)), reset_less=True), Signal.like(self.o_addr)
        place_now, word_now = Signal.like(place), Signal.like(word)
        m.d.comb += [
            place_now.eq(Mux(self.i_first, 0, place)),
            word_now.eq(Mux(self.i_first, self.i_dst, word)),
        ]
        # one valid element of a pair: the first stays at its word for the second
        advances = self.i_valid[ways - 1]
        wraps = advances & (place_now == slots - ways)
        value = self.i_value & self.i_valid.any()
        with m.If(value):
            m.d.sync += word.eq(word_now)
            with m.If(wraps):
                m.d.sync += [word.eq(word_now + 1), place.eq(0)]
            with m.Elif(advances):
                m.d.sync += place.eq(place_now + ways)
            with m.Else():
                m.d.sync += place.eq(place_now)

        # keys: words of features, written one feature a cycle
        layout = data.StructLayout({"valid": ways, "first": 1, "y": bits * ways})
        key = self.i_key & self.i_valid.any()
        come = Signal(layout)
        m.d.comb += [
            come.valid.eq(self.i_valid),
            come.first.eq(self.i_first),
            come.y.eq(Cat(elements)),
        ]
        # a row's address waits for its first word: the next row comes when all are written
        dst = Signal.like(self.i_dst, name="dst", reset_less=True)
        with m.If(key & self.i_first):
            m.d.sync += dst.eq(self.i_dst)
        # the word in hand is in a register: what comes goes there, past a queue that is empty
        hand = Signal(layout, reset_less=True)
        busy, second, done, free = Signal(), Signal(), Signal(), Signal()
        m.d.comb += free.eq(~busy | done)
        queued, head = self._waiting(m, come, key, free)
        with m.If(free):
            m.d.sync += [busy.eq(queued | key), hand.eq(Mux(queued, head, come))]
        feature = Signal.like(self.o_addr, reset_less=True)
        slot = Signal(self._slot_bits, reset_less=True)
        address, slot_now = Signal.like(self.o_addr), Signal(self._slot_bits)
        begins = hand.first & ~second
        m.d.comb += [
            address.eq(Mux(begins, dst[self._slot_bits :], feature)),
            slot_now.eq(Mux(begins, dst[: self._slot_bits], slot)),
        ]
        if ways == 1:
            element = hand.y
            m.d.comb += done.eq(busy)
        else:
            upper = second | ~hand.valid[0]
            element = Mux(upper, hand.y[bits:], hand.y[:bits])
            m.d.comb += done.eq(busy & (second | ~hand.valid.all()))
        with m.If(busy):
            m.d.sync += [feature.eq(address + 1), slot.eq(slot_now), second.eq(~done)]

        # one write port, registered
        written = [Signal(bits, name=f"written_{way}", reset_less=True) for way in range(ways)]
        m.d.sync += [self.o_en.eq(0), self.o_write.eq(busy | value)]
        with m.If(busy):
            m.d.sync += [self.o_addr.eq(address), self.o_en.eq(1 << slot_now)]
            m.d.sync += [copy.eq(element) for copy in written]
        with m.Else():
            m.d.sync += self.o_addr.eq(word_now)
            m.d.sync += [copy.eq(one) for copy, one in zip(written, elements, strict=True)]
            with m.If(value):
                m.d.sync += self.o_en.eq(self.i_valid << place_now)
        m.d.comb += self.o_data.eq(Cat(written[slot % ways] for slot in range(slots)))
        return m

    def _waiting(
        self, m: Module, come: data.View, key: Value, free: Value
    ) -> tuple[Value, data.View]:
        """Return whether words of a key wait, and the first of them, taken when ``free``."""
        if not self.queue:
            return Const(0, 1), come
        depth = 1 << (self.queue - 1).bit_length()
        m.submodules.queue = queue = memory.Memory(
            shape=come.shape(), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = queue.write_port(), queue.read_port(domain="comb")
        # a bit more than the place: a full queue is not an empty one
        tail, head = Signal(range(2 * depth)), Signal(range(2 * depth))
        queued = Signal()
        m.d.comb += [
            queued.eq(tail != head),
            write.en.eq(key & ~(free & ~queued)),
            write.addr.eq(tail),
            write.data.eq(come),
            read.addr.eq(head),
        ]
        with m.If(write.en):
            m.d.sync += tail.eq(tail + 1)
        with m.If(free & queued):
            m.d.sync += head.eq(head + 1)
        return queued, read.data

    def model(self, dst: int, row: Iterable[int], *, key: bool) -> dict[tuple[int, int], int]:
        """Return the elements of a row of a key or value, by their (word, slot) in the store."""
        if key:
            word, slot = divmod(dst, 1 << self._slot_bits)
            return {(word + feature, slot): element for feature, element in enumerate(row)}
        return {
            (dst + feature // self.slots, feature % self.slots): element
            for feature, element in enumerate(row)
        }
