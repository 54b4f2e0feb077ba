"""How weights of several widths share the words of one store, none of them padded to the widest."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bitformer.model import ir

from .packing import Packing

__all__ = ["WeightFormat", "WeightLayout", "weight_layouts"]

#: Formats of a design, at most: each is one more input of the multiplexer before a multiplier.
MOST_FORMATS = 3


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


def _linears(model: ir.IntegerModel) -> list[ir.Linear]:
    return [op for op in model.operations if isinstance(op, ir.Linear)]


def _format(op: ir.Linear, packing: Packing) -> WeightFormat:
    if packing.packed[op.y]:
        return WeightFormat(pair=True, field=2 * op.weight_bits)
    # as wide as the pair that could not be proved safe, it needs nothing of its own
    alone = op.weight_bits != packing.half_bits
    return WeightFormat(pair=False, field=op.weight_bits * (1 if alone else 2))


def _formats(model: ir.IntegerModel, packing: Packing) -> dict[str, WeightFormat]:
    """A format for each layer: its own width's, or the next wider where there are too many."""
    formats = {op.y: _format(op, packing) for op in _linears(model)}
    sizes = {op.y: op.weight.size for op in _linears(model)}
    while len(set(formats.values())) > MOST_FORMATS:
        kinds = sorted(set(formats.values()))
        merges = []
        for kind, other in itertools.combinations(kinds, 2):
            if other.pair == kind.pair:
                layers = [name for name, own in formats.items() if own == kind]
                grown = (other.bits - kind.bits) * sum(sizes[name] for name in layers)
                merges.append((grown, kind, other))
        _, kind, other = min(merges)
        formats = {name: other if own == kind else own for name, own in formats.items()}
    return formats


def _cycles(model: ir.IntegerModel, layout: WeightLayout) -> int:
    """Cycles in which the engine works on layers with weights."""
    total = 0
    for op in _linears(model):
        kind, y = layout.formats[op.y], model.tensors[op.y]
        columns, length = layout.columns_of(kind), op.weight.shape[1]
        groups = -(-y.features // (columns * (2 if kind.pair else 1)))
        total += y.rows * ((groups - 1) * max(length, columns) + length)
    return total


def weight_layouts(
    model: ir.IntegerModel, packing: Packing, columns: int
) -> Iterator[WeightLayout]:
    """Layouts to choose from, those with fewer cycles first: words for all columns of a format."""
    formats = _formats(model, packing)
    packed = packing.packed.values()
    even = any(packed) and not all(packed)
    least = max(kind.field for kind in formats.values()) * (2 if even else 1)
    layouts = {
        bits: WeightLayout(
            bits=bits, columns=columns, formats=formats, half_bits=packing.half_bits, even=even
        )
        for bits in (max(least, columns * kind.field) for kind in formats.values())
    }
    yield from sorted(layouts.values(), key=lambda lay: (_cycles(model, lay), lay.bits))
