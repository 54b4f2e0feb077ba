"""What the engine's columns take before their multipliers: multiplexers, and registers that delay.

A column's weight comes out of a word of weights, cut in one way or another, or out of a word of
keys. Bits that always come from the same places (the copies of a sign, say) are one bit to
synthesis, and bits that never change are none. So each bit of
:mod:`bitformer.hw.units.weight_columns` is followed to its sources here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from bitformer.hw.design import Design
from bitformer.hw.weight_layout import WeightFormat, WeightLayout

__all__ = ["ColumnTerms", "Columns", "column_terms"]

#: Where a bit comes from: a constant, or a bit of the word of weights or of keys.
Source = tuple[str, int]
_LOW, _HIGH = ("constant", 0), ("constant", 1)
#: Inputs of a LUT.
_INPUTS = 6


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns' words are made of.

    ``layout`` cuts a word of weights, in which the bits of ``low`` are always 1 and those outside
    ``high`` always 0; without weights ``high`` is 0. ``column_bits`` and ``half_bits`` are the
    engine's. ``key_bits`` : of a key, 0 without any; ``key_pairs`` : two of them for a column.
    """

    layout: WeightLayout
    column_bits: int
    half_bits: int
    key_bits: int
    key_pairs: bool
    low: int
    high: int

    @classmethod
    def of(cls, design: Design) -> "Columns":
        """Those of a lowered design."""
        geometry, words = design.geometry, design.images.get("weights", ())
        return cls(
            layout=geometry.weights,
            column_bits=geometry.column_bits,
            half_bits=geometry.half_bits,
            key_bits=geometry.dynamic_bits if "dynamic" in design.stores else 0,
            key_pairs=geometry.dynamic_packed,
            low=reduce(and_, words) if words else 0,
            high=reduce(or_, words, 0),
        )


@dataclass(frozen=True, kw_only=True)
class ColumnTerms:
    """Counts over all columns.

    ``bits`` : different bits of the columns' words. ``delayed`` : those among them that are so late
    that a shift register keeps them. ``parts`` : bits that one format finds in several parts of a
    word. ``selected`` : bits that come from several formats or stores, ``beyond`` those of them
    with more inputs than a LUT has.
    """

    bits: int
    delayed: int
    parts: int
    selected: int
    beyond: int


def column_terms(columns: Columns) -> ColumnTerms:
    """The terms of an engine's columns."""
    layout = columns.layout
    control = (len(layout.kinds) - 1).bit_length() if columns.high else 0
    control += bool(columns.high and columns.key_bits)
    bits = delayed = parts = selected = beyond = 0
    for column in range(layout.columns):
        formats = [*_weights(columns, column)]
        if columns.key_bits:
            formats.append([_keys(columns, column)])
        # of each bit, by format, its source in every part: one if they are all the same
        different = set(zip(*(_merged(cases) for cases in formats), strict=True))
        moving = [one for one in different if {*one} - {(_LOW,), (_HIGH,)} or len({*one}) > 1]
        bits += len(moving)
        delayed += len(moving) * (column > 1)
        parts += len({own for one in moving for own in one if len(own) > 1})
        for one in moving:
            data = len({*one} - {(_LOW,), (_HIGH,)})
            if len({*one}) > 1:
                selected += 1
                beyond += data + control > _INPUTS
    return ColumnTerms(bits=bits, delayed=delayed, parts=parts, selected=selected, beyond=beyond)


def _merged(cases: list[list[Source]]) -> list[tuple[Source, ...]]:
    """For each bit its sources, by part; alone if all are the same."""
    return [own if len({*own}) > 1 else own[:1] for own in zip(*cases, strict=True)]


def _field(name: str, start: int, bits: int, wide: int) -> list[Source]:
    """A number of ``bits`` bits as one of ``wide``: a single bit is the sign of an odd number."""
    own = [_HIGH, (name, start)] if bits == 1 else [(name, start + n) for n in range(bits)]
    return [own[min(n, len(own) - 1)] for n in range(wide)]


def _weights(columns: Columns, column: int) -> Iterator[list[list[Source]]]:
    """For each format, its parts: the cases of
    :func:`bitformer.hw.units.weight_columns.column_words`."""
    layout, wide, half = columns.layout, columns.column_bits, columns.half_bits
    if not columns.high:
        return

    def known(source: Source) -> Source:
        bit = source[1]
        if source[0] == "constant" or (columns.high >> bit & 1 and not columns.low >> bit & 1):
            return source
        return _HIGH if columns.low >> bit & 1 else _LOW

    def cut(kind: WeightFormat, part: int) -> list[Source]:
        start = (part * layout.columns_of(kind) + column) * kind.field
        if not kind.pair:
            return _field("weight", start, kind.field, wide)
        pair = _field("weight", start, kind.bits, half)
        pair += _field("weight", start + kind.bits, kind.bits, half)
        return pair + [_LOW] * (wide - 2 * half)

    # what lies above a pair, or in columns without a weight, may be the widest format's
    above = [_LOW] * wide
    for kind in layout.kinds:
        if not layout.paired(kind) and layout.parts(kind) == 1 and column < layout.columns_of(kind):
            above = cut(kind, 0)
    keep = 2 * half if above != [_LOW] * wide else wide
    for kind in layout.kinds:
        found = []
        for part in range(layout.parts(kind)):
            own = above if column >= layout.columns_of(kind) else cut(kind, part)
            if layout.paired(kind) and own is not above:
                own = own[:keep] + above[keep:]
            found.append([known(source) for source in own])
        yield found


def _keys(columns: Columns, column: int) -> list[Source]:
    """A word of keys or values in the weights' place."""
    bits, wide, half = columns.key_bits, columns.column_bits, columns.half_bits
    if not columns.key_pairs:
        return _field("key", column * bits, bits, wide)
    pair = _field("key", 2 * column * bits, bits, half)
    pair += _field("key", (2 * column + 1) * bits, bits, half)
    return pair + [_LOW] * (wide - 2 * half)
