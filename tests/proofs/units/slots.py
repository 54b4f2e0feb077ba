"""Slots of the post-processors: which columns and words, in order, with their addresses."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from proofs.question import Induction, Question, inside, past

from bitformer.hw.program import MachineOperation
from bitformer.hw.units.drain import Drain
from bitformer.hw.units.result_slots import VectorSlots, slot_layout

__all__ = ["drain", "vector_slots"]

#: Bits of addresses; they wrap.
_BITS = 3
_FIELDS = ("op", "dst", "res")


def _operations(kind: str, columns: int) -> tuple[tuple[MachineOperation, ...], int]:
    """Return operations of a kind, and the ways of their slots."""

    def op(**options) -> MachineOperation:
        return MachineOperation(matrix=True, **options)

    single = (
        op(last_columns=columns, parameters=1),
        op(groups=2, columns=columns - 1, last_columns=2, skip=1, parameters=5),
        op(groups=2, last_columns=1, parameters=3),
    )
    pairs = (
        op(packed=True, last_columns=columns, parameters=1),
        op(packed=True, groups=2, last_columns=3, odd=True, skip=1, parameters=4),
        op(groups=2, columns=2, last_columns=3, parameters=6),
    )
    wide = (
        pairs[1],
        op(groups=2, last_columns=3, wide=True, wide_y=True, parameters=2),
        op(last_columns=4, wide=True, wide_r=True, parameters=5),
    )
    blocks = (
        op(rows=3, last_columns=columns, parameters=1),
        op(rows=2, packed=True, groups=2, columns=2, last_columns=3, parameters=4),
        op(lane=2, groups=2, columns=2, last_columns=1, skip=1, parameters=6),
    )
    kinds = {"single": (single, 1), "pairs": (pairs, 2), "wide": (wide, 2), "blocks": (blocks, 2)}
    return kinds[kind]


def _vectors(kind: str) -> tuple[tuple[MachineOperation, ...], int]:
    """Return vector operations of a kind, and the ways of their slots."""
    pairs = (
        MachineOperation(slots=3, parameters=1),
        MachineOperation(slots=2, odd=True, parameters=5),
        MachineOperation(slots=1, parameters=3),
    )
    wide = (
        pairs[1],
        MachineOperation(slots=4, wide=True, wide_y=True, parameters=2),
        MachineOperation(slots=3, wide=True, wide_r=True, parameters=5),
    )
    return {"single": (pairs, 1), "pairs": (pairs, 2), "wide": (wide, 2)}[kind]


class _Row:
    """A row in hand, as slots should have it: its operation and the addresses of the next slot."""

    #: What differs from slot to slot.
    moved = ("dst", "res", "parameter", "first")

    def __init__(self, m: Module, operations: Sequence[MachineOperation], ways: int):
        self._m, self._operations, self._ways = m, operations, ways
        self.op = Signal(range(len(operations)), name="spec_op")
        self.dst, self.res, self.parameter = (
            Signal(_BITS, name=f"spec_{name}") for name in ("dst", "res", "parameter")
        )
        self.first = Signal(name="spec_first")

    def of(self, field: str, op: Value | None = None) -> Value:
        """Return a constant of the operation; ``pairs``: whether a slot has two results."""
        values = [
            int((o.packed if o.matrix else not o.wide) if field == "pairs" else getattr(o, field))
            for o in self._operations
        ]
        return Array(Const(value, 8) for value in values)[self.op if op is None else op]

    def begin(self, op: Value, dst: Value, res: Value) -> None:
        """Begin a row."""
        self._m.d.sync += [
            self.op.eq(op),
            self.dst.eq(dst),
            self.res.eq(res),
            self.parameter.eq(self.of("parameters", op)),
            self.first.eq(1),
        ]

    def advance(self, upper: Value) -> None:
        """Go on to the next slot; ``upper``: this one is the second of a pair of single results."""
        words = self.of("pairs").bool() | upper if self._ways == 2 else Const(1)
        for address, always in (("dst", "wide_y"), ("res", "wide_r"), ("parameter", "wide")):
            own = getattr(self, address)
            step = words | (self.of(always) != 0) if self._ways == 2 else words
            self._m.d.sync += own.eq(own + step)
        self._m.d.sync += self.first.eq(0)

    def differs(self, slot) -> list[Value]:
        """Return where a slot is another one."""
        return [slot[n] != getattr(self, n) for n in ("op", *self.moved)]


def _layout(operations, ways: int):
    return slot_layout(
        ways=ways,
        op_bits=2,
        parameter_bits=_BITS,
        dst_bits=_BITS,
        res_bits=_BITS,
        upper=ways > 1 and any(o.wide for o in operations),
        rounds=_rounds(operations),
    )


def _rounds(operations: Sequence[MachineOperation]) -> int:
    """Return the rounds that a post-processor for all token rows has at most."""
    return max(max(o.rows, o.lane + 1) for o in operations)


def drain(kind: str, columns: int, queue: int) -> Question:
    """Rows in the order of their issue, a slot for each column behind ``skip``, none else.

    Of a block of rows side by side, a group is drained in rounds, each from the first column on.
    A row's groups come when the group before is drained, and its first when it has been issued
    two cycles before, as lowering's schedule gives them; never more rows wait than the queue holds.
    """
    m = Module()
    operations, ways = _operations(kind, columns)
    unit = Drain(
        operations=operations,
        columns=columns,
        slot=_layout(operations, ways),
        dst_bits=_BITS,
        res_bits=_BITS,
        queue=queue,
    )
    m.submodules.unit, named = inside(unit)
    spec = _Row(m, operations, ways)
    # rows that wait, the oldest first; those that have for two cycles
    rows = [{n: Signal(_BITS, name=f"{n}_{k}") for n in _FIELDS} for k in range(queue + 1)]
    count, there = Signal(range(queue + 2)), Signal(range(queue + 2))
    new = {"op": unit.i_op, "dst": unit.i_dst, "res": unit.i_res}
    begins = unit.i_done & unit.i_begin
    m.d.sync += [
        count.eq(count + unit.i_issue - begins),
        there.eq(there + past(m, unit.i_issue, 1, known=True) - begins),
    ]
    for k in range(queue):
        comes = unit.i_issue & (count - begins == k)
        for n in _FIELDS:
            old = Mux(begins, rows[k + 1][n], rows[k][n])
            m.d.sync += rows[k][n].eq(Mux(comes, new[n], old))

    active, column, final = Signal(), Signal(range(columns + 1)), Signal(range(columns))
    end, closed = Signal(), Signal(init=1)
    # rounds of the group that are left, that in hand, and where the group began
    left, turn, begun = Signal(2), Signal(2), Signal()
    start = {n: Signal.like(getattr(spec, n), name=f"start_{n}") for n in _Row.moved}
    started = {n: Mux(begun, own, getattr(spec, n)) for n, own in start.items()}
    again = active & (column == final) & (left != 0)
    m.d.sync += [begun.eq(1), *(start[n].eq(value) for n, value in started.items())]
    taken = active & (column >= spec.of("skip"))
    at_last = column == final
    with m.If(taken):
        spec.advance(column[0])
    with m.If(active):
        m.d.sync += column.eq(column + 1)
        with m.If(at_last & ~again):
            m.d.sync += active.eq(0)
    with m.If(again):
        m.d.sync += [left.eq(left - 1), turn.eq(turn + 1), column.eq(0)]
        m.d.sync += [getattr(spec, n).eq(value) for n, value in started.items()]
    op = Mux(unit.i_begin, rows[0]["op"], spec.op)
    whole = Mux(spec.of("columns", op) == 0, columns, spec.of("columns", op))
    with m.If(unit.i_done):
        width = Mux(unit.i_end, spec.of("last_columns", op), whole)
        m.d.sync += [column.eq(0), active.eq(1), end.eq(unit.i_end), closed.eq(unit.i_end)]
        m.d.sync += [final.eq(width - 1), begun.eq(0)]
        m.d.sync += [left.eq(spec.of("rows", op) - 1), turn.eq(spec.of("lane", op))]
        with m.If(unit.i_begin):
            spec.begin(*rows[0].values())
    given = ~unit.i_issue | ((count < queue) & (unit.i_op < len(operations)))
    given &= ~unit.i_done | ((~active | (at_last & ~again)) & (unit.i_begin == closed))
    given &= ~begins | (there != 0)

    packed, odd = spec.of("pairs") != 0, (spec.of("odd") != 0) & at_last & end
    single = Mux(spec.of("wide_y") != 0, 1, 1 << column[0])
    valid = Mux(packed, Mux(odd, 1, 3), single) if ways == 2 else 1
    slot = unit.o_slot
    wrong = [slot.valid != Mux(taken, valid, 0)]
    wrong += [taken & (slot.last != (at_last & end)), active & (unit.o_column != column)]
    wrong += [taken & value for value in spec.differs(slot)]
    wrong.append(taken & (past(m, unit.o_parameter, 1) != spec.parameter))
    if "upper" in slot.shape().members:
        wrong.append(taken & ~packed & (slot.upper != column[0]))
    if "round" in slot.shape().members:
        wrong += [taken & (slot.round != turn), active & (named("left") != left)]
        wrong.append(active & (unit.o_direct != (left == spec.of("rows") - 1)))
        kept = named("kept")
        wrong += [active & (kept[n] != value) for n, value in started.items()]
    # the invariant: the same is in hand, and the same rows wait
    wrong += [named("active") != active, active & (named("end") != end)]
    wrong += [active & (named("final") != final), active & (column > final)]
    wrong += [(active | ~closed) & value for value in spec.differs(named("slot"))]
    wrong += [~closed & (spec.op >= len(operations)), active & (end != closed)]
    wrong += [active & (spec.op >= len(operations)), final >= columns]
    wrong.append(active & (left >= spec.of("rows")))
    wrong += _queued(m, named, rows, count, there, past(m, unit.i_issue, 1, known=True))
    inputs = [unit.i_issue, unit.i_op, unit.i_dst, unit.i_res]
    inputs += [unit.i_done, unit.i_begin, unit.i_end]
    return Question(m, Cat(wrong).any(), inputs, Induction(2), given)


def _queued(m: Module, named, rows, count: Value, there: Value, fresh: Value) -> list[Value]:
    """Return where the drain's queue has other rows than wait, or its registers another one."""
    queue = len(rows) - 1
    wrong = [count > queue, count != there + fresh]
    row, parameters = named("row"), named("parameters")
    wrong += [(there != 0) & (row[n] != rows[0][n]) for n in _FIELDS]
    wrong += [(count > k) & (rows[k]["op"] > 2) for k in range(queue)]
    base = Array(Const(o.parameters, _BITS) for o in named("operations"))[rows[0]["op"]]
    wrong.append((there != 0) & (parameters != base))
    if queue == 1:
        return wrong
    head, tail = named("head"), named("tail")
    store = named("store")
    for k in range(queue):
        port = store.read_port(domain="comb")
        place = Signal(range(2 * queue), name=f"place_{k}")
        m.d.comb += [
            place.eq(head + k),
            port.addr.eq(Mux(place >= queue, place - queue, place)),
        ]
        wrong += [(count > k) & (port.data[n] != rows[k][n]) for n in _FIELDS]
    distance = Signal(range(2 * queue))
    m.d.comb += distance.eq(Mux(tail >= head, tail - head, tail + queue - head))
    wrong += [head >= queue, tail >= queue]
    wrong.append(Mux(count == queue, distance != 0, distance != count))
    return wrong


def vector_slots(kind: str) -> Question:
    """A slot for each word of a stored row, or each element of a wide one, and no other.

    An operation is issued when the one before has its last slot, at the earliest.
    """
    m = Module()
    operations, ways = _vectors(kind)
    unit = VectorSlots(
        operations=operations, slot=_layout(operations, ways), dst_bits=_BITS, res_bits=_BITS
    )
    m.submodules.unit, named = inside(unit)
    spec = _Row(m, operations, ways)
    left, upper = Signal(range(8)), Signal()
    active = left != 0
    with m.If(active):
        m.d.sync += [left.eq(left - 1), upper.eq(~upper)]
        spec.advance(upper)
    with m.If(unit.i_issue):
        m.d.sync += [left.eq(spec.of("slots", unit.i_op)), upper.eq(0)]
        spec.begin(unit.i_op, unit.i_dst, unit.i_res)
    given = ~unit.i_issue | ((left <= 1) & (unit.i_op < len(operations)))
    last = left == 1
    pairs = Mux((spec.of("odd") != 0) & last, 1, 3)
    single = Mux(spec.of("wide_y") != 0, 1, 1 << upper)
    valid = Mux(spec.of("pairs") != 0, pairs, single) if ways == 2 else 1
    slot = unit.o_slot
    wrong = [
        slot.valid != Mux(active, valid, 0),
        active & (slot.last != last),
        unit.o_follows != (unit.i_issue | (left > 1)),
        active & (past(m, unit.o_parameter, 1) != spec.parameter),
        *(active & value for value in spec.differs(slot)),
        # the invariant
        named("active") != active,
        active & (named("left") != left - 1),
        active & (spec.op >= len(operations)),
        left > 4,
    ]
    if "upper" in slot.shape().members:
        wrong.append(active & (slot.upper != upper))
    inputs = [unit.i_issue, unit.i_op, unit.i_dst, unit.i_res]
    return Question(m, Cat(wrong).any(), inputs, Induction(2), given)
