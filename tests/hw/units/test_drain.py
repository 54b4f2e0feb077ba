# amaranth: UnusedElaboratable=no
"""The engine's columns are drained in their cycles, with the addresses of their words."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from amaranth.hdl import Const
from hypothesis import given, settings
from hypothesis import strategies as st
from slots_harness import DST_BITS, FIELDS, RES_BITS, fields_of, row_parameters

from bitformer.hw.program import MachineOperation
from bitformer.hw.timing import QUEUE
from bitformer.hw.units import drain as drain_module
from bitformer.hw.units.drain import PLACE_BITS, Drain
from bitformer.hw.units.result_slots import Slots


def random_addresses(chance):
    """Return addresses, the largest often."""
    return [
        chance.choice([0, (1 << bits) - 1, chance.getrandbits(bits)])
        for bits in (DST_BITS, RES_BITS)
    ]


def drained(
    play,
    operations,
    rows,
    *,
    columns,
    ways,
    gaps=(0,),
    early=1,
    offsets=(),
    queue=QUEUE,
    soft=0,
    posts=1,
    rounds=1,
    copies=1,
):
    """Play rows (op, dst, res); return (found, expected) slots.

    A row is issued when ``early`` rows, with itself, are to be drained. ``offsets`` are those of
    the numbers of the time.

    Each is a dictionary of the valid slots by cycle, with the column that is selected. A group's
    end comes as soon as the group before has been drained, and a gap in turn of ``gaps`` later.
    """
    own = row_parameters(operations, ways, soft=soft > 0, posts=posts, rounds=rounds)
    dut = Drain(columns=columns, soft=soft, queue=queue, copies=copies, **own)
    script, expected, starts, done, count = {}, {}, [], early + 2, 0
    for op, dst, res in rows:
        o = operations[op]
        groups = dut.model(op, dst, res, offsets[o.clock - 1] if o.clock else 0)
        for group, slots in enumerate(groups):
            done += gaps[count % len(gaps)]
            count += 1
            if group == 0:
                starts.append(done)
            flags = {"i_done": 1, "i_begin": group == 0, "i_end": group == len(groups) - 1}
            script[done] = flags
            taken = o.last_columns if group == len(groups) - 1 else o.columns or columns
            # a group's turns follow each other, each of the same columns
            expected |= {done + 1 + c: (c % taken, slot) for c, slot in slots.items()}
            done += taken * -(-o.rows // posts)
    for number, (op, dst, res) in enumerate(rows):
        first = number - early + 1
        at = number if first < 0 else starts[first] - 2
        row = {"i_issue": 1, "i_op": op, "i_dst": dst, "i_res": res}
        script.setdefault(at, {}).update(row)
    times = {f"i_offset_{n}": offset for n, offset in enumerate(offsets)}
    steps = [script.get(cycle, {}) | times for cycle in range(done + 4)]
    watch = ["o_slot", "o_places", "o_group_lower", "o_group_upper", "o_parameter", "o_column"]
    watch.append("o_direct")
    found, before = {}, 0
    for cycle, (slot, places, lower, upper, following, column, direct) in enumerate(
        play(dut, steps, watch)
    ):
        parameter, before = before, following
        if slot.valid:
            assert parameter == slot.parameter
            assert lower == upper
            # the same for each copy
            width = len(dut.o_group_lower) // copies
            groups = [lower >> width * n & ((1 << width) - 1) for n in range(copies)]
            assert len({*groups}) == 1
            lower = groups[0]
            bits = len(dut.o_places) // copies
            for copy in range(copies):
                own = places >> copy * bits >> lower * PLACE_BITS & ((1 << PLACE_BITS) - 1)
                assert (lower << PLACE_BITS) + own == column
            block = operations[slot.op].rows > posts
            assert direct == (not block or slot.round == 0)
            found[cycle] = (column, fields_of(slot))
    return found, expected


SINGLE = (
    MachineOperation(matrix=True, groups=1, last_columns=4, parameters=9),
    MachineOperation(matrix=True, groups=3, last_columns=1, parameters=200),
    MachineOperation(matrix=True, groups=2, columns=3, last_columns=2),
    MachineOperation(matrix=True, groups=1, columns=4, last_columns=4, skip=2, parameters=1),
    MachineOperation(slots=3),
)


PAIRS = (
    MachineOperation(matrix=True, packed=True, last_columns=4, parameters=9),
    MachineOperation(matrix=True, packed=True, groups=3, last_columns=1, odd=True, parameters=200),
    MachineOperation(matrix=True, packed=True, groups=1, last_columns=3, skip=1, odd=True),
    MachineOperation(matrix=True, groups=2, last_columns=3, parameters=3),
    MachineOperation(matrix=True, groups=2, columns=2, last_columns=2, skip=0),
    MachineOperation(matrix=True, groups=1, last_columns=4, skip=3),
)


WIDE = (
    PAIRS[0],
    PAIRS[3],
    MachineOperation(matrix=True, groups=2, last_columns=3, wide=True, parameters=7),
    MachineOperation(matrix=True, groups=1, last_columns=4, wide=True, wide_y=True),
    MachineOperation(matrix=True, groups=2, last_columns=1, wide=True, wide_r=True, parameters=90),
    MachineOperation(matrix=True, groups=1, last_columns=3, wide=True, wide_y=True, wide_r=True),
)


TABLES = {"single": (SINGLE, 1), "pairs": (PAIRS, 2), "wide": (WIDE, 2)}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("gaps", [(0,), (1,), (3, 0, 7)])
@pytest.mark.parametrize("early", [1, QUEUE])
def test_columns_are_drained_one_a_cycle(play, kind, gaps, early):
    operations, ways = TABLES[kind]
    chance = random.Random(0)
    matrix = [n for n, o in enumerate(operations) if o.matrix]
    numbers = matrix * 2 + matrix[::-1]
    rows = [(op, *random_addresses(chance)) for op in numbers]
    options = {"columns": 4, "ways": ways, "gaps": gaps, "early": early}
    found, expected = drained(play, operations, rows, **options)
    assert found == expected


def test_slots_of_a_row_by_hand(play):
    """Two groups of two columns and one of the last; the first ends in cycle 3."""
    found, expected = drained(play, PAIRS[1:2], [(0, 10, 3)], columns=2, ways=2)
    assert found == expected
    shown = [tuple(slot[name] for name in FIELDS) for _, slot in found.values()]
    assert list(found) == [4, 5, 6, 7, 8]
    assert [column for column, _ in found.values()] == [0, 1, 0, 1, 0]
    assert shown == [
        (3, 0, 1, 0, 200, 10, 3),
        (3, 0, 0, 0, 201, 11, 4),
        (3, 0, 0, 0, 202, 12, 5),
        (3, 0, 0, 0, 203, 13, 6),
        (1, 0, 0, 1, 204, 14, 7),
    ]


def test_single_results_by_hand(play):
    """Results in turn of each way, from an odd column on; a wide row has a word for each."""
    found, _ = drained(play, PAIRS, [(5, 10, 3)], columns=4, ways=2)
    assert [slot["valid"] for _, slot in found.values()] == [0b10]
    found, _ = drained(play, WIDE[2::3], [(0, 10, 3), (1, 10, 3)], columns=3, ways=2)
    shown = [
        (s["valid"], s["upper"], s["parameter"], s["dst"], s["res"]) for _, s in found.values()
    ]
    assert shown == [
        (1, 0, 7, 10, 3),
        (2, 1, 8, 10, 3),
        (1, 0, 9, 11, 4),
        (1, 0, 10, 11, 4),
        (2, 1, 11, 11, 4),
        (1, 0, 12, 12, 5),
        (1, 0, 0, 10, 3),
        (1, 1, 1, 11, 4),
        (1, 0, 2, 12, 5),
    ]


@pytest.mark.parametrize("gaps", [(0,), (2, 0)])
def test_slots_say_which_columns_are_of_luts(play, gaps):
    rows = [(op, 10, 3) for op in (0, 2, 1)]
    options = {"columns": 4, "ways": 2, "gaps": gaps}
    found, expected = drained(play, PAIRS, rows, soft=3, **options)
    assert found == expected
    assert {column: slot["soft"] for column, slot in found.values()} == {0: 0, 1: 1, 2: 1, 3: 1}


BLOCKS = (
    replace(PAIRS[0], rows=4),
    replace(PAIRS[1], rows=3, columns=4),
    replace(PAIRS[3], rows=4, columns=4),
    replace(PAIRS[3], lane=3),
    replace(PAIRS[4], rows=2),
    replace(PAIRS[5], rows=4),
    replace(PAIRS[0], lane=2, split=True),
    MachineOperation(slots=3),
)


@pytest.mark.parametrize("posts", [1, 2, 4])
@pytest.mark.parametrize(("gaps", "copies"), [((0,), 1), ((2, 0), 2), ((1, 0, 3), 4)])
def test_blocks_of_rows_are_drained_in_turns(play, posts, gaps, copies):
    chance = random.Random(posts)
    rows = [(op, *random_addresses(chance)) for op in (0, 1, 2, 3, 4, 5, 6, 3, 2, 1, 0)]
    options = {"columns": 4, "ways": 2, "gaps": gaps, "copies": copies}
    found, expected = drained(play, BLOCKS, rows, posts=posts, rounds=4 // posts, **options)
    assert found == expected


@pytest.mark.parametrize("copies", [1, 4])
def test_turns_of_a_block_by_hand(play, copies):
    """Three rows for two post-processors, two columns: rows 0 and 1, then row 2 alone."""
    operations = (replace(PAIRS[0], rows=3, last_columns=2), replace(PAIRS[0], last_columns=1))
    options = {"columns": 2, "ways": 2, "posts": 2, "rounds": 2, "copies": copies}
    found, _ = drained(play, operations, [(0, 10, 3), (1, 0, 0)], **options)
    fields = ("round", "posts", "parameter", "dst", "res", "first", "last")
    assert [tuple(slot[name] for name in fields) for _, slot in found.values()] == [
        (0, 3, 9, 10, 3, 1, 0),
        (0, 3, 10, 11, 4, 0, 1),
        (1, 1, 9, 10, 3, 1, 0),
        (1, 1, 10, 11, 4, 0, 1),
        (0, 1, 9, 0, 0, 1, 1),
    ]


TIMED = (
    replace(PAIRS[0], clock=1),
    PAIRS[3],
    replace(PAIRS[3], clock=2, parameters=20),
    replace(PAIRS[1], parameters=40),
)


@pytest.mark.parametrize("offsets", [(0, 0), (35, 0), (0, 60), (70, 21)])
def test_the_time_selects_the_row_of_a_table(play, offsets):
    rows = [(op, 3 + op, op) for op in (0, 2, 1, 3, 0, 2)]
    found, expected = drained(play, TIMED, rows, columns=4, ways=2, offsets=offsets)
    assert found == expected
    firsts = [slot["parameter"] for _, slot in found.values() if slot["first"]]
    hour, day = 9 + offsets[0], 20 + offsets[1]
    assert firsts == [hour, day, 3, 40, hour, day]


@st.composite
def tables(draw):
    """Draw (operations, columns, ways, rows)."""
    columns, ways = draw(st.integers(1, 9)), draw(st.sampled_from([1, 2]))
    wide_too, operations = draw(st.booleans()), []
    for _ in range(draw(st.integers(1, 4))):
        used = draw(st.integers(1, columns))
        groups = draw(st.integers(1, 3))
        skip = draw(st.integers(0, used - 1)) if groups == 1 else 0
        packed = ways == 2 and draw(st.booleans())
        wide = wide_too and not packed and draw(st.booleans())
        operations.append(
            MachineOperation(
                matrix=True,
                groups=groups,
                columns=used if used < columns else 0,
                last_columns=draw(st.integers(skip + 1, used)),
                skip=skip,
                packed=packed,
                odd=packed and draw(st.booleans()),
                parameters=draw(st.integers(0, 200)),
                wide=wide,
                wide_y=wide and draw(st.booleans()),
                wide_r=wide and draw(st.booleans()),
            )
        )
    row = st.tuples(
        st.integers(0, len(operations) - 1),
        st.integers(0, (1 << DST_BITS) - 1),
        st.integers(0, (1 << RES_BITS) - 1),
    )
    return operations, columns, ways, draw(st.lists(row, min_size=1, max_size=5))


@settings(max_examples=30, deadline=None)
@given(table=tables(), gaps=st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_any_rows_are_drained(play, table, gaps):
    operations, columns, ways, rows = table
    found, expected = drained(play, operations, rows, columns=columns, ways=ways, gaps=gaps)
    assert found == expected


@pytest.mark.parametrize("queue", [1, 2, 4, QUEUE])
def test_a_row_issued_into_a_full_queue_is_lost(play, queue):
    """The harness sees it: one more row than the queue has is not kept."""
    rows = [(0, n, n) for n in range(queue + 2)]
    options = {"columns": 4, "ways": 1, "queue": queue}
    found, expected = drained(play, SINGLE, rows, early=queue + 1, **options)
    assert found != expected
    found, expected = drained(play, SINGLE, rows, early=queue, **options)
    assert found == expected


@pytest.mark.parametrize("field", ["skip", "odd", "packed", "parameters"])
def test_a_constant_that_the_drain_ignores_is_found(play, monkeypatch, field):
    original = drain_module.decode

    def ignoring(m, op, operations, constant, **options):
        return Const(0) if constant == field else original(m, op, operations, constant, **options)

    monkeypatch.setattr(drain_module, "decode", ignoring)
    monkeypatch.setattr("bitformer.hw.units.result_slots.decode", ignoring)
    found, expected = drained(play, PAIRS, [(2, 1, 1), (1, 7, 7)], columns=4, ways=2)
    assert found != expected


def test_words_that_follow_one_too_early_are_found(play, monkeypatch):
    original = Slots._advance
    monkeypatch.setattr(
        Slots,
        "_advance",
        lambda self, m, slot, step, always: original(self, m, slot, Const(1), always),
    )
    found, expected = drained(play, PAIRS, [(3, 1, 1)], columns=4, ways=2)
    assert found != expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": 3}, r"^Columns must be at least the 4 of an operation, not 3$"),
        ({"dst_bits": 8}, r"^Slot must hold addresses of 8 and 4 bits$"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Drain(**row_parameters(PAIRS, 2) | {"columns": 4} | changes)


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_copies_of_places_and_groups_are_not_merged(followed, copies):
    """No two of places hold the same from power-up on; two calls of four have a group's halves."""
    own = row_parameters((MachineOperation(matrix=True, last_columns=9),), 2)
    dut = Drain(columns=9, copies=copies, **own)
    followed(dut, [{"i_issue": 1}, {}, {}, {"i_done": 1, "i_begin": 1, "i_end": 1}, *[{}] * 12], [])
    assert len(set(followed.histories("places_"))) == copies
    kinds = Counter(followed.histories("group"))
    assert len(kinds) == min(4, 2 * copies)
    assert {*kinds.values()} == {max(1, copies // 2)}
