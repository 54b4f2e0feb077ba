# amaranth: UnusedElaboratable=no
"""Two sums of a multiplier that are kept apart, and columns of LUTs: against plain products."""

import random

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from mac16_harness import instead_of_blocks

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.units import matrix_engine as engine_module
from bitformer.hw.units import sums as sums_module
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.units.product_pair import product_pair
from bitformer.hw.widths import signed_value

PORT = ICE40UP.multiplier.long_bits
#: A weight, an activation of a packed operation, and one of any other.
HALF, SHORT, LONG = 4, 8, 16
SHIFT = PORT - HALF
HARD, SOFT = 2, 2
LENGTH = 30


def limits(bits, narrow=0):
    return -(1 << bits - 1) + narrow, (1 << bits - 1) - 1


def make(extension, *, always_packed=False, soft=SOFT, bits=SHIFT + 18, half=HALF):
    return MatrixEngine(
        columns=HARD + soft,
        column_bits=2 * half,
        operand_bits=LONG,
        pack_shift=PORT - half,
        half_bits=half,
        always_packed=always_packed,
        product_bits=bits,
        multiplier=ICE40UP.multiplier,
        apart=True,
        extension=extension,
        soft=soft,
        soft_bits=SHORT,
    )


def fields(dut, total):
    """The two sums of a column."""
    low = total & (1 << dut.pack_shift) - 1
    low |= total >> dut.product_bits << dut.pack_shift
    low = signed_value(low, dut.pack_shift + dut.extension)
    return low, signed_value(total, dut.product_bits) >> dut.pack_shift


def played(play, dut, dots, gap=0):
    """Each dot's sums by column: pairs where packed, of the multipliers alone where not."""
    script, ends = [], []
    for packed, x, weights in dots:
        half = dut.half_bits
        for number, (value, row) in enumerate(zip(x, weights, strict=True)):
            words = [pack_elements(pair, half) for pair in row]
            word = pack_elements(words, dut.column_bits)
            step = {"i_x": value, "i_first": number == 0, "i_packed": packed, "i_w": word}
            script.append(step)
        ends.append(len(script) - 1)
        script += [{}] * gap
    script += [{}] * (dut.latency + dut.columns)
    shown = play(dut, script, ["o_p"])
    found = []
    for end, (packed, x, weights) in zip(ends, dots, strict=True):
        totals = [shown[end + dut.latency + j][0][j] for j in range(dut.columns)]
        words = [
            pack_elements([pack_elements(pair, dut.half_bits) for pair in row], dut.column_bits)
            for row in weights
        ]
        used = dut.columns if packed else dut.columns - dut.soft
        mask = (1 << dut.product_bits + (dut.extension if packed else 0)) - 1
        model = dut.model(x, words, packed)
        assert [t & mask for t in totals[:used]] == [t & mask for t in model[:used]]
        if packed:
            found.append([fields(dut, total) for total in totals])
        else:
            found.append([signed_value(total, dut.product_bits) for total in totals[:used]])
    return found


def expected(dut, dots):
    sums = []
    for packed, x, weights in dots:
        columns = [*zip(*weights, strict=True)]
        if packed:
            own = [
                tuple(sum(a * pair[n] for a, pair in zip(x, column, strict=True)) for n in (0, 1))
                for column in columns
            ]
        else:
            half = dut.half_bits
            whole = [
                [signed_value(pack_elements(pair, half), 2 * half) for pair in column]
                for column in columns[: dut.columns - dut.soft]
            ]
            own = [sum(a * w for a, w in zip(x, column, strict=True)) for column in whole]
        sums.append(own)
    return sums


def random_dots(dut, count, *, seed, packed=(False, True), length=LENGTH):
    chance = random.Random(seed)

    def pick(bits, narrow=0):
        low, high = limits(bits, narrow)
        return chance.choice([low, high, chance.randint(low, high)])

    dots = []
    for _ in range(count):
        pairs, terms = chance.choice(packed), chance.randint(1, length)
        x = [pick(SHORT if pairs else LONG) for _ in range(terms)]
        half = dut.half_bits
        # weights are narrow: a high one less a borrow fits the port above the low field
        row = [[(pick(half, 1), pick(half, 1)) for _ in range(dut.columns)] for _ in range(terms)]
        dots.append((pairs, x, row))
    return dots


@pytest.mark.parametrize("extension", [0, 3, 5])
@pytest.mark.parametrize("gap", [0, 2])
def test_sums_are_those_of_plain_products(play, extension, gap):
    dut = make(extension)
    # 12 bits hold the sum of one product, 15 of 15, 17 of all
    length = {0: 1, 3: 15, 5: LENGTH}[extension]
    dots = random_dots(dut, 25, seed=extension, length=length)
    assert played(play, dut, dots, gap) == expected(dut, dots)


@pytest.mark.parametrize("half", [2, 3, 4])
def test_packed_only(play, half):
    dut = make(5, always_packed=True, half=half)
    dots = random_dots(dut, 12, seed=half, packed=(True,))
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize("w0", limits(HALF, 1))
@pytest.mark.parametrize("w1", limits(HALF, 1))
@pytest.mark.parametrize("x", limits(SHORT))
def test_extremes_fill_their_fields(play, w0, w1, x):
    """Sums that begin anew right behind one of the other sign, as long as their bits allow."""
    length = ((1 << SHIFT + 3) - 1) // 1024
    dut = make(4, soft=1)
    dots = [(True, [x] * length, [[(w0, w1)] * 3] * length)]
    dots += [(True, [x] * length, [[(w1, w0)] * 3] * length)]
    dots += [(False, [x], [[(w0, w1)] * 3])]
    assert played(play, dut, dots) == expected(dut, dots)


def test_a_product_beyond_its_field_is_wrong(play):
    """The mutant: of 9 bits, an activation's product needs more than the field below the other."""
    dut = make(5, soft=0)
    for x, right in ((-255, True), (-257, False)):
        dots = [(True, [x], [[(-8, 1)] * 2])]
        assert (played_only(play, dut, dots) == expected(dut, dots)) == right


def played_only(play, dut, dots):
    (packed, x, weights), *_ = dots
    assert packed
    word = pack_elements(
        [pack_elements(pair, dut.half_bits) for pair in weights[0]], dut.column_bits
    )
    script = [{"i_x": x[0], "i_first": 1, "i_packed": 1, "i_w": word}]
    shown = play(dut, script + [{}] * (dut.latency + dut.columns), ["o_p"])
    return [[fields(dut, shown[dut.latency + j][0][j]) for j in range(dut.columns)]]


def test_a_bit_too_few_beyond_the_field_is_wrong(play):
    length = ((1 << SHIFT + 3) - 1) // 1024
    for extension, right in ((4, True), (3, False)):
        dut = make(extension, soft=0)
        dots = [(True, [-128] * length, [[(-8, 7)] * 2] * length)]
        got = played_loose(play, dut, dots)
        assert (got == expected(dut, dots)) == right


def played_loose(play, dut, dots):
    try:
        return played(play, dut, dots)
    except AssertionError:
        return None


def _no_guard(m, product, *, packed, **options):
    return HONEST(m, product, packed=packed & 0, **options)


def _always_apart(m, product, *, packed, **options):
    return HONEST(m, product, packed=packed | 1, **options)


def _late_first(m, product, *, first, **options):
    return HONEST(m, product, first=first & 0, **options)


HONEST = sums_module.add_apart


@pytest.mark.parametrize("mutant", [_no_guard, _always_apart, _late_first])
def test_mutants_are_found(play, monkeypatch, mutant):
    monkeypatch.setattr(engine_module, "add_apart", mutant)
    dut = make(5)
    dots = random_dots(dut, 10, seed=1)
    assert played_loose(play, dut, dots) != expected(dut, dots)


def test_what_needs_sums_apart():
    with pytest.raises(ValueError, match=r"^Apart must be set, of packed weights, for"):
        MatrixEngine(
            columns=2,
            column_bits=8,
            operand_bits=8,
            pack_shift=SHIFT,
            half_bits=HALF,
            always_packed=True,
            product_bits=20,
            multiplier=ICE40UP.multiplier,
            extension=1,
        )


class Pairs(wiring.Component):
    """Two products in a multiplier's halves, as synthesis has them or as simulators do."""

    def __init__(self, half, bits, platform):
        self.half, self.bits, self.platform = half, bits, platform
        ports = {"w0": half, "w1": half, "x": bits}
        outs = {"o0": half + bits, "o1": half + bits}
        super().__init__(
            {name: In(signed(width)) for name, width in ports.items()}
            | {name: Out(signed(width)) for name, width in outs.items()}
        )

    def elaborate(self, platform):
        m = Module()
        pair = self.w0, self.w1
        found = product_pair(m, self.platform, ICE40UP.multiplier, pair, self.x, name="p")
        m.d.comb += [self.o0.eq(found[0]), self.o1.eq(found[1])]
        return m


@pytest.mark.parametrize("platform", [None, FOR_SYNTHESIS], ids=["plain", "block"])
@pytest.mark.parametrize(("half", "bits"), [(8, 8), (8, 5), (3, 8), (2, 2)])
def test_halves_make_two_products(play, monkeypatch, platform, half, bits):
    instead_of_blocks(monkeypatch)
    chance = random.Random(half)

    def pick(width):
        low, high = limits(width)
        return chance.choice([low, high, chance.randint(low, high)])

    script = [{"w0": pick(half), "w1": pick(half), "x": pick(bits)} for _ in range(200)]
    shown = play(Pairs(half, bits, platform), script, ["o0", "o1"])
    found = [tuple(step) for step in shown[2:]]
    assert found == [(s["w0"] * s["x"], s["w1"] * s["x"]) for s in script[:-2]]


@pytest.mark.parametrize("half", [5, 8])
def test_sums_of_halves_are_those_of_plain_products(play, half):
    """Of operations that are not packed the low one, whose weight has half a word's bits."""
    shift = 2 * half + 6
    dut = MatrixEngine(
        columns=3,
        column_bits=2 * half,
        operand_bits=8,
        pack_shift=shift,
        half_bits=half,
        always_packed=False,
        product_bits=2 * shift,
        multiplier=ICE40UP.multiplier,
        apart=True,
        halves=True,
    )
    dots = random_dots(dut, 20, seed=half, packed=(True,))
    assert played(play, dut, dots) == expected(dut, dots)
    low, high = limits(half)
    single = [
        (False, [chance] * 3, [[(w, -1 if w < 0 else 0)] * 3] * 3)
        for w in (low, high, -1)
        for chance in limits(8)
    ]
    found = played(play, dut, single)
    assert [[signed_value(t, shift) for t in row] for row in found] == [
        [3 * x[0] * row[0][0][0]] * 3 for _, x, row in single
    ]


def test_an_operand_too_long_for_a_half_is_refused():
    with pytest.raises(ValueError, match=r"^Operand bits must fit 8 bits \(SB_MAC16\), not 9$"):
        MatrixEngine(
            columns=1,
            column_bits=16,
            operand_bits=9,
            pack_shift=20,
            half_bits=8,
            always_packed=False,
            product_bits=40,
            multiplier=ICE40UP.multiplier,
            apart=True,
            halves=True,
        )
