"""The results of token rows on their way from the engine to the post-processors."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory

from bitformer.hw.units.assembly import Units
from bitformer.hw.units.drain import PLACE_BITS
from bitformer.hw.units.pipeline import decode, delay, extended
from bitformer.hw.units.result_slots import delay_slot

__all__ = ["Drained", "drain_rows"]


class Drained:
    """What the post-processors take of the drain: a slot, and the address of its parameters.

    ``slot`` : the slot whose results they have. ``parameter`` : the address of the parameters of
    the next cycle's. ``follows`` : there is one, which comes late.
    """

    def __init__(self, m: Module, units: Units):
        drain, operations = units.drain, units.operations
        self.slot, self.parameter = drain.o_slot, drain.o_parameter
        self.late: Value = Const(0, 1)
        if not any(o.split for o in operations):
            return
        splits = decode(m, drain.o_slot.op, operations, "split", name="splits")
        now, early = (Signal(drain.o_slot.shape(), name=n) for n in ("slot_now", "slot_split"))
        valid = drain.o_slot.valid
        m.d.comb += [
            now.eq(drain.o_slot),
            now.valid.eq(Mux(splits, 0, valid)),
            early.eq(drain.o_slot),
            early.valid.eq(Mux(splits, valid, 0)),
        ]
        if units.design.geometry.weights.broad:
            # a single sum is whole when all rows' have been added up
            packed = decode(m, drain.o_slot.op, operations, "packed", name="splits_packed")
            m.d.comb += early.soft.eq(drain.o_slot.soft & packed)
        cycles = units.design.geometry.split_delay
        before = delay_slot(m, data.View(drain.o_slot.shape(), early), cycles - 1, name="split")
        late = delay_slot(m, before, 1, name="split_late")
        address = delay(m, drain.o_parameter, cycles, name="split_parameter")
        self.late = late.valid.any()
        self.slot = data.View(drain.o_slot.shape(), Mux(self.late, late, now))
        self.parameter = Mux(before.valid.any(), address, drain.o_parameter)


def _column(units: Units, row: int) -> Value:
    """Return the sum in the column in hand of a token row."""
    engine, drain = units.engines[row], units.drain
    columns, four = engine.columns, 1 << PLACE_BITS
    half = (engine.product_bits + engine.extension) // 2
    copy = row * drain.copies // len(units.engines)

    def own(port: Value) -> Value:
        return port.word_select(copy, len(port) // drain.copies) if len(port) else port

    places = own(drain.o_places)
    groups = [
        Array(engine.o_p[j] for j in range(start, min(start + four, columns)))[
            places.word_select(start // four, PLACE_BITS)
        ]
        for start in range(0, columns, four)
    ]
    lower = Array(group[:half] for group in groups)[own(drain.o_group_lower)]
    upper = Array(group[half:] for group in groups)[own(drain.o_group_upper)]
    return Cat(lower, upper)


def _kept(m: Module, units: Units, row: int, column: Value) -> Value:
    """Keep a row's columns as they finish; return that in hand, for a later round."""
    drain = units.drain
    m.submodules[f"kept_{row}"] = kept = memory.Memory(
        shape=len(column),
        depth=1 << len(drain.o_column),
        init=[],
        attrs={"ram_style": "distributed"},
    )
    write, read = kept.write_port(), kept.read_port(domain="comb")
    m.d.comb += [
        write.addr.eq(drain.o_column),
        write.data.eq(column),
        write.en.eq(drain.o_direct),
        read.addr.eq(drain.o_column),
    ]
    return read.data


def _sum(m: Module, units: Units, columns: list[Value]) -> Value:
    """Return the sum of all rows' columns, ``split_delay`` cycles later.

    A column of LUTs has two sums apart: a bit between them passes no carry, as it does of others.
    The low one is all of what is not packed.
    """
    slot, shift, bits = units.drain.o_slot, units.design.geometry.pack_shift, len(columns[0])
    terms = [delay(m, column, 1, name=f"split_{n}") for n, column in enumerate(columns)]
    passes: Value | None = None
    if "soft" in slot.shape().members:
        apart = slot.soft
        if units.design.geometry.weights.broad:
            packed = decode(m, slot.op, units.operations, "packed", name="sum_packed")
            single = delay(m, slot.soft & ~packed, 1, name="split_single")
            terms = [extended(single, term[:shift], term) for term in terms]
            apart = slot.soft & packed
        passes = delay(m, ~apart, 1, name="split_passes")
    level = 0
    while len(terms) > 1:
        sums: list[Value] = []
        for first, second in zip(terms[::2], terms[1::2], strict=True):
            total = Signal(bits, name=f"split_sum_{level}_{len(sums)}", reset_less=True)
            if passes is None:
                m.d.sync += total.eq(first + second)
            else:
                one = Cat(first[:shift], passes, first[shift:])
                whole = one + Cat(second[:shift], Const(0, 1), second[shift:])
                m.d.sync += total.eq(Cat(whole[:shift], whole[shift + 1 :]))
            sums.append(total)
        terms, level = sums, level + 1
        if passes is not None and len(terms) > 1:
            passes = delay(m, passes, 1, name=f"split_passes_{level}")
    return terms[0]


def drain_rows(m: Module, units: Units, drained: Drained) -> None:
    """Give each post-processor the column in hand of the row whose turn it is.

    The rows of a block's first round, and an only row, have just finished; those of later rounds
    have been kept. A split row has the sum of all.
    """
    geometry, drain, posts = units.design.geometry, units.drain, units.posts
    columns = [_column(units, row) for row in range(geometry.rows)]
    rounds, several = geometry.rounds(geometry.rows), len(posts)
    single = {o.lane for o in units.operations if o.rows == 1 and not o.split}
    blocks = any(o.rows > several for o in units.operations if o.matrix)
    for number, post in enumerate(posts):
        found = columns[number]
        rows = range(number, geometry.rows, several)
        if rounds > 1:
            alone = [columns[row] if row in single else columns[number] for row in rows]
            later = [columns[number]]
            later += [_kept(m, units, row, columns[row]) if blocks else found for row in rows[1:]]
            turn = drain.o_slot.round
            found = Mux(drain.o_direct, Array(alone)[turn], Array(later)[turn])
            if not single - {number}:
                found = Array(later)[turn]
        if any(o.split for o in units.operations):
            if number == 0:
                total = _sum(m, units, columns)
            found = Mux(drained.late, total.as_signed(), found)
        m.d.comb += post.i_p.eq(found)
