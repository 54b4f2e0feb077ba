"""Programs: how many cycles they take, and their instructions as words of a ROM."""

import pytest

from bitformer.hw.program import (
    Addend,
    Destination,
    Factor,
    Instruction,
    MachineOperation,
    Program,
    Source,
)


@pytest.mark.parametrize(
    ("groups", "pitch", "length", "cycles"), [(1, 9, 4, 4), (3, 7, 5, 19), (2, 1, 1, 2)]
)
def test_groups_hold_the_engine(groups, pitch, length, cycles):
    assert MachineOperation(groups=groups, pitch=pitch, length=length).cycles == cycles


@pytest.mark.parametrize(
    ("stride", "wide", "step"), [(0, False, 1), (0, True, 2), (5, False, 5), (1, True, 1)]
)
def test_steps_of_an_address(stride, wide, step):
    assert MachineOperation(stride=stride, wide_x=wide).act_step == step


def made(*instructions, operations=2, **more):
    kinds = tuple(MachineOperation(tensor=f"t{n}") for n in range(operations))
    return Program(operations=kinds, instructions=instructions, **more)


def test_cycles_and_instructions_of_an_inference():
    program = [Instruction(op=0, delta=delta) for delta in (100, 7, 5, 9, 7)]
    assert (made(*program).cycles, made(*program).step_instructions) == (128, 5)
    # behind the first, two inferences of two instructions
    again = made(*program, loop=1, steps=2)
    assert (again.cycles, again.step_instructions) == (28 // 2, 2)


@pytest.mark.parametrize(
    ("operations", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (17, 5)]
)
def test_the_number_of_an_operation_is_as_wide_as_the_last(operations, bits):
    assert made(Instruction(op=0), operations=operations).width("op") == bits


@pytest.mark.parametrize(("most", "bits"), [(0, 1), (1, 1), (2, 2), (7, 3), (8, 4)])
def test_fields_are_as_wide_as_their_largest(most, bits):
    program = made(Instruction(op=0), Instruction(op=0, dst=most), Instruction(op=0, dst=most // 2))
    assert program.width("dst") == bits
    assert program.word_bits == 4 + bits


def test_words_of_the_rom():
    """The lowest field first; the cycles until the next issue less one."""
    first = Instruction(op=2, delta=9, act=5, dst=1, res=0, row=99, first=77)
    second = Instruction(op=0, delta=16, act=0, dst=3, res=12)
    program = made(first, second, operations=3)
    assert Program.layout() == ("op", "delta", "act", "dst", "res")
    assert [program.width(field) for field in Program.layout()] == [2, 5, 3, 2, 4]
    assert program.word_bits == 16
    assert program.words() == [
        2 | 8 << 2 | 5 << 7 | 1 << 10,
        15 << 2 | 3 << 10 | 12 << 12,
    ]
    assert Program.encoded(first, "delta") == 8
    assert Program.encoded(first, "act") == 5


@pytest.mark.parametrize("kind", [Source, Factor, Addend, Destination])
def test_kinds_are_numbered_from_0(kind):
    assert [one.value for one in kind] == [*range(len(kind.__members__))]
