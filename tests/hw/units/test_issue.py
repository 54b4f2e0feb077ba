# amaranth: UnusedElaboratable=no
"""From the program to addresses: the sequencer keeps the timetable, the walker walks each row."""

import random
from itertools import accumulate

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.memory import StoreSpec
from bitformer.hw.program import Instruction, MachineOperation, Program, Source
from bitformer.hw.timing import ADDRESS, MIN_ISSUE
from bitformer.hw.units.address_generator import Walker
from bitformer.hw.units.sequencer import Sequencer
from bitformer.hw.units.store import Store


def make_program(operations, instructions):
    return Program(
        operations=tuple(MachineOperation(matrix=True, **op) for op in operations),
        instructions=tuple(Instruction(**i) for i in instructions),
    )


class Fetching(wiring.Component):
    """A sequencer with its program store."""

    def __init__(self, *, program, inputs, whole_window=False):
        self._program, self._inputs, self._whole_window = program, inputs, whole_window
        super().__init__(
            {
                "i_count": In(range(inputs + 1)),
                "i_output": In(1),
                "o_issue": Out(1),
                "o_start": Out(1),
                "o_op": Out(8),
                "o_act": Out(8),
                "o_dst": Out(8),
                "o_res": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self._program
        m.submodules.sequencer = unit = Sequencer(
            program=program, inputs=self._inputs, whole_window=self._whole_window
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


def test_next_program_waits_for_the_next_window(play):
    # the window is used up once its row is issued
    free = cycles_of(issues(play, [READY] * 100))
    used = free[1] + 1
    script = [READY] * used + [READY | {"i_count": 0}] * 40 + [READY] * 60
    found = cycles_of(issues(play, script))
    assert found[:5] == free[:5]
    assert found[5] > used + 40 - 2


def walked(play, operations, starts):
    """(cycle, op, first, last, begin, end, act, weight) of every address."""
    program = make_program(operations, [{"op": op, "act": act} for _, op, act in starts])
    dut = Walker(program=program, act_bits=8, weight_bits=8)
    length = starts[-1][0] + 80
    script = [{} for _ in range(length)]
    chance = random.Random(0)
    for step in script:
        step["i_act"] = chance.getrandbits(8)
    for cycle, op, act in starts:
        script[cycle] = {"i_start": 1, "i_op": op, "i_act": act}
    watch = ["o_op", "o_first", "o_last", "o_begin", "o_end", "o_act", "o_weight"]
    shown = play(dut, script, ["o_valid", *watch])
    return [(cycle, *fields) for cycle, (valid, *fields) in enumerate(shown) if valid]


def walk_model(operations, starts):
    addresses = []
    for cycle, number, act in starts:
        op = MachineOperation(matrix=True, **operations[number])
        for group in range(op.groups):
            for term in range(op.length):
                addresses.append(
                    (
                        cycle + 1 + group * op.pitch + term,
                        number,
                        int(term == 0),
                        int(term == op.length - 1),
                        int(group == 0),
                        int(group == op.groups - 1),
                        act if op.source is Source.ONE else act + term,
                        op.weight_base + group * op.weight_group + term * op.weight_step,
                    )
                )
    return addresses


WALKS = [
    {"length": 4, "pitch": 4, "weight_base": 7, "weight_group": 4},
    {"length": 1, "pitch": 1},
    {"length": 2, "pitch": 5, "groups": 3, "weight_base": 100, "weight_group": 2},
    {"length": 3, "pitch": 3, "groups": 4, "weight_step": 6, "weight_group": 1, "weight_base": 3},
    {"length": 5, "pitch": 5, "groups": 2, "source": Source.ONE, "weight_step": 2},
    {"length": 1, "pitch": 6, "groups": 2, "weight_group": 9},
]


@pytest.mark.parametrize("number", range(len(WALKS)))
def test_addresses_of_one_row(play, number):
    starts = [(3, number, 20)]
    assert walked(play, WALKS, starts) == walk_model(WALKS, starts)


def test_rows_follow_without_a_gap(play):
    starts, cycle = [], 0
    for number in [0, 2, 4, 3, 0, 0, 5, 2, 3]:
        op = MachineOperation(matrix=True, **WALKS[number])
        starts.append((cycle, number, (cycle * 7) % 100))
        cycle += max(MIN_ISSUE, (op.groups - 1) * op.pitch + op.length)
    assert walked(play, WALKS, starts) == walk_model(WALKS, starts)


def test_a_row_that_starts_too_early_is_not_walked_to_its_end(play):
    starts = [(0, 2, 0), (6, 0, 0)]
    assert walked(play, WALKS, starts) != walk_model(WALKS, starts)


def test_walker_is_one_cycle_of_the_way_to_an_address():
    assert ADDRESS >= 1
