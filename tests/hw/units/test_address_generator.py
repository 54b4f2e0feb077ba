# amaranth: UnusedElaboratable=no
"""The address generator goes through each row."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.program import MachineOperation, Source
from bitformer.hw.timing import ADDRESS, MIN_ISSUE
from bitformer.hw.units.address_generator import AddressGenerator


def table(operations):
    return tuple(MachineOperation(matrix=True, **op) for op in operations)


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


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"^Weight bits must hold the address 105, not be 6$"):
        AddressGenerator(operations=table(ROWS), act_bits=8, weight_bits=6)
