# amaranth: UnusedElaboratable=no
"""Registers are as wide as what comes to them: of each, some number needs all bits but those here.

A bit that no number needs is one that synthesis has to find out; one that is missing is a fault.
"""

import random

import pytest
from amaranth.hdl import Shape, Value
from amaranth.lib.wiring import In
from norm_rows import extreme_rows, random_rows
from slots_harness import row_parameters
from unit_harness import COMPONENTS, DSP, GOOD, OPERATIONS

from bitformer.hw.program import Instruction, MachineOperation, Program
from bitformer.hw.timing import MIN_ISSUE
from bitformer.hw.units.row_statistics import RowStatistics

CYCLES = 600
PROGRAM = Program(
    operations=OPERATIONS,
    instructions=tuple(Instruction(op=n % 2, delta=MIN_ISSUE + n, dst=n) for n in range(3)),
)
#: Other parameters than the usual ones: with more than one channel, and numbers that come by.
CHANGES = {
    "InputPort": {"channels": 2, "steps": 1, "judged": 0, "numbers": 1},
    "Sequencer": {"program": PROGRAM, "inputs": 5},
    "TableRows": {"bits": 6, "rows": (17, 8)},
}
#: Bits that no noise needs: of numbers whose width is a parameter, but for a row's sum.
IDLE = {
    "Detector": {"score": 4},
    "Normalizer": {"centred": 1},
    "Operands": {"o_x": 2},
    "Sequencer": {"needed": 1},
    "VectorSlots": {"slot": 2},
}
#: What has its widths from outside, or is only sensible with what belongs together.
LEFT_OUT = {
    *("Accelerator", "AxiStream", "AddressGenerator", "MatrixEngine", "PostProcessor"),
    "RowStatistics",
}


def noise(unit):
    """Numbers for all inputs: extremes as often as what is between."""
    chance = random.Random(1)
    ports = {
        ".".join(path): Shape.cast(Value.cast(value).shape())
        for path, member, value in unit.signature.flatten(unit)
        if member.flow == In
    }

    def number(shape):
        low = -(1 << shape.width - 1) if shape.signed else 0
        high = low + (1 << shape.width) - 1
        return chance.choice([low, high, chance.randint(low, high), chance.randint(low, high)])

    return [{name: number(shape) for name, shape in ports.items()} for _ in range(CYCLES)]


@pytest.mark.parametrize("name", [name for name in GOOD if name not in LEFT_OUT])
def test_noise_needs_all_bits(followed, name):
    unit = COMPONENTS[name](**GOOD[name]() | CHANGES.get(name, {}))
    followed(unit, noise(unit), [])
    assert followed.idle == IDLE.get(name, {})


def statistics(play, dut, rows):
    """Statistics of rows of words of two, one right after the other."""
    script = [
        {"i_x": row[n : n + 2], "i_valid": 3, "i_first": n == 0, "i_last": n == len(row) - 2}
        for row in rows
        for n in range(0, len(row), 2)
    ]
    ends = range(dut.features // 2 - 1 + dut.latency, len(script) + dut.latency, dut.features // 2)
    script += [{}] * (dut.latency + 1)
    for end in ends:
        script[end] = script[end] | {"i_take": 1}
    shown = play(dut, script, ["o_statistics"])
    return [(head.total, head.exponent, head.factor) for head in (shown[n][0] for n in ends)]


#: A square of b bits is at most ``4**(b - 1)``, which leaves the first of 2b idle, and so on.
SUMS = {"square_0": 1, "square_1": 1, "word_power": 1, "total": 1, "power": 2}
WHOLE = {**SUMS, "a": 1, "product": 4}
#: Features, bits, other parameters, and bits that no row needs.
ROWS = {
    "at once": (16, 8, {}, {**WHOLE, "minus": 1, "scaled": 2, "variance": 2, "late": 2}),
    "held": (6, 8, {"apart": 3}, {**WHOLE, "minus": 2, "scaled": 1, "power_kept": 2}),
    "in LUTs": (
        *(16, 8, {"soft": True}),
        {**SUMS, **dict.fromkeys(("scaled", "known", "left", "variance", "late"), 2)}
        | {"squares": 1, "ab": 1, "ac": 3},
    ),
    "in two steps": (8, 16, {}, {**SUMS, "scaled": 2, "a": 1, "part": 2, "held": 1}),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_need_all_bits(followed, name):
    features, bits, more, idle = ROWS[name]
    rows = extreme_rows(features, bits) + random_rows(features, bits, 12, 1)
    rows += [[1 << n, *[0] * (features - 2), -(1 << n)] for n in range(bits - 1)]
    dut = RowStatistics(features=features, bits=bits, ways=2, multiplier=DSP, **more)
    assert statistics(followed, dut, rows) == [dut.model(row) for row in rows]
    assert followed.idle == idle


@pytest.mark.parametrize(("name", "more"), [("Drain", {"columns": 5}), ("VectorSlots", {})])
@pytest.mark.parametrize("rounds", [2, 4])
def test_counts_of_blocks_need_all_bits(followed, name, more, rounds):
    operations = (
        MachineOperation(matrix=True, last_columns=5, rows=4),
        MachineOperation(slots=5, rows=4),
    )
    own = row_parameters(operations, 2, posts=4 // rounds, rounds=rounds)
    unit = COMPONENTS[name](**own, **more)
    followed(unit, noise(unit), [])
    counted = {"column", "final", "head", "left", "rounds", "tail"}
    assert not counted & followed.idle.keys()
