"""LayerNorm: statistics of rows, the reciprocal root, and elements normalised by them."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from proofs.question import Induction, Question, Reach, inside, past

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.units.layernorm import Normalizer
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.model import numerics

__all__ = ["normalizer", "reciprocal_root", "row_sums", "small_rows", "variance"]

_DSP = SERIES7.multiplier


def normalizer(features: int, bits: int, gamma_bits: int) -> Question:
    """Each element of any row's statistics: ``(N*x - total) << exponent`` and ``gamma * factor``.

    The widths hold what rows can have: their deviations are bounded.
    """
    m = Module()
    unit = Normalizer(features=features, bits=bits, gamma_bits=gamma_bits, multiplier=_DSP)
    m.submodules.unit = unit
    row = unit.i_statistics
    total, exponent, factor = (past(m, v, 3) for v in (row.total, row.exponent, row.factor))
    x, gamma = past(m, unit.i_x, 2), past(m, unit.i_gamma, 3)
    exact = Signal(signed(len(unit.o_u) + bits + 16))
    deviation = Signal(signed(bits + features.bit_length() + len(row.total) + 1))
    m.d.comb += [
        deviation.eq(x.as_signed() * features - total.as_signed()),
        exact.eq(deviation << exponent),
    ]
    half = 1 << len(unit.o_u) - 1
    fits = (exact >= -half) & (exact < half)
    fits &= exponent <= numerics.norm_width(features, bits) // 2
    bad = fits & (unit.o_u != exact)
    bad |= unit.o_multiplier != gamma.as_signed() * factor
    return Question(m, bad, [unit.i_x, unit.i_gamma, row.as_value()], Reach(4))


def _unit(features: int, bits: int, ways: int = 1, **options) -> RowStatistics:
    return RowStatistics(features=features, bits=bits, ways=ways, multiplier=_DSP, **options)


def row_sums(features: int, bits: int, ways: int) -> Question:
    """Sums of a row and of its squares, of any elements and pauses; and N times the latter."""
    m = Module()
    unit = _unit(features, bits, ways)
    m.submodules.unit, named = inside(unit)
    total, power = named("total"), named("power")
    valid, begun = Signal(), Signal()
    m.d.comb += valid.eq(unit.i_valid.any())
    taken = Signal(range(features + ways + 1))
    word, squares, count = (Const(0) for _ in range(3))
    for way in range(ways):
        x = unit.i_x[way]
        square = Array(
            Const((n - (n >> bits - 1 << bits)) ** 2, 2 * bits) for n in range(1 << bits)
        )[x.as_unsigned()]
        word += Mux(unit.i_valid[way], x, 0)
        squares += Mux(unit.i_valid[way], square, 0)
        count += unit.i_valid[way]
    here = Signal(range(features + 2 * ways + 2))
    m.d.comb += here.eq(Mux(unit.i_first, 0, taken) + count)
    mine = Signal(signed(len(total) + 2))
    mine_power = Signal(len(power) + 2)
    with m.If(valid):
        m.d.sync += [
            begun.eq(1),
            taken.eq(here),
            mine.eq(Mux(unit.i_first, 0, mine) + word),
            mine_power.eq(Mux(unit.i_first, 0, mine_power) + squares),
        ]
    given = ~valid | ((unit.i_first | begun) & (here <= features))
    most = 1 << bits - 1
    seen = past(m, begun, 3, known=True)
    bad = seen & ((total != past(m, mine, 3)) | (power != past(m, mine_power, 3)))
    bad |= begun & ((mine > taken * (most - 1)) | (mine < -(taken * most)))
    bad |= begun & (mine_power > taken * most * most)
    bad |= taken > features
    inputs = [unit.i_x.as_value(), unit.i_valid, unit.i_first, unit.i_last]
    return Question(m, bad, inputs, Induction(7), given)


def variance(features: int, bits: int, soft: bool = False) -> Question:
    """All sums: ``N * sum(x^2) - sum(x)^2`` of whatever both are, where it is not below zero."""
    m = Module()
    unit = _unit(features, bits, soft=soft)
    width = numerics.norm_width(features, bits)
    total = Signal(signed(len(unit.o_statistics.total)))
    scaled = Signal(width + 1)
    product = total * total
    if soft:
        found, cycles = unit._soft_variance(m, total, past(m, scaled, 2)), 4
    else:
        found, cycles = unit._variance(m, None, total, past(m, scaled, 2)), 3
    unit._MustUse__used = True
    exact = Signal(signed(width + 3))
    m.d.comb += exact.eq(scaled - product)
    late = past(m, exact, cycles).as_signed()
    # a row's sum is no more than N elements of the lowest
    most = features << bits - 1
    legal = past(m, (total >= -most) & (total <= most), cycles)
    bad = legal & (late >= 0) & (late < 1 << width) & (found != late)
    return Question(m, bad, [total, scaled], Reach(cycles + 1))


def reciprocal_root(features: int, bits: int) -> Question:
    """All variances of the width: exponent and factor of each."""
    m = Module()
    unit = _unit(features, bits)
    unit._MustUse__used = True
    width = numerics.norm_width(features, bits)
    variance = Signal(width)
    exponent, factor = unit._root(m, variance, None)
    expected, mantissa, entry = Signal(8), Signal(width), Signal(9)
    for number in range(width // 2):
        # even shifts, until one of the two highest bits is set
        lowest = 1 << width - 2 * number - 2
        with m.If((variance >= lowest) & (variance < lowest << 2)):
            m.d.comb += [expected.eq(number), mantissa.eq(variance << 2 * number)]
    table = Array(Const(numerics.RSQRT_TABLE[max(0, i - 64)], 9) for i in range(256))
    m.d.comb += entry.eq(Mux(variance == 0, 0, table[(mantissa >> width - 8)[:8]]))
    at = 3
    bad = (past(m, expected, at - 1) != exponent) | (past(m, entry, at - 1) != factor)
    return Question(m, bad, [variance], Reach(at))


def small_rows(features: int, bits: int, **options) -> Question:
    """Each row of so few elements that come one a cycle: what the queue's end then has."""
    m = Module()
    unit = _unit(features, bits, queue=2, **options)
    m.submodules.unit = unit
    step = Signal(range(64))
    m.d.sync += step.eq(Mux(step == 63, 63, step + 1))
    kept = [Signal(signed(bits), name=f"x_{n}") for n in range(features)]
    x = unit.i_x[0]
    for n, own in enumerate(kept):
        with m.If(step == n):
            m.d.sync += own.eq(x)
    row = step < features
    given = (
        (unit.i_valid == row)
        & (unit.i_first == (step == 0))
        & (unit.i_last == (step == features - 1))
        & ~unit.i_take
    )
    width = numerics.norm_width(features, bits)
    total, power = Signal(signed(16)), Signal(24)
    exact = Signal(width + 4)
    m.d.comb += [
        total.eq(sum(kept)),
        power.eq(sum(own * own for own in kept)),
        exact.eq(power * features - total * total),
    ]
    shift, entry = Signal(8), Signal(9)
    table = Array(Const(numerics.RSQRT_TABLE[max(0, i - 64)], 9) for i in range(256))
    for number in range(width // 2):
        lowest = 1 << width - 2 * number - 2
        with m.If((exact >= lowest) & (exact < lowest << 2)):
            index = ((exact << 2 * number) >> width - 8)[:8]
            m.d.comb += [shift.eq(number), entry.eq(table[index])]
    statistics = unit.o_statistics
    # a row's last word comes in step N - 1
    there = step == features - 1 + unit.latency
    wrong = (statistics.total != total) | (statistics.exponent != shift)
    wrong |= statistics.factor != entry
    inputs = [unit.i_x.as_value(), unit.i_valid, unit.i_first, unit.i_last, unit.i_take]
    steps = features + unit.latency + 1
    return Question(m, there & wrong, inputs, Reach(steps, from_reset=True), given)
