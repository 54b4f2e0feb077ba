"""Contents of the ROMs: weights by columns, biases and multipliers by channels, positions."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bitformer.hw.design import Geometry
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import signed_bits
from bitformer.model import ir
from bitformer.model.operations import Linear

__all__ = ["pack_elements", "parameter_words", "position_words", "weight_words"]


def pack_elements(values: Sequence[int], bits: int) -> int:
    """Two's complement elements side by side, the first lowest."""
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * place) for place, value in enumerate(values))


def _fields(group: np.ndarray, kind: WeightFormat) -> list[int]:
    """The weights of one group of outputs [outputs, inputs]: for each input all columns' fields."""
    if kind.bits == 1:
        group = (group < 0).astype(np.int64)
    elements = group.T.reshape(group.shape[1], -1, 2 if kind.pair else 1) & ((1 << kind.bits) - 1)
    fields = (elements << kind.bits * np.arange(elements.shape[2])).sum(axis=2)
    return [pack_elements(column, kind.field) for column in fields.tolist()]


def weight_words(
    linears: Iterable[Linear], layout: WeightLayout
) -> tuple[list[int], dict[str, int]]:
    """Words with the parts of each layer, group by group and input by input; where each begins."""
    words: list[int] = []
    bases: dict[str, int] = {}
    for op in linears:
        bases[op.y] = len(words) * layout.units
        kind = layout.formats[op.y]
        columns, count = layout.columns_of(kind), layout.parts(kind)
        per_group = columns * (2 if kind.pair else 1)
        outputs, length = op.weight.shape
        padded = np.zeros((-(-outputs // per_group) * per_group, length), dtype=np.int64)
        padded[:outputs] = op.weight
        parts = [
            part for group in padded.reshape(-1, per_group, length) for part in _fields(group, kind)
        ]
        for start in range(0, len(parts), count):
            words.append(pack_elements(parts[start : start + count], columns * kind.field))
    return words, bases


def parameter_words(
    tables: Mapping[str, np.ndarray], geometry: Geometry
) -> tuple[list[int], dict[str, int], tuple[int, int]]:
    """(value, factor) of ``ways`` channels a word; where each layer begins; bits of both fields.

    A word of a wide operation has one channel, whose value takes the fields of both ways.
    """
    tables = {
        tensor: np.pad(table, ((0, -len(table) % geometry.ways), (0, 0)))
        for tensor, table in tables.items()
    }
    if not tables:
        return [], {}, (1, 1)
    halved = geometry.wide if geometry.ways > 1 else frozenset()
    widths = []
    for tensor, table in tables.items():
        value, factor = (signed_bits(int(c.min()), int(c.max())) for c in table.T)
        widths.append((-(-value // 2) if tensor in halved else value, factor))
    bits = tuple(max(width) for width in zip(*widths, strict=True))
    words: list[int] = []
    bases = {}
    for tensor, table in tables.items():
        bases[tensor] = len(words)
        if tensor in halved:
            # a value over both fields, its factor in both
            low, high = table.copy(), table.copy()
            high[:, 0] >>= bits[0]
            table = np.stack([low, high], axis=1)
        for row in table.reshape(-1, geometry.ways, 2):
            elements = [
                pack_elements([value], bits[0]) | pack_elements([factor], bits[1]) << bits[0]
                for value, factor in row
            ]
            words.append(pack_elements(elements, sum(bits)))
    return words, bases, (bits[0], bits[1])


def position_words(
    model: ir.IntegerModel, geometry: Geometry
) -> tuple[list[int], dict[tuple[str, int], int], int]:
    """Position tables, ``ways`` elements a word; the word of each row; bits of an element."""
    bits = max((model.tensors[name].bits for name in model.constants), default=1)
    words: list[int] = []
    places: dict[tuple[str, int], int] = {}
    for name, table in model.constants.items():
        padded = np.pad(table, ((0, 0), (0, -table.shape[1] % geometry.ways)))
        for number, row in enumerate(padded):
            places[name, number] = len(words)
            words += [pack_elements(list(w), bits) for w in row.reshape(-1, geometry.ways)]
    return words, places, bits
