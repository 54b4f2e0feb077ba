# amaranth: UnusedElaboratable=no
"""Slots of vectors come in their cycles, with the addresses of their words."""

import itertools
from dataclasses import replace

import pytest
from amaranth.hdl import Shape
from slots_harness import DST_BITS, FIELDS, RES_BITS, fields_of, row_parameters

from bitformer.hw.program import MachineOperation
from bitformer.hw.units.result_slots import VectorSlots, slot_layout

VECTORS = (
    MachineOperation(slots=3, parameters=5),
    MachineOperation(slots=1, odd=True),
    MachineOperation(slots=4, parameters=255 - 3, odd=True),
    MachineOperation(matrix=True),
)


WIDE_VECTORS = (
    VECTORS[0],
    MachineOperation(slots=4, wide=True, wide_r=True),
    MachineOperation(slots=2, parameters=9, wide=True, wide_y=True),
    MachineOperation(slots=3, parameters=40, wide=True),
    MachineOperation(slots=1, wide=True, wide_y=True, wide_r=True),
)


def vectors(play, operations, starts, *, ways, posts=1, rounds=1):
    """Play vector operations (cycle, op, dst, res); return (found, expected) slots by cycle."""
    dut = VectorSlots(**row_parameters(operations, ways, posts=posts, rounds=rounds))
    script, expected = [{} for _ in range(starts[-1][0] + 8 * rounds)], {}
    for cycle, op, dst, res in starts:
        script[cycle] = {"i_issue": 1, "i_op": op, "i_dst": dst, "i_res": res}
        slots = dut.model(op, dst, res)
        expected |= {cycle + 1 + n: slot for n, slot in enumerate(slots)}
    shown = play(dut, script, ["o_slot", "o_parameter", "o_follows"])
    found = {n: fields_of(slot) for n, (slot, *_) in enumerate(shown) if slot.valid}
    # parameters are addressed a cycle ahead
    for (_, parameter, follows), (slot, *_) in itertools.pairwise(shown):
        assert follows == (slot.valid != 0)
        assert not follows or parameter == slot.parameter
    return found, expected


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, {}),
        ({"posts": 1, "rounds": 1}, {}),
        ({"upper": True}, {"upper": 1}),
        ({"soft": True}, {"soft": 1}),
        ({"posts": 2}, {"posts": 2}),
        *(({"rounds": n}, {"round": bits}) for n, bits in ((2, 1), (3, 2), (4, 2), (5, 3))),
    ],
)
def test_fields_of_a_slot_are_as_wide_as_what_they_hold(given, more):
    sizes = {"op_bits": 3, "parameter_bits": 8, "dst_bits": 7, "res_bits": 6}
    members = slot_layout(ways=2, **sizes, **given).members
    always = {"valid": 2, "op": 3, "first": 1, "last": 1, "parameter": 8, "dst": 7, "res": 6}
    assert {name: Shape.cast(shape).width for name, shape in members.items()} == always | more


@pytest.mark.parametrize("posts", [1, 2, 4])
def test_blocks_of_vectors_come_in_turns(play, posts):
    operations = (
        replace(VECTORS[0], rows=4),
        replace(VECTORS[1], rows=3),
        replace(VECTORS[2], rows=2),
        replace(WIDE_VECTORS[1], rows=4),
        VECTORS[0],
    )
    starts, cycle = [], 0
    for op in (0, 1, 2, 3, 4, 2, 0):
        starts.append((cycle, op, 7 + op, op))
        cycle += operations[op].slots * -(-operations[op].rows // posts) + op % 2
    options = {"ways": 2, "posts": posts, "rounds": 4 // posts}
    found, expected = vectors(play, operations, starts, **options)
    assert found == expected


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize(
    "starts",
    [
        [(0, 0, 30, 1), (5, 1, 3, 0), (10, 2, 0, 7), (15, 0, 4, 4)],
        [(1, 0, 0, 9), (4, 2, 7, 0), (8, 1, 5, 5), (9, 0, 1, 1)],
        [(0, 2, (1 << DST_BITS) - 1, (1 << RES_BITS) - 1)],
    ],
    ids=["apart", "without a gap", "largest"],
)
def test_vectors_read_their_rows(play, ways, starts):
    found, expected = vectors(play, VECTORS, starts, ways=ways)
    assert found == expected


def test_wide_vectors_are_read_element_by_element(play):
    starts = [(0, 1, 30, 2), (4, 2, 7, 0), (6, 0, 5, 5), (9, 3, 1, 1), (12, 4, 2, 2)]
    found, expected = vectors(play, WIDE_VECTORS, starts, ways=2)
    assert found == expected
    assert [tuple(s[name] for name in FIELDS[4:]) for s in list(found.values())[:6]] == [
        (0, 30, 2),
        (1, 30, 3),
        (2, 31, 4),
        (3, 31, 5),
        (9, 7, 0),
        (10, 8, 0),
    ]


def test_a_vector_of_one_way_by_hand(play):
    found, _ = vectors(play, VECTORS, [(2, 0, 30, 1)], ways=1)
    assert list(found) == [3, 4, 5]
    assert [tuple(s[name] for name in FIELDS) for s in found.values()] == [
        (1, 0, 1, 0, 5, 30, 1),
        (1, 0, 0, 0, 6, 31, 2),
        (1, 0, 0, 1, 7, 32, 3),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"res_bits": 8}, r"^Slot must hold addresses of 5 and 8 bits$"),
        ({"operations": VECTORS[:1] * 9}, r"^Slot must have a number for each of 9 operations$"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        VectorSlots(**row_parameters(VECTORS, 2) | changes)
