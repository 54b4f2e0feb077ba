"""The drain: results leave the matrix engine column by column, as slots of the post-processor."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out

from bitformer.hw.program import MachineOperation
from bitformer.hw.timing import QUEUE
from bitformer.hw.units.parameters import Integer
from bitformer.hw.units.pipeline import (
    MOST_COPIES,
    after,
    by_operation,
    decode,
    registered,
    twice,
)
from bitformer.hw.units.result_slots import Slots

__all__ = ["PLACE_BITS", "Drain"]

#: Columns are chosen in groups of ``2**PLACE_BITS``.
PLACE_BITS = 2


class Drain(Slots):
    """Gives a slot for each column of the matrix engine as it finishes, one a cycle.

    Of a block of rows side by side, the post-processors take so many at a time as there are: they
    have a round of slots for each, the first as the columns finish, and the others behind it.
    Rows are drained in the order in which they are issued. Columns before the operation's ``skip``
    have no valid slot. The parameters of an operation with a ``clock`` are those of a row of its
    table.

    Latency: 1 cycle from ``i_done`` to the slot of the first column. Throughput: one column a
    cycle.

    Parameters
    ----------
    operations : sequence of MachineOperation
        Constants of each operation, by number.
    columns : int
        Columns of the engine.
    slot : data.StructLayout
        Layout of a slot, made by :func:`bitformer.hw.units.result_slots.slot_layout`.
    dst_bits, res_bits : int
        Widths of an instruction's addresses.
    soft : int
        The last columns of these that are of LUTs, where slots say so.
    queue : int
        Rows that wait at most, from the cycle of their issue until after their first ``i_done``.
    copies : int
        Registers that share the loads of ``o_places``.

    Members
    -------
    i_issue : In(1), a matrix row is issued.
    i_op : In(slot.op), number of its operation.
    i_dst : In(dst_bits), address of its first result.
    i_res : In(res_bits), address of the first stored word that is added to it.
    i_done : In(1), a group's first column will have finished in the next cycle; at the earliest two
        cycles after ``i_issue`` of its row.
    i_begin : In(1), the group is the first of its row; valid with ``i_done``.
    i_end : In(1), the group is the last of its row; valid with ``i_done``.
    i_offset_{n} : In(slot.parameter), words from a table's first row to that which number ``n`` of
        the time selects; for each number that operations have.
    o_places : Out(PLACE_BITS for every four columns), lowest bits of the column in hand, for the
        four columns that it belongs to; those of each of ``copies``, one behind another.
    o_group_lower : Out(copies * bits of range(columns / 4)), number of those four columns, for the
        lower half of the accumulator's bits.
    o_group_upper : Out(copies * bits of range(columns / 4)), the same for the upper half.
    o_column : Out(range(columns)), the column in hand.
    o_direct : Out(1), it has just finished: the round is the first, or that of an only row.
    o_slot : Out(slot), the slot of the column in hand.
    o_parameter : Out(slot.parameter), address of the parameters of the next cycle's slot.
    """

    columns = Integer(1)
    soft = Integer(0)
    queue = Integer(1, QUEUE)
    copies = Integer(1, MOST_COPIES)

    def __init__(
        self,
        *,
        operations: Sequence[MachineOperation],
        columns: int,
        slot: data.StructLayout,
        dst_bits: int,
        res_bits: int,
        soft: int = 0,
        queue: int = QUEUE,
        copies: int = 1,
    ):
        self.queue, self.soft, self.copies = queue, soft, copies
        self.operations, self.columns, self.slot = operations, columns, slot
        self.dst_bits, self.res_bits = dst_bits, res_bits
        most = max(max(o.columns, o.last_columns) for o in self.operations)
        if most > columns:
            raise ValueError(f"Columns must be at least the {most} of an operation, not {columns}")
        groups = -(-columns // (1 << PLACE_BITS))
        super().__init__(
            {
                **{name: In(1) for name in ("i_done", "i_begin", "i_end")},
                **{f"i_offset_{n}": In(slot["parameter"].width) for n in range(self.numbers)},
                "o_places": Out(copies * groups * PLACE_BITS),
                "o_column": Out(range(max(2, columns))),
                "o_direct": Out(1),
                "o_group_lower": Out(copies * (groups - 1).bit_length()),
                "o_group_upper": Out(copies * (groups - 1).bit_length()),
            }
        )

    @property
    def numbers(self) -> int:
        """Numbers of the time that select rows of operations' tables."""
        return max(o.clock for o in self.operations)

    def _offset(self, m: Module, op: Value) -> Value | None:
        """Return the words from the first row of an operation's table to the one in use."""
        if not self.numbers:
            return None
        clock = decode(m, op, self.operations, "clock")
        offset = Signal(self.slot["parameter"].width)
        with m.Switch(clock):
            for number in range(self.numbers):
                with m.Case(1 + number):
                    m.d.comb += offset.eq(getattr(self, f"i_offset_{number}"))
        return offset

    def _waiting(self, m: Module) -> tuple[data.View, Value]:
        """Return the oldest row that has been issued and not drained, and its first parameters.

        It is there from the second cycle after its issue on, in registers: memory in LUTs answers
        late.
        """
        ports = {"op": self.i_op, "dst": self.i_dst, "res": self.i_res}
        layout = data.StructLayout({name: len(port) for name, port in ports.items()})
        row = Signal(layout, reset_less=True)
        if self.queue == 1:
            with m.If(self.i_issue):
                m.d.sync += [row[name].eq(port) for name, port in ports.items()]
            op = row.op
        else:
            oldest = self._oldest(m, ports, layout)
            m.d.sync += row.eq(oldest)
            op = oldest.op
        base = decode(m, op, self.operations, "parameters")
        return row, registered(m, base, name="parameters")

    def _oldest(
        self, m: Module, ports: Mapping[str, Value], layout: data.StructLayout
    ) -> data.View:
        """Queue rows as they are issued; return the one that is the oldest in the next cycle."""
        depth = self.queue
        m.submodules.queue = store = memory.Memory(
            shape=layout, depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = store.write_port(), store.read_port(domain="comb")
        tail, head, following = (Signal(range(depth), name=n) for n in ("tail", "head", "next"))
        m.d.comb += [
            write.addr.eq(tail),
            write.en.eq(self.i_issue),
            following.eq(Mux(self.i_done & self.i_begin, after(head, depth), head)),
            read.addr.eq(following),
        ]
        m.d.sync += head.eq(following)
        for name, port in ports.items():
            m.d.comb += write.data[name].eq(port)
        with m.If(self.i_issue):
            m.d.sync += tail.eq(after(tail, depth))
        return read.data

    def elaborate(self, platform):
        m = Module()
        operations, columns = self.operations, self.columns
        row, parameters = self._waiting(m)
        slot = Signal(self.slot, reset_less=True)
        active, end = Signal(), Signal(reset_less=True)
        column = Signal(range(max(2, columns)))
        final = Signal(range(max(2, columns)), reset_less=True)

        always = self._always(m, slot)
        packed, skip, odd = (decode(m, slot.op, operations, f) for f in ("packed", "skip", "odd"))
        lasts = [o.last_columns - 1 for o in operations]
        fulls = [(o.columns or columns) - 1 for o in operations]
        op = Signal.like(slot.op)
        m.d.comb += op.eq(Mux(self.i_begin, row.op, slot.op))
        last = by_operation(m, op, lasts, name="last_column")
        full = by_operation(m, op, fulls, name="full_group")

        at_last, again = Signal(), Signal()
        left = Signal(range(max(self._again) + 1), reset_less=True)
        direct = Signal(init=1, reset_less=True)
        taken = active & (column >= skip)
        m.d.comb += [
            at_last.eq(column == final),
            self.o_slot.eq(slot),
            self.o_slot.last.eq(at_last & end),
        ]
        if self.ways == 1:
            m.d.comb += self.o_slot.valid.eq(taken)
            step = Const(1)
        else:
            place = column[0]
            single = self._single_way(m, slot, place)
            both = Mux(odd & at_last & end, 0b01, 0b11)
            m.d.comb += self.o_slot.valid.eq(Mux(taken, Mux(packed, both, single), 0))
            step = packed | place
            if "upper" in self.slot.members:
                m.d.comb += self.o_slot.upper.eq(place)
        following = Signal.like(column)
        m.d.comb += [
            following.eq(Mux(self.i_done | again, 0, column + 1)),
            self.o_column.eq(column),
            self.o_direct.eq(direct),
        ]
        m.d.sync += column.eq(following)
        if "soft" in self.slot.members:
            m.d.sync += slot.soft.eq(following >= columns - self.soft)
        self._share(m, slot, left == 0)
        self._keep_parameter(m, slot)
        group = following[PLACE_BITS:]
        halves = [
            twice(m, group, name="group", ones=number % 2 == 1) for number in range(self.copies)
        ]
        for port, half in ((self.o_group_lower, 0), (self.o_group_upper, 1)):
            m.d.comb += port.eq(Cat(both[half] for both in halves))
        self._choose_places(m, following)
        with m.If(active):
            with m.If(at_last & ~again):
                m.d.sync += active.eq(0)
            with m.If(column >= skip):
                m.d.sync += slot.first.eq(0)
                self._advance(m, slot, step, always)
        if max(self._again):
            m.d.comb += again.eq(active & at_last & (left != 0))
            self._next_round(m, slot, again, left, direct)
            first = by_operation(
                m, op, [self._rounds(o)[0] for o in operations], name="first_round"
            )
            rounds = by_operation(m, op, self._again, name="again")
            with m.If(self.i_done):
                m.d.sync += [left.eq(rounds), direct.eq(1), slot.round.eq(first)]
        elif "round" in self.slot.members:
            first = by_operation(
                m, op, [self._rounds(o)[0] for o in operations], name="first_round"
            )
            with m.If(self.i_done):
                m.d.sync += slot.round.eq(first)
        with m.If(self.i_done):
            m.d.sync += [
                active.eq(1),
                end.eq(self.i_end),
                final.eq(Mux(self.i_end, last, full)),
            ]
            with m.If(self.i_begin):
                offset = self._offset(m, row.op)
                base = parameters if offset is None else parameters + offset
                self._start(m, slot, row.op, base, row.dst, row.res)
        return m

    def _choose_places(self, m: Module, following: Value) -> None:
        """Give the lowest bits of the column in hand, out of registers for every four columns.

        One for all would have too many loads; so would one for all token rows: ``copies`` of it
        differ, so that synthesis does not merge them.
        """
        bits = len(self.o_places) // self.copies
        if len(following) < PLACE_BITS:
            # its complement would have bits of its own above
            following = Cat(following, Const(0, PLACE_BITS - len(following)))
        for number in range(self.copies):
            ones = (1 << bits) - 1 if number % 2 else 0
            places = Signal(bits, name=f"places_{number}", init=ones, reset_less=True)
            value = ~following if number >= 2 else following
            for group in range(len(places) // PLACE_BITS):
                with m.If(following[PLACE_BITS:] == group):
                    m.d.sync += places.word_select(group, PLACE_BITS).eq(value)
            shown = self.o_places.word_select(number, bits)
            m.d.comb += shown.eq(~places if number >= 2 else places)

    def _next_round(
        self, m: Module, slot: data.View, again: Value, left: Signal, direct: Signal
    ) -> None:
        """Begin the next round of a block: it has the addresses of the group's first column."""
        fresh = Signal()
        m.d.sync += fresh.eq(self.i_done)
        kept = {}
        for name in ("dst", "res", "first", "parameter"):
            own = Signal.like(slot[name], name=f"{name}_kept", reset_less=True)
            kept[name] = Mux(fresh, slot[name], own)
            m.d.sync += own.eq(kept[name])
        with m.If(again):
            m.d.sync += [left.eq(left - 1), slot.round.eq(slot.round + 1), direct.eq(0)]
            m.d.sync += [slot[name].eq(kept[name]) for name in ("dst", "res", "first")]
            m.d.comb += self.o_parameter.eq(kept["parameter"])

    def model(
        self, op: int, dst: int, res: int, offset: int = 0
    ) -> list[dict[int, dict[str, int]]]:
        """Return the valid slots of a row: for each of its groups, those of each column.

        ``offset`` is that of the number of the time that the operation has.

        The slot of column ``c`` is out ``1 + c`` cycles after the group's ``i_done``, that of a
        later round so many columns of the group later.
        """
        o = self.operations[op]
        ends = [*[o.columns or self.columns] * (o.groups - 1), o.last_columns]
        taken = [(g, column) for g, end in enumerate(ends) for column in range(o.skip, end)]
        places = [column % self.ways for _, column in taken]
        groups: list[dict[int, dict[str, int]]] = [{} for _ in ends]
        own = offset if o.clock else 0
        for number, turn in enumerate(self._rounds(o)):
            slots = self._slots(op, dst, res, places, pairs=o.packed, offset=own, turn=turn)
            for (group, column), slot in zip(taken, slots, strict=True):
                if "soft" in slot:
                    slot["soft"] = int(column >= self.columns - self.soft)
                groups[group][number * ends[group] + column] = slot
        return groups
