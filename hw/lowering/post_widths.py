"""How wide the post-processor is: bounds of what it multiplies, adds and shifts."""

from collections import defaultdict

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.shifts import powers_of
from bitformer.model.ir import IntegerModel, Operation
from bitformer.model.numerics import bit_length, scaled

__all__ = ["multiplicands", "post_widths"]


def _magnitudes(model: IntegerModel, op: Operation) -> tuple[int, int, int]:
    """Return the largest multiplier and addend, and the magnitude of the zero point."""
    tensors = model.tensors
    return op.multiplier_bound(tensors), op.added_bound(tensors), abs(op.limits(tensors)[0])


def _normalized(batch: Batch, op: Operation) -> np.ndarray:
    """Return the largest multiplicand of normalised rows, by model."""
    widths, own = np.unique(batch.norm_bits, return_inverse=True)
    bounds = [op.multiplicand_bound(batch.first.tensors, bits) for bits in widths.tolist()]
    return np.array(bounds)[own]


def multiplicands(batch: Batch) -> np.ndarray:
    """Return the largest multiplicand of each operation, 0 at a port: [models, operations]."""

    def largest(place: int, op: Operation) -> np.ndarray:
        if op.at_port:
            return np.zeros(len(batch), np.int64)
        if op.normalizes:
            return _normalized(batch, op)
        return batch.values(place, lambda m, own: own.multiplicand_bound(m.tensors, norm_bits=0))

    operations = enumerate(batch.first.operations)
    return np.stack([largest(place, op) for place, op in operations], axis=1)


def post_widths(
    batch: Batch, shifts: np.ndarray, wide: frozenset[str], multiplier: Multiplier
) -> dict[str, np.ndarray]:
    """Return the widths of the post-processor in bits, by the geometry's names: each [models].

    ``shifts`` : of each operation [models, operations]. ``wide`` : tensors that wide operations
    write.
    """
    bounds: dict[str, list[np.ndarray]] = defaultdict(lambda: [np.zeros(len(batch), np.int64)])
    powers, largest = powers_of(batch, shifts), multiplicands(batch)
    for place, op in enumerate(batch.first.operations):
        if op.at_port:
            continue
        factor, addend, zero = batch.values(place, _magnitudes).T
        u, shift, power = largest[:, place], shifts[:, place], powers[:, place]
        if not op.normalizes:  # a wider row's power is in the multiplicand
            factor = scaled(factor, power)
        addend = scaled(addend, power)
        # beyond the accumulator is refused, however far: int64 holds this
        moved = zero << np.minimum(shift, multiplier.accumulator_bits - 1)
        offset = addend + (1 << shift) + moved
        bounds["factor"].append(factor)
        bounds["result"].append(((u * factor + addend + (1 << shift)) >> shift) + zero + 1)
        if op.y in wide:
            bounds["low"].append((factor << multiplier.split) + offset)
            bounds["high"].append(((u >> multiplier.split) + 1) * factor)
            bounds["sum"].append(u * factor + offset)
        else:
            bounds["value"].append(u * factor + offset)
    names = ("result", "value", "factor", "low", "high", "sum")
    bits = {f"{name}_bits": bit_length(np.max(bounds[name], axis=0)) + 1 for name in names}
    for name in ("low_bits", "high_bits"):
        bits[name] = np.maximum(bits["value_bits"], bits[name])
    return bits
