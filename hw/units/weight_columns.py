"""The weights of all columns, taken out of a word of their store."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.utils import exact_log2

from bitformer.hw.design import Geometry
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units.pipeline import delay, twice
from bitformer.hw.weight_layout import WeightFormat

__all__ = ["column_numbers", "column_words"]


def column_numbers(geometry: Geometry, word: Value, kind: WeightFormat, place: int) -> list[Value]:
    """Return the numbers in field ``place`` of a word, extended to the bits they have in a column.

    Lowest first: one of ``column_bits`` bits, or two of ``half_bits``.
    """
    numbers = []
    for start, bits, width in kind.pieces(place, geometry.column_bits, geometry.half_bits):
        number = word[start : start + bits]
        number = Cat(Const(1, 1), number) if bits == 1 else number
        numbers.append((number.as_signed() | Const(0, signed(width)))[:width])
    return numbers


def _column(geometry: Geometry, word: Value, kind: WeightFormat, place: int) -> Value:
    """Return field ``place`` of a word as the engine takes it, in ``column_bits`` bits."""
    numbers = Cat(column_numbers(geometry, word, kind, place))
    return Cat(numbers, Const(0, geometry.column_bits - len(numbers)))


def column_words(m: Module, geometry: Geometry, word: Value, kind: Value, unit: Value) -> Value:
    """Return ``column_bits`` bits for every column, column 0 lowest.

    ``kind`` (a format's number) is of the cycle before ``word``, ``unit`` (which of the word's
    parts) is of its address.
    """
    layout = geometry.weights
    kinds, columns, bits = layout.kinds, geometry.columns, geometry.column_bits
    if len(kinds) == 1 and layout.units == 1 and kinds[0] == WeightFormat(pair=False, field=bits):
        return word
    units = exact_log2(layout.units)
    if units:
        unit = delay(m, unit, READ_LATENCY - 1, name="unit")
    choice = Cat(unit[:units], kind[: (len(kinds) - 1).bit_length()])
    choices = twice(m, choice, name="weight_choice") if len(choice) else (choice, choice)
    words = []
    for j in range(columns):
        selected = Signal(bits, name=f"column_{j}")
        filler = layout.filler(j)
        if filler is not None:
            m.d.comb += selected.eq(_column(geometry, word, filler, j))
        with m.Switch(choices[2 * j >= columns]):
            for number, own in enumerate(kinds):
                free = exact_log2(layout.step(own))
                end = 2 * geometry.half_bits if filler and layout.paired(own) else bits
                for part, place in enumerate(layout.places(own, j)):
                    value = _column(geometry, word, own, place)
                    with m.Case(_pattern(number, len(kinds), part, units, free)):
                        m.d.comb += selected[:end].eq(value[:end])
        words.append(selected)
    return Cat(words)


def _pattern(kind: int, kinds: int, part: int, units: int, free: int) -> str:
    """Return the value of ``choice`` for a part: its number below the format's, any low ``free``
    bits."""
    high = f"{kind:0{(kinds - 1).bit_length()}b}" if kinds > 1 else ""
    low = f"{part:0{units - free}b}" if units > free else ""
    return high + low + "-" * free
