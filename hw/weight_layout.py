"""How weights of several widths share the words of one store, none of them padded to the widest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from bitformer.model.later import later, shown

__all__ = ["Piece", "WeightFormat", "WeightLayout"]


class Piece(NamedTuple):
    """A signed number of ``bits`` bits at ``start`` of a word, extended to ``width`` bits.

    A single bit is the sign of an odd number: 1 where it is 0, and -1 where it is 1.
    """

    start: int
    bits: int
    width: int


@dataclass(frozen=True, order=True, kw_only=True)
class WeightFormat:
    """A column's part of a weight word: ``field`` bits, which are one weight or a ``pair``.

    A weight of one bit is 1 where it is 0 and -1 where it is 1. A ``few`` of columns, those that
    are multipliers, have weights of operations that take no fewer cycles with all: a word has more
    parts then.
    """

    pair: bool
    field: int
    few: bool = later(False)

    def __repr__(self) -> str:
        return shown(self)

    @classmethod
    def of(cls, bits: int, *, pair: bool) -> "WeightFormat":
        """Return the format of weights of ``bits`` bits, alone or in pairs."""
        return cls(pair=pair, field=bits * (2 if pair else 1))

    @property
    def bits(self) -> int:
        """Bits of a weight."""
        return self.field // 2 if self.pair else self.field

    def pieces(self, place: int, column_bits: int, half_bits: int) -> list[Piece]:
        """Return the numbers that field ``place`` of a word puts into a column, lowest first.

        A weight fills the ``column_bits`` of a column; a pair fills ``half_bits`` each, and leaves
        the rest 0.
        """
        width = half_bits if self.pair else column_bits
        starts = range(place * self.field, (place + 1) * self.field, self.bits)
        return [Piece(start, self.bits, width) for start in starts]


@dataclass(frozen=True, kw_only=True)
class WeightLayout:
    """Words of ``bits`` bits, cut in one way for each of the ``formats`` (by tensor written).

    An operation whose fields are too wide for all ``columns`` uses fewer of them; one whose fields
    are narrow finds several ``parts`` in a word. Addresses count the smallest parts, of which a
    word has ``units``. ``half_bits`` are those of a packed weight in the engine; ``even`` : every
    operation uses an even number of columns, since an unpacked one does. The last ``soft`` columns
    are of LUTs: the formats of ``short`` use them. The first ``broad`` of these multiply a longer
    weight in place of two: the formats of ``single`` use them.
    """

    bits: int
    columns: int
    formats: Mapping[str, WeightFormat] = field(hash=False)
    half_bits: int
    even: bool
    soft: int = later(0)
    short: frozenset[WeightFormat] = later(frozenset())
    broad: int = later(0)
    single: frozenset[WeightFormat] = later(frozenset())

    def __repr__(self) -> str:
        return shown(self)

    @property
    def hard(self) -> int:
        """Columns that every format may use."""
        return self.columns - self.soft

    def cut(self, kind: WeightFormat) -> WeightFormat:
        """Return the format as the hardware cuts it: a pair that needs no extension is a field."""
        whole = kind.pair and kind.bits == self.half_bits
        return replace(kind, pair=False) if whole else kind

    @cached_property
    def kinds(self) -> tuple[WeightFormat, ...]:
        """The different cuts, in order."""
        return tuple(sorted({self.cut(kind) for kind in self.formats.values()}))

    def kinds_of_number(self, number: int) -> WeightFormat:
        """Return a cut by its number; without weights, one of a bit."""
        return self.kinds[number] if self.kinds else WeightFormat(pair=False, field=1)

    @property
    def units(self) -> int:
        """Parts of a word in the narrowest format: 1 without weights."""
        return max((self.parts(kind) for kind in self.kinds), default=1)

    def paired(self, cut: WeightFormat) -> bool:
        """Return True if only packed operations use a cut: bits above the pair are don't-care."""
        return all(kind.pair for kind in self.formats.values() if self.cut(kind) == cut)

    def columns_of(self, kind: WeightFormat) -> int:
        """Return the columns that have a weight in a word."""
        most = self.hard
        if not kind.few:
            most += self.soft if kind in self.short else 0
            most += self.broad if kind in self.single else 0
        columns = min(most, self.bits // kind.field)
        return columns - columns % 2 if self.even else columns

    def parts(self, kind: WeightFormat) -> int:
        """Return how many groups of columns have weights in one word, a power of two."""
        return 1 << ((self.bits // (self.columns_of(kind) * kind.field)).bit_length() - 1)

    def step(self, kind: WeightFormat) -> int:
        """Return the distance of two groups' addresses."""
        return self.units // self.parts(kind)

    def groups(self, kind: WeightFormat, outputs: int) -> int:
        """Return how often all columns of a format are needed for so many outputs."""
        return -(-outputs // (self.columns_of(kind) * (2 if kind.pair else 1)))

    def column_bits(self, keys: WeightFormat | None) -> int:
        """Return the bits of a column's word, which may be of keys and values too.

        A weight of one bit is multiplied as a number of two.
        """
        kinds = self.kinds if keys is None else [*self.kinds, keys]
        return max(2 * self.half_bits if kind.pair else max(2, kind.field) for kind in kinds)

    def places(self, kind: WeightFormat, column: int) -> list[int]:
        """Return the column's field in each part of a word; none beyond the format's columns."""
        columns = self.columns_of(kind)
        return [*range(column, self.parts(kind) * columns, columns)] if column < columns else []

    def reaching(self, column: int) -> WeightFormat | None:
        """Return a cut that has a column of LUTs which others leave out; None for other columns."""
        few = any(kind.few for kind in self.kinds) and column >= self.hard
        return next((kind for kind in self.kinds if few and self.places(kind, column)), None)

    def filler(self, column: int) -> WeightFormat | None:
        """Return the cut from which a column takes its don't-care bits; None for zeros.

        They lie above a pair, and in formats that do not reach the column. The widest weight that
        has one place in a word saves a multiplexer there.
        """
        fillers = (
            kind
            for kind in reversed(self.kinds)
            if not self.paired(kind) and self.parts(kind) == 1 and column < self.columns_of(kind)
        )
        return next(fillers, None)
