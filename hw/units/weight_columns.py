"""The weights of all columns, taken out of a word of their store."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed
from amaranth.utils import exact_log2

from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.units.parameters import Integer, Parameter
from bitformer.hw.units.pipeline import delay, twice
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import signed_value

__all__ = ["WeightColumns"]


class WeightColumns:
    """Takes each column's weights out of a word, whose format changes with the operation.

    It is no component: its logic becomes a part of the module that takes the weights.

    Latency: 0 cycles from the word, 1 from the number of its format, 2 from its unit, which belongs
    to its address. Throughput: one word a cycle.

    Parameters
    ----------
    layout : WeightLayout
        The formats, and how they cut a word.
    column_bits : int
        Bits that the engine takes for a column.

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

    def model(self, word: int, kind: int, unit: int) -> list[tuple[int, ...]]:
        """Return the weights, one or a pair, of each column that the format has."""
        own = self.layout.kinds[kind]
        part = unit // self.layout.step(own)

        def number(start: int, bits: int) -> int:
            if bits == 1:
                return 1 - 2 * (word >> start & 1)
            return signed_value(word >> start, bits)

        return [
            tuple(number(start, bits) for start, bits, _ in self._pieces(own, places[part]))
            for places in (
                self.layout.places(own, column) for column in range(self.layout.columns_of(own))
            )
        ]

    def numbers(self, word: Value, kind: WeightFormat, place: int) -> list[Value]:
        """Return the numbers in field ``place`` of a word, lowest first.

        One of ``column_bits`` bits, or two of ``half_bits`` of the layout.
        """
        numbers = []
        for start, bits, width in self._pieces(kind, place):
            number = word[start : start + bits]
            number = Cat(Const(1, 1), number) if bits == 1 else number
            numbers.append((number.as_signed() | Const(0, signed(width)))[:width])
        return numbers

    def select(
        self,
        m: Module,
        word: Value,
        kind: Value,
        unit: Value,
        own: Value | None = None,
        row: int = 0,
    ) -> Value:
        """Return ``column_bits`` bits for every column of a word, column 0 lowest.

        Beyond the format's columns, and above a pair, they are don't-care. ``kind`` is the number
        of the format, ``unit`` which of the word's smallest parts is meant; where that is the
        first, ``own``, which comes with ``kind``, may name another. Each token ``row`` has
        registers of its own, which synthesis does not merge with those of three others.
        """
        layout, bits = self.layout, self.column_bits
        kinds, units = layout.kinds, exact_log2(layout.units)
        if not units and kinds == (WeightFormat(pair=False, field=bits),):
            return word
        if units:
            unit = _kept_apart(m, unit, row)
            unit = unit if own is None else (unit | own)[:units]
        choice = Cat(unit[:units], kind[: (len(kinds) - 1).bit_length()])
        choices = (choice, choice)
        if len(choice):
            choices = twice(m, choice, name="weight_choice", ones=row % 2 == 1)
        columns = []
        for column in range(layout.columns):
            selected = Signal(bits, name=f"column_{column}")
            filler = layout.filler(column)
            if filler is not None:
                m.d.comb += selected.eq(self._column(word, filler, column))
            elif (own := layout.reaching(column)) is not None:
                m.d.comb += selected.eq(self._column(word, own, layout.places(own, column)[0]))
            with m.Switch(choices[2 * column >= layout.columns]):
                for number, own in enumerate(kinds):
                    free = exact_log2(layout.step(own))
                    end = 2 * layout.half_bits if filler and layout.paired(own) else bits
                    for part, place in enumerate(layout.places(own, column)):
                        value = self._column(word, own, place)
                        with m.Case(_pattern(number, len(kinds), part, units, free)):
                            m.d.comb += selected[:end].eq(value[:end])
            columns.append(selected)
        return Cat(columns)

    def _pieces(self, kind: WeightFormat, place: int):
        return kind.pieces(place, self.column_bits, self.layout.half_bits)

    def _column(self, word: Value, kind: WeightFormat, place: int) -> Value:
        """Return field ``place`` of a word as the engine takes it."""
        numbers = Cat(self.numbers(word, kind, place))
        return Cat(numbers, Const(0, self.column_bits - len(numbers)))


def _kept_apart(m: Module, unit: Value, row: int) -> Value:
    """Return a unit ``READ_LATENCY - 1`` cycles later; every other two rows keep its complement."""
    if row // 2 % 2:
        return ~delay(m, ~unit, READ_LATENCY - 1, name="unit_complement")
    return delay(m, unit, READ_LATENCY - 1, name="unit")


def _pattern(kind: int, kinds: int, part: int, units: int, free: int) -> str:
    """Return the value of ``choice`` for a part: below its number, ``free`` bits are any."""
    high = f"{kind:0{(kinds - 1).bit_length()}b}" if kinds > 1 else ""
    low = f"{part:0{units - free}b}" if units > free else ""
    return high + low + "-" * free
