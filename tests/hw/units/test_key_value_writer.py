# amaranth: UnusedElaboratable=no
"""Keys and values land in their words and slots; vectors walk their rows."""

import random
from types import SimpleNamespace

import pytest

from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.program import Instruction, MachineOperation, Program
from bitformer.hw.timing import KEPT, KEYED
from bitformer.hw.units.key_value_writer import DynamicWriter
from bitformer.hw.units.result_slots import Vector
from bitformer.hw.widths import signed_value

BITS, DEPTH = 6, 40


def make(*, columns, ways, packed):
    slots = columns * (2 if packed else 1)
    design = SimpleNamespace(
        geometry=SimpleNamespace(
            columns=columns, ways=ways, dynamic_bits=BITS, dynamic_slots=slots, activation_bits=8
        ),
        stores={"dynamic": SimpleNamespace(depth=DEPTH, width=slots * BITS)},
        program=SimpleNamespace(width=lambda field: 12),
    )
    return DynamicWriter(design=design), slots


def words_of(values, ways, pairs):
    """(elements, valid) of successive words: pairs, or one element in turn of each way."""
    step = ways if pairs else 1
    for start in range(0, len(values), step):
        part = values[start : start + step]
        place = 0 if pairs else start % ways
        elements = [0] * place + part + [-1] * (ways - place - len(part))
        yield elements, ((1 << len(part)) - 1) << place


def written(play, rows, *, columns, ways, packed, pairs):
    """Play rows of keys or values; return the memory, and the cycles of the writes.

    A row is (key, word, slot, values).
    """
    dut, slots = make(columns=columns, ways=ways, packed=packed)
    slot_bits = max(1, (slots - 1).bit_length())
    chance = random.Random(0)
    script, came = [], []
    for key, word, slot, values in rows:
        for number, (elements, valid) in enumerate(words_of(values, ways, pairs)):
            came += [len(script)] * valid.bit_count()
            script.append(
                {
                    "i_y": pack_elements(elements, 8),
                    "i_valid": valid,
                    "i_first": number == 0,
                    "i_key": key,
                    "i_value": not key,
                    "i_dst": word << slot_bits | slot if key else word,
                }
            )
        # keys are written one a cycle, behind those that came two at a time
        idle = len(values) if key else 0
        script += [{"i_y": chance.getrandbits(8 * ways), "i_first": 1}] * idle
    shown = play(dut, script + [{}] * 4, ["o_en", "o_addr", "o_data"])
    memory, cycles = {}, []
    for cycle, (enable, address, data) in enumerate(shown):
        for slot in range(slots):
            if enable >> slot & 1:
                memory[address, slot] = signed_value(data >> (slot * BITS), BITS)
                cycles.append(cycle)
    return memory, cycles, came


LAYOUTS = [
    {"columns": 4, "ways": 1, "packed": False, "pairs": False},
    {"columns": 3, "ways": 1, "packed": False, "pairs": False},
    {"columns": 1, "ways": 1, "packed": False, "pairs": False},
    {"columns": 4, "ways": 2, "packed": True, "pairs": True},
    {"columns": 1, "ways": 2, "packed": True, "pairs": True},
    {"columns": 4, "ways": 2, "packed": False, "pairs": True},
    {"columns": 4, "ways": 2, "packed": False, "pairs": False},
]


def numbers(count, seed):
    chance = random.Random(seed)
    return [chance.choice([-32, 31, chance.randint(-32, 31)]) for _ in range(count)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: "-".join(map(str, x.values())))
@pytest.mark.parametrize("features", [2, 4, 6, 10])
def test_values_fill_the_slots_of_words(play, layout, features):
    slots = layout["columns"] * (2 if layout["packed"] else 1)
    step = -(-features // slots)
    rows = [(0, 1 + n * step, 0, numbers(features, n)) for n in range(3)]
    memory, cycles, came = written(play, rows, **layout)
    assert memory == {
        (word + f // slots, f % slots): value
        for _, word, _, values in rows
        for f, value in enumerate(values)
    }
    assert cycles == [cycle + KEPT - 1 for cycle in came]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: "-".join(map(str, x.values())))
@pytest.mark.parametrize("features", [1, 4, 7])
def test_keys_lie_in_one_slot_of_successive_words(play, layout, features):
    slots = layout["columns"] * (2 if layout["packed"] else 1)
    rows = [
        (1, n // slots * features, n % slots, numbers(features, n))
        for n in range(min(2 * slots, DEPTH // features))
    ]
    memory, cycles, came = written(play, rows, **layout)
    assert memory == {
        (word + f, slot): value for _, word, slot, values in rows for f, value in enumerate(values)
    }
    # one a cycle, the first of a row two cycles after it came
    assert len(set(cycles)) == len(cycles)
    assert cycles[0] == came[0] + KEYED - 1
    assert cycles[::features] == [cycle + KEYED - 1 for cycle in came[::features]]


NARROW = (
    MachineOperation(tensor="a", slots=3, parameters=5),
    MachineOperation(tensor="b", slots=1, parameters=0, odd=True),
    MachineOperation(tensor="c", slots=4, parameters=9, odd=True),
)
WIDE = (
    NARROW[0],
    MachineOperation(tensor="b", slots=4, parameters=0, wide=True, wide_r=True),
    MachineOperation(tensor="c", slots=2, parameters=9, wide=True, wide_y=True),
)


def vectors(play, ways, starts, operations=NARROW):
    """(cycle, valid, op, first, last, parameter, dst, res) of every slot."""
    program = Program(
        operations=operations, instructions=(Instruction(op=2, delta=5, dst=30, res=30),)
    )
    design = SimpleNamespace(
        geometry=SimpleNamespace(
            ways=ways,
            wide={op.tensor for op in operations if op.wide},
            wide_rows={op.tensor for op in operations if op.wide_y},
        ),
        program=program,
        images={"parameters": range(14)},
        stores={"activations": SimpleNamespace(depth=34)},
    )
    script = [{} for _ in range(starts[-1][0] + 8)]
    for cycle, op, dst, res in starts:
        script[cycle] = {"i_issue": 1, "i_op": op, "i_dst": dst, "i_res": res}
    found = []
    for cycle, (slot,) in enumerate(play(Vector(design=design), script, ["o_slot"])):
        if slot.valid:
            fields = ("valid", "op", "first", "last", "parameter", "dst", "res")
            found.append((cycle, *(getattr(slot, name) for name in fields)))
    expected = []
    every = (1 << ways) - 1
    for cycle, number, dst, res in starts:
        op = operations[number]
        for n in range(op.slots):
            last = int(n == op.slots - 1)
            valid = 1 if op.odd and last else every
            if op.wide:
                # one element after the other: a word each, or each in its place of a word
                valid = 1 if op.wide_y else 1 << n % ways
                dst_n, res_n = (n if own else n // ways for own in (op.wide_y, op.wide_r))
                place = (op.parameters + n, dst + dst_n, res + res_n)
            else:
                place = (op.parameters + n, dst + n, res + n)
            expected.append((cycle + 1 + n, valid, number, int(n == 0), last, *place))
    return found, expected


@pytest.mark.parametrize("ways", [1, 2])
def test_vectors_walk_their_rows(play, ways):
    found, expected = vectors(
        play, ways, [(0, 0, 30, 1), (5, 1, 3, 0), (10, 2, 0, 7), (15, 0, 4, 4)]
    )
    assert found == expected


def test_vectors_follow_without_a_gap(play):
    found, expected = vectors(play, 2, [(1, 0, 0, 9), (4, 2, 7, 0), (8, 1, 5, 5), (9, 0, 1, 1)])
    assert found == expected


def test_wide_vectors_walk_element_by_element(play):
    starts = [(0, 1, 30, 2), (4, 2, 7, 0), (6, 0, 5, 5), (9, 1, 1, 1)]
    found, expected = vectors(play, 2, starts, WIDE)
    assert found == expected
