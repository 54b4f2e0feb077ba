"""How weights of several widths share the words of one store, none of them padded to the widest."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["WeightFormat", "WeightLayout"]


@dataclass(frozen=True, order=True, kw_only=True)
class WeightFormat:
    """A column's part of a weight word: ``field`` bits, which are one weight or a ``pair``.

    A weight of one bit is 1 where it is 0 and -1 where it is 1.
    """

    pair: bool
    field: int

    @property
    def bits(self) -> int:
        """Bits of a weight."""
        return self.field // 2 if self.pair else self.field


@dataclass(frozen=True, kw_only=True)
class WeightLayout:
    """Words of ``bits`` bits, cut in one way for each of the ``formats`` (by tensor written).

    An operation whose fields are too wide for all ``columns`` uses fewer of them; one whose fields
    are narrow finds several ``parts`` in a word. Addresses count the smallest parts, of which a
    word has ``units``. ``half_bits`` are those of a packed weight in the engine; ``even`` : every
    operation uses an even number of columns, since an unpacked one does.
    """

    bits: int
    columns: int
    formats: Mapping[str, WeightFormat]
    half_bits: int
    even: bool

    def cut(self, kind: WeightFormat) -> WeightFormat:
        """The format as the hardware knows it: a pair that the engine takes as it is is a field."""
        whole = kind.pair and kind.bits == self.half_bits
        return WeightFormat(pair=False, field=kind.field) if whole else kind

    @property
    def kinds(self) -> list[WeightFormat]:
        """The different cuts, in order."""
        return sorted({self.cut(kind) for kind in self.formats.values()})

    @property
    def units(self) -> int:
        """Parts of a word in the narrowest format: 1 without weights."""
        return max((self.parts(kind) for kind in self.kinds), default=1)

    def paired(self, cut: WeightFormat) -> bool:
        """Whether only packed operations use it: all that is above the pair is of no account."""
        return all(kind.pair for kind in self.formats.values() if self.cut(kind) == cut)

    def columns_of(self, kind: WeightFormat) -> int:
        """Columns that have a weight in a word."""
        columns = min(self.columns, self.bits // kind.field)
        return columns - columns % 2 if self.even else columns

    def parts(self, kind: WeightFormat) -> int:
        """Groups of columns whose weights are in one word, a power of two."""
        return 1 << ((self.bits // (self.columns_of(kind) * kind.field)).bit_length() - 1)

    def step(self, kind: WeightFormat) -> int:
        """Distance of two groups' addresses."""
        return self.units // self.parts(kind)
