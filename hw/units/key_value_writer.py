"""Writers of the key and value store, whose words go across tokens or across features."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import Design

__all__ = ["DynamicWriter"]


class DynamicWriter(wiring.Component):
    """Writes keys a feature at a time, and values a word's slots at a time.

    A key's features lie in one slot (its token's) of successive words: they are queued, and written
    one a cycle from two cycles after they come. A value's features fill the slots of a word one
    cycle after they come. Lowering keeps the two from meeting.

    Members
    -------
    i_y, i_valid, i_first : results. i_key, i_value : they are a key's, a value's. i_dst : a
    value's word, or a key's word and slot. o_addr, o_data, o_en : the store's write port.
    """

    def __init__(self, *, design: Design):
        self._design = design
        geometry, spec = design.geometry, design.stores["dynamic"]
        super().__init__(
            {
                "i_y": In(data.ArrayLayout(signed(geometry.activation_bits), geometry.ways)),
                "i_valid": In(geometry.ways),
                "i_first": In(1),
                "i_key": In(1),
                "i_value": In(1),
                "i_dst": In(design.program.width("dst")),
                "o_addr": Out(range(max(2, spec.depth))),
                "o_data": Out(spec.width),
                "o_en": Out(geometry.dynamic_slots),
            }
        )

    def elaborate(self, platform):
        m = Module()
        geometry = self._design.geometry
        bits, slots, ways = geometry.dynamic_bits, geometry.dynamic_slots, geometry.ways
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

        # keys: queued words of features, written one feature a cycle
        depth = 1 << (geometry.columns + 1).bit_length()
        layout = data.StructLayout(
            {"valid": ways, "first": 1, "dst": len(self.i_dst), "y": bits * ways}
        )
        m.submodules.queue = queue = memory.Memory(
            shape=layout, depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = queue.write_port(), queue.read_port(domain="comb")
        tail, head = Signal(range(depth)), Signal(range(depth))
        key = self.i_key & self.i_valid.any()
        m.d.comb += [
            write.en.eq(key),
            write.addr.eq(tail),
            write.data.valid.eq(self.i_valid),
            write.data.first.eq(self.i_first),
            write.data.dst.eq(self.i_dst),
            write.data.y.eq(Cat(elements)),
            read.addr.eq(head),
        ]
        with m.If(key):
            m.d.sync += tail.eq(tail + 1)
        slot_bits = max(1, (slots - 1).bit_length())
        busy, second = Signal(), Signal()
        feature = Signal.like(self.o_addr, reset_less=True)
        slot = Signal(slot_bits, reset_less=True)
        address, slot_now = Signal.like(self.o_addr), Signal(slot_bits)
        begins = read.data.first & ~second
        m.d.comb += [
            busy.eq(tail != head),
            address.eq(Mux(begins, read.data.dst[slot_bits:], feature)),
            slot_now.eq(Mux(begins, read.data.dst[:slot_bits], slot)),
        ]
        if ways == 1:
            element, done = read.data.y, busy
        else:
            upper = second | ~read.data.valid[0]
            element = Mux(upper, read.data.y[bits:], read.data.y[:bits])
            done = busy & (second | ~read.data.valid.all())
        with m.If(busy):
            m.d.sync += [feature.eq(address + 1), slot.eq(slot_now), second.eq(~done)]
            with m.If(done):
                m.d.sync += head.eq(head + 1)

        # one write port, registered
        written = [Signal(bits, name=f"written_{way}", reset_less=True) for way in range(ways)]
        m.d.sync += self.o_en.eq(0)
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
