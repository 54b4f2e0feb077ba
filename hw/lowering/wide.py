"""What is too wide for one multiplier of the post-processor, or for one element of a word.

A design may have a few layers of 16 bits beside many of 8. A *wide* operation has its results one
a cycle, and the two ways of the post-processor, which make two results of other operations, share
the one: the first multiplies its lower bits, the second its upper bits. A *wide row* lies in the
activation store an element a word, where other rows have two.
"""

from collections.abc import Mapping

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.program import Destination
from bitformer.model.ir import IntegerModel
from bitformer.model.tensor import Tensor

__all__ = ["element_bits", "one_by_one", "stored_activations", "wide_operations", "wide_rows"]


def stored_activations(
    model: IntegerModel, destinations: Mapping[str, Destination]
) -> list[Tensor]:
    """Return the tensors in the activation store."""
    written = (op.y for op in model.operations if not op.at_port)
    return [model.tensors[n] for n in written if destinations[n] is Destination.ACTIVATION]


def element_bits(
    batch: Batch,
    destinations: Mapping[str, Destination],
    wide_rows: frozenset[str] = frozenset(),
) -> np.ndarray:
    """Return the bits of an element of the activation store, by model: two hold one of a wide row.

    It is 1 where nothing is stored.
    """
    names = [spec.name for spec in stored_activations(batch.first, destinations)]
    bits = batch.tensor_values(names)
    wide = np.array([name in wide_rows for name in names], dtype=bool)
    return np.where(wide, -(-bits // 2), bits).max(axis=1, initial=1)


def wide_rows(
    model: IntegerModel, destinations: Mapping[str, Destination], limit: int = 8
) -> frozenset[str]:
    """Return the tensors whose elements take a word each: those above ``limit`` bits, if few.

    Only where a word has two elements: that is, in a design with packed operations.
    """
    stored = stored_activations(model, destinations)
    wide = [spec for spec in stored if spec.bits > limit]
    if 2 * sum(t.size for t in wide) > sum(t.size for t in stored):
        return frozenset()
    return frozenset(spec.name for spec in wide)


def one_by_one(model: IntegerModel, rows: frozenset[str]) -> frozenset[str]:
    """Return the results that cannot come in pairs: wide rows, or those that add to wide rows."""
    return frozenset(
        op.y for op in model.operations if rows.intersection((op.y, *op.requantizer_reads))
    )


def wide_operations(
    model: IntegerModel, rows: frozenset[str], multiplier: Multiplier
) -> frozenset[str]:
    """Return the results of :func:`one_by_one`, and of multiplicands longer than a port."""
    bounds = model.multiplicand_bounds.items()
    long = frozenset(y for y, bound in bounds if bound.bit_length() >= multiplier.long_bits)
    return one_by_one(model, rows) | long
