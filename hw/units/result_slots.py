"""Hands the post-processor its work: results drained from the engine, or words of a vector."""

from contextlib import nullcontext

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import Design
from bitformer.hw.timing import QUEUE
from bitformer.hw.units.pipeline import by_operation, twice

__all__ = ["PLACE_BITS", "Drain", "Vector", "slot_layout"]

#: Columns are chosen in groups of ``2**PLACE_BITS``.
PLACE_BITS = 2


def slot_layout(design: Design) -> data.StructLayout:
    """One cycle of the post-processor: a result for each way whose ``valid`` bit is set.

    ``first`` and ``last`` bound a row; the addresses are of this slot's words. In designs with wide
    operations ``upper`` says that the slot's only result is the second of words that have two.
    """
    program, stores = design.program, design.stores
    depth = max(2, len(design.images["parameters"]))
    # addresses run on from an instruction's to the end of its row
    words = max(stores[s].depth for s in ("activations", "scores", "position") if s in stores)
    address = (words - 1).bit_length()
    upper = {"upper": 1} if design.geometry.wide and design.geometry.ways > 1 else {}
    return data.StructLayout(
        {
            "valid": design.geometry.ways,
            **upper,
            "op": program.width("op"),
            "first": 1,
            "last": 1,
            "parameter": (depth - 1).bit_length(),
            "dst": max(program.width("dst"), address),
            "res": max(program.width("res"), address),
        }
    )


class _Counters:
    """Addresses that begin with a row and advance with its words.

    Those of wide operations' parameters and of wide rows advance with every result.
    """

    def __init__(self, m: Module, design: Design, slot, bases: list[int]):
        self.m, self.slot, self.bases = m, slot, bases
        program = design.program
        fields = {"parameter": "wide", "dst": "wide_y", "res": "wide_r"}
        self.always = {
            name: by_operation(m, slot.op, program.values(field), name=f"always_{name}")
            for name, field in fields.items()
            if design.geometry.ways > 1 and any(program.values(field))
        }

    def start(self, op, dst, res) -> None:
        base = by_operation(self.m, op, self.bases, name="parameter_base")
        self.m.d.sync += [
            self.slot.op.eq(op),
            self.slot.parameter.eq(base),
            self.slot.dst.eq(dst),
            self.slot.res.eq(res),
            self.slot.first.eq(1),
        ]

    def advance(self, step=None) -> None:
        """To the next result, which is of the next word where ``step`` (always) is set."""
        with self.m.If(step) if step is not None else nullcontext():
            for name in ("parameter", "dst", "res"):
                if name not in self.always:
                    self._advance(name)
        for name, always in self.always.items():
            with self.m.If(step | always) if step is not None else nullcontext():
                self._advance(name)

    def _advance(self, name: str) -> None:
        field = getattr(self.slot, name)
        self.m.d.sync += field.eq(field + 1)


class Drain(wiring.Component):
    """Walks the engine's columns as they finish, one a cycle.

    A row is queued when it is issued. The slot of a group's first column is out one cycle after
    ``i_done``; with ``skip`` columns, the first valid slot comes as much later.

    Members
    -------
    i_issue, i_op, i_dst, i_res : a matrix row is issued. i_done : a group's first column will
    have finished in the next cycle. i_begin, i_end : it is the row's first or last group.
    o_slot : slot_layout. o_column : the column whose accumulator the slot takes; o_places : for
    every four columns, the lowest bits of the column while it is one of them; o_group_lower,
    o_group_upper : which four, for either half of the accumulator's bits.
    """

    def __init__(self, *, design: Design):
        self._design = design
        program, columns = design.program, design.geometry.columns
        super().__init__(
            {
                "i_issue": In(1),
                "i_op": In(program.width("op")),
                "i_dst": In(program.width("dst")),
                "i_res": In(program.width("res")),
                "i_done": In(1),
                "i_begin": In(1),
                "i_end": In(1),
                "o_slot": Out(slot_layout(design)),
                "o_column": Out(range(max(2, columns))),
                "o_places": Out(-(-columns // (1 << PLACE_BITS)) * PLACE_BITS),
                "o_group_lower": Out(range(-(-columns // (1 << PLACE_BITS)))),
                "o_group_upper": Out(range(-(-columns // (1 << PLACE_BITS)))),
            }
        )

    def _queue(self, m: Module):
        """Rows that have been issued and not drained, in order."""
        layout = data.StructLayout(
            {"op": len(self.i_op), "dst": len(self.i_dst), "res": len(self.i_res)}
        )
        m.submodules.queue = store = memory.Memory(
            shape=layout, depth=QUEUE, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = store.write_port(), store.read_port(domain="comb")
        tail, head = Signal(range(QUEUE)), Signal(range(QUEUE))
        m.d.comb += [
            write.addr.eq(tail),
            write.en.eq(self.i_issue),
            write.data.op.eq(self.i_op),
            write.data.dst.eq(self.i_dst),
            write.data.res.eq(self.i_res),
            read.addr.eq(head),
        ]
        with m.If(self.i_issue):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.i_done & self.i_begin):
            m.d.sync += head.eq(head + 1)
        return read.data

    def elaborate(self, platform):
        m = Module()
        design, program = self._design, self._design.program
        columns, ways = design.geometry.columns, design.geometry.ways
        row = self._queue(m)
        slot = Signal(slot_layout(design), reset_less=True)
        active, end = Signal(), Signal(reset_less=True)
        final = Signal(range(max(2, columns)), reset_less=True)
        counters = _Counters(m, design, slot, program.values("parameters"))

        packed = by_operation(m, slot.op, program.values("packed"), name="packed")
        skip = by_operation(m, slot.op, program.values("skip"), name="skip")
        odd = by_operation(m, slot.op, program.values("odd"), name="odd")
        lasts = [value - 1 for value in program.values("last_columns")]
        fulls = [(value or columns) - 1 for value in program.values("columns")]
        op = Signal.like(slot.op)
        m.d.comb += op.eq(Mux(self.i_begin, row.op, slot.op))
        last = by_operation(m, op, lasts, name="last_column")
        full = by_operation(m, op, fulls, name="full_group")

        at_last = Signal()
        taken = active & (self.o_column >= skip)
        m.d.comb += [
            at_last.eq(self.o_column == final),
            self.o_slot.eq(slot),
            self.o_slot.last.eq(at_last & end),
        ]
        if ways == 1:
            m.d.comb += self.o_slot.valid.eq(taken)
            step = Const(1)
        else:
            place = self.o_column[0]
            single = _single_way(m, design, slot, place)
            both = Mux(odd & at_last & end, 0b01, 0b11)
            m.d.comb += self.o_slot.valid.eq(Mux(taken, Mux(packed, both, single), 0))
            step = packed | place
            if design.geometry.wide:
                m.d.comb += self.o_slot.upper.eq(place)
        following = Signal.like(self.o_column)
        m.d.comb += following.eq(Mux(self.i_done, 0, self.o_column + 1))
        m.d.sync += self.o_column.eq(following)
        lower, upper = twice(m, following[PLACE_BITS:], name="group")
        m.d.comb += [self.o_group_lower.eq(lower), self.o_group_upper.eq(upper)]
        for group in range(len(self.o_places) // PLACE_BITS):
            # each four columns have a select of their own: one for all would have too many loads
            with m.If(following[PLACE_BITS:] == group):
                m.d.sync += self.o_places.word_select(group, PLACE_BITS).eq(following)
        with m.If(active):
            with m.If(at_last):
                m.d.sync += active.eq(0)
            with m.If(self.o_column >= skip):
                m.d.sync += slot.first.eq(0)
                counters.advance(step)
        with m.If(self.i_done):
            m.d.sync += [
                active.eq(1),
                end.eq(self.i_end),
                final.eq(Mux(self.i_end, last, full)),
            ]
            with m.If(self.i_begin):
                counters.start(row.op, row.dst, row.res)
        return m


def _single_way(m: Module, design: Design, slot, place):
    """Valid bits of a single result: of the way that its place in a pair gives."""
    way = Array([Const(0b01, 2), Const(0b10, 2)])[place]
    if not design.geometry.wide_rows:
        return way
    wide = by_operation(m, slot.op, design.program.values("wide_y"), name="wide_y")
    return Mux(wide, 0b01, way)


class Vector(wiring.Component):
    """Walks the words of a stored row.

    Members
    -------
    i_issue, i_op, i_dst, i_res : a vector operation is issued; its first slot is out one cycle
    later. o_slot : slot_layout. o_start : its first slot is out.
    """

    def __init__(self, *, design: Design):
        self._design = design
        program = design.program
        super().__init__(
            {
                "i_issue": In(1),
                "i_op": In(program.width("op")),
                "i_dst": In(program.width("dst")),
                "i_res": In(program.width("res")),
                "o_slot": Out(slot_layout(design)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design, program = self._design, self._design.program
        slot = Signal(slot_layout(design), reset_less=True)
        counts = [max(0, value - 1) for value in program.values("slots")]
        left = Signal(range(max(counts) + 1), reset_less=True)
        active = Signal()
        counters = _Counters(m, design, slot, program.values("parameters"))
        count = by_operation(m, self.i_op, counts, name="count")
        odd = by_operation(m, slot.op, program.values("odd"), name="odd")
        every = (1 << design.geometry.ways) - 1
        valid, step = Mux(odd & (left == 0), 1, every), None
        if design.geometry.wide and design.geometry.ways > 1:
            wide = by_operation(m, slot.op, program.values("wide"), name="wide")
            upper = slot.upper
            m.d.sync += upper.eq(active & ~upper)
            valid, step = Mux(wide, _single_way(m, design, slot, upper), valid), ~wide | upper
        m.d.comb += [
            self.o_slot.eq(slot),
            self.o_slot.last.eq(left == 0),
            self.o_slot.valid.eq(Mux(active, valid, 0)),
        ]
        with m.If(active):
            m.d.sync += [left.eq(left - 1), slot.first.eq(0)]
            counters.advance(step)
            with m.If(left == 0):
                m.d.sync += active.eq(0)
        with m.If(self.i_issue):
            m.d.sync += [active.eq(1), left.eq(count)]
            if "upper" in slot.shape().members:
                m.d.sync += slot.upper.eq(0)
            counters.start(self.i_op, self.i_dst, self.i_res)
        return m
