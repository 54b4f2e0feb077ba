# amaranth: UnusedElaboratable=no
"""Columns of LUTs beside multipliers that keep both sums in one number: against plain products."""

import itertools
import random
from dataclasses import replace

import pytest
from amaranth.hdl import Cat, Const
from slice_harness import instead_of_cells

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.units import matrix_engine as engine_module
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.widths import signed_value

HARD, SOFT = 2, 2


class InCells(MatrixEngine):
    """As it is synthesized."""

    def elaborate(self, platform):
        return super().elaborate(FOR_SYNTHESIS)


def make(
    half,
    bits,
    sums,
    *,
    always_packed=False,
    soft=SOFT,
    broad=0,
    long=0,
    group=None,
    kind=MatrixEngine,
    multiplier=SERIES7.multiplier,
):
    """An engine of weights of ``half`` bits, activations of ``bits``, and sums of ``sums``.

    The ``broad`` columns multiply weights of ``long`` bits, too.
    """
    shift = multiplier.long_bits - half
    return kind(
        columns=HARD + soft,
        column_bits=max(2 * half, long),
        operand_bits=bits + 1,
        pack_shift=shift,
        half_bits=half,
        always_packed=always_packed,
        product_bits=shift + sums + 1,
        broad=broad,
        broad_bits=long,
        broad_sum_bits=min(shift, long + bits + 4) if broad else 0,
        multiplier=multiplier,
        group=group,
        soft=soft,
        soft_bits=bits,
        soft_sum_bits=sums,
    )


def limits(bits, narrow=0):
    return -(1 << bits - 1) + narrow, (1 << bits - 1) - 1


def sums_of(dut, totals, packed):
    """The sums of each column, as the post-processor takes them: a pair where packed."""
    k, hard = dut.pack_shift, dut.columns - dut.soft
    if not packed:
        low = [signed_value(total, k) for total in totals[hard : hard + dut.broad]]
        return list(totals[:hard]) + low
    carries = [total >> k - 1 & 1 for total in totals[: dut.columns - dut.soft]] + [0] * dut.soft
    return [
        (signed_value(total, k), (total >> k) + carry)
        for total, carry in zip(totals, carries, strict=True)
    ]


def played(play, dut, dots, gap=0):
    """Play (packed, x, weights [terms][columns] of pairs); return each dot's sums by column."""
    script, ends = [], []
    for packed, x, weights in dots:
        for number, (value, row) in enumerate(zip(x, weights, strict=True)):
            words = [_word(dut, pair) for pair in row]
            step = {"i_x": value, "i_first": number == 0, "i_packed": packed}
            script.append(step | {"words": words})
        ends.append(len(script) - 1)
        script += [{}] * gap
    script += [{}] * (dut.latency + dut.columns)
    steps = []
    for cycle, step in enumerate(script):
        word = 0
        for j in range(dut.columns):
            at = cycle - j // dut.group * dut.group * (j < dut.columns - dut.soft)
            own = script[at].get("words") if at >= 0 else None
            word |= (own[j] if own else 0) << j * dut.column_bits
        steps.append({k: v for k, v in step.items() if k != "words"} | {"i_w": word})
    shown = play(dut, steps, ["o_p"])
    found = []
    for end, (packed, x, weights) in zip(ends, dots, strict=True):
        totals = [shown[end + dut.latency + j][0][j] for j in range(dut.columns)]
        words = [
            pack_elements([_word(dut, pair) for pair in row], dut.column_bits) for row in weights
        ]
        used = dut.columns if packed else dut.columns - dut.soft + dut.broad
        assert totals[:used] == dut.model(x, words, packed)[:used]
        found.append(sums_of(dut, totals, packed))
    return found


def expected(dut, dots):
    found = []
    for packed, x, weights in dots:
        columns, half = [*zip(*weights, strict=True)], dut.half_bits
        if packed:
            found.append(
                [
                    tuple(sum(a * p[n] for a, p in zip(x, own, strict=True)) for n in (0, 1))
                    for own in columns
                ]
            )
            continue
        hard = dut.columns - dut.soft
        widths = [dut.column_bits] * hard + [max(dut.broad_bits, half)] * dut.broad
        whole = [
            [signed_value(_word(dut, p), bits) for p in own]
            for own, bits in zip(columns, widths, strict=False)
        ]
        found.append([sum(a * w for a, w in zip(x, own, strict=True)) for own in whole])
    return found


def _word(dut, pair):
    """A column's word: a pair of weights, or a single one of all its bits."""
    return (
        pack_elements(pair, dut.half_bits) if len(pair) == 2 else pair[0] % (1 << dut.column_bits)
    )


def drawn(dut, count, *, seed, length, packed=(False, True)):
    """Dots at the extremes of their numbers and between."""
    chance = random.Random(seed)

    def pick(bits, narrow=0):
        low, high = limits(bits, narrow)
        return chance.choice([low, high, chance.randint(low, high)])

    dots = []
    for _ in range(count):
        pairs, terms, half = chance.choice(packed), chance.randint(1, length), dut.half_bits
        short = pairs or dut.broad
        x = [pick(dut.soft_bits if short else dut.operand_bits) for _ in range(terms)]

        def word(pairs=pairs, half=half):
            if dut.broad and not pairs:
                return (pick(dut.broad_bits),)
            return pick(half, 1), pick(half, 1)

        row = [[word() for _ in range(dut.columns)] for _ in range(terms)]
        dots.append((pairs, x, row))
    return dots


@pytest.mark.parametrize(("half", "bits"), [*itertools.product((2, 3, 4, 8), (4, 8))])
@pytest.mark.parametrize("always_packed", [False, True])
def test_sums_are_those_of_plain_products(play, half, bits, always_packed):
    length = 9
    sums = half + bits + length.bit_length()
    dut = make(half, bits, min(sums, 25 - half), always_packed=always_packed)
    packed = (True,) if always_packed else (False, True)
    dots = drawn(dut, 25, seed=half, length=length if sums <= 25 - half else 1, packed=packed)
    gap = half % 2
    assert played(play, dut, dots, gap) == expected(dut, dots)


@pytest.mark.parametrize(
    ("half", "bits", "long", "broad"),
    [(2, 8, 8, 1), (4, 8, 8, 2), (3, 6, 5, 1), (4, 4, 4, 2), (4, 6, 3, 1), (2, 4, 8, 2)],
)
def test_a_single_weight_takes_the_place_of_two(play, half, bits, long, broad):
    sums = half + bits + 4
    dut = make(half, bits, min(sums, 25 - half), broad=broad, long=long)
    dots = drawn(dut, 30, seed=half, length=9)
    assert {packed for packed, _, _ in dots} == {False, True}
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize(("half", "long", "bits"), [(2, 3, 2), (2, 4, 2), (3, 2, 2)])
def test_all_single_products(play, half, long, bits):
    """Every weight and activation, before and behind a pair."""
    singles = range(-(1 << long - 1), 1 << long - 1)
    activations = range(limits(bits)[0], limits(bits)[1] + 1)
    dut = make(half, bits, half + bits + 2, soft=1, broad=1, long=long)
    pair = (True, [activations[0]] * 2, [[limits(half, 1)] * 3] * 2)
    dots = []
    for weight, x in itertools.product(singles, activations):
        dots += [(False, [x, x], [[(weight,)] * 3, [(singles[0],)] * 3]), pair]
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize(("half", "bits"), [(2, 2), (3, 2), (2, 4)])
def test_all_products(play, half, bits):
    """Every weight beside every other, and every activation, right behind each other."""
    weights = range(limits(half, 1)[0], limits(half)[1] + 1)
    activations = range(limits(bits)[0], limits(bits)[1] + 1)
    dut = make(half, bits, half + bits + 1, soft=1)
    dots = [
        (True, [x, y], [[(a, b)] * 3, [(b, a)] * 3])
        for (a, b), x, y in itertools.product(
            itertools.product(weights, repeat=2), activations, (activations[0], activations[-1])
        )
    ]
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize("half", [2, 4, 8])
def test_cells_give_the_same(play, monkeypatch, half):
    instead_of_cells(monkeypatch)
    dut = make(half, 4, half + 7, kind=InCells, soft=1)
    dots = drawn(dut, 12, seed=half, length=5)
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize("half", [2, 4, 5])
def test_sums_of_two_numbers_do_it_too(play, half):
    """A family whose adders take no more."""
    multiplier = replace(SERIES7.multiplier, adder=ECP5.multiplier.adder)
    dut = make(half, 5, half + 8, multiplier=multiplier)
    dots = drawn(dut, 15, seed=half, length=5)
    assert played(play, dut, dots) == expected(dut, dots)


def test_a_row_whose_registers_begin_set_gives_the_same(play):
    dut = make(4, 8, 15, kind=lambda **options: MatrixEngine(**options, ones=True))
    dots = drawn(dut, 20, seed=3, length=9)
    assert played(play, dut, dots) == expected(dut, dots)


@pytest.mark.parametrize("group", [1, 3])
def test_weights_come_group_by_group(play, group):
    dut = make(4, 6, 15, group=group)
    dots = drawn(dut, 20, seed=group, length=9)
    assert played(play, dut, dots) == expected(dut, dots)


def test_a_sum_of_a_bit_too_few_is_wrong(play):
    for sums, right in ((13, True), (12, False)):
        dut = make(4, 8, sums)
        dots = [(True, [-128] * 4, [[(-7, 7)] * 4] * 4)]
        found = _loose(play, dut, dots)
        assert (found == expected(dut, dots)) == right


def _loose(play, dut, dots):
    try:
        return played(play, dut, dots)
    except AssertionError:
        return None


HONEST = engine_module.dot_in_luts


def _never_first(*options, first, **named):
    return HONEST(*options, first=first & 0, **named)


def _late(m, platform, adder, x, weight, **named):
    return HONEST(m, platform, adder, lambda cycle: x(cycle + 1), weight, **named)


def _unsigned(m, platform, adder, x, weight, *, weight_bits, **named):
    def wider(cycle, bit):
        return weight(cycle, bit) if bit < weight_bits else Const(0, 1)

    return HONEST(m, platform, adder, x, wider, weight_bits=weight_bits + 1, **named)


def test_a_short_weight_keeps_its_sign_in_a_broad_column(play, monkeypatch):
    honest = MatrixEngine._broad_weight

    def without_sign(self, word):
        whole = honest(self, word)
        return Cat(whole[: self.half_bits], word[self.half_bits : self.broad_bits])

    monkeypatch.setattr(MatrixEngine, "_broad_weight", without_sign)
    dut = make(2, 8, 14, broad=2, long=8)
    dots = drawn(dut, 10, seed=1, length=9)
    assert _loose(play, dut, dots) != expected(dut, dots)


@pytest.mark.parametrize("mutant", [_never_first, _late, _unsigned])
def test_mutants_are_found(play, monkeypatch, mutant):
    monkeypatch.setattr(engine_module, "dot_in_luts", mutant)
    dut = make(3, 8, 16)
    dots = drawn(dut, 10, seed=1, length=9)
    assert _loose(play, dut, dots) != expected(dut, dots)


def test_what_soft_columns_need():
    with pytest.raises(ValueError, match=r"^Half bits must be positive for soft columns$"):
        MatrixEngine(
            columns=2,
            column_bits=8,
            operand_bits=8,
            pack_shift=0,
            half_bits=0,
            always_packed=False,
            product_bits=20,
            multiplier=SERIES7.multiplier,
            soft=1,
        )


def test_columns_whose_activations_would_come_too_early():
    dut = make(8, 8, 17, soft=3)
    assert dut.columns - dut.soft == HARD
    with pytest.raises(ValueError, match=r"^Columns must be 4 at least, not 3$"):
        MatrixEngine(
            columns=3,
            column_bits=16,
            operand_bits=8,
            pack_shift=17,
            half_bits=8,
            always_packed=True,
            product_bits=35,
            multiplier=SERIES7.multiplier,
            soft=3,
        )
