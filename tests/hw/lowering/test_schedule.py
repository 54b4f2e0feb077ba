"""Lowering as a property of random models: what the hardware relies on holds for every one."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from design_strategies import designs, several
from hypothesis import given
from hypothesis import strategies as st
from lowered_harness import CHECKS, check_post_processor, check_reads

from bitformer.hw import timing
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import _Timeline, schedule
from bitformer.hw.program import Destination, MachineOperation
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize


@several(25)
@given(designs())
def test_lowered_models_keep_the_hardwares_rules(case):
    design = case.make()
    for check in CHECKS:
        check(design)


@pytest.mark.slow
@several(1000)
@given(designs())
def test_many_lowered_models_keep_the_hardwares_rules(case):
    design = case.make()
    for check in CHECKS:
        check(design)


@pytest.fixture(scope="module")
def design():
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    return lower(initialize(config, samples=8), lanes=4)


def test_a_slot_taken_twice_is_found(design):
    events = list(design.schedule.events)
    late = max(events, key=lambda e: e.write_last)
    first = events[0]
    kept = first.writes
    try:
        first.writes = late.writes[: len(kept)]
        with pytest.raises(AssertionError):
            check_post_processor(design)
    finally:
        first.writes = kept


def test_a_read_too_early_is_found(design):
    for event in design.schedule.events:
        event.issue -= 3 * timing.POST
    try:
        with pytest.raises(AssertionError):
            check_reads(design)
    finally:
        for event in design.schedule.events:
            event.issue += 3 * timing.POST


def line_of(rows=1, posts=1, ways=2, vector_delay=2, split_delay=3, expected=None):
    geometry = SimpleNamespace(
        rows=rows,
        posts=posts,
        ways=ways,
        vector_delay=vector_delay,
        split_delay=split_delay,
        post=7,
        statistics=11,
        rounds=lambda count: -(-count // posts),
    )
    return _Timeline(geometry, expected or {})


def task(features=5, *, reads=(), count=1, row=0, needed=0, after=0, **fields):
    return RowTask(
        operation=MachineOperation(tensor="y", **fields),
        tensor="y",
        row=row,
        first=0,
        features=features,
        reads=tuple(reads),
        count=count,
        needed_inputs=needed,
        after_inputs=after,
    )


#: Eight columns from the second on, of three a group: 2, 3, and what is left.
MATRIX = {"matrix": True, "length": 9, "groups": 3, "pitch": 30, "columns": 3, "last_columns": 3}


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(("packed", "ways"), [(False, 2), (True, 2), (True, 1)])
@pytest.mark.parametrize(("count", "posts"), [(1, 1), (4, 1), (4, 2), (3, 2), (4, 4)])
def test_a_drain_takes_group_after_group_and_of_each_the_rows_in_turn(
    split, packed, ways, count, posts
):
    each = ways if packed else 1
    fields = {**MATRIX, "packed": packed, "split": split, "last_columns": 1}
    row = task(7 * each, count=count, **fields)
    line = line_of(rows=4, posts=posts, ways=ways)
    late = 3 if split else 0
    found, windows = line.slots(row), line.windows(row, 100)
    assert found.shape == (count, 7 * each)
    # an operand of the last term is PRODUCT cycles on its way
    base = timing.ADDRESS + 8 + timing.PRODUCT + late
    for group in range(3):
        own = [c for c in range(7) if c // 3 == group]
        cycle = base + 30 * group
        for turn in range(-(-count // posts)):
            for column in own:
                for way in range(each):
                    rows = range(turn * posts, min(count, (turn + 1) * posts))
                    assert {int(found[n, column * each + way]) for n in rows} == {cycle}
                cycle += 1
        # prepared a cycle before the sums are there, and free behind the last of them
        assert windows[group] == (100 + base - late + 30 * group - 1, 100 + cycle)


def test_a_drain_may_leave_out_the_first_columns():
    row = task(5, skip=1, **MATRIX)
    base = timing.ADDRESS + 8 + timing.PRODUCT
    assert line_of().slots(row).tolist() == [[base + n for n in (1, 2, 30, 31, 32)]]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("count", "posts"), [(1, 1), (3, 1), (4, 2)])
def test_a_vector_operation_has_a_slot_for_each_word(wide, count, posts):
    row = task(5, count=count, slots=5 if wide else 3, wide=wide)
    line = line_of(rows=4, posts=posts)
    cycle = first = timing.ADDRESS + 2
    for turn in range(-(-count // posts)):
        for n in range(turn * posts, min(count, (turn + 1) * posts)):
            words = [cycle + (f if wide else f // 2) for f in range(5)]
            assert line.slots(row)[n].tolist() == words
        cycle += row.operation.slots
    assert line.windows(row, 50) == [(50 + first - 2 - 1, 50 + cycle)]


@several(150)
@given(
    st.lists(st.tuples(st.integers(0, 150), st.integers(2, 20)), max_size=6),
    st.integers(0, 60),
    st.booleans(),
)
def test_a_row_waits_until_the_post_processor_is_free_and_no_longer(busy, free, vector):
    line = line_of()
    line.next_issue, line.post_busy = free, [(start, start + taken) for start, taken in busy]
    row = task(6, slots=3) if vector else task(8, **MATRIX)

    def taken(start, end):
        """The cycles in which a drain works; the first one, in which it prepares, may be shared."""
        return set(range(start + 1, end))

    def fits(issue):
        own = [taken(*window) for window in line.windows(row, issue)]
        return not any(mine & taken(*other) for mine in own for other in line.post_busy)

    issue, reason = line.earliest(row)
    assert issue == next(cycle for cycle in range(free, 1000) if fits(cycle))
    assert reason == ("issue" if issue == free else "post-processor")


@pytest.mark.parametrize(
    ("state", "row", "bound"),
    [
        ({"engine_free": 70}, task(8, **MATRIX), (70, "engine")),
        ({"engine_free": 70}, task(8, slots=4), (0, "issue")),
        ({"queue": [*range(90, 98)]}, task(8, **MATRIX), (91, "queue")),
        ({"queue": [*range(90, 99)]}, task(8, **MATRIX), (92, "queue")),
        ({"queue": [*range(90, 97)]}, task(8, **MATRIX), (0, "issue")),
        ({"stall_guard": 60}, task(8, slots=4), (60, "drain before a stall")),
        ({"stall_guard": 60}, task(8, **MATRIX), (0, "issue")),
        ({"stall_guard": 60}, task(8), (0, "issue")),
        ({}, task(8, needed=33, **MATRIX), (33, "input")),
    ],
)
def test_what_a_row_waits_for(state, row, bound):
    line = line_of()
    for name, value in state.items():
        setattr(line, name, value)
    assert line.earliest(row) == bound


@pytest.mark.parametrize("rows", [1, 2])
def test_keys_and_logits_wait_for_their_writers(rows):
    """The first result is on the write port ``post`` cycles behind its slot."""
    line = line_of(rows=rows)
    line.key_free, line.kept, line.score_free = 200, 230, 300
    written = timing.ADDRESS + 8 + timing.PRODUCT + 7
    vector = timing.ADDRESS + 2 + 7
    for destination, fields, free in (
        (Destination.KEY, MATRIX, 201 - written),
        (Destination.VALUE, MATRIX, 201 - written),
        (Destination.KEY, {"slots": 4}, 231 - vector),
        (Destination.VALUE, {"slots": 4}, 201 - vector),
    ):
        found = line.earliest(task(8, destination=destination, **fields))
        assert found == ((free, "key writer") if rows == 1 else (0, "issue"))
    logits = task(8, destination=Destination.SCORE, **MATRIX)
    assert line.earliest(logits) == (300 - written, "score maximum")


def bound_of(line, read, ready, *, matrix=True, wide=False, features=6):
    """The first issue with which ``read`` finds what is there from these cycles on."""
    line.ready = {("x", n): np.array(own) for n, own in enumerate(ready)}
    fields = MATRIX if matrix else {"slots": 3}
    row = task(features, count=max(1, read.count), wide=wide, **fields)
    return line.data_bound(row.operation, read, line.slots(row))


CYCLES = st.lists(st.integers(0, 60), min_size=6, max_size=6)


@several(80)
@given(st.lists(CYCLES, min_size=4, max_size=4), st.integers(0, 12))
def test_what_the_engine_reads_is_there_a_cycle_after_the_other(ready, passed):
    """By the number of the cycle, from the first address on, in which each element is read."""

    def first(reads):
        return max(ready[n][f] - cycle for n, f, cycle in reads) - timing.ADDRESS

    every = [(n, f) for n in range(4) for f in range(6)]
    line, two = line_of(), line_of(rows=2)
    row = bound_of(line, Read(tensor="x", row=2), ready)
    assert row == first((2, f, f) for f in range(6))
    late = bound_of(line, Read(tensor="x", row=1, passed=passed), ready)
    assert late == first((1, f, f + passed) for f in range(6))
    block = bound_of(two, Read(tensor="x", row=0, count=2, step=3), ready)
    assert block == first((n, f, f) for n, f in every if n in (0, 3))
    column = bound_of(line, Read(tensor="x", rows=4, feature=3), ready)
    assert column == first((n, 3, n) for n in range(4))
    # keys at any time; in line, row by row or block by block
    assert bound_of(line, Read(tensor="x", rows=4), ready) == first((n, f, 0) for n, f in every)
    for own, side in ((line, 1), (two, 2)):
        found = bound_of(own, Read(tensor="x", rows=4, line=True), ready)
        assert found == first((n, f, n // side * 6 + f) for n, f in every)


@several(60)
@given(CYCLES, st.booleans(), st.booleans())
def test_what_the_post_processor_reads_is_there_when_its_slot_passes(ready, matrix, wide):
    line = line_of()
    found = bound_of(line, Read(tensor="x", post=True), [ready], matrix=matrix, wide=wide)
    row = task(6, wide=wide, **(MATRIX if matrix else {"slots": 3}))
    slots = line.slots(row)[0].tolist()
    # a word is read with the first of its results; a vector operation reads what it works on
    words = [slots[f if wide else f - f % 2] - (0 if matrix else 2) for f in range(6)]
    assert found == max(there - cycle for there, cycle in zip(ready, words, strict=True))


def test_a_row_is_available_when_all_that_it_reads_is_issued():
    line = line_of(expected={("late", 0): np.zeros(6)})
    line.complete, line.arrived = {("x", 0), ("x", 1)}, 4
    assert line.available(task(reads=[Read(tensor="x", row=1)]), last=False)
    assert not line.available(task(reads=[Read(tensor="x", row=2)]), last=True)
    assert not line.available(task(reads=[Read(tensor="x", rows=3)]), last=True)
    assert line.available(task(after=4), last=False)
    assert not line.available(task(after=5), last=False)
    late = task(reads=[Read(tensor="late", passed=3), Read(tensor="x")])
    assert line.available(late, last=True)
    assert not line.available(late, last=False)
    assert not line_of().available(late, last=True)


def test_so_many_rows_may_wait_for_their_norm():
    for rounds in (1, 2):
        line = line_of(rows=2)
        row = task(count=rounds, statistics=True, slots=3)
        line.statistics = [("y", 0)] * (timing.STATISTICS_QUEUE - rounds)
        assert line.available(row, last=False)
        line.statistics.append(("y", 0))
        assert not line.available(row, last=False)
        assert line.available(task(count=rounds, slots=3), last=False)
    line.complete = {("x", 0), ("x", 1)}
    norm = task(row=1, normalize=True, slots=3, reads=[Read(tensor="x", row=1)])
    for waiting, there in (([], False), ([("x", 0)], False), ([("x", 1), ("x", 0)], True)):
        line.statistics = waiting
        assert line.available(norm, last=False) == there


def test_rows_that_depend_on_rows_behind_them_are_refused():
    layers = {"y": [task(reads=[Read(tensor="y", row=1)]), task(row=1)]}
    with pytest.raises(RuntimeError, match=r"depend on rows before them, but \['y'\] wait"):
        schedule(layers, Priorities.of(layers, {"y": 0}), line_of().geometry)


def committed(line, row, issue=100):
    event = line.commit(row, issue, "why")
    return event, {number: own.tolist() for (_, number), own in line.ready.items()}


def test_a_row_takes_its_units_until_it_is_done():
    line = line_of()
    row = task(8, **MATRIX)
    (first, *_, last), cycles = line.windows(row, 100), row.operation.cycles
    event, ready = committed(line, row)
    assert (event.issue, event.reason, event.row) == (100, "why", row)
    assert event.writes.tolist() == (107 + line.slots(row))[0].tolist()
    assert (event.engine_last, event.post_last) == (102 + cycles, last[1] + 1)
    assert (line.next_issue, line.engine_free) == (100 + timing.MIN_ISSUE, 100 + cycles)
    assert (line.queue, line.drain_end) == ([first[0]], last[1])
    assert line.post_busy == line.windows(row, 100)
    assert ready == {0: [cycle + timing.WRITTEN for cycle in event.writes.tolist()]}
    assert line.complete == {("y", 0)}
    # a vector operation takes no engine; windows that have ended are forgotten
    vector, _ = committed(line, task(6, slots=3), 150)
    assert (vector.engine_last, line.engine_free, len(line.queue)) == (0, 100 + cycles, 1)
    assert vector.post_last == line.windows(task(6, slots=3), 150)[0][1] + 1
    assert line.post_busy == [w for w in line.windows(row, 100) if w[1] > 150] + line.windows(
        task(6, slots=3), 150
    )


def test_a_row_that_stalls_waits_for_the_drains_before_it():
    line = line_of()
    committed(line, task(8, **MATRIX), 0)
    end = line.drain_end
    assert (line.stall_guard, line.arrived) == (0, 0)
    committed(line, task(8, needed=5, **MATRIX), 200)
    assert (line.stall_guard, line.arrived) == (end, 5)
    end = line.drain_end
    assert end > line.stall_guard
    # as much of the input is there already: it does not stall
    guard = line.stall_guard
    committed(line, task(8, needed=5, **MATRIX), 400)
    assert (line.stall_guard, line.arrived) == (guard, 5)
    end = line.drain_end
    committed(line, task(8, wait_output=True, **MATRIX), 600)
    assert (line.stall_guard, line.arrived) == (end, 5)


def test_keys_are_written_one_by_one_behind_their_results():
    line = line_of()
    line.key_free = 118
    row = task(8, destination=Destination.KEY, **MATRIX)
    event, ready = committed(line, row)
    free, wanted = 118, []
    for written in event.writes.tolist():
        free = max(free, written) + 1
        wanted.append(free + timing.KEYED)
    assert ready == {0: wanted}
    assert (line.key_free, line.kept) == (free, max(event.writes))


@pytest.mark.parametrize(
    ("rows", "destination"), [(1, Destination.VALUE), (2, Destination.VALUE), (2, Destination.KEY)]
)
def test_values_are_written_at_once(rows, destination):
    line = line_of(rows=rows)
    event, ready = committed(line, task(8, destination=destination, **MATRIX))
    assert ready == {0: [cycle + timing.KEPT for cycle in event.writes.tolist()]}
    assert (line.kept, line.key_free) == (max(event.writes), 0)


def test_a_row_of_logits_is_there_with_its_maximum():
    line = line_of()
    event, ready = committed(line, task(8, destination=Destination.SCORE, **MATRIX))
    last = int(max(event.writes)) + timing.SCORED
    assert ready == {0: [last] * 8}
    assert line.score_free == last


def test_statistics_are_there_behind_the_last_result():
    """11 cycles behind it, of each row of a block; as many wait as rounds that were taken."""
    line = line_of(rows=4, posts=2)
    event, ready = committed(line, task(8, count=3, statistics=True, **MATRIX))
    for number, own in enumerate(event.by_row.tolist()):
        later = [max(cycle + timing.WRITTEN, own[-1] + 11) for cycle in own]
        assert ready[number] == later
    assert line.statistics == [("y", 0)] * 2
    line.statistics.append(("y", 3))
    committed(line, task(8, count=3, normalize=True, slots=4), 300)
    assert line.statistics == [("y", 3)]


def test_a_row_in_pieces_is_there_when_the_last_of_them_is():
    line = line_of()
    begin = replace(task(4, statistics=True, **MATRIX), completes=False)
    _, ready = committed(line, begin)
    assert not line.complete
    assert not line.statistics
    end = replace(task(3, statistics=True, **MATRIX), first=4, begins=False)
    _, both = committed(line, end, 300)
    assert both[0][:4] == ready[0]
    assert len(both[0]) == 7
    assert line.complete == {("y", 0)}
    assert line.statistics == [("y", 0)]
