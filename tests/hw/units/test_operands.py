# amaranth: UnusedElaboratable=no
"""Activations of every source, at their extremes, in their cycles."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import MachineOperation, Source
from bitformer.hw.timing import OPERAND
from bitformer.hw.units import operands as operands_module
from bitformer.hw.units.operands import Operands
from bitformer.hw.units.softmax import Exponential
from bitformer.hw.widths import signed_value
from bitformer.model import numerics

OPERATIONS = tuple(MachineOperation(matrix=True, source=source) for source in Source)
WIDE = (*OPERATIONS, MachineOperation(matrix=True, wide_x=True))


def make(*, operations=OPERATIONS, **changes):
    parameters = {
        "operations": operations,
        "ways": 2,
        "word_bits": 12,
        "scores": any(o.source is Source.SCORE for o in operations),
        "input_bits": 7,
        "operand_bits": 13,
    }
    return Operands(**parameters | changes)


def values_of(dut, chance):
    """Draw what an address finds: each word and number at its extremes as often as between."""

    def bits(width):
        return chance.choice([0, (1 << width) - 1, 1 << (width - 1), chance.getrandbits(width)])

    def number(width):
        return signed_value(bits(width), width)

    maximum = number(8)
    # no score is above the largest of its row
    scores = [min(number(8), maximum) & 255 for _ in range(dut.ways)]
    return {
        "op": chance.randrange(len(dut.operations)),
        "element": chance.randrange(dut.ways),
        "activation": bits(dut.word_bits),
        "score": sum(score << 8 * way for way, score in enumerate(scores)),
        "sample": number(dut.input_bits),
        "last": number(dut.input_bits),
        "maximum": maximum,
    }


PORTS = {
    "activation": "i_activation",
    "score": "i_score",
    "sample": "i_input",
    "last": "i_last",
    "maximum": "i_maximum",
}


def played(play, dut, addresses, *, seed=0):
    """Play addresses, one a cycle or None for none; return (found, expected).

    Each is the activation, operation and first bit by cycle; ports are scrambled where nothing is
    to be read. Where there are scores, the exponential weights are looked at as well.
    """
    chance = random.Random(seed)
    script = [{} for _ in range(len(addresses) + OPERAND + 2)]
    limits = {"i_activation": dut.word_bits, "i_score": 8 * dut.ways if dut.scores else 1}
    for step in script:
        step |= {port: chance.getrandbits(bits) for port, bits in limits.items()}
        step |= {"i_input": chance.getrandbits(dut.input_bits) - (1 << dut.input_bits - 1)}
        step |= {"i_op": chance.randrange(len(dut.operations)), "i_element": chance.getrandbits(1)}
    expected, weights = {}, {}
    for cycle, values in enumerate(addresses):
        if values is None:
            continue
        first = chance.getrandbits(1)
        script[cycle] |= {"i_op": values["op"], "i_element": values["element"]}
        script[cycle] |= {"i_valid": 1, "i_first": first}
        there = {port: values[name] for name, port in PORTS.items()}
        if not dut.scores:
            there["i_score"] = 0
        script[cycle + READ_LATENCY] |= there
        x = dut.model(**values)
        expected[cycle + OPERAND] = (x, values["op"], first)
        if dut.operations[values["op"]].source is Source.SCORE:
            weights[cycle + OPERAND - 1] = (x, first)
    watch = ["o_valid", "o_x", "o_op", "o_first", "o_weight_valid", "o_weight", "o_weight_first"]
    shown = play(dut, script, watch)
    found = {n: tuple(x[1:4]) for n, x in enumerate(shown) if x[0]}
    assert {n: tuple(x[5:]) for n, x in enumerate(shown) if x[4]} == weights or found != expected
    return found, expected


DELTAS = [
    {},
    {"delta_bits": 8},
    {"delta_bits": 6, "delta_shift": 2},
    {"delta_bits": 6, "delta_shift": 1, "delta_zero": -32},
    {"delta_bits": 6, "delta_shift": 3, "delta_zero": 31},
    {"delta_bits": 5, "delta_shift": 1, "delta_zero": 0, "delta_narrow": True},
]


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("delta", DELTAS, ids=str)
@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("form", [{}, {"joined": True}, {"several": True}], ids=str)
def test_activations_of_every_source(play, ways, delta, gap, form):
    dut = make(ways=ways, **delta, **form)
    chance = random.Random(1)
    addresses = []
    for _ in range(120):
        addresses += [values_of(dut, chance), *[None] * gap]
    found, expected = played(play, dut, addresses)
    assert found == expected
    assert {op for _, op, _ in found.values()} == set(range(len(OPERATIONS)))


def test_words_of_wide_rows(play):
    dut = make(operations=WIDE, operand_bits=12)
    chance = random.Random(2)
    found, expected = played(play, dut, [values_of(dut, chance) for _ in range(80)])
    assert found == expected


@pytest.mark.parametrize(
    ("source", "values", "x"),
    [
        (Source.ACTIVATION, {"activation": 0b100000_011111}, 31),
        (Source.ACTIVATION, {"activation": 0b100000_011111, "element": 1}, -32),
        (Source.INPUT, {"sample": -64, "last": 63}, -32),
        (Source.INPUT, {"sample": 63, "last": -64}, 31),
        (Source.INPUT, {"sample": 6, "last": 3}, 5),  # 3 / 2 is rounded up, 3 is added
        (Source.INPUT, {"sample": 3, "last": 6}, 2),  # -3 / 2 is rounded up, too
        (Source.SCORE, {"score": 0x7F80, "maximum": 127}, 0),
        (Source.SCORE, {"score": 0x7F80, "maximum": 127, "element": 1}, 255),
        (Source.SCORE, {"score": 0x0000, "maximum": 8}, 127),
        (Source.ONE, {}, 1),
    ],
)
def test_activations_by_hand(play, source, values, x):
    """What the address finds in a cycle is out ``OPERAND`` cycles after the address."""
    dut = make(delta_bits=6, delta_shift=1, delta_zero=3)
    nothing = dict.fromkeys(("element", "activation", "score", "sample", "last", "maximum"), 0)
    found, _ = played(play, dut, [None, {"op": int(source), **nothing, **values}])
    assert {cycle: shown[0] for cycle, shown in found.items()} == {1 + OPERAND: x}


def test_the_model_rounds_and_subtracts_as_the_reference_does():
    dut = make(delta_bits=6, delta_shift=2, delta_zero=-1)
    pairs = [(sample, last) for sample in range(-64, 64) for last in (-64, -1, 0, 63)]
    x = np.array([sample - last for sample, last in pairs])
    expected = numerics.requantize(x, 1, 0, 2, -1, -32, 31).tolist()
    assert [dut.model(1, sample=s, last=t) for s, t in pairs] == expected


@settings(max_examples=25, deadline=None)
@given(
    ways=st.sampled_from([1, 2]),
    element_bits=st.integers(1, 18),
    input_bits=st.integers(1, 18),
    delta=st.tuples(st.integers(0, 18), st.integers(0, 6), st.floats(0, 1)),
    seed=st.integers(0, 99),
)
def test_any_widths(play, ways, element_bits, input_bits, delta, seed):
    bits, shift, place = delta
    options = {}
    if bits:
        zero = round(place * ((1 << bits) - 1)) - (1 << bits >> 1)
        options = {"delta_bits": bits, "delta_shift": shift, "delta_zero": zero}
    dut = make(
        operations=WIDE if ways == 2 and seed % 2 else OPERATIONS,
        ways=ways,
        word_bits=ways * element_bits,
        input_bits=input_bits,
        operand_bits=max(9, 2 * element_bits, bits or input_bits),
        **options,
    )
    chance = random.Random(seed)
    addresses = [chance.choice([None, values_of(dut, chance)]) for _ in range(20)]
    found, expected = played(play, dut, addresses, seed=seed)
    assert found == expected


HURRIED = ("element", "activation", "op", "op_now", "first")


def mutants(monkeypatch):
    """Ways to be wrong: a delay that is dropped, a constant off by one, an ignored field."""
    original = operands_module.delay

    def hurried(name):
        def delay(m, value, cycles, **options):
            return original(m, value, cycles - (options["name"] == name), **options)

        monkeypatch.setattr(operands_module, "delay", delay)

    return {
        **{name: (lambda name=name: hurried(name)) for name in HURRIED},
        "rounding": lambda: monkeypatch.setattr(
            operands_module, "round_shift", lambda value, shift: (value + 1) >> shift
        ),
        "clamp": lambda: monkeypatch.setattr(
            operands_module, "clamp", lambda value, low, high: value
        ),
        "limit": lambda: monkeypatch.setattr(Operands, "_delta_limits", (-32, 30)),
    }


@pytest.mark.parametrize("name", [*HURRIED, "rounding", "clamp", "limit"])
def test_mutants_are_found(play, monkeypatch, name):
    dut = make(delta_bits=6, delta_shift=2, delta_zero=1)
    chance = random.Random(4)
    addresses = [values_of(dut, chance) for _ in range(150)]
    found, expected = played(play, dut, addresses)
    assert found == expected
    mutants(monkeypatch)[name]()
    found, _ = played(play, make(delta_bits=6, delta_shift=2, delta_zero=1), addresses)
    assert found != expected


def test_the_slowest_source_is_the_exponential():
    assert READ_LATENCY + Exponential.latency + 1 == OPERAND


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"word_bits": 13}, r"^Word bits must be those of 2 elements, not 13$"),
        ({"scores": False}, r"^Scores must be there for operations that read them$"),
        ({"delta_zero": 1}, r"^Delta zero must fit 0 bits, not be 1$"),
        ({"delta_bits": 4, "delta_zero": 8}, r"^Delta zero must fit 4 bits, not be 8$"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_a_narrow_difference_leaves_out_the_lowest_number():
    for narrow, lowest in ((False, -16), (True, -15)):
        dut = make(delta_bits=5, delta_shift=0, delta_narrow=narrow)
        assert dut._delta_limits == (lowest, 15)


def test_model_of_the_largest_score():
    """Unless it is given, the largest score of a row is 0: a score of 0 weighs most."""
    score = next(n for n, one in enumerate(OPERATIONS) if one.source is Source.SCORE)
    assert make().model(score) == numerics.exp2_weights(np.array([0, 0]))[0]
