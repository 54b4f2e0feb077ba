"""Quantities of all combinations that follow from their widths and shifts, as arrays."""

from functools import partial

import numpy as np

from bitformer.estimate.features import addend_muxes
from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.images import field_bits, parameter_table
from bitformer.hw.lowering.packing import Packings, product_bits
from bitformer.hw.lowering.post_widths import multiplicands, post_widths
from bitformer.hw.lowering.shifts import added_shifts, powers_of
from bitformer.hw.program import Addend
from bitformer.model.ir import IntegerModel, Operation
from bitformer.model.numerics import bit_length, scaled

__all__ = [
    "distinct",
    "engine_quantities",
    "parameter_widths",
    "post_quantities",
    "short_formats",
    "wide_operations",
]

_EXTREMES = (np.minimum, np.maximum, np.bitwise_or, np.bitwise_and)


def distinct(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each kind of row, and the kind of every row."""
    rows = np.column_stack(columns)
    order = np.lexsort(rows.T[::-1])
    new = np.append(True, (np.diff(rows[order], axis=0) != 0).any(axis=1))
    kinds = np.empty(len(rows), dtype=np.int64)
    kinds[order] = np.cumsum(new) - 1
    return order[new], kinds


def _count_distinct(values: np.ndarray) -> np.ndarray:
    """Count the different values of each row."""
    changes = np.diff(np.sort(values, axis=1), axis=1) != 0
    return (values.shape[1] > 0) + changes.sum(axis=1)


def _extremes(_model: IntegerModel, op: Operation, *, ways: int) -> list[np.ndarray]:
    """Return an operation's parameters reduced by ``_EXTREMES``: [extremes, ways, fields]."""
    table = parameter_table(op)
    table = table.reshape(-1, *table.shape[-2:])  # rows of a table, or one
    words = np.pad(table, ((0, 0), (0, -table.shape[1] % ways), (0, 0))).reshape(-1, ways, 2)
    return [extreme.reduce(words) for extreme in _EXTREMES]


def parameter_widths(batch: Batch, shifts: np.ndarray, ways: int) -> np.ndarray:
    """Return widths of the words of parameters with so many channels each: [models, 4].

    They are the bits of a word, the bits of it that are not the same in all words, the bits of a
    value, and those of the first channel's multiplier that are not the same.
    """
    powers, found = powers_of(batch, shifts), []
    for place, op in enumerate(batch.first.operations):
        if op.parameters is not None:
            own = batch.values(place, partial(_extremes, ways=ways))
            if op.multipliers is not None:
                own[..., 1] = scaled(own[..., 1], powers[:, place, None, None])
            found.append(own)
    low, high, either, both = (
        extreme.reduce([own[:, n] for own in found]) for n, extreme in enumerate(_EXTREMES)
    )
    bits = field_bits(low.min(axis=1), high.max(axis=1))
    changing = either & ~both & ((1 << bits) - 1)[:, None]
    live = np.bitwise_count(changing.astype(np.uint64)).astype(np.int64)
    words = ways * bits.sum(axis=1), live.sum(axis=(1, 2)), bits[:, 0], live[:, 0, 1]
    return np.stack(words, axis=1)


def engine_quantities(batch: Batch, packings: Packings, wide: np.ndarray) -> dict[str, np.ndarray]:
    """Return the widths of the engine's accumulators; ``wide`` as of :func:`wide_operations`."""
    dots, totals = batch.bounds[..., 0], batch.bounds[..., 1]
    bits = bit_length(totals) + 1
    matrix = np.array([op.matrix for op in batch.first.operations])
    return {
        "multiplied_bits": batch.operand_bits.max(axis=1),
        "accumulator_bits": bits.max(axis=1),
        "narrow_bits": np.where(wide[:, matrix], 1, bits).max(axis=1),
        "product_bits": product_bits(dots, packings.packed, packings.shift[:, None]).max(axis=1),
    }


def wide_operations(batch: Batch, multiplier: Multiplier) -> np.ndarray:
    """Return whose multiplicands are longer than a port: bool [models, operations]."""
    return bit_length(multiplicands(batch)) >= multiplier.long_bits


def short_formats(batch: Batch, packings: Packings, multiplier: Multiplier) -> np.ndarray:
    """Return for each width of weights if columns of LUTs could multiply all pairs of it.

    bool [models, widths].
    """
    own = np.array([op.weights_from is None for op in batch.matrix_operations])
    widths = np.where(packings.packed & own, batch.weight_widths, 0)
    long = packings.half_bits[:, None] * batch.operand_bits > multiplier.soft
    found = [~(long & (widths == one)).any(axis=1) for one in np.unique(widths[widths > 0])]
    return np.stack([np.ones(len(batch), dtype=bool), *found], axis=1)


def _widths(
    batch: Batch, shifts: np.ndarray, multiplier: Multiplier, wide: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the widths of post-processors, of which some have other wide operations."""
    names = [op.y for op in batch.first.operations]
    first, kinds = distinct(wide)
    found: dict[str, np.ndarray] = {}
    for kind, row in enumerate(wide[first]):
        own = frozenset(name for name, one in zip(names, row, strict=True) if one)
        for field, bits in post_widths(batch, shifts, own, multiplier).items():
            found[field] = np.where(kinds == kind, bits, found.get(field, 0))
    return found


def post_quantities(
    batch: Batch,
    shifts: np.ndarray,
    multiplier: Multiplier,
    addends: np.ndarray,
    source_bits: dict[Addend, np.ndarray],
    wide: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the quantities of the post-processor.

    ``addends`` : what each operation adds, numbers of an :class:`Addend`. ``source_bits`` : bits of
    each of those, by model. ``wide`` : which operations are wide, as of :func:`wide_operations`.
    """
    found = _widths(batch, shifts, multiplier, wide)
    written = np.array([not op.at_port for op in batch.first.operations])
    added = added_shifts(batch, shifts)
    kinds = added * len(Addend) + addends
    found["shifts"] = _count_distinct(shifts[:, written])
    found["addends"] = _count_distinct(kinds[:, written & (addends > 0)])
    none = np.ones(len(batch), dtype=np.int64)
    widths = np.stack([source_bits.get(source, none) for source in Addend], axis=1)
    first, same = distinct(found["value_bits"], widths, np.sort(kinds[:, written], axis=1))
    sources = np.broadcast_to(addends, kinds.shape)
    found["addend_muxes"] = addend_muxes(
        sources[first][:, written],
        added[first][:, written],
        widths[first],
        found["value_bits"][first],
    )[same]
    return found
