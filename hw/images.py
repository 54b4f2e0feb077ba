"""Contents of the ROMs: weights by columns, biases and multipliers by channels, positions."""

from collections.abc import Mapping, Sequence

import numpy as np

from bitformer.model import ir

from .design import Geometry
from .layers import Layout, Lowered
from .pipeline import signed_bits
from .program import Factor

__all__ = ["pack_elements", "parameter_words", "position_words", "weight_words"]


def pack_elements(values: Sequence[int], bits: int) -> int:
    """Two's complement elements side by side, the first lowest."""
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * place) for place, value in enumerate(values))


def weight_words(
    lowered: Mapping[str, Lowered], layout: Layout, geometry: Geometry
) -> tuple[list[int], dict[str, int]]:
    """A word for each (group, input) of each layer: a weight or a packed pair for each column."""
    words: list[int] = []
    bases: dict[str, int] = {}
    for tensor, one in lowered.items():
        if one.weights is None:
            continue
        bases[tensor] = len(words)
        outputs, length = one.weights.shape
        packed, per_group = layout.packed[tensor], layout.per_group(tensor)
        groups = -(-outputs // per_group)
        padded = np.zeros((groups * per_group, length), dtype=np.int64)
        padded[:outputs] = one.weights
        for group in padded.reshape(groups, per_group, length):
            for column in group.T:
                if packed:
                    pairs = column.reshape(-1, 2)
                    fields = [pack_elements(list(pair), geometry.half_bits) for pair in pairs]
                else:
                    fields = list(column)
                words.append(pack_elements(fields, geometry.column_bits))
    return words, bases


def parameter_words(
    lowered: Mapping[str, Lowered], geometry: Geometry
) -> tuple[list[int], dict[str, int], tuple[int, int]]:
    """(value, factor) of ``ways`` channels a word; where each layer begins; bits of both fields."""
    tables = {}
    for tensor, one in lowered.items():
        if one.parameters is None:
            continue
        table = np.array(one.parameters, dtype=np.int64)
        if one.stages[0].rows[0].operation.factor is Factor.IMMEDIATE:
            table[:, 1] = 0
        rest = -len(table) % geometry.ways
        tables[tensor] = np.concatenate([table, np.zeros((rest, 2), dtype=np.int64)])
    if not tables:
        return [], {}, (1, 1)
    every = np.concatenate(list(tables.values()))
    bits = tuple(signed_bits(int(c.min()), int(c.max())) for c in every.T)
    words: list[int] = []
    bases = {}
    for tensor, table in tables.items():
        bases[tensor] = len(words)
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
