# amaranth: UnusedElaboratable=no
"""The sequencer keeps the timetable, the address generator goes through each row."""

import random
from itertools import accumulate

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.memory import StoreSpec
from bitformer.hw.program import Instruction, MachineOperation, Program, Source
from bitformer.hw.timing import ADDRESS, MIN_ISSUE
from bitformer.hw.units.address_generator import AddressGenerator
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

    def __init__(self, *, program, inputs, whole_window=False, behind=0):
        self._program, self._inputs, self._whole_window = program, inputs, whole_window
        self._behind = behind
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


def test_next_program_waits_for_the_next_window(play):
    # the window is used up once its row is issued
    free = cycles_of(issues(play, [READY] * 100))
    used = free[1] + 1
    script = [READY] * used + [READY | {"i_count": 0}] * 40 + [READY] * 60
    found = cycles_of(issues(play, script))
    assert found[:5] == free[:5]
    assert found[5] > used + 40 - 2


def addresses(play, operations, starts):
    """(found, expected) outputs of the address generator, by cycle."""
    dut = AddressGenerator(operations=table(operations), act_bits=8, weight_bits=8)
    script = [{} for _ in range(starts[-1][0] + 80)]
    chance = random.Random(0)
    for step in script:
        step["i_act"] = chance.getrandbits(8)
    expected = {}
    for cycle, op, act in starts:
        script[cycle] = {"i_start": 1, "i_op": op, "i_act": act}
        expected |= {cycle + later: shown for later, shown in dut.model(op, act).items()}
    watch = ["o_op", "o_first", "o_last", "o_begin", "o_end", "o_act", "o_weight"]
    shown = play(dut, script, ["o_valid", *watch])
    found = {
        cycle: dict(zip(watch, fields, strict=True))
        for cycle, (valid, *fields) in enumerate(shown)
        if valid
    }
    # a cycle that is not valid is not the last of a group
    assert not any(last for valid, _, _, last, *_ in shown if not valid)
    return found, expected


ROWS = [
    {"length": 4, "pitch": 4, "weight_base": 7, "weight_group": 4},
    {"length": 1, "pitch": 1},
    {"length": 2, "pitch": 5, "groups": 3, "weight_base": 100, "weight_group": 2},
    {"length": 3, "pitch": 3, "groups": 4, "weight_step": 6, "weight_group": 1, "weight_base": 3},
    {"length": 5, "pitch": 5, "groups": 2, "source": Source.ONE, "weight_step": 2},
    {"length": 1, "pitch": 6, "groups": 2, "weight_group": 9},
]


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_addresses_of_one_row(play, number):
    found, expected = addresses(play, ROWS, [(3, number, 20)])
    assert found == expected


def test_addresses_by_hand(play):
    """Two terms in each of three groups, five cycles apart; the first is out a cycle after."""
    found, _ = addresses(play, ROWS, [(3, 2, 20)])
    assert list(found) == [4, 5, 9, 10, 14, 15]
    names = ("o_first", "o_last", "o_begin", "o_end", "o_act", "o_weight")
    assert [tuple(shown[name] for name in names) for shown in found.values()] == [
        (1, 0, 1, 0, 20, 100),
        (0, 1, 1, 0, 21, 101),
        (1, 0, 0, 0, 20, 102),
        (0, 1, 0, 0, 21, 103),
        (1, 0, 0, 1, 20, 104),
        (0, 1, 0, 1, 21, 105),
    ]


def test_elements_of_wide_rows_are_a_word_apart(play):
    found, expected = addresses(
        play, [*ROWS, {"length": 3, "pitch": 3, "wide_x": True}], [(0, 6, 4)]
    )
    assert found == expected
    assert [shown["o_act"] for shown in found.values()] == [4, 6, 8]


COLUMN = {"length": 3, "pitch": 4, "groups": 2, "stride": 6}


def test_elements_of_a_column_are_a_row_apart(play):
    found, expected = addresses(play, [*ROWS, COLUMN], [(0, 6, 5)])
    assert found == expected
    assert [shown["o_act"] for shown in found.values()] == [5, 11, 17, 5, 11, 17]
    # in wide rows too: the row says how far
    wide, _ = addresses(play, [*ROWS, COLUMN | {"wide_x": True}], [(0, 6, 5)])
    assert wide == found


RING = {"length": 5, "pitch": 6, "groups": 2, "ring_first": 10, "ring_last": 17}


def test_behind_the_last_element_of_a_ring_comes_its_first(play):
    found, expected = addresses(play, [*ROWS, RING], [(0, 6, 15), (14, 0, 15), (22, 6, 10)])
    assert found == expected
    shown = [one["o_act"] for one in found.values()]
    assert shown[:10] == [15, 16, 17, 10, 11] * 2
    # not of an operation without
    assert shown[10:14] == [15, 16, 17, 18]
    assert shown[14:19] == [10, 11, 12, 13, 14]


def test_elements_of_a_wide_ring_are_a_word_apart(play):
    wide = RING | {"wide_x": True, "ring_last": 16}
    found, expected = addresses(play, [wide], [(0, 0, 14)])
    assert found == expected
    assert [one["o_act"] for one in found.values()] == [14, 16, 10, 12, 14] * 2


@pytest.mark.parametrize("change", [{"ring_first": 11}, {"ring_last": 16}, {"ring_last": 18}])
def test_a_wrong_ring_is_found(play, change):
    found, _ = addresses(play, [RING], [(0, 0, 15)])
    _, expected = addresses(play, [RING | change], [(0, 0, 15)])
    assert found != expected


@pytest.mark.parametrize("stride", [0, 1, 5, 7])
def test_a_wrong_stride_is_found(play, stride):
    found, _ = addresses(play, [COLUMN], [(0, 0, 5)])
    _, expected = addresses(play, [COLUMN | {"stride": stride}], [(0, 0, 5)])
    assert found != expected


def test_a_row_after_a_column_is_a_row_again(play):
    found, expected = addresses(play, [*ROWS, COLUMN], [(0, 6, 5), (7, 0, 9), (20, 6, 0)])
    assert found == expected


def test_rows_follow_without_a_gap(play):
    starts, cycle = [], 0
    for number in [0, 2, 4, 3, 0, 0, 5, 2, 3]:
        op = MachineOperation(matrix=True, **ROWS[number])
        starts.append((cycle, number, (cycle * 7) % 100))
        cycle += max(MIN_ISSUE, (op.groups - 1) * op.pitch + op.length)
    found, expected = addresses(play, ROWS, starts)
    assert found == expected


def test_a_row_that_starts_too_early_breaks_off_the_one_before(play):
    found, expected = addresses(play, ROWS, [(0, 2, 0), (6, 0, 0)])
    assert found != expected


@pytest.mark.parametrize("change", [{"pitch": 6}, {"weight_step": 2}, {"length": 3}])
def test_a_wrong_constant_is_found(play, monkeypatch, change):
    found, _ = addresses(play, ROWS, [(0, 2, 7)])
    _, expected = addresses(play, [*ROWS[:2], ROWS[2] | change], [(0, 2, 7)])
    assert found != expected


def test_an_address_is_out_a_cycle_after_the_issue():
    assert ADDRESS >= 1


@st.composite
def rows_of(draw):
    """Draw (operations, starts): rows that follow as soon as the one before has ended, or later."""
    operations = []
    for _ in range(draw(st.integers(1, 3))):
        length = draw(st.integers(1, 5))
        operations.append(
            {
                "length": length,
                "pitch": draw(st.integers(length, 8)),
                "groups": draw(st.integers(1, 3)),
                "source": draw(st.sampled_from(Source)),
                "weight_base": draw(st.integers(0, 100)),
                "weight_step": draw(st.integers(0, 9)),
                "weight_group": draw(st.integers(0, 40)),
                "wide_x": draw(st.booleans()),
                "stride": draw(st.sampled_from([0, 0, 2, 12])),
            }
        )
    starts, cycle = [], 0
    for number in draw(st.lists(st.integers(0, len(operations) - 1), min_size=1, max_size=4)):
        starts.append((cycle, number, draw(st.integers(0, 200))))
        op = MachineOperation(matrix=True, **operations[number])
        cycle += (op.groups - 1) * op.pitch + op.length + draw(st.integers(0, 3))
    return operations, starts


@settings(max_examples=30, deadline=None)
@given(rows=rows_of())
def test_any_rows_have_their_addresses(play, rows):
    found, expected = addresses(play, *rows)
    assert found == expected


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Sequencer(
                program=make_program(OPERATIONS, [{"op": 0, "delta": 4}]),
                inputs=1,
                whole_window=False,
            ),
            r"^Instructions must be 5 cycles apart, not 4$",
        ),
        (
            lambda: AddressGenerator(operations=table(ROWS), act_bits=8, weight_bits=6),
            r"^Weight bits must hold the address 105, not be 6$",
        ),
    ],
    ids=["sequencer", "address generator"],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
