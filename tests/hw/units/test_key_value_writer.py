# amaranth: UnusedElaboratable=no
"""Keys and values land in their words and slots of the store."""

import random

import pytest
from amaranth.hdl import Fragment
from registers_harness import registers

from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.timing import KEPT, KEYED
from bitformer.hw.units.key_value_writer import KeyValueWriter
from bitformer.hw.widths import signed_value

BITS, DEPTH = 6, 40


def make(*, columns=4, ways=2, packed=True, **changes):
    parameters = {
        "queue": 4 if ways > 1 else 0,
        "ways": ways,
        "slots": columns * (2 if packed else 1),
        "bits": BITS,
        "depth": DEPTH,
        "result_bits": 8,
        "dst_bits": 12,
    }
    return KeyValueWriter(**parameters | changes)


def words_of(values, ways, pairs):
    """(elements, valid) of successive words: pairs, or one element in turn of each way."""
    step = ways if pairs else 1
    for start in range(0, len(values), step):
        part = values[start : start + step]
        place = 0 if pairs else start % ways
        elements = [0] * place + part + [-1] * (ways - place - len(part))
        yield elements, ((1 << len(part)) - 1) << place


def written(play, rows, *, columns, ways, packed, pairs, **changes):
    """Play rows of keys or values; return the memory, and the cycles of the writes.

    A row is (key, word, slot, values).
    """
    dut = make(columns=columns, ways=ways, packed=packed, **changes)
    slots = dut.slots
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
    shown = play(dut, script + [{}] * 4, ["o_en", "o_addr", "o_data", "o_write"])
    memory, cycles = {}, []
    for cycle, (enable, address, data, some) in enumerate(shown):
        assert some == (enable != 0)
        for slot in range(slots):
            if enable >> slot & 1:
                memory[address, slot] = signed_value(data >> (slot * BITS), BITS)
                cycles.append(cycle)
    return memory, cycles, came


def modelled(rows, layout):
    """The store after rows of keys or values, by the unit's own model."""
    dut = make(**{name: layout[name] for name in ("columns", "ways", "packed")})
    slot_bits, store = max(1, (dut.slots - 1).bit_length()), {}
    for key, word, slot, values in rows:
        store |= dut.model(word << slot_bits | slot if key else word, values, key=bool(key))
    return store


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
    assert memory == modelled(rows, layout)
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
    assert memory == modelled(rows, layout)
    # one a cycle, the first of a row two cycles after it came
    assert len(set(cycles)) == len(cycles)
    assert cycles[0] == came[0] + KEYED - 1
    assert cycles[::features] == [cycle + KEYED - 1 for cycle in came[::features]]


def test_keys_and_values_take_turns(play):
    """A value comes when the key before it has been written."""
    layout = LAYOUTS[3]
    rows = [(1, 3, 7, numbers(5, 0)), (0, 9, 0, numbers(11, 1)), (1, 33, 0, numbers(7, 2))]
    memory, _, _ = written(play, rows, **layout)
    assert memory == modelled(rows, layout)
    assert memory[3 + 4, 7] == numbers(5, 0)[4]
    assert memory[9 + 1, 2] == numbers(11, 1)[10]


@pytest.mark.parametrize(("features", "waiting"), [(4, 1), (8, 2), (16, 4)])
def test_so_many_words_wait_as_the_queue_has(play, features, waiting):
    """Of words of two results a cycle, every second one waits longer: the last behind half."""
    layout = LAYOUTS[3]
    rows = [(1, 3, 5, numbers(features, 0)), (1, 3, 6, numbers(features, 1))]
    expected = modelled(rows, layout)
    assert written(play, rows, **layout, queue=waiting)[0] == expected
    assert written(play, rows, **layout, queue=waiting // 2)[0] != expected


def test_a_slot_that_is_lost_is_found(play, monkeypatch):
    layout = LAYOUTS[0]
    rows = [(1, 3, 2, numbers(5, 0))]
    expected = modelled(rows, layout)
    assert written(play, rows, **layout)[0] == expected
    monkeypatch.setattr(KeyValueWriter, "_slot_bits", 1)
    assert written(play, rows, **layout)[0] != expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slots": 7}, r"^Slots must be a multiple of the 2 ways, not 7$"),
        ({"bits": 9}, r"^Bits must be those of a result, 8, or less, not 9$"),
        ({"ways": 3}, r"^Ways must be an integer from 1 to 2, not 3$"),
        ({"depth": 0}, r"^Depth must be a positive integer, not 0$"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("queue", [1, 2, 3, 4, 5, 8, 9])
def test_a_queue_has_a_power_of_two_of_words(queue):
    """And its places a bit more: a full one is not an empty one."""
    found = registers(Fragment.get(make(queue=queue), None))
    (bits,) = (len(signal) for _, signal in found if signal.name == "head")
    assert bits == (queue - 1).bit_length() + 1
