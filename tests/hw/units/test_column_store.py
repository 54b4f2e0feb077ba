# amaranth: UnusedElaboratable=no
"""Keys and values by columns: each group's part of a word comes when the engine takes it."""

import random

import pytest

from bitformer.hw.memory import StoreSpec
from bitformer.hw.units import column_store as module
from bitformer.hw.units.column_store import ColumnStore


def make(*, depth=13, columns=6, slots=2, bits=3, ways=2, group=4):
    spec = StoreSpec(name="kept", depth=depth, width=columns * slots * bits, granule=bits)
    return ColumnStore(spec=spec, columns=columns, ways=ways, group=group)


def traffic(dut, cycles, seed):
    """Random reads and writes; half of the reads are of what has just been written."""
    chance, script = random.Random(seed), []
    for _ in range(cycles):
        last = script[-1]["w_addr"] if script else 0
        enables = chance.getrandbits(len(dut.w_en)) if chance.random() < 0.7 else 0
        script.append(
            {
                "addr_0": chance.choice([last, chance.randrange(dut.spec.depth)]),
                "i_read": chance.random() < 0.8,
                "w_addr": chance.randrange(dut.spec.depth),
                "w_data": chance.getrandbits(len(dut.w_data)),
                "w_en": enables,
                "i_write": enables != 0,
            }
        )
    return script


def parts(dut, word):
    """A word's bits, a number for each group of columns."""
    bits = dut.group * dut.column_bits
    return [word >> start & ((1 << bits) - 1) for start in range(0, dut.spec.width, bits)]


def gathered(play, dut, script):
    """The words that are read: each group's part ``dut.group`` cycles after the one before."""
    groups = len(parts(dut, 0))
    shown = play(dut, script + [{}] * (dut.latency + dut.group * groups), ["data_0"])
    return [
        [
            parts(dut, shown[cycle + dut.latency + dut.group * group][0])[group]
            for group in range(groups)
        ]
        for cycle in range(len(script))
    ]


SHAPES = [
    {},
    {"columns": 4},
    {"columns": 1, "slots": 1, "ways": 1, "depth": 1},
    {"columns": 9, "slots": 1, "ways": 3},
    {"columns": 5, "group": 2},
    {"columns": 3, "group": 1},
    {"columns": 17, "ways": 1, "bits": 1, "depth": 70},
    {"columns": 16, "slots": 2, "bits": 6, "depth": 112},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_written_is_read_group_by_group(play, shape):
    dut = make(**shape)
    script = traffic(dut, 160, seed=1)
    read = gathered(play, dut, script)
    expected = dut.model(script)
    assert sum(word is not None for word in expected) > 50
    for found, word in zip(read, expected, strict=True):
        assert word is None or found == parts(dut, word)


def test_model_of_a_few_steps():
    dut = make(columns=2, slots=1, bits=4)
    read = {"addr_0": 3, "i_read": 1}
    write = {"w_addr": 3, "w_data": 0xAB, "i_write": 1}
    steps = [read, {**write, "w_en": 0b10}, read, {**read, **write, "w_en": 0b01}, {}, read]
    assert dut.model(steps) == [0, None, 0xA0, None, None, 0xAB]


def test_a_word_stays_until_another_is_wanted(play):
    dut = make(columns=1, slots=1, ways=1)
    written = {"w_addr": 5, "w_data": 6, "w_en": 1, "i_write": 1}
    wanted = {"addr_0": 5, "i_read": 1}
    shown = play(dut, [written, wanted, {"addr_0": 1}, {"addr_0": 2}, {}], ["data_0"])
    assert [word for (word,) in shown[3:]] == [6, 6]


@pytest.mark.parametrize(
    "name", ["asked_addr_1", "asked_read_1", "given_addr_1", "given_data_1", "given_en_1", "w_en_0"]
)
def test_a_part_in_the_wrong_cycle_is_found(play, monkeypatch, name):
    delay = module.delay

    def hurried(m, value, cycles, **options):
        return delay(m, value, cycles - (options["name"] == name), **options)

    script = traffic(make(), 160, seed=2)
    expected = make().model(script)
    monkeypatch.setattr(module, "delay", hurried)
    dut = make()
    read = gathered(play, dut, script)
    assert any(
        word is not None and found != parts(dut, word)
        for found, word in zip(read, expected, strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": 0}, r"^Columns must be a positive integer, not 0$"),
        ({"group": 0}, r"^Group must be a positive integer, not 0$"),
        ({"ways": 5}, r"^Ways must share 12 granules evenly, not be 5$"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_columns_share_a_word():
    spec = StoreSpec(name="kept", depth=4, width=12, granule=3)
    with pytest.raises(ValueError, match=r"^Columns must share 4 granules evenly, not be 3$"):
        ColumnStore(spec=spec, columns=3, ways=1, group=4)
