"""Slots: the post-processor's work of a cycle, drained from the engine or read as a word."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.program import MachineOperation
from bitformer.hw.units.parameters import Integer, Items, Parameter
from bitformer.hw.units.pipeline import by_operation, decode, delay

__all__ = ["VectorSlots", "delay_slot", "slot_layout"]

#: Addresses that some operations advance with every result, and the field that says which do.
_ALWAYS = {"parameter": "wide", "dst": "wide_y", "res": "wide_r"}


def slot_layout(
    *,
    ways: int,
    op_bits: int,
    parameter_bits: int,
    dst_bits: int,
    res_bits: int,
    upper: bool = False,
    soft: bool = False,
    posts: int = 1,
    rounds: int = 1,
) -> data.StructLayout:
    """Return the layout of a slot: one result for each way whose ``valid`` bit is set.

    ``first`` and ``last`` bound a row. ``parameter``, ``dst`` and ``res`` are the addresses of its
    parameters, its results and the stored word that it reads. With wide operations on two ways,
    ``upper`` is set where the only result is the second element of words of two. With columns of
    LUTs beside others whose sums are not apart, ``soft`` is set in theirs.

    With several post-processors, a slot is one of each whose bit of ``posts`` is set. With several
    ``rounds``, ``round`` is which rows of a block they have: one has rows round * posts on.
    """
    return data.StructLayout(
        {
            "valid": ways,
            **({"upper": 1} if upper else {}),
            **({"soft": 1} if soft else {}),
            **({"posts": posts} if posts > 1 else {}),
            **({"round": (rounds - 1).bit_length()} if rounds > 1 else {}),
            "op": op_bits,
            "first": 1,
            "last": 1,
            "parameter": parameter_bits,
            "dst": dst_bits,
            "res": res_bits,
        }
    )


def delay_slot(
    m: Module, slot: data.View, cycles: int, *, name: str, resets: Sequence[str] = ("valid",)
) -> data.View:
    """Return a slot of ``cycles`` clock cycles before; of its fields, some ``resets``.

    These do not become shift registers in LUTs, which would answer late.
    """
    late = (
        delay(m, slot[field], cycles, name=f"{name}_{field}", reset_less=field not in resets)
        for field in slot.shape().members
    )
    return data.View(slot.shape(), Cat(late))


class Slots(wiring.Component):
    """Common part of Drain and VectorSlots: rows come in, their slots go out."""

    operations = Items(MachineOperation, "operations")
    slot = Parameter(data.StructLayout, "a layout of slots")
    dst_bits = Integer(1)
    res_bits = Integer(1)

    def __init__(self, members: Mapping[str, wiring.Member]):
        fields, dst, res = self.slot, self.dst_bits, self.res_bits
        if len(self.operations) > 1 << fields["op"].width:
            raise ValueError(
                f"Slot must have a number for each of {len(self.operations)} operations"
            )
        if dst > fields["dst"].width or res > fields["res"].width:
            raise ValueError(f"Slot must hold addresses of {dst} and {res} bits")
        inputs = {"i_issue": 1, "i_op": fields["op"].width, "i_dst": dst, "i_res": res}
        ports = {name: In(width) for name, width in inputs.items()}
        parameter = Out(fields["parameter"].width)
        super().__init__({**ports, **members, "o_slot": Out(fields), "o_parameter": parameter})

    @property
    def ways(self) -> int:
        """Results of a slot, at most."""
        return self.slot["valid"].width

    @property
    def posts(self) -> int:
        """Post-processors."""
        return self.slot["posts"].width if "posts" in self.slot.members else 1

    def _rounds(self, operation: MachineOperation) -> range:
        """Return the rounds that an operation has: those of its block, or that of its only row."""
        first = operation.lane // self.posts
        return range(first, first + -(-operation.rows // self.posts))

    def _of_posts(self, operation: MachineOperation, last: bool) -> int:
        """Return the post-processors that have a slot of a round, its ``last`` or another."""
        if operation.rows == 1:
            return 1 << operation.lane % self.posts
        left = (operation.rows - 1) % self.posts + 1
        return (1 << (left if last else self.posts)) - 1

    @property
    def _again(self) -> list[int]:
        """Rounds of each operation behind its first."""
        return [len(self._rounds(o)) - 1 for o in self.operations]

    def _share(self, m: Module, slot: data.View, final: Value) -> None:
        """Give the slot in hand to the post-processors that its row is for."""
        if self.posts == 1:
            return
        masks = [[self._of_posts(o, last) for o in self.operations] for last in (False, True)]
        other, last = (
            by_operation(m, slot.op, values, name=f"posts_{n}") for n, values in enumerate(masks)
        )
        m.d.comb += self.o_slot.posts.eq(Mux(final, last, other))

    def _keep_parameter(self, m: Module, slot: data.View) -> None:
        """Give the next slot's address of parameters: this one's, unless it is moved."""
        m.d.comb += self.o_parameter.eq(slot.parameter)
        m.d.sync += slot.parameter.eq(self.o_parameter)

    def _start(self, m: Module, slot: data.View, op, parameter, dst, res) -> None:
        """Begin a row with the addresses of its first slot."""
        row = {"op": op, "dst": dst, "res": res, "first": 1}
        m.d.sync += [slot[name].eq(value) for name, value in row.items()]
        m.d.comb += self.o_parameter.eq(parameter)

    def _always(self, m: Module, slot: data.View) -> dict[str, Value]:
        """Return whether the slot's operation advances an address with every result, by address."""
        return {
            name: decode(m, slot.op, self.operations, field, name=f"always_{name}")
            for name, field in _ALWAYS.items()
            if self.ways > 1 and any(getattr(o, field) for o in self.operations)
        }

    def _advance(self, m: Module, slot: data.View, step: Value, always: dict[str, Value]) -> None:
        """Advance to the next result, and to the next words if ``step`` is set."""
        for name in _ALWAYS:
            with m.If(step | always[name] if name in always else step):
                if name == "parameter":
                    m.d.comb += self.o_parameter.eq(slot.parameter + 1)
                else:
                    m.d.sync += slot[name].eq(slot[name] + 1)

    def _single_way(self, m: Module, slot: data.View, place):
        """Return the valid bits of a single result: its place in a pair, 0 of a wide row."""
        way = Array([Const(0b01, 2), Const(0b10, 2)])[place]
        if not any(o.wide_y for o in self.operations):
            return way
        return Mux(decode(m, slot.op, self.operations, "wide_y"), 0b01, way)

    def _slots(
        self,
        number: int,
        dst: int,
        res: int,
        places: Sequence[int],
        *,
        pairs: bool,
        offset: int = 0,
        turn: int = 0,
    ) -> list[dict[str, int]]:
        """Return the slots of a row: of pairs of results, or of one in each of ``places``.

        They are those of a round, ``turn``, of the operation.
        """
        operation, every = self.operations[number], (1 << self.ways) - 1
        address = {"parameter": operation.parameters + offset, "dst": dst, "res": res}
        slots = []
        for n, place in enumerate(places):
            last = n == len(places) - 1
            single = 0b01 if operation.wide_y else 1 << place
            valid = (0b01 if operation.odd and last else 0b11) if pairs else single
            slot = {"valid": valid & every, "upper": place, "op": number, **address}
            slot |= {"first": int(n == 0), "last": int(last), "soft": 0, "round": turn}
            slot["posts"] = self._of_posts(operation, turn == self._rounds(operation)[-1])
            slots.append({name: slot[name] for name in self.slot.members})
            for name, field in _ALWAYS.items():
                step = pairs or place == self.ways - 1 or getattr(operation, field)
                address[name] += int(step)
        return slots


class VectorSlots(Slots):
    """Gives the slots of a vector operation: a word of a stored row in each, or a wide element.

    Latency: 1 cycle from ``i_issue`` to the first slot. Throughput: one slot a cycle.

    Parameters
    ----------
    operations : sequence of MachineOperation
        Constants of each operation, by number.
    slot : data.StructLayout
        Layout of a slot, made by :func:`slot_layout`.
    dst_bits, res_bits : int
        Widths of an instruction's addresses.

    Members
    -------
    i_issue : In(1), a vector operation is issued.
    i_op : In(slot.op), its number.
    i_dst : In(dst_bits), address of its first result.
    i_res : In(res_bits), address of the first word of the row.
    o_slot : Out(slot), the slot of the word in hand.
    o_parameter : Out(slot.parameter), address of the parameters of the next cycle's slot.
    o_follows : Out(1), there is one.
    """

    def __init__(
        self,
        *,
        operations: Sequence[MachineOperation],
        slot: data.StructLayout,
        dst_bits: int,
        res_bits: int,
    ):
        self.operations, self.slot = operations, slot
        self.dst_bits, self.res_bits = dst_bits, res_bits
        super().__init__({"o_follows": Out(1)})

    def elaborate(self, platform):
        m = Module()
        operations = self.operations
        slot = Signal(self.slot, reset_less=True)
        counts = [max(0, o.slots - 1) for o in operations]
        left = Signal(range(max(counts) + 1), reset_less=True)
        active = Signal()
        count = by_operation(m, self.i_op, counts, name="count")
        rounds = Signal(range(max(self._again) + 1), reset_less=True)
        more: Value = Const(0, 1)
        if max(self._again):
            more = rounds != 0
        always = self._always(m, slot)
        odd = decode(m, slot.op, operations, "odd")
        every = (1 << self.ways) - 1
        valid, step = Mux(odd & (left == 0), 1, every), Const(1)
        if "upper" in self.slot.members:
            wide, upper = decode(m, slot.op, operations, "wide"), slot.upper
            m.d.sync += upper.eq(active & ~upper)
            valid = Mux(wide, self._single_way(m, slot, upper), valid)
            step = ~wide | upper
        m.d.comb += [
            self.o_slot.eq(slot),
            self.o_slot.last.eq(left == 0),
            self.o_slot.valid.eq(Mux(active, valid, 0)),
            self.o_follows.eq(self.i_issue | (active & ((left != 0) | more))),
        ]
        m.d.sync += active.eq(self.o_follows)
        self._share(m, slot, ~more)
        self._keep_parameter(m, slot)
        with m.If(active):
            m.d.sync += [left.eq(left - 1), slot.first.eq(0)]
            self._advance(m, slot, step, always)
        if max(self._again):
            self._next_round(m, slot, active & (left == 0) & more, left, rounds, counts)
        with m.If(self.i_issue):
            m.d.sync += left.eq(count)
            if "upper" in self.slot.members:
                m.d.sync += slot.upper.eq(0)
            base = decode(m, self.i_op, self.operations, "parameters", name="parameter_base")
            self._start(m, slot, self.i_op, base, self.i_dst, self.i_res)
        return m

    def _next_round(
        self,
        m: Module,
        slot: data.View,
        ends: Value,
        left: Signal,
        rounds: Signal,
        counts: Sequence[int],
    ) -> None:
        """Begin the next round of a block where one ``ends``: as the first, but of other rows."""
        operations = self.operations
        count = by_operation(m, slot.op, counts, name="round_count")
        base = decode(m, slot.op, operations, "parameters", name="round_parameter")
        kept = {name: Signal.like(slot[name], name=f"{name}_kept") for name in ("dst", "res")}
        with m.If(ends):
            m.d.sync += [left.eq(count), rounds.eq(rounds - 1), slot.round.eq(slot.round + 1)]
            m.d.sync += [slot[name].eq(value) for name, value in kept.items()]
            m.d.sync += slot.first.eq(1)
            if "upper" in self.slot.members:
                m.d.sync += slot.upper.eq(0)
            m.d.comb += self.o_parameter.eq(base)
        with m.If(self.i_issue):
            again = by_operation(m, self.i_op, self._again, name="again")
            m.d.sync += [rounds.eq(again), slot.round.eq(0)]
            m.d.sync += [kept["dst"].eq(self.i_dst), kept["res"].eq(self.i_res)]

    def model(self, op: int, dst: int, res: int) -> list[dict[str, int]]:
        """Return the slots of a row or a block; slot ``n`` is out ``1 + n`` cycles after issue."""
        o = self.operations[op]
        places = [n % self.ways for n in range(o.slots)]
        turns = (
            self._slots(op, dst, res, places, pairs=not o.wide, turn=turn)
            for turn in self._rounds(o)
        )
        return [slot for slots in turns for slot in slots]
