"""A column of the matrix engine that is made of LUTs: rows of an activation, and their sums."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from bitformer.hw.families.adder import LutAdder
from bitformer.hw.lut_rows import RowSum, levels_of, rows_of
from bitformer.hw.units.lut_adder import Term, add_in_luts
from bitformer.hw.units.pipeline import delay

__all__ = ["dot_in_luts", "joined_sums"]


@dataclass(frozen=True)
class _Number:
    """A sum of some rows, or one row that is not made yet."""

    rows: RowSum
    value: Value | None = None


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
    numbers = [_Number(rows) for rows in rows_of(weight_bits)]
    levels = levels_of(weight_bits, adder.terms)

    def ready(number: _Number, level: int) -> Value:
        """Return a number at a level: a row is made in the cycle before."""
        if number.value is not None:
            return number.value
        own, place = x(level), number.rows.shift
        row = Signal(signed(len(own)), name=f"row_{name}_{place}", reset_less=True)
        m.d.sync += row.eq(Mux(weight(level, place), own, 0))
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
                found.append(_Number(own[0].rows, late))
        numbers = found
    terms = [
        Term(ready(number, len(levels)), number.rows.shift, number.rows.subtracted)
        for number in numbers
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
    rows = RowSum.of([number.rows for number in numbers])
    terms = [
        Term(value, number.rows.shift - rows.shift, number.rows.subtracted)
        for number, value in zip(numbers, values, strict=True)
    ]
    place = f"sum_{name}_{level}_{rows.shift}"
    return _Number(rows, add_in_luts(m, platform, adder, terms, rows.bits(x_bits), name=place))


def joined_sums(low: Signal, high: Signal, *, shift: int, bits: int) -> Value:
    """Return two sums in one number of ``bits`` bits, the second ``shift`` bits above the first."""
    fields = []
    for total, width in ((low, shift), (high, bits - shift)):
        own = total[:width]
        fields.append(Cat(own, [total[-1]] * (width - len(own))))
    return Cat(fields)
