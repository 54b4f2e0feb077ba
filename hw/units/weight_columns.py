"""The weights of all columns, taken out of a word of their store."""

from amaranth.hdl import Cat, Const, Module, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units.parameters import Integer, Parameter
from bitformer.hw.units.pipeline import delay, twice
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import signed_value

__all__ = ["WeightColumns", "column_word"]


def column_word(
    word: Value, kind: WeightFormat, place: int, *, column_bits: int, half_bits: int
) -> Value:
    """Return field ``place`` of a word as the engine takes it, in ``column_bits`` bits.

    It holds one number of ``column_bits`` bits, or, lowest first, two of ``half_bits`` and zeros.
    """
    numbers = []
    for start, bits, width in kind.pieces(place, column_bits, half_bits):
        number = word[start : start + bits]
        number = Cat(Const(1, 1), number) if bits == 1 else number
        numbers.append((number.as_signed() | Const(0, signed(width)))[:width])
    joined = Cat(numbers)
    return Cat(joined, Const(0, column_bits - len(joined)))


class WeightColumns(wiring.Component):
    """Takes each column's weights out of a word, whose format changes with the operation.

    Latency: 0 cycles from ``i_word``, 1 from ``i_kind``, 2 from ``i_unit``, which belongs to the
    word's address. Throughput: one word a cycle.

    Parameters
    ----------
    layout : WeightLayout
        The formats, and how they cut a word.
    column_bits : int
        Bits that the engine takes for a column.

    Members
    -------
    i_word : In(layout.bits)
        Word of the store.
    i_kind : In(range(len(layout.kinds)))
        Number of its format.
    i_unit : In(range(layout.units))
        Which of the word's smallest parts is meant.
    o_columns : Out(ArrayLayout(column_bits, layout.columns))
        Weights of each column; beyond the format's columns, and above a pair, they are don't-care.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above, or a format does not fit ``column_bits``.
    """

    latency = READ_LATENCY
    layout = Parameter(WeightLayout, "a WeightLayout")
    column_bits = Integer(1)

    def __init__(self, *, layout: WeightLayout, column_bits: int):
        self.layout, self.column_bits = layout, column_bits
        for kind in layout.kinds:
            bits = 2 * layout.half_bits if kind.pair else max(2, kind.bits)
            if bits > column_bits:
                raise ValueError(
                    f"Column bits must hold {bits} bits of a format, not {column_bits}"
                )
        super().__init__(
            {
                "i_word": In(layout.bits),
                "i_kind": In(range(max(2, len(layout.kinds)))),
                "i_unit": In(range(max(2, layout.units))),
                "o_columns": Out(data.ArrayLayout(column_bits, layout.columns)),
            }
        )

    def model(self, word: int, kind: int, unit: int) -> list[tuple[int, ...]]:
        """Return the weights, one or a pair, of each column that the format has."""
        own = self.layout.kinds[kind]
        part = unit // self.layout.step(own)

        def number(start: int, bits: int) -> int:
            if bits == 1:
                return 1 - 2 * (word >> start & 1)
            return signed_value(word >> start, bits)

        return [
            tuple(
                number(start, bits)
                for start, bits, _ in own.pieces(
                    self.layout.places(own, column)[part], self.column_bits, self.layout.half_bits
                )
            )
            for column in range(self.layout.columns_of(own))
        ]

    def elaborate(self, platform):
        m = Module()
        layout, bits, half_bits = self.layout, self.column_bits, self.layout.half_bits
        kinds, units = layout.kinds, exact_log2(layout.units)
        if not units and kinds == [WeightFormat(pair=False, field=bits)]:
            m.d.comb += self.o_columns.as_value().eq(self.i_word)
            return m

        unit = delay(m, self.i_unit[:units], READ_LATENCY - 1, name="unit")
        choice = Cat(unit, self.i_kind[: (len(kinds) - 1).bit_length()])
        choices = twice(m, choice, name="weight_choice") if len(choice) else (choice, choice)

        def field(kind: WeightFormat, place: int) -> Value:
            return column_word(self.i_word, kind, place, column_bits=bits, half_bits=half_bits)

        for column, selected in enumerate(self.o_columns):
            filler = layout.filler(column)
            if filler is not None:
                m.d.comb += selected.eq(field(filler, column))
            with m.Switch(choices[2 * column >= layout.columns]):
                for number, kind in enumerate(kinds):
                    free = exact_log2(layout.step(kind))
                    end = 2 * half_bits if filler and layout.paired(kind) else bits
                    for part, place in enumerate(layout.places(kind, column)):
                        with m.Case(_pattern(number, len(kinds), part, units, free)):
                            m.d.comb += selected[:end].eq(field(kind, place)[:end])
        return m


def _pattern(kind: int, kinds: int, part: int, units: int, free: int) -> str:
    """Return the value of ``choice`` for a part: its number below the format's, any low ``free``
    bits."""
    high = f"{kind:0{(kinds - 1).bit_length()}b}" if kinds > 1 else ""
    low = f"{part:0{units - free}b}" if units > free else ""
    return high + low + "-" * free
