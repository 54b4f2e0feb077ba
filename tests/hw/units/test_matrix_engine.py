# amaranth: UnusedElaboratable=no
"""Dot products side by side, one or two in a multiplier, at every extreme."""

import random

import pytest
from amaranth.hdl import Cat

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.timing import ACCUMULATE
from bitformer.hw.units import matrix_engine as engine_module
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.widths import signed_value

BITS = 4
HALF, SHIFT = 4, 20


def limits(bits, narrow=False):
    return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1


def in_groups(dut, script):
    """The script with each group's weights in its cycle: ``dut.group`` after those before."""
    field = (1 << dut.column_bits) - 1
    words = [step.get("i_w", 0) for step in script]
    late = [j // dut.group * dut.group for j in range(dut.columns)]
    return [
        step
        | {
            "i_w": sum(
                words[cycle - late[j]] & field << j * dut.column_bits
                for j in range(dut.columns)
                if cycle >= late[j]
            )
        }
        for cycle, step in enumerate(script)
    ]


def accumulators(play, dut, dots, gap=0):
    """Play (packed, activations, weight words); return the accumulators at the end of each."""
    script, ends = [], []
    for packed, activations, words in dots:
        for number, (x, word) in enumerate(zip(activations, words, strict=True)):
            script.append({"i_x": x, "i_first": number == 0, "i_packed": packed, "i_w": word})
        ends.append(len(script) - 1)
        script += [{}] * gap
    script += [{}] * (dut.latency + dut.columns)
    shown = play(dut, in_groups(dut, script), ["o_p"])
    # column j is complete `latency` + j after the last activation
    return [[shown[end + dut.latency + j][0][j] for j in range(dut.columns)] for end in ends]


def run_engine(
    play,
    dots,
    *,
    columns,
    operand_bits=8,
    product_bits=48,
    half_bits=HALF,
    pack_shift=SHIFT,
    always_packed=False,
    gap=0,
    engine=MatrixEngine,
):
    """Play dot products; return each one's sums: one a column, or the pairs of packed columns.

    A dot is (packed, activations, weights): weights[t][j] of column j, a pair where packed.
    """
    column_bits = 2 * half_bits if half_bits else BITS
    dut = engine(
        columns=columns,
        column_bits=column_bits,
        operand_bits=operand_bits,
        pack_shift=pack_shift,
        half_bits=half_bits,
        always_packed=always_packed,
        product_bits=product_bits,
        multiplier=SERIES7.multiplier,
    )
    raw = []
    for packed, activations, weights in dots:
        fields = [[pack_elements(w, half_bits) if packed else w for w in row] for row in weights]
        raw.append((packed, activations, [pack_elements(row, column_bits) for row in fields]))
    sums = []
    for (packed, x, words), totals in zip(raw, accumulators(play, dut, raw, gap), strict=True):
        assert totals == dut.model(x, words, packed)
        if packed:
            totals = [
                (signed_value(p, pack_shift), (p >> pack_shift) + (p >> (pack_shift - 1) & 1))
                for p in totals
            ]
        sums.append(totals)
    return sums


def model(dots):
    """The sums in plain integers, whatever the engine makes of them."""
    results = []
    for packed, activations, weights in dots:
        columns = list(zip(*weights, strict=True))
        if packed:
            sums = [
                tuple(
                    sum(x * pair[h] for x, pair in zip(activations, column, strict=True))
                    for h in (0, 1)
                )
                for column in columns
            ]
        else:
            sums = [sum(x * w for x, w in zip(activations, c, strict=True)) for c in columns]
        results.append(sums)
    return results


def random_dots(columns, count, *, seed, packed=(False,), operand_bits=8, bits=BITS):
    chance = random.Random(seed)
    dots = []
    for _ in range(count):
        pairs = chance.choice(packed)
        length = chance.randint(1, 9)
        low, high = limits(bits)

        def weight(pairs=pairs, low=low, high=high):
            one = [chance.randint(low, high) for _ in range(2)]
            return tuple(one) if pairs else one[0]

        x = [chance.randint(*limits(operand_bits)) for _ in range(length)]
        dots.append((pairs, x, [[weight() for _ in range(columns)] for _ in range(length)]))
    return dots


@pytest.mark.parametrize("columns", [1, 2, 5, 16])
@pytest.mark.parametrize("kinds", [(False,), (True,), (False, True)], ids=["one", "two", "mixed"])
def test_dot_products(play, columns, kinds):
    # dots shorter than the row of columns follow one another: none may disturb the one before
    dots = random_dots(columns, 12, seed=columns, packed=kinds)
    assert run_engine(play, dots, columns=columns) == model(dots)


@pytest.mark.parametrize("columns", [1, 4])
def test_packed_only(play, columns):
    dots = random_dots(columns, 8, seed=1, packed=(True,))
    assert run_engine(play, dots, columns=columns, always_packed=True) == model(dots)


def test_without_packing(play):
    dots = random_dots(3, 8, seed=2)
    sums = run_engine(play, dots, columns=3, half_bits=0, pack_shift=0, product_bits=16)
    assert sums == model(dots)


def test_idle_cycles_between_dots(play):
    dots = random_dots(4, 6, seed=3, packed=(False, True))
    assert run_engine(play, dots, columns=4, gap=3) == model(dots)


@pytest.mark.parametrize("w0", limits(HALF))
@pytest.mark.parametrize("w1", limits(HALF))
@pytest.mark.parametrize("x", limits(8))
def test_packed_extremes_fill_their_fields(play, w0, w1, x):
    # 511 products of 4 x 8 bits fit 20 bits; the high one less a borrow fits the port
    length = (1 << (SHIFT - 1)) // 1024 - 1
    assert length == 511
    dots = [(True, [x] * length, [[(w0, w1)]] * length)]
    assert run_engine(play, dots, columns=1) == model(dots)


def test_packing_beyond_the_field_is_wrong(play):
    """The mutant: a low sum that needs more than its field's bits spoils both results."""
    length = 512
    dots = [(True, [-128] * length, [[(-8, 7)]] * length)]
    (((low, high),),) = run_engine(play, dots, columns=1)
    (((true_low, true_high),),) = model(dots)
    assert true_low == 1 << (SHIFT - 1)
    assert (low, high) == (-true_low, true_high + 1)


@pytest.mark.parametrize("operand_bits", [1, 4, 9, 18])
def test_extremes_of_operands(play, operand_bits):
    dots = [
        (False, [x] * 7, [[w, v]] * 7)
        for x in limits(operand_bits)
        for w in limits(BITS)
        for v in limits(BITS)
    ]
    sums = run_engine(play, dots, columns=2, operand_bits=operand_bits, half_bits=0, pack_shift=0)
    assert sums == model(dots)


def any_dots(dut, count, seed):
    """Dots of any bits: weights that are too wide for their fields, sums that run over."""
    chance = random.Random(seed)
    low, high = limits(dut.operand_bits)
    dots = []
    for _ in range(count):
        length = chance.randint(1, 5)
        extreme = chance.random() < 0.5
        x = [chance.choice([low, high, -1]) if extreme else chance.randint(low, high)] * length
        words = [chance.getrandbits(dut.columns * dut.column_bits) for _ in x]
        dots.append((chance.random() < 0.5, x, words))
    return dots


WIDTHS = [
    {},
    {"columns": 3, "product_bits": 9},
    {"column_bits": 11, "half_bits": 5, "pack_shift": 5},
    {"half_bits": 4, "pack_shift": 21},
    {"always_packed": True},
    {"half_bits": 0, "pack_shift": 0, "column_bits": 1},
    {"operand_bits": 18, "column_bits": 25, "half_bits": 12, "pack_shift": 13},
    {"columns": 5, "group": 2},
    {"columns": 7, "group": 1, "always_packed": True},
    {"columns": 9, "group": 4, "half_bits": 0, "pack_shift": 0},
]


@pytest.mark.parametrize("changes", WIDTHS, ids=str)
def test_model_of_any_bits(play, changes):
    dut = make(**changes)
    dots = any_dots(dut, 30, seed=4)
    assert accumulators(play, dut, dots) == [dut.model(x, w, packed) for packed, x, w in dots]


def test_packing_without_a_borrow_is_found(play):
    """The mutant: the high weight does not give what the sign of the low one takes."""

    class Borrowless(MatrixEngine):
        def _high(self, word, packed):
            half = self.half_bits
            return Cat(word[half : 2 * half], word[2 * half - 1])

    dots = random_dots(2, 4, seed=5, packed=(True,))
    with pytest.raises(AssertionError):
        run_engine(play, dots, columns=2, engine=Borrowless)
    run_engine(play, dots, columns=2)


@pytest.mark.parametrize("name", ["high_1", "w_1_now", "w_2", "packed_0"])
def test_a_part_of_a_weight_in_the_wrong_cycle_is_found(play, monkeypatch, name):
    dots = random_dots(3, 6, seed=8, packed=(True, False))
    run_engine(play, dots, columns=3)
    delay = engine_module.delay

    def hurried(m, value, cycles, **options):
        return delay(m, value, cycles - (options["name"] == name), **options)

    monkeypatch.setattr(engine_module, "delay", hurried)
    with pytest.raises(AssertionError):
        run_engine(play, dots, columns=3)


def make(**changes):
    defaults = {
        "columns": 2,
        "column_bits": 8,
        "operand_bits": 8,
        "pack_shift": 20,
        "half_bits": 4,
        "always_packed": False,
        "product_bits": 48,
        "multiplier": SERIES7.multiplier,
    }
    return MatrixEngine(**defaults | changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"columns": 0}, ValueError, r"^Columns must be a positive integer, not 0$"),
        ({"columns": 1.0}, TypeError, r"^Columns must be a positive integer, not 1\.0$"),
        ({"column_bits": 0}, ValueError, r"^Column bits must be a positive integer, not 0$"),
        ({"operand_bits": 19}, ValueError, r"^Operand bits must fit 18 bits \(DSP48E1\), not 19$"),
        ({"operand_bits": 0}, ValueError, r"^Operand bits must be a positive integer, not 0$"),
        ({"product_bits": 49}, ValueError, r"^Product bits must fit 48 bits \(DSP48E1\), not 49$"),
        ({"product_bits": -1}, ValueError, r"^Product bits must be a positive integer, not -1$"),
        ({"pack_shift": 22}, ValueError, r"^Packed weights must fit 25 bits \(DSP48E1\), not 26$"),
        ({"pack_shift": 3}, ValueError, r"^Pack shift must be 4 at least, not 3$"),
        ({"half_bits": -1}, ValueError, r"^Half bits must be a non-negative integer, not -1$"),
        ({"column_bits": 7}, ValueError, r"^Column must hold two weights of 4 bits, not 7$"),
        ({"always_packed": 1}, TypeError, r"^Always packed must be True or False, not 1$"),
        ({"multiplier": "DSP"}, TypeError, r"^Multiplier must be a Multiplier, not 'DSP'$"),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        make(**changes)


def test_parameters_can_be_read():
    dut = make(columns=5)
    assert (dut.columns, dut.column_bits, dut.operand_bits, dut.product_bits) == (5, 8, 8, 48)
    assert (dut.pack_shift, dut.half_bits, dut.always_packed) == (20, 4, False)
    assert dut.multiplier is SERIES7.multiplier
    assert dut.latency == ACCUMULATE == 3
