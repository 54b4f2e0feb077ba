"""The weights of all columns, taken out of a word of their store."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.utils import exact_log2

from bitformer.hw.design import Geometry
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units.pipeline import delay, twice
from bitformer.hw.weight_layout import WeightFormat

__all__ = ["column_words"]


def _weight(field: Value, bits: int) -> Value:
    """A stored weight as a number of ``bits`` bits."""
    if len(field) == 1:
        field = Cat(Const(1, 1), field)
    return (field.as_signed() | Const(0, signed(bits)))[:bits]


def _column(geometry: Geometry, field: Value, kind: WeightFormat) -> Value:
    """A field as the engine takes it: a weight, or two of half the width."""
    if not kind.pair:
        return _weight(field, geometry.column_bits)
    half = geometry.half_bits
    low, high = (_weight(field[i * kind.bits : (i + 1) * kind.bits], half) for i in (0, 1))
    return Cat(low, high, Const(0, geometry.column_bits - 2 * half))


def column_words(m: Module, geometry: Geometry, word: Value, kind: Value, unit: Value) -> Value:
    """``column_bits`` for every column, column 0 lowest.

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
        # what lies above a pair may be the widest format's: a multiplexer saved
        above = [
            _column(geometry, word[j * own.field : (j + 1) * own.field], own)
            for own in kinds
            if not layout.paired(own) and layout.parts(own) == 1 and j < layout.columns_of(own)
        ]
        if above:
            m.d.comb += selected.eq(above[-1])
        with m.Switch(choices[2 * j >= columns]):
            for number, own in enumerate(kinds):
                used = layout.columns_of(own)
                if j >= used:
                    continue
                free = exact_log2(layout.step(own))
                for part in range(layout.parts(own)):
                    start = (part * used + j) * own.field
                    value = _column(geometry, word[start : start + own.field], own)
                    end = 2 * geometry.half_bits if above and layout.paired(own) else bits
                    with m.Case(_pattern(number, len(kinds), part, units, free)):
                        m.d.comb += selected[:end].eq(value[:end])
        words.append(selected)
    return Cat(words)


def _pattern(kind: int, kinds: int, part: int, units: int, free: int) -> str:
    """What ``choice`` must be: a format's number above that of a part, ``free`` bits of it any."""
    high = f"{kind:0{(kinds - 1).bit_length()}b}" if kinds > 1 else ""
    low = f"{part:0{units - free}b}" if units > free else ""
    return high + low + "-" * free
