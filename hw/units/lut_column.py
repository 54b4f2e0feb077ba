"""A column of the matrix engine that is made of LUTs: rows of an activation, and their sums."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from bitformer.hw.families.adder import LutAdder
from bitformer.hw.timing import ACCUMULATE
from bitformer.hw.units.lut_adder import Term, add_in_luts
from bitformer.hw.units.pipeline import delay
from bitformer.hw.widths import signed_bits

__all__ = ["ahead", "dot_in_luts", "joined_sums", "levels_of"]


def levels_of(bits: int, terms: int) -> list[list[int]]:
    """Return how the rows of a weight of ``bits`` bits are added, level by level.

    Each level is a list of how many numbers go together, lowest first. A sum of ``terms`` numbers
    takes no more than one of two; the accumulator adds what the last level leaves to itself.
    """
    levels, left = [], bits
    while left > terms - 1:
        groups = _groups(left, terms)
        levels.append(groups)
        left = len(groups)
    return levels


def _groups(numbers: int, terms: int) -> list[int]:
    """Return how many of so many numbers go together, to leave ``terms - 1`` of them soon."""
    need = numbers - (terms - 1)
    threes = min(need // 2, numbers // 3) if terms == 3 else 0
    need, rest = need - 2 * threes, numbers - 3 * threes
    # a sum of two that does not end it would be one level more for what a sum of three takes along
    twos = min(need, rest // 2) if terms == 2 or need == 1 else 0
    return [3] * threes + [2] * twos + [1] * (rest - 2 * twos)


def ahead(bits: int, terms: int) -> int:
    """Return the cycles by which a column's activation must come before that of a multiplier.

    Weights are of ``bits`` bits; below 0, it may come as much later.
    """
    return 2 + len(levels_of(bits, terms)) - ACCUMULATE


@dataclass(frozen=True)
class _Number:
    """Some of a weight's bits times the activation: a sum, or one row that is not made yet.

    ``shift`` is the place of the lowest bit, ``coefficients`` the least and the greatest value of
    these bits in units of it; ``subtracted`` : it is the sign's row, which counts as its negative.
    """

    shift: int
    coefficients: tuple[int, int]
    value: Value | None = None
    subtracted: bool = False


def dot_in_luts(
    m: Module,
    platform: object,
    adder: LutAdder,
    x: Callable[[int], Value],
    weight: Callable[[int, int], Value],
    *,
    weight_bits: int,
    bits: int,
    first: Value,
    name: str,
) -> Signal:
    """Return the sum of ``bits`` bits of products of activations and weights.

    A row is the activation where a bit of the weight is set, else 0: a register with a reset. The
    row of the sign counts as its negative. Sums of rows end in the accumulator, which adds as many
    numbers as the family's adder does.

    Parameters
    ----------
    m, platform
        The module, and what ``elaborate`` was given.
    adder : LutAdder
        The family's.
    x, weight : function
        Return the signed activation of so many cycles after the one that begins the work, and of
        the weight that it meets then the bit of a number.
    weight_bits, bits : int
        Widths of a weight and of the sum.
    first : Value
        Set where a dot product begins, in the cycle of its first product at the accumulator.
    name : str
        Of the registers.

    Latency: ``2 + len(levels_of(...))`` cycles from ``x(0)``. Throughput: one product a cycle.
    """
    sign = _Number(shift=weight_bits - 1, coefficients=(-1, 0), subtracted=True)
    numbers = [*(_Number(shift=n, coefficients=(0, 1)) for n in range(weight_bits - 1)), sign]
    levels = levels_of(weight_bits, adder.terms)

    def ready(number: _Number, level: int) -> Value:
        """Return a number at a level: a row is made in the cycle before."""
        if number.value is not None:
            return number.value
        own = x(level)
        row = Signal(signed(len(own)), name=f"row_{name}_{number.shift}", reset_less=True)
        m.d.sync += row.eq(Mux(weight(level, number.shift), own, 0))
        return row

    for level, groups in enumerate(levels):
        found, taken = [], 0
        for count in groups:
            own = numbers[taken : taken + count]
            taken += count
            if count > 1:
                values = [ready(number, level) for number in own]
                found.append(_added(m, platform, adder, own, values, len(x(0)), name, level))
            elif own[0].value is None:
                found.append(own[0])
            else:
                late = delay(m, own[0].value, 1, name=f"late_{name}_{level}").as_signed()
                found.append(_Number(own[0].shift, own[0].coefficients, late))
        numbers = found
    terms = [
        Term(ready(number, len(levels)), number.shift, number.subtracted) for number in numbers
    ]
    return add_in_luts(m, platform, adder, terms, bits, name=f"p_{name}", first=first)


def _added(
    m: Module,
    platform: object,
    adder: LutAdder,
    numbers: list[_Number],
    values: list[Value],
    x_bits: int,
    name: str,
    level: int,
) -> _Number:
    """Return the sum of numbers, as wide as its bound."""
    base = numbers[0].shift
    low, high = (
        sum(number.coefficients[n] << number.shift - base for number in numbers) for n in (0, 1)
    )
    least, most = -(1 << x_bits - 1), (1 << x_bits - 1) - 1
    ends = [factor * x for factor in (low, high) for x in (least, most)]
    terms = [
        Term(value, number.shift - base, number.subtracted)
        for number, value in zip(numbers, values, strict=True)
    ]
    bits = signed_bits(min(ends), max(ends))
    total = add_in_luts(m, platform, adder, terms, bits, name=f"sum_{name}_{level}_{base}")
    return _Number(base, (low, high), total)


def joined_sums(low: Signal, high: Signal, *, shift: int, bits: int) -> Value:
    """Return two sums in one number of ``bits`` bits, the second ``shift`` bits above the first."""
    fields = []
    for total, width in ((low, shift), (high, bits - shift)):
        own = total[:width]
        fields.append(Cat(own, [total[-1]] * (width - len(own))))
    return Cat(fields)
