# amaranth: UnusedElaboratable=no
"""Keys and values of several tokens land in their words, parts and slots of the store."""

import itertools
import random

import pytest

from bitformer.hw.timing import KEPT
from bitformer.hw.units import block_writer as writer_module
from bitformer.hw.units.block_writer import BlockWriter
from bitformer.hw.widths import signed_value

BITS = 6
SHAPES = [
    # rows, posts, ways, slots, parts
    (2, 1, 2, 2, 2),
    (2, 2, 2, 4, 2),
    (4, 2, 2, 8, 2),
    (4, 4, 2, 4, 4),
    (4, 1, 1, 4, 1),
    (8, 2, 1, 8, 2),
]


def make(rows, posts, ways, slots, parts, *, features=8, words=4):
    pairs = -(-features // ways)
    return BlockWriter(
        rows=rows,
        posts=posts,
        rounds=rows // posts,
        ways=ways,
        slots=slots,
        parts=parts,
        bits=BITS,
        depth=128,
        result_bits=8,
        dst_bits=12,
        pair_bits=(pairs - 1).bit_length(),
        pitch=words,
    )


def written(play, dut, rows, *, key, above, features, kept=0):
    """Play a block, round after round of all features; return the store, by (word, part, slot)."""
    script = []
    for turn in range(dut.rounds):
        own = rows[turn * dut.posts : (turn + 1) * dut.posts]
        for pair in range(-(-features // dut.ways)):
            part = [row[pair * dut.ways : (pair + 1) * dut.ways] for row in own]
            values = [x & 255 for row in part for x in row + [0] * (dut.ways - len(row))]
            script.append(
                {
                    "i_y": sum(x << 8 * n for n, x in enumerate(values)),
                    "i_valid": sum(
                        ((1 << len(row)) - 1) << n * dut.ways for n, row in enumerate(part)
                    ),
                    "i_round": turn,
                    "i_key": key,
                    "i_value": not key,
                    "i_dst": above << dut.pair_bits | pair,
                }
            )
    idle = {"i_y": (1 << 8 * dut.ways * dut.posts) - 1, "i_valid": (1 << dut.ways * dut.posts) - 1}
    shown = play(dut, [*script, idle, {}], ["o_addr", "o_en", "o_data"])
    store = {}
    for cycle, (word, enable, data) in enumerate(shown):
        if enable:
            assert KEPT - 1 <= cycle <= len(script)
        for place in range(dut.parts * dut.slots):
            if enable >> place & 1:
                part, slot = divmod(place, dut.slots)
                store[word, part, slot] = signed_value(data >> place * BITS, BITS)
    return store


def modelled(dut, rows, *, key, above, features):
    """The same by the unit's model."""
    store = {}
    for turn, pair in itertools.product(range(dut.rounds), range(-(-features // dut.ways))):
        own = rows[turn * dut.posts : (turn + 1) * dut.posts]
        part = [row[pair * dut.ways : (pair + 1) * dut.ways] for row in own]
        store |= dut.model(above << dut.pair_bits | pair, turn, part, key=key)
    return store


def block(dut, features, seed=0):
    chance = random.Random(seed)
    low, high = -(1 << BITS - 1), (1 << BITS - 1) - 1
    return [
        [chance.choice([low, high, chance.randint(low, high)]) for _ in range(features)]
        for _ in range(dut.rows)
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize("features", [8, 7])
def test_blocks_land_in_their_places(play, shape, key, features):
    dut = make(*shape, features=features)
    rows = block(dut, features)
    for above in (0, 3, 9):
        options = {"key": key, "above": above, "features": features}
        assert written(play, dut, rows, **options) == modelled(dut, rows, **options)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_engine_finds_a_feature_of_all_keys_and_a_row_of_values(shape):
    """Where addresses, in parts of words, go on by one: from feature to feature, token to token."""
    dut = make(*shape)
    rows = block(dut, 8)
    keys = modelled(dut, rows, key=True, above=0, features=8)
    for (word, part, slot), element in keys.items():
        assert element == rows[slot][word * dut.parts + part]
    values = modelled(dut, rows, key=False, above=0, features=8)
    for (word, part, slot), element in values.items():
        tile, token = divmod(word, dut.pitch)
        assert element == rows[token * dut.parts + part][tile * dut.slots + slot]


def test_a_block_by_hand(play):
    """Keys 2 and 3 of a word of four; of values, the second pair of features of a tile of four."""
    dut = make(2, 1, 2, 4, 2)
    rows = [[1, 2], [3, 4]]
    store = written(play, dut, rows, key=True, above=5 << 1 | 1, features=2)
    assert store == {(5, 0, 2): 1, (5, 1, 2): 2, (5, 0, 3): 3, (5, 1, 3): 4}
    rows = [[1, 2, 5, 6, 7, 8], [3, 4, 9, 10, 11, 12]]
    store = written(play, dut, rows, key=False, above=5, features=6)
    assert [store[5, part, slot] for part in range(2) for slot in range(4)] == [
        *(1, 2, 5, 6),
        *(3, 4, 9, 10),
    ]
    assert {place: x for place, x in store.items() if place[0] != 5} == {
        (9, 0, 0): 7,
        (9, 0, 1): 8,
        (9, 1, 0): 11,
        (9, 1, 1): 12,
    }


@pytest.mark.parametrize("name", ["_key", "_value"])
def test_elements_of_the_wrong_result_are_found(play, monkeypatch, name):
    dut = make(4, 2, 2, 8, 2)
    original = getattr(writer_module.BlockWriter, name)
    monkeypatch.setattr(
        writer_module.BlockWriter,
        name,
        lambda self, part, slot: original(self, slot, part),
    )
    rows, key = block(dut, 8), name == "_key"
    options = {"key": key, "above": 0, "features": 8}
    assert written(play, dut, rows, **options) != modelled(dut, rows, **options)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ((4, 2, 2, 6, 2), "Slots must be a multiple of 4, not 6"),
        ((4, 4, 2, 4, 2), "Parts must be a multiple of 4, not 2"),
        ((4, 1, 2, 4, 1), "Parts must be a multiple of 2, not 1"),
    ],
)
def test_shapes_that_do_not_match_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(*changes)
