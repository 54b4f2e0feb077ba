"""Results of token rows on their way to the post-processors: the column in hand, kept or now."""

from types import SimpleNamespace

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from proofs.question import Induction, Question, Reach, past

from bitformer.hw.program import MachineOperation
from bitformer.hw.units.drain import PLACE_BITS
from bitformer.hw.units.result_slots import slot_layout
from bitformer.hw.units.row_results import drain_rows

__all__ = ["kept_rows", "split_rows"]

_COLUMNS, _BITS = 6, 4
_OF_A_GROUP = 1 << PLACE_BITS


def _units(rows: int, posts: int, *, split: bool = False, soft: bool = False) -> SimpleNamespace:
    """Return what `drain_rows` sees of an accelerator; all that engines and drain give is free."""
    rounds, groups = -(-rows // posts), -(-_COLUMNS // _OF_A_GROUP)
    copies = min(rows, 2)
    sizes = {"op_bits": 1, "parameter_bits": 1, "dst_bits": 1, "res_bits": 1}
    slot = slot_layout(ways=1, soft=soft, posts=posts, rounds=rounds, **sizes)
    last = MachineOperation(matrix=True, lane=rows - 1, split=split)
    return SimpleNamespace(
        operations=(MachineOperation(matrix=True, rows=rows), last),
        engines=[
            SimpleNamespace(
                columns=_COLUMNS,
                product_bits=_BITS,
                extension=0,
                o_p=Array(Signal(_BITS, name=f"p_{row}_{n}") for n in range(_COLUMNS)),
            )
            for row in range(rows)
        ],
        posts=[SimpleNamespace(i_p=Signal(signed(_BITS), name=f"i_p_{n}")) for n in range(posts)],
        drain=SimpleNamespace(
            copies=copies,
            o_places=Signal(copies * groups * PLACE_BITS, name="places"),
            o_group_lower=Signal(copies * (groups - 1).bit_length(), name="lower"),
            o_group_upper=Signal(copies * (groups - 1).bit_length(), name="upper"),
            o_column=Signal(range(_COLUMNS), name="column"),
            o_direct=Signal(name="direct"),
            o_slot=Signal(slot, name="slot"),
        ),
        design=SimpleNamespace(
            geometry=SimpleNamespace(
                rows=rows,
                rounds=lambda count: -(-count // posts),
                split_delay=rows.bit_length(),
                pack_shift=_BITS // 2,
                weights=SimpleNamespace(broad=0),
            )
        ),
    )


def _given(units: SimpleNamespace) -> Value:
    """Return whether the drain's choices are those of the column in hand, as it gives them."""
    drain, groups = units.drain, -(-_COLUMNS // _OF_A_GROUP)
    column = drain.o_column
    group = column[PLACE_BITS:]
    good = column < _COLUMNS
    for copy in range(drain.copies):
        own = drain.o_places.word_select(copy, groups * PLACE_BITS)
        good &= own.word_select(group, PLACE_BITS) == column[:PLACE_BITS]
        for port in (drain.o_group_lower, drain.o_group_upper):
            good &= port.word_select(copy, len(port) // drain.copies) == group
    return good


def _inputs(units: SimpleNamespace) -> list[Value]:
    drain = units.drain
    ports = [drain.o_places, drain.o_group_lower, drain.o_group_upper, drain.o_column]
    ports += [drain.o_direct, drain.o_slot.as_value()]
    return [*ports, *(p for engine in units.engines for p in engine.o_p)]


def kept_rows(rows: int, posts: int) -> Question:
    """In a block's first round each row's column in hand, in later ones as it was when it finished.

    An only row's column is that in hand. Any one column is watched.
    """
    m = Module()
    units = _units(rows, posts)
    drain_rows(m, units, SimpleNamespace(late=Const(0, 1)))
    drain, slot = units.drain, units.drain.o_slot
    columns = [engine.o_p[drain.o_column] for engine in units.engines]
    turn = slot.round if "round" in slot.shape().members else Const(0, 1)
    watched, seen = Signal(range(_COLUMNS)), Signal()
    direct, here = drain.o_direct, drain.o_column == watched
    with m.If(direct & here):
        m.d.sync += seen.eq(1)
    wrong: list[Value] = []
    for row in range(rows):
        post, own = units.posts[row % posts], turn == row // posts
        kept = Signal(_BITS, name=f"spec_kept_{row}")
        with m.If(direct & here):
            m.d.sync += kept.eq(columns[row])
        now = direct & own if row < posts or row == rows - 1 else Const(0, 1)
        wrong.append(now & (post.i_p.as_unsigned() != columns[row]))
        if row >= posts:
            later = ~direct & own & here & seen
            wrong.append(later & (post.i_p.as_unsigned() != kept))
            port = getattr(m.submodules, f"kept_{row}").read_port(domain="comb")
            m.d.comb += port.addr.eq(watched)
            wrong.append(seen & (port.data != kept))
    wrong.append(watched >= _COLUMNS)
    given = _given(units) & (watched == past(m, watched, 1)) & (watched < _COLUMNS)
    return Question(m, Cat(wrong).any(), [*_inputs(units), watched], Induction(2), given)


def split_rows(rows: int, soft: bool) -> Question:
    """A split row has the sum of all rows' columns, so many cycles later.

    ``soft``: of a column of LUTs both halves have a sum of their own.
    """
    m = Module()
    units = _units(rows, 1, split=True, soft=soft)
    late, shift = Signal(), _BITS // 2
    drain_rows(m, units, SimpleNamespace(late=late))
    drain = units.drain
    columns = [engine.o_p[drain.o_column] for engine in units.engines]
    total = sum(columns, Const(0))[:_BITS]
    if soft:
        halves = [sum((c[part] for c in columns), Const(0))[:shift] for part in _halves(shift)]
        total = Mux(drain.o_slot.soft, Cat(halves), total)
    delay = units.design.geometry.split_delay
    bad = late & (units.posts[0].i_p.as_unsigned() != past(m, total, delay))
    method = Reach(delay)
    return Question(m, bad, [*_inputs(units), late], method, _given(units))


def _halves(shift: int) -> tuple[slice, slice]:
    return slice(0, shift), slice(shift, _BITS)
