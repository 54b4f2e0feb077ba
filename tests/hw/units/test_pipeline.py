# amaranth: UnusedElaboratable=no
"""Delays, constants by operation, small multipliers; rounding and saturation."""

import itertools

import pytest
from amaranth.hdl import Cat, Fragment, Module, Signal, signed, unsigned
from amaranth.lib.wiring import In

from bitformer.hw.units.fixed import clamp, round_shift
from bitformer.hw.units.pipeline import (
    MOST_COPIES,
    after,
    by_operation,
    copies,
    delay,
    extended,
    multiply_in_luts,
    registered,
    twice,
)
from bitformer.hw.widths import signed_bits, signed_value
from bitformer.model import numerics


def numbers(shape):
    """Every value of a shape."""
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    return range(low, low + (1 << shape.width))


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-3, 1, 3), (-128, 127, 8), (-128, 128, 9)],
)
def test_signed_bits(low, high, bits):
    assert signed_bits(low, high) == bits


@pytest.mark.parametrize(
    ("word", "bits", "value"), [(0b101, 3, -3), (0b1011, 3, 3), (255, 8, -1), (127, 8, 127)]
)
def test_signed_value(word, bits, value):
    assert signed_value(word, bits) == value


@pytest.mark.parametrize("cycles", [0, 1, 2, 5])
@pytest.mark.parametrize("reset_less", [True, False])
def test_delay(combinational, play, cycles, reset_less):
    dut = combinational(
        inputs={"i": In(signed(6))},
        shape=signed(6),
        build=lambda m, c: delay(m, c.i, cycles, name="i", reset_less=reset_less),
    )
    sent = [5, -32, 31, 0, -1, 7, 8, 9, 10, 11]
    shown = play(dut, [{"i": value} for value in sent], ["o"])
    assert [o for (o,) in shown] == [0] * cycles + sent[: len(sent) - cycles]


@pytest.mark.parametrize("number", range(1, MOST_COPIES + 1))
def test_copies_are_delays(combinational, play, number):
    dut = combinational(
        inputs={"i": In(6)},
        shape=unsigned(6 * number),
        build=lambda m, c: Cat(copies(m, c.i, number, name="i")),
    )
    sent = [5, 63, 0, 32, 31]
    shown = play(dut, [{"i": value} for value in [*sent, 0]], ["o"])
    assert [o for (o,) in shown[1:]] == [sum(v << 6 * n for n in range(number)) for v in sent]


@pytest.mark.parametrize("number", [0, MOST_COPIES + 1])
def test_copies_that_synthesis_would_merge_are_refused(number):
    with pytest.raises(ValueError, match=rf"^Copies must be 1 to 4, not {number}$"):
        copies(Module(), Signal(3), number, name="i")


def test_a_constant_takes_no_register(combinational, play):
    dut = combinational(
        inputs={"i": In(2)},
        shape=unsigned(6),
        build=lambda m, c: Cat(
            registered(m, c.i, name="i"),
            registered(m, by_operation(m, c.i, [2, 2, 2], name="same"), name="same"),
            registered(m, by_operation(m, c.i, [3, 0, 1], name="own"), name="own"),
        ),
    )
    shown = play(dut, [{"i": 0}, {"i": 2}, {}], ["o"])
    assert [o for (o,) in shown] == [2 << 2, 3 << 4 | 2 << 2, 1 << 4 | 2 << 2 | 2]


def test_twice_is_two_delays(combinational, play):
    dut = combinational(
        inputs={"i": In(6)},
        shape=unsigned(12),
        build=lambda m, c: Cat(twice(m, c.i, name="i")),
    )
    sent = [5, 63, 0, 32, 31]
    shown = play(dut, [{"i": value} for value in [*sent, 0]], ["o"])
    assert [divmod(o, 64) for (o,) in shown[1:]] == [(value, value) for value in sent]


@pytest.mark.parametrize("bits", [1, 6])
@pytest.mark.parametrize("number", range(1, MOST_COPIES + 1))
def test_no_two_copies_hold_the_same(combinational, followed, number, bits):
    """From power-up on: synthesis would merge them, also bit by bit."""
    dut = combinational(
        inputs={"i": In(bits)},
        shape=unsigned(bits * number),
        build=lambda m, c: Cat(copies(m, c.i, number, name="i")),
    )
    followed(dut, [{"i": value % 2**bits} for value in (5, 63, 0, 32)], [])
    assert len(set(followed.histories("i"))) == number


def test_no_two_of_two_calls_hold_the_same(combinational, followed):
    dut = combinational(
        inputs={"i": In(6)},
        shape=unsigned(24),
        build=lambda m, c: Cat(twice(m, c.i, name="i", ones=ones) for ones in (False, True)),
    )
    shown = followed(dut, [{"i": value} for value in (5, 63, 0, 32)], ["o"])
    assert [o for (o,) in shown[1:]] == [sum(v << 6 * n for n in range(4)) for v in (5, 63, 0)]
    assert len(set(followed.histories("i"))) == 4


@pytest.mark.parametrize(
    "values",
    [
        [0],
        [7, 7, 7],
        [-4, -4],
        [0, 1],
        [1, 0, 1, 1],
        [-5, 9, 0, 2, -128],
        [3, 1 << 20, 0],
        list(range(-20, 20)),
        [n * n % 97 - 50 for n in range(64)],
        [*([1] * 64), -3],
        [n * n % 97 - 50 for n in range(200)],
    ],
)
def test_constants_by_operation(combinational, play, values):
    dut = combinational(
        inputs={"i": In(range(max(2, len(values))))},
        shape=signed(24),
        build=lambda m, c: by_operation(m, c.i, values, name="value"),
    )
    shown = play(dut, [{"i": number} for number in range(len(values))], ["o"])
    assert [o for (o,) in shown] == values


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([0], unsigned(1)),
        ([7, 7], unsigned(3)),
        ([-4, -4], signed(3)),
        ([0, 1], unsigned(1)),
        ([0, 7], unsigned(3)),
        ([8, 3], unsigned(4)),
        ([-1, 0], signed(1)),
        ([-8, 7], signed(4)),
        ([-8, 8], signed(5)),
        ([n % 8 for n in range(65)], unsigned(3)),
    ],
)
def test_constants_are_as_wide_as_the_widest(values, shape):
    found = by_operation(Module(), Signal(range(len(values))), values, name="value")
    assert found.shape() == shape


def test_more_constants_than_a_lut_has_are_a_tree_of_choices():
    for count, looked_up in ((64, True), (65, False)):
        m = Module()
        by_operation(m, Signal(7, name="op"), [n % 5 for n in range(count)], name="value")
        statements = repr(Fragment.get(m, None).statements)
        assert ("(slice (sig op) 6:7)" not in statements) is looked_up


@pytest.mark.parametrize("words", range(2, 18))
def test_the_place_behind_one_in_a_ring(combinational, play, words):
    """Of a power of two the number wraps by itself: that takes no comparison."""
    shape = unsigned((words - 1).bit_length())
    dut = combinational(inputs={"i": In(shape)}, shape=shape, build=lambda m, c: after(c.i, words))
    shown = play(dut, [{"i": n} for n in range(words)], ["o"])
    assert [o for (o,) in shown] == [(n + 1) % words for n in range(words)]
    assert ("==" in repr(after(Signal(shape), words))) is (words.bit_count() != 1)


def test_a_number_alone_is_extended_with_its_sign(combinational, play):
    dut = combinational(
        inputs={"whole": In(8), "alone": In(1)},
        shape=signed(8),
        build=lambda m, c: extended(c.alone, c.whole[:3], c.whole).as_signed(),
    )
    steps = [{"whole": whole, "alone": alone} for whole in range(256) for alone in (0, 1)]
    shown = play(dut, steps, ["o"])
    assert [o for (o,) in shown] == [
        signed_value(step["whole"], 3 if step["alone"] else 8) for step in steps
    ]


@pytest.mark.parametrize("bits", [(1, 1), (1, 4), (4, 1), (3, 5), (5, 3), (4, 4)])
@pytest.mark.parametrize("shape", [signed, unsigned])
def test_products_in_luts(combinational, play, shape, bits):
    a, b = shape(bits[0]), unsigned(bits[1])
    dut = combinational(
        inputs={"a": In(a), "b": In(b)},
        shape=signed(sum(bits) + 1),
        build=lambda m, c: multiply_in_luts(c.a, c.b),
    )
    pairs = list(itertools.product(numbers(a), numbers(b)))
    shown = play(dut, [{"a": x, "b": y} for x, y in pairs], ["o"])
    assert [o for (o,) in shown] == [x * y for x, y in pairs]


@pytest.mark.parametrize("bits", [(8, 9), (18, 9), (12, 12)])
def test_products_in_luts_at_the_extremes(combinational, play, bits):
    a, b = signed(bits[0]), unsigned(bits[1])
    dut = combinational(
        inputs={"a": In(a), "b": In(b)},
        shape=signed(sum(bits)),
        build=lambda m, c: multiply_in_luts(c.a, c.b),
    )
    edges = [(x, y) for x in (*numbers(a)[:2], -1, 0, 1, numbers(a)[-1]) for y in (0, 1, 2)]
    edges += [(x, numbers(b)[-1]) for x in (numbers(a)[0], -1, 1, numbers(a)[-1])]
    shown = play(dut, [{"a": x, "b": y} for x, y in edges], ["o"])
    assert [o for (o,) in shown] == [x * y for x, y in edges]


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 7, 9])
def test_round_shift(combinational, play, shift):
    shape = signed(8)
    dut = combinational(
        inputs={"i": In(shape)}, shape=shape, build=lambda m, c: round_shift(c.i, shift)
    )
    shown = play(dut, [{"i": value} for value in numbers(shape)], ["o"])
    assert [o for (o,) in shown] == [numerics.round_shift(v, shift) for v in numbers(shape)]


def test_truncation_is_not_rounding(combinational, play):
    dut = combinational(inputs={"i": In(signed(6))}, shape=signed(6), build=lambda m, c: c.i >> 2)
    shown = play(dut, [{"i": value} for value in range(-32, 32)], ["o"])
    assert [o for (o,) in shown] != [numerics.round_shift(v, 2) for v in range(-32, 32)]


@pytest.mark.parametrize(
    ("low", "high"), [(-8, 7), (0, 7), (-8, 0), (-3, 2), (5, 6), (-8, -7), (-32, 31), (-128, 127)]
)
def test_clamp(combinational, play, low, high):
    shape = signed(6)
    dut = combinational(
        inputs={"i": In(shape)}, shape=signed(9), build=lambda m, c: clamp(c.i, low, high)
    )
    shown = play(dut, [{"i": value} for value in numbers(shape)], ["o"])
    assert [o for (o,) in shown] == [min(max(value, low), high) for value in numbers(shape)]
    assert clamp(Signal(shape), low, high).shape() == signed(signed_bits(low, high))


@pytest.mark.parametrize(
    ("lows", "highs"), [([-8, 0, -2], [7, 7, 1]), ([0, 0, 0], [7, 7, 7]), ([0, 2, 3], [7, 31, 3])]
)
def test_clamp_to_limits_by_operation(combinational, play, lows, highs):
    dut = combinational(
        inputs={"i": In(signed(7)), "op": In(2)},
        shape=signed(8),
        build=lambda m, c: clamp(
            c.i,
            by_operation(m, c.op, lows, name="low"),
            by_operation(m, c.op, highs, name="high"),
        ),
    )
    script = [{"i": value, "op": op} for value in range(-64, 64) for op in range(3)]
    shown = play(dut, script, ["o"])
    assert [o for (o,) in shown] == [
        min(max(s["i"], lows[s["op"]]), highs[s["op"]]) for s in script
    ]


def test_clamp_needs_a_sign():
    with pytest.raises(TypeError, match=r"^Clamp must be given a signed value$"):
        clamp(Signal(8), Signal(4), Signal(4))


def test_product_in_luts_needs_an_unsigned_factor():
    with pytest.raises(TypeError, match=r"^Second factor must be unsigned$"):
        multiply_in_luts(Signal(4), Signal(signed(4)))


def test_a_product_without_its_upper_row_is_found(combinational, play):
    """The mutant: the last row of partial products is left out."""
    a, b = signed(4), unsigned(3)
    dut = combinational(
        inputs={"a": In(a), "b": In(b)},
        shape=signed(7),
        build=lambda m, c: multiply_in_luts(c.a, c.b[:2]),
    )
    pairs = list(itertools.product(numbers(a), numbers(b)))
    shown = play(dut, [{"a": x, "b": y} for x, y in pairs], ["o"])
    assert [o for (o,) in shown] != [x * y for x, y in pairs]
