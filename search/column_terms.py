"""What the engine's columns take before their multipliers: multiplexers, and registers that delay.

A column's weight comes out of a word of weights, cut in one way or another, or out of a word of
keys. Bits that always come from the same places (the copies of a sign, say) are one bit to
synthesis, and bits that never change are none. So each bit of :mod:`bitformer.hw.columns` is
followed to its sources here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from bitformer.hw.design import Design
from bitformer.hw.weights import WeightFormat

__all__ = ["ColumnTerms", "column_terms"]

#: Where a bit comes from: a constant, or a bit of the word of weights or of keys.
Source = tuple[str, int]
_LOW, _HIGH = ("constant", 0), ("constant", 1)
#: Inputs of a LUT.
_INPUTS = 6


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


def column_terms(design: Design) -> ColumnTerms:
    """The terms of a lowered design."""
    geometry = design.geometry
    layout = geometry.weights
    control = (len(layout.kinds) - 1).bit_length()
    control += bool(layout.kinds) and "dynamic" in design.stores
    bits = delayed = parts = selected = beyond = 0
    for column in range(geometry.columns):
        formats = [*_weights(design, column)]
        if "dynamic" in design.stores:
            formats.append([_keys(design, column)])
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


def _weights(design: Design, column: int) -> Iterator[list[list[Source]]]:
    """For each format, its parts: the cases of :func:`bitformer.hw.columns.column_words`."""
    geometry = design.geometry
    layout, wide = geometry.weights, geometry.column_bits
    words = design.images.get("weights")
    if not words:
        return
    low, high = reduce(and_, words), reduce(or_, words)

    def known(source: Source) -> Source:
        bit = source[1]
        if source[0] == "constant" or (high >> bit & 1 and not low >> bit & 1):
            return source
        return _HIGH if low >> bit & 1 else _LOW

    def cut(kind: WeightFormat, part: int) -> list[Source]:
        start = (part * layout.columns_of(kind) + column) * kind.field
        if not kind.pair:
            return _field("weight", start, kind.field, wide)
        half = geometry.half_bits
        pair = _field("weight", start, kind.bits, half)
        pair += _field("weight", start + kind.bits, kind.bits, half)
        return pair + [_LOW] * (wide - 2 * half)

    # what lies above a pair, or in columns without a weight, may be the widest format's
    above = [_LOW] * wide
    for kind in layout.kinds:
        if not layout.paired(kind) and layout.parts(kind) == 1 and column < layout.columns_of(kind):
            above = cut(kind, 0)
    keep = 2 * geometry.half_bits if above != [_LOW] * wide else wide
    for kind in layout.kinds:
        found = []
        for part in range(layout.parts(kind)):
            own = above if column >= layout.columns_of(kind) else cut(kind, part)
            if layout.paired(kind) and own is not above:
                own = own[:keep] + above[keep:]
            found.append([known(source) for source in own])
        yield found


def _keys(design: Design, column: int) -> list[Source]:
    """A word of keys or values in the weights' place."""
    geometry = design.geometry
    bits, wide = geometry.dynamic_bits, geometry.column_bits
    if not geometry.dynamic_packed:
        return _field("key", column * bits, bits, wide)
    half = geometry.half_bits
    pair = _field("key", 2 * column * bits, bits, half)
    pair += _field("key", (2 * column + 1) * bits, bits, half)
    return pair + [_LOW] * (wide - 2 * half)
