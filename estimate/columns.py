"""The engine's columns before their multipliers: multiplexers, and registers that delay.

A column's weight comes out of a word of weights, cut in one way or another, or out of a word of
keys. Bits that always come from the same places (the copies of a sign, say) are one bit to
synthesis, and bits that never change are none. So each bit is followed to its sources, which
:mod:`bitformer.hw.weight_layout` gives.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from bitformer.hw.column_groups import group_of
from bitformer.hw.design import Design
from bitformer.hw.weight_layout import WeightFormat, WeightLayout

__all__ = ["Columns", "column_quantities"]

#: Where a bit comes from: a constant, or a bit of the word of weights or of keys.
Source = tuple[str, int]
_LOW, _HIGH = ("constant", 0), ("constant", 1)
#: All sources of a bit that is constant in some format.
_CONSTANT = {(_LOW,), (_HIGH,)}
#: Inputs of a LUT.
_INPUTS = 6


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The words of the engine's columns.

    ``layout`` cuts a word of weights, in which the bits of ``low`` are always 1 and those outside
    ``high`` always 0; without weights ``high`` is 0. ``column_bits`` and ``half_bits`` are the
    engine's. ``keys`` : the format of keys and values, None without any; columns of LUTs have none.
    ``group`` : columns whose words come in one cycle, those of the next ones as many cycles later;
    0 for all. ``inputs`` : of a LUT.
    """

    layout: WeightLayout
    column_bits: int
    half_bits: int
    keys: WeightFormat | None
    low: int
    high: int
    group: int = 0
    inputs: int = 6

    @classmethod
    def of(cls, design: Design) -> "Columns":
        """Return the columns of a lowered design."""
        geometry, words = design.geometry, design.images.get("weights", ())
        return cls(
            layout=geometry.weights,
            column_bits=geometry.column_bits,
            half_bits=geometry.half_bits,
            keys=geometry.dynamic_format if "dynamic" in design.stores else None,
            low=reduce(and_, words) if words else 0,
            high=reduce(or_, words, 0),
            group=group_of(design),
            inputs=design.family.luts.inputs,
        )

    def sources(self, column: int) -> Iterator[list[list[Source]]]:
        """Yield the sources of a column's bits, by format and part of a word; keys come last."""
        layout, pair_bits = self.layout, 2 * self.half_bits
        filler = layout.filler(column)
        above = [_LOW] * self.column_bits
        if filler:
            above = self._sources("weight", filler, column)
        elif reaching := layout.reaching(column):
            above = self._sources("weight", reaching, layout.places(reaching, column)[0])
        for kind in layout.kinds if self.high else ():
            parts = [self._sources("weight", kind, p) for p in layout.places(kind, column)]
            if filler and layout.paired(kind):
                parts = [own[:pair_bits] + above[pair_bits:] for own in parts]
            yield parts or [above]
        if self.keys and column < layout.hard:
            yield [self._sources("key", self.keys, column)]

    def _sources(self, word: str, kind: WeightFormat, place: int) -> list[Source]:
        """Return the source of each bit that a field of a word puts into a column."""
        found: list[Source] = []
        for start, bits, width in kind.pieces(place, self.column_bits, self.half_bits):
            own = [(word, start + n) for n in range(bits)]
            own = [_HIGH, *own] if bits == 1 else own
            found += [*own, *own[-1:] * width][:width]
        found += [_LOW] * (self.column_bits - len(found))
        return found if word == "key" else [self._known(source) for source in found]

    def _known(self, source: Source) -> Source:
        """Return the constant that a bit of a weight word always is, or its source."""
        if source[0] == "constant" or (self.high & ~self.low) >> source[1] & 1:
            return source
        return _HIGH if self.low >> source[1] & 1 else _LOW


def column_quantities(columns: Columns) -> dict[str, int]:
    """Count what an engine's columns take.

    ``engine_bits`` : different bits of the columns' words. ``delayed_bits`` : those among them that
    are so late that a shift register keeps them. ``waiting_bits`` : of weights that wait in
    one until their group's turn. ``selected_parts`` : bits that one format finds in
    several parts of a word. ``selected_bits`` : bits that come from several formats or stores, but
    for those that are else constant: a register's reset makes these;
    ``selected_beyond`` those of them with more inputs than a LUT has. ``selecting_luts`` : LUTs
    that select bits, of as many inputs as a bit has sources and as tell these apart.
    """
    layout = columns.layout
    control = (len(layout.kinds) - 1).bit_length() if columns.high else 0
    control += bool(columns.high and columns.keys)
    bits = delayed = waiting = parts = selected = beyond = luts = 0
    group = columns.group or layout.columns
    for column in range(layout.columns):
        # of each bit, by format, its source in every part: one if they are all the same
        formats = [list(map(_merged, zip(*case, strict=True))) for case in columns.sources(column)]
        if column < layout.columns - layout.soft:
            waiting += (column >= group) * len(_moving(formats[: -1 if columns.keys else None]))
        moving = _moving(formats)
        bits += len(moving)
        delayed += len(moving) * (column % group > 1)
        parts += len({own for one in moving for own in one if len(own) > 1})
        chosen = [one for one in moving if len({*one}) > (2 if {*one} & _CONSTANT else 1)]
        selected += len(chosen)
        beyond += sum(len({*one} - _CONSTANT) + control > _INPUTS for one in chosen)
        luts += _selecting(moving, len(layout.kinds), columns.inputs)
    return {
        "engine_bits": bits,
        "delayed_bits": delayed,
        "waiting_bits": waiting,
        "selected_bits": selected,
        "selected_parts": parts,
        "selected_beyond": beyond,
        "selecting_luts": luts,
    }


def _moving(formats: list[list[tuple[Source, ...]]]) -> list[tuple[tuple[Source, ...], ...]]:
    """Return the different bits of a column that are no constants: their sources by format."""
    different = set(zip(*formats, strict=True))
    return [one for one in different if {*one} - _CONSTANT or len({*one}) > 1]


def _selecting(bits: list[tuple[tuple[Source, ...], ...]], kinds: int, inputs: int) -> int:
    """Return the LUTs that choose the source of a column's bits; each is told by format.

    A LUT takes as many inputs as there are sources, and as tell the ``kinds`` of words of weights,
    the parts of a word, and keys from weights. A register's reset makes constants. What several
    bits find in the same parts is chosen once.
    """

    def luts(sources: int, told: int) -> int:
        return -(-(sources + told - 1) // (inputs - 1)) if sources > 1 else 0

    found, shared = 0, Counter(own for one in bits for own in {*one} if len(own) > 1)
    for own, times in shared.items():
        if times > 1:
            found += luts(len({*own}), (len(own) - 1).bit_length())
    for one in bits:
        formats = {*one} - _CONSTANT
        weights = {own for own in formats if own[0][0] == "weight"}
        parts = {own for own in formats if len(own) > 1 and shared[own] == 1}
        alone = {source for own in parts for source in own} - {_LOW, _HIGH}
        alone |= {own[0] for own in formats if len(own) == 1}
        told = (kinds - 1).bit_length() * (len(weights) > 1) + (weights < formats)
        told += max(((len(own) - 1).bit_length() for own in parts), default=0)
        joined = sum(len(own) > 1 and shared[own] > 1 for own in formats)
        found += luts(len(alone) + joined, told)
    return found


def _merged(parts: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return a bit's sources by part; one if all are the same."""
    return parts if len({*parts}) > 1 else parts[:1]
