# amaranth: UnusedElaboratable=no
"""The sequencer keeps the timetable."""

from itertools import accumulate

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.memory import StoreSpec
from bitformer.hw.program import Instruction, MachineOperation, Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.sequencer import Sequencer
from bitformer.hw.units.store import Store


def table(operations):
    return tuple(MachineOperation(matrix=True, **op) for op in operations)


def make_program(operations, instructions):
    return Program(
        operations=table(operations),
        instructions=tuple(Instruction(**i) for i in instructions),
    )


class Fetching(wiring.Component):
    """A sequencer with its program store."""

    def __init__(self, *, program, inputs, whole_window=False, behind=0, rows=1):
        self._program, self._inputs, self._whole_window = program, inputs, whole_window
        self._behind, self._rows = behind, rows
        super().__init__(
            {
                "i_count": In(range(inputs + behind + 1)),
                "i_output": In(1),
                "o_issue": Out(1),
                "o_start": Out(1),
                "o_op": Out(8),
                "o_act": Out(8),
                "o_dst": Out(8),
                "o_res": Out(8),
                "o_phase": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        m.submodules.sequencer = unit = Sequencer(
            program=program,
            inputs=self._inputs,
            whole_window=self._whole_window,
            behind=self._behind,
            rows=self._rows,
        )
        spec = StoreSpec(
            name="program", depth=len(program.instructions), width=program.word_bits, rom=True
        )
        m.submodules.store = store = Store(spec=spec, init=program.words())
        m.d.comb += [
            store.addr_0.eq(unit.o_addr),
            unit.i_word.eq(store.data_0),
            unit.i_count.eq(self.i_count),
            unit.i_output.eq(self.i_output),
            self.o_issue.eq(unit.o_issue),
            self.o_start.eq(unit.o_start),
            self.o_op.eq(unit.o_next.op),
            self.o_act.eq(unit.o_next.act),
            self.o_dst.eq(unit.o_next.dst),
            self.o_res.eq(unit.o_next.res),
        ]
        if program.phases > 1:
            m.d.comb += self.o_phase.eq(unit.o_phase)
        return m


OPERATIONS = [{}, {"wait_input": True, "length": 3}, {"wait_output": True}]


INSTRUCTIONS = [
    {"op": 0, "delta": 5, "act": 1, "dst": 9, "res": 2},
    {"op": 1, "delta": 7, "act": 4, "dst": 0, "res": 0},
    {"op": 0, "delta": 30, "act": 2, "dst": 3, "res": 11},
    {"op": 2, "delta": 6, "act": 0, "dst": 1, "res": 1},
]


def issues(play, script, *, instructions=INSTRUCTIONS, **options):
    """(cycle, op, act, dst, res, start) of every issue."""
    program = make_program(OPERATIONS, instructions)
    dut = Fetching(program=program, inputs=12, **options)
    watch = ["o_issue", "o_op", "o_act", "o_dst", "o_res", "o_start"]
    shown = play(dut, script, watch)
    return [(cycle, *fields) for cycle, (issue, *fields) in enumerate(shown) if issue]


READY = {"i_count": 12, "i_output": 1}


def cycles_of(found):
    return [cycle for cycle, *_ in found]


def deltas(instructions, count):
    once = [i["delta"] for i in instructions]
    return [once[n % len(once)] for n in range(count)]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_instructions_come_at_their_times_for_ever(play, length):
    instructions = INSTRUCTIONS[:length]
    found = issues(play, [READY] * 150, instructions=instructions)
    first = cycles_of(found)[0]
    assert first <= MIN_ISSUE
    expected = [first, *accumulate(deltas(instructions, len(found) - 1), initial=first)][1:]
    assert cycles_of(found) == expected
    fields = [tuple(i[name] for name in ("op", "act", "dst", "res")) for i in instructions]
    for number, (_, *shown, start) in enumerate(found):
        assert tuple(shown) == fields[number % length]
        assert start == (number % length == 0)


@pytest.mark.parametrize("kind", ["i_count", "i_output"])
@pytest.mark.parametrize("late", [0, 1, 10])
def test_a_waiting_instruction_holds_all_that_follow(play, kind, late):
    free = cycles_of(issues(play, [READY] * 100))
    waits = {"i_count": 1, "i_output": 3}[kind]
    # instruction 1 needs 4 + 3 samples
    missing = READY | {kind: {"i_count": 6, "i_output": 0}[kind]}
    enough = READY | {kind: {"i_count": 7, "i_output": 1}[kind]}
    until = free[waits] - 1 + late
    found = cycles_of(issues(play, [missing] * until + [enough] * (100 - until)))
    assert found[:waits] == free[:waits]
    assert found[waits:] == [cycle + late for cycle in free[waits:] if cycle + late < 100]


def test_whole_window(play):
    almost = READY | {"i_count": 11}
    found = issues(play, [almost] * 60, whole_window=True)
    assert [op for _, op, *_ in found] == [0]


@pytest.mark.parametrize(("there", "count"), [(6, 1), (7, 2), (13, 2), (14, 3)])
def test_an_operation_can_wait_for_what_is_behind_the_window(play, there, count):
    """Instruction 1 needs its own 7 samples, the next all 12 and the 2 behind them."""
    operations = [*OPERATIONS, {"wait_input": True, "length": 3, "whole": True}]
    instructions = [INSTRUCTIONS[0], INSTRUCTIONS[1], {"op": 3, "delta": 5, "act": 0}]
    program = make_program(operations, [{"dst": 0, "res": 0, **one} for one in instructions])
    dut = Fetching(program=program, inputs=12, behind=2)
    shown = play(dut, [{"i_count": there, "i_output": 1}] * 60, ["o_issue"])
    assert min(3, sum(issue for (issue,) in shown)) == count
    unit = Sequencer(program=program, inputs=12, whole_window=False, behind=2)
    model = unit.model([(there, True)] * 60)
    assert [issue for (issue,) in shown] == [number is not None for number in model]


@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("whole", [False, True])
def test_all_token_rows_have_what_they_read(play, rows, whole):
    """Instruction 1 reads up to element 7 of each row's lane, or all 28 of the window."""
    operations = [OPERATIONS[0], {**OPERATIONS[1], "whole": whole}]
    program = make_program(operations, INSTRUCTIONS[:2])
    needed = 28 if whole and rows > 1 else 7 * rows
    for there, count in ((needed - 1, 1), (needed, 2)):
        dut = Fetching(program=program, inputs=28, rows=rows)
        shown = play(dut, [{"i_count": there, "i_output": 1}] * 18, ["o_issue"])
        assert min(2, sum(issue for (issue,) in shown)) == count
        unit = Sequencer(program=program, inputs=28, whole_window=False, rows=rows)
        model = unit.model([(there, True)] * 18)
        assert [issue for (issue,) in shown] == [number is not None for number in model]


def test_a_whole_window_has_what_is_behind_it(play):
    for there, count in ((13, 1), (14, 2)):
        script = [READY | {"i_count": there}] * 20
        assert len(issues(play, script, whole_window=True, behind=2)[:2]) == count


@pytest.mark.parametrize("loop", [0, 1, 3])
def test_behind_the_last_instruction_comes_the_loop(play, loop):
    operations = [OPERATIONS[0], {"starts": True}]
    ops = [1, 0, 1, 0]
    instructions = tuple(Instruction(op=op, delta=6, act=n) for n, op in enumerate(ops))
    program = Program(
        operations=table(operations), instructions=instructions, loop=loop, steps=1 + (loop == 0)
    )
    watch = ["o_issue", "o_act", "o_start"]
    dut = Fetching(program=program, inputs=12)
    shown = [(act, start) for issue, act, start in play(dut, [READY] * 80, watch) if issue]
    order = [*range(4), *[*range(loop, 4)] * 20][: len(shown)]
    assert [act for act, _ in shown] == order
    # where an inference begins, its operation says
    assert [start for _, start in shown] == [ops[number] for number in order]
    unit = Sequencer(program=program, inputs=12, whole_window=False)
    model = [number for number in unit.model([(12, True)] * 80) if number is not None]
    assert model == order


@pytest.mark.parametrize("phases", [2, 3, 4])
@pytest.mark.parametrize("steps", [1, 2])
def test_each_phase_has_its_turn(play, phases, steps):
    """Of each inference's two instructions, before the next: of one to fill rings, then of laps."""
    operations = [OPERATIONS[0], {"starts": True}]
    instructions = [Instruction(op=1 - n % 2, delta=5, act=n) for n in range(2 + 2 * steps)]
    program = Program(
        operations=table(operations),
        instructions=tuple(instructions),
        loop=2,
        steps=steps,
        phases=phases,
    )
    watch = ["o_issue", "o_act", "o_start", "o_phase"]
    shown = play(Fetching(program=program, inputs=12), [READY] * 320, watch)
    found = [one for issue, *one in shown if issue]
    expected = [
        [2 * inference + place, place == 0, phase]
        for inference in [0, *[*range(1, 1 + steps)] * 20]
        for phase in range(phases)
        for place in range(2)
    ]
    assert len(found) > 60
    assert found == expected[: len(found)]
    unit = Sequencer(program=program, inputs=12, whole_window=False)
    model = [number for number in unit.model([(12, True)] * 320) if number is not None]
    assert model == [act for act, *_ in found]


def test_inferences_of_phases_are_of_one_length():
    program = Program(
        operations=table(OPERATIONS[:1]),
        instructions=tuple(Instruction(op=0, delta=5) for _ in range(5)),
        loop=3,
        phases=2,
    )
    with pytest.raises(ValueError, match=r"^Instructions of all inferences must be 2, to be"):
        Sequencer(program=program, inputs=1, whole_window=False)


def test_next_program_waits_for_the_next_window(play):
    # the window is used up once its row is issued
    free = cycles_of(issues(play, [READY] * 100))
    used = free[1] + 1
    script = [READY] * used + [READY | {"i_count": 0}] * 40 + [READY] * 60
    found = cycles_of(issues(play, script))
    assert found[:5] == free[:5]
    assert found[5] > used + 40 - 2


@settings(max_examples=20, deadline=None)
@given(
    deltas=st.lists(st.integers(MIN_ISSUE, 12), min_size=1, max_size=5),
    waits=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 12), st.booleans()), max_size=6),
    whole_window=st.booleans(),
    behind=st.integers(0, 3),
)
def test_any_program_is_issued_as_modelled(play, deltas, waits, whole_window, behind):
    instructions = [
        {"op": n % 3, "delta": delta, "act": 2 * n, "dst": n, "res": n}
        for n, delta in enumerate(deltas)
    ]
    script = [{"i_count": c, "i_output": int(o)} for n, c, o in waits for _ in range(n)]
    script += [READY | {"i_count": 12 + behind}] * 40
    options = {"whole_window": whole_window, "behind": behind}
    found = issues(play, script, instructions=instructions, **options)
    program = make_program(OPERATIONS, instructions)
    unit = Sequencer(program=program, inputs=12, **options)
    model = unit.model([(step["i_count"], bool(step["i_output"])) for step in script])
    assert len(model) == len(script)
    assert [(cycle, start) for cycle, *_, start in found] == [
        (cycle, int(number == 0)) for cycle, number in enumerate(model) if number is not None
    ]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"^Instructions must be 5 cycles apart, not 4$"):
        Sequencer(
            program=make_program(OPERATIONS, [{"op": 0, "delta": 4}]), inputs=1, whole_window=False
        )
