"""Softmax: exponential, reciprocal, maximum of a row."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from proofs.question import Induction, Question, Reach, inside, past

from bitformer.hw.units.softmax import Exponential, Reciprocal, RowMaximum
from bitformer.model import numerics

__all__ = ["exponential", "reciprocal_sum", "reciprocal_table", "row_maximum"]


def exponential() -> Question:
    """Each pair of a logit and a maximum not below it, against the rule of the numerics."""
    m = Module()
    m.submodules.unit = unit = Exponential()
    distance = Signal(9)
    m.d.comb += distance.eq(unit.i_maximum - unit.i_score)
    fraction = numerics.SCORE_FRACTION_BITS
    weights = Array(
        Const(numerics.EXP_TABLE[d % (1 << fraction)] >> (d >> fraction), 8) for d in range(256)
    )
    legal = past(m, unit.i_maximum >= unit.i_score, 3)
    expected = past(m, weights[distance[:8]], 3)
    return Question(
        m, legal & (unit.o_weight != expected), [unit.i_score, unit.i_maximum], Reach(3)
    )


def reciprocal_sum(keys: int) -> Question:
    """A row's total, of any numerators and pauses, for rows of ``keys`` numerators at most."""
    m = Module()
    unit = Reciprocal(keys=keys)
    m.submodules.unit, named = inside(unit)
    total, final = named("total"), named("final")
    taken, mine = Signal(range(keys + 1)), Signal(32)
    row = Mux(unit.i_first, 0, mine) + unit.i_weight
    begun, done, ended = Signal(), Signal(), Signal()
    kept = Signal(32)
    m.d.sync += ended.eq(unit.i_valid & unit.i_last)
    with m.If(unit.i_valid):
        m.d.sync += [mine.eq(row), taken.eq(Mux(unit.i_first, 1, taken + 1)), begun.eq(1)]
    with m.If(ended):
        m.d.sync += [kept.eq(mine), done.eq(1)]
    given = ~unit.i_valid | unit.i_first | (begun & (taken < keys))
    # what is small enough to be added to: the invariant beside the sums
    bad = begun & ((total != mine) | (mine > 255 * taken) | (taken > keys))
    bad |= done & (final != kept)
    inputs = [unit.i_weight, unit.i_valid, unit.i_first, unit.i_last]
    return Question(m, bad, inputs, Induction(2), given)


def reciprocal_table(keys: int) -> Question:
    """Each legal total of a row, one of whose numerators is 255: ``o_factor`` four cycles later."""
    m = Module()
    unit = Reciprocal(keys=keys)
    m.submodules.unit, named = inside(unit)
    final = named("final")
    headroom = numerics.reciprocal_headroom(keys)
    expected = Signal(unit.o_factor.shape())
    # floor(log2(total)) - 8, which is -1 for 255 alone
    with m.If(final == 255):
        m.d.comb += expected.eq(numerics.RECIPROCAL_TABLE[254] << headroom + 1)
    for exponent in range(headroom + 1):
        table = Array(
            Const(numerics.RECIPROCAL_TABLE[i] << headroom - exponent, unit.o_factor.shape())
            for i in range(256)
        )
        with m.If((final >= 256 << exponent) & (final < 512 << exponent)):
            m.d.comb += expected.eq(table[(final >> exponent)[:8]])
    legal = past(m, (final >= 255) & (final <= 255 * keys), 4)
    return Question(
        m,
        legal & (unit.o_factor != past(m, expected, 4)),
        [unit.i_weight, unit.i_valid, unit.i_first, unit.i_last],
        Reach(4),
    )


def row_maximum(ways: int) -> Question:
    """The largest of a row's logits so far, two cycles later, and when it is the whole row's."""
    m = Module()
    m.submodules.unit = unit = RowMaximum(ways=ways)
    best, begun, done = Signal(signed(8)), Signal(), Signal()
    valid, word = Signal(), Signal(signed(8))
    m.d.comb += [valid.eq(unit.i_valid.any()), word.eq(-128)]
    for way in range(ways):
        previous = word
        word = Signal(signed(8), name=f"word_{way}")
        logit = unit.i_score[way]
        m.d.comb += word.eq(Mux(unit.i_valid[way] & (logit > previous), logit, previous))
    larger = unit.i_first | ~begun | (word > best)
    with m.If(valid):
        m.d.sync += begun.eq(1)
        with m.If(larger):
            m.d.sync += best.eq(word)
    m.d.sync += done.eq(valid & unit.i_last)
    seen = past(m, begun, 1, known=True)
    bad = seen & (unit.o_maximum != past(m, best, 1))
    bad |= unit.o_done != past(m, done, 1, known=True)
    given = begun | ~valid | unit.i_first
    inputs = [unit.i_score.as_value(), unit.i_valid, unit.i_first, unit.i_last]
    return Question(m, bad, inputs, Induction(4), given)
