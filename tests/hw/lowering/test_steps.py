"""The steps of a stream: what each sees, and where its token lies."""

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace

import pytest

from bitformer.hw.lowering import steps as module
from bitformer.hw.lowering.steps import StreamProgram
from bitformer.hw.program import MachineOperation, Source
from bitformer.hw.timetable import Event, Read, RowTask, Schedule

#: Tokens of a ring.
SLOTS = 4
FORMS = {
    # keys are read as they lie, the head and the linear path from the oldest on
    "keys": SimpleNamespace(operation="keys", rings={"ring": SLOTS}, ordered=False),
    "head": SimpleNamespace(operation="head", rings={"ring": SLOTS}, ordered=True),
    "one": SimpleNamespace(operation="one", rings={"ring": 1}, ordered=True),
    "ring": SimpleNamespace(operation="ring", rings={}, ordered=False),
    "y": SimpleNamespace(operation="y", rings={}, ordered=False),
}


class Recorded:
    """An operation's lowering, which notes what is asked of it."""

    def __init__(self, name, asked):
        self._name, self._asked = name, asked

    def shortened(self, plan, task, filled):
        self._asked.append(("shortened", self._name, filled))
        return task

    def turned(self, plan, row, op, slot):
        self._asked.append(("turned", self._name, slot))
        return op


@pytest.fixture
def steps(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "lowering_of", lambda name: Recorded(name, asked))
    model = SimpleNamespace(
        config=SimpleNamespace(tokens=SLOTS),
        phases=3,
        rings={"ring"},
        forms=FORMS,
        tensors={"ring": SimpleNamespace(features=6)},
        subtraction=None,
    )
    plan = SimpleNamespace(model=model, geometry=SimpleNamespace(ways=2))
    found = StreamProgram(plan=plan, model=model)
    object.__setattr__(found, "asked", asked)
    return found


def task(tensor="y", *, reads=(), row=0, start=0, **fields):
    operation = MachineOperation(tensor=tensor, **fields)
    return RowTask(
        operation=operation, tensor=tensor, row=row, first=0, features=6, reads=reads, start=start
    )


def test_of_a_ring_the_newest_row_is_written(steps):
    rows = [task("ring", row=n) for n in range(SLOTS)] + [task("y", row=n) for n in range(2)]
    assert [(one.tensor, one.row) for one in steps._newest(rows)] == [
        ("ring", 0),
        ("y", 0),
        ("y", 1),
    ]


@pytest.mark.parametrize("filled", [1, 2, SLOTS])
def test_a_row_waits_for_the_newest_token_alone(steps, filled):
    every, other = Read(tensor="ring", rows=SLOTS), Read(tensor="x", rows=3)
    newest = Read(tensor="ring", row=0)
    found = steps._task(task("keys", reads=(every, other, newest)), filled)
    assert found.reads == (Read(tensor="ring", rows=1), other, newest)
    # in order, the older tokens come before it, of six numbers each
    found = steps._task(task("head", reads=(every,)), filled)
    assert found.reads == (Read(tensor="ring", passed=6 * (filled - 1)),)
    assert steps._task(task("y", reads=(other,)), filled).reads == (other,)
    assert steps.asked == [("shortened", name, filled) for name in ("keys", "head")]


def placed(steps, row, *, slot=2, filled=SLOTS, begun=True, starts=False):
    encoder = SimpleNamespace(addresses={("ring", 0): 50})
    event = Event(row=row, issue=0, reason="", writes=None)
    return steps._placed(encoder, event, slot, filled, begun, starts)


@pytest.mark.parametrize("slot", range(SLOTS))
def test_the_newest_token_lies_in_the_steps_slot(steps, slot):
    reads = (Read(tensor="ring", rows=1), Read(tensor="ring", post=True), Read(tensor="x", row=1))
    found = placed(steps, task("ring", reads=reads), slot=slot)
    assert found.row == slot
    assert found.reads == (Read(tensor="ring", row=slot), *reads[1:])
    assert placed(steps, task("y", row=3), slot=slot).row == 3
    assert steps.asked == [("turned", "ring", slot), ("turned", "y", slot)]


@pytest.mark.parametrize(
    ("slot", "filled"), [*((n, n + 1) for n in range(SLOTS)), *((n, SLOTS) for n in range(SLOTS))]
)
def test_a_ring_is_read_from_its_oldest_token(steps, slot, filled):
    """Once all slots are full, that lies behind the newest; until then in the first one."""
    row = steps._task(task("head", matrix=True, length=6 * filled), filled)
    found = placed(steps, row, slot=slot, filled=filled)
    oldest = (slot + 1) % SLOTS if filled == SLOTS else 0
    assert found.start == 6 * (oldest - slot)
    ring = found.operation.ring_first, found.operation.ring_last
    # from the first element of the ring, at word 50 of two, to the first of its last
    assert ring == ((100, 100 + 4 * 6 - 1) if filled == SLOTS else (0, 0))


def test_elements_a_word_each_are_so_many_apart(steps):
    found = placed(steps, task("head", matrix=True, wide_x=True, length=24))
    step = found.operation.act_step
    assert (found.operation.ring_first, found.operation.ring_last) == (100, 100 + 23 * step)


@pytest.mark.parametrize(
    "row",
    [
        task("keys", matrix=True, start=7),
        task("head", slots=3, start=7),
        task("y", matrix=True, start=7),
    ],
)
def test_what_is_read_as_it_lies_begins_where_it_does(steps, row):
    found = placed(steps, row, slot=1)
    assert found.start == 7
    assert (found.operation.ring_first, found.operation.ring_last) == (0, 0)


def test_a_single_token_of_a_ring_has_no_end(steps):
    found = placed(steps, task("one", matrix=True, start=7, length=24), slot=SLOTS - 1)
    assert found.start == 7
    assert (found.operation.ring_first, found.operation.ring_last) == (0, 0)


@pytest.mark.parametrize("begun", [False, True])
def test_the_patch_before_is_subtracted_where_there_is_one(steps, begun):
    row = task(matrix=True, source=Source.INPUT)
    assert not placed(steps, row, begun=begun).operation.previous
    steps.model.subtraction = object()
    assert placed(steps, row, begun=begun).operation.previous == begun
    assert not placed(steps, task(matrix=True), begun=begun).operation.previous
    assert placed(steps, row, starts=begun).operation.starts == begun


def test_a_first_lap_fills_the_rings_and_others_go_round(steps):
    """Each step's timetable is of so many tokens; that of all of them serves every later step."""
    made = []

    class Encoder:
        addresses: Mapping = MappingProxyType({})
        operations = ()

        def end(self, timeline):
            return timeline.drained + 9

        def instructions(self, events, end):
            made.append((end, [one.row.operation.starts for one in events], events[0].row))
            return [f"{len(made)}-{n}" for n in range(len(events))]

    steps.model.subtraction = object()
    row = task("ring", matrix=True, source=Source.INPUT)
    event = Event(row=row, issue=0, reason="", writes=None)
    timelines = [Schedule(events=[event] * 2, drained=10 * n) for n in range(SLOTS)]
    program = steps.program(Encoder(), timelines)
    assert (program.loop, program.steps, program.phases) == (2 * SLOTS, SLOTS, 3)
    assert program.instructions == tuple(f"{n}-{k}" for n in range(1, 9) for k in (0, 1))
    assert [end for end, *_ in made] == [9, 19, 29, 39, 39, 39, 39, 39]
    assert all(starts == [True, False] for _, starts, _ in made)
    assert [own.row for *_, own in made] == [0, 1, 2, 3, 0, 1, 2, 3]
    # behind a reset there is no patch before the first
    assert [own.operation.previous for *_, own in made] == [False] + [True] * 7


def test_a_plan_of_windows_has_no_steps():
    assert StreamProgram.of(SimpleNamespace(model=SimpleNamespace())) is None
