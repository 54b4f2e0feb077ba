# amaranth: UnusedElaboratable=no
"""Results of the post-processor, bit for bit, at the extremes of every width, in their cycles."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Const
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from postprocessor_harness import (
    MULTIPLIER,
    NARROW,
    NORM,
    PACKED,
    ROWS,
    TABLES,
    VECTORS,
    WIDE,
    M,
    drawn,
    make,
    processed,
)

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.timing import GELU_DELAY, NORM_DELAY, POST, SUMS_DELAY, WIDE_DELAY
from bitformer.hw.units import drained_sums as sums_module
from bitformer.hw.units import postprocessor as postprocessor_module
from bitformer.hw.units.postprocessor_model import summed
from bitformer.hw.widths import signed_value
from bitformer.model.gelu import corrections, gelu_zero


@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("name", TABLES)
def test_results_of_every_operation(play, name, gap):
    operations, ways, rows = TABLES[name]
    dut = make(operations, ways, **rows)
    chance = random.Random(name)
    work = []
    for _ in range(120):
        op = chance.randrange(len(operations))
        work.append((op, drawn(dut, op, chance)))
    found, expected = processed(play, dut, work, gap=gap)
    assert found == expected
    # results at both limits and between
    ys = {y for results, *_ in found.values() for y in results}
    assert {-16, 15} <= ys
    assert len(ys) > 5


@pytest.mark.parametrize("name", [name for name in TABLES if "resumed" in name])
def test_sums_are_those_of_the_slot_before(play, name):
    """They are out ``SUMS_DELAY`` cycles after it, each of as many bits as an accumulator."""
    operations, ways, rows = TABLES[name]
    dut = make(operations, ways, **rows)
    chance, steps, expected = random.Random(name), [], []
    for _ in range(200):
        op = chance.randrange(len(operations))
        there = drawn(dut, op, chance)
        slot = {"op": op, "valid": (1 << ways) - 1}
        drained = {name: there[name] for name in ("p", "parameter", "sums", "soft")}
        steps.append({"i_drain": dut.slot.const(slot).as_bits(), "i_p": there["p"]})
        expected.append((drained, summed(operations[op], dut.widths, ways, **drained)))
    for step, (there, _) in zip(steps[READ_LATENCY - 1 :], expected, strict=False):
        step |= {"i_parameter": there["parameter"], "i_sums": there["sums"]}
    bits, found = dut.widths.accumulator_bits, play(dut, steps, ["o_sums"])
    for (word,), (_, sums) in zip(found[SUMS_DELAY:], expected, strict=False):
        own = [signed_value(word >> bits * way, bits) for way in range(len(sums))]
        assert own == sums


@pytest.mark.parametrize(
    ("operation", "there", "ys"),
    [
        # (7 + 2) * 5 = 45, a half of 16 is added: 53 >> 4 = 3
        (replace(M, bias=True, multiplier=5), {"p": 7, "parameter": 2}, [3]),
        (replace(M, multiplier=5, zero=-2), {"p": 7}, [0]),
        # (7 - 1) * 5 + 8 = 38, and no bias
        (replace(M, resumes=True, multiplier=5), {"p": 7, "parameter": 2, "sums": -1}, [2]),
        (replace(M, multiplier=8), {"p": 1}, [1]),
        (replace(M, multiplier=8), {"p": -1}, [0]),
        (replace(M, multiplier=8), {"p": -3}, [-1]),
        (replace(M, multiplier=1, shift=0), {"p": 15}, [15]),
        (replace(M, multiplier=1, shift=0), {"p": 16}, [15]),
        (replace(M, multiplier=1, shift=0, low=0), {"p": -2}, [0]),
        # 3 * -2 + (-4 << 2) = -22
        (
            replace(M, factor=Factor.PARAMETER, addend=Addend.ACTIVATION, addend_shift=2, shift=1),
            {"p": 3, "parameter": 62 << 8, "activation": 28},
            [-11],
        ),
    ],
)
def test_results_by_hand(play, operation, there, ys):
    """A slot's result is out ``POST`` cycles after it."""
    dut = make((operation,), 1)
    nothing = drawn(dut, 0, random.Random(0))
    work = [(0, dict.fromkeys(nothing, 0) | {"statistics": (0, 0, 0)} | there)]
    found, _ = processed(play, dut, work)
    assert {cycle: shown[0] for cycle, shown in found.items()} == {POST: ys}


def test_latencies():
    assert make(NARROW, 2).latency == POST
    assert make(WIDE, 2).latency == POST + WIDE_DELAY
    assert make((*NARROW, NORM), 2, **ROWS).vector_delay == NORM_DELAY
    assert make(NARROW + VECTORS, 2).vector_delay == 0
    curved = tuple(replace(o, gelu=4) for o in NARROW[:1])
    assert make((*NARROW, *curved), 2).latency == POST + GELU_DELAY
    assert make((*WIDE, *curved), 2).latency == POST + WIDE_DELAY + GELU_DELAY
    assert make((*NARROW, *curved), 2).gelu == (4,)


@st.composite
def operation(draw, ways):
    """Draw any operation that the post-processor may be given."""
    matrix, wide = draw(st.booleans()), draw(st.booleans())
    factors = [Factor.IMMEDIATE, Factor.PARAMETER, *[Factor.RECIPROCAL] * matrix]
    addends = [Addend.NONE, *([Addend.LAST, Addend.POSITION] if matrix else [Addend.PARAMETER])]
    low = draw(st.integers(-16, 0))
    ends = {"zero": draw(st.integers(-16, 15)), "low": low, "high": draw(st.integers(low, 15))}
    gelu = draw(st.sampled_from([0, 0, 2, 4, 5]))
    if gelu:
        high = (1 << (gelu - 1)) - 1 - gelu_zero(gelu)
        ends = {"zero": 0, "low": -len(corrections(gelu)), "high": high}
    return MachineOperation(
        matrix=matrix,
        slots=int(not matrix),
        wide=wide,
        wide_y=wide and ways > 1 and draw(st.booleans()),
        wide_r=wide and ways > 1 and draw(st.booleans()),
        packed=matrix and ways > 1 and not wide and draw(st.booleans()),
        bias=matrix and draw(st.booleans()),
        resumes=matrix and draw(st.booleans()),
        factor=draw(st.sampled_from(factors)),
        multiplier=draw(st.integers(-31, 31)),
        addend=draw(st.sampled_from([*addends, *[Addend.ACTIVATION] * matrix])),
        addend_shift=draw(st.integers(0, 6)),
        shift=draw(st.integers(0, 12)),
        gelu=gelu,
        **ends,
    )


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(data=st.data(), ways=st.sampled_from([1, 2]), seed=st.integers(0, 99))
def test_any_operations(play, data, ways, seed):
    operations = data.draw(st.lists(operation(ways), min_size=1, max_size=5))
    if not any(o.wide_y for o in operations):
        # a design has no wide rows to read that it does not write
        operations = [replace(o, wide_r=False) for o in operations]
    bits = {
        name: data.draw(st.integers(low, 9), label=name)
        for name, low in {
            "value_bits": 1,
            "scale_bits": 1,
            "activation_bits": 1,
            "last_bits": 1,
        }.items()
    }
    bits["narrow_bits"] = data.draw(st.integers(bits["value_bits"] + 1, MULTIPLIER.long_bits))
    bits["accumulator_bits"] = data.draw(
        st.integers(
            2 * max(bits["value_bits"], bits["narrow_bits"] // 2) + 1, 2 * MULTIPLIER.split + 1
        )
    )
    if ways > 1 and data.draw(st.booleans(), label="apart"):
        bits |= {"apart": 1, "extension": data.draw(st.integers(0, 3), label="extension")}
        bits |= {"pack_shift": data.draw(st.integers(5, 11), label="pack_shift")}
    dut = make(tuple(operations), ways, **bits)
    chance = random.Random(seed)
    work = [(op, drawn(dut, op, chance)) for op in chance.choices(range(len(operations)), k=25)]
    found, expected = processed(play, dut, work, seed=seed)
    assert found == expected


def mutants(monkeypatch, name):
    """Put a fault into the unit: a wrong constant, a delay that is dropped, a field ignored."""
    module = postprocessor_module
    by_operation, decode, delay = module.by_operation, module.decode, module.delay
    if name == "rounding":

        def off(m, op, values, *, name):
            off_by = int(name.startswith("rounding"))
            return by_operation(m, op, [value + off_by for value in values], name=name)

        monkeypatch.setattr(module, "by_operation", off)
    elif name in ("low", "high", "packed"):

        def ignoring(m, op, operations, field, **options):
            return Const(0) if field == name else decode(m, op, operations, field, **options)

        monkeypatch.setattr(module, "decode", ignoring)
    elif name == "split":
        monkeypatch.setattr(
            module,
            "split_multiplicand",
            lambda u, wide, split: (u[:split].as_signed(), u[split:].as_signed()),
        )
    else:

        def hurried(m, value, cycles, **options):
            return delay(m, value, cycles - (options["name"] == name), **options)

        for where in (module, sums_module):
            monkeypatch.setattr(where, "delay", hurried)


@pytest.mark.parametrize(
    "name",
    [
        "rounding",
        "low",
        "high",
        "packed",
        "split",
        "p",
        "op_2",
        "op_wide",
        "parameter_0",
        "stored_1",
    ],
)
def test_mutants_are_found(play, monkeypatch, name):
    operations, ways, rows = TABLES["pairs, wide, norm"]
    dut = make(operations, ways, **rows)
    chance = random.Random(3)
    work = [(op, drawn(dut, op, chance)) for op in chance.choices(range(len(operations)), k=80)]
    found, expected = processed(play, dut, work)
    assert found == expected
    mutants(monkeypatch, name)
    found, _ = processed(play, make(operations, ways, **rows), work)
    assert found != expected


def test_the_model_of_a_packed_pair():
    """The harness's own: the two results in a product."""
    dut = make(PACKED, 2)
    assert signed_value((5 << 11) - 3, 11) == -3
    assert dut.model(2, p=(-5 << 11) + 3, factor=256) == [2, -2]
