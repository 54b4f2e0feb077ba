"""How wide the post-processor is: bounds of what it multiplies, adds and shifts."""

from collections import defaultdict

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.shifts import powers_of
from bitformer.model.ir import IntegerModel, Operation
from bitformer.model.numerics import bit_length, scaled

__all__ = ["post_widths"]


def _magnitudes(model: IntegerModel, op: Operation) -> tuple[int, int, int, int]:
    """Return the largest multiplicand, multiplier and addend, and the magnitude of the zero point.

    The multiplicand of a normalised row depends on the whole model: it is 0 here.
    """
    tensors = model.tensors
    u = 0 if op.normalizes else op.multiplicand_bound(tensors, norm_bits=0)
    return u, op.multiplier_bound(tensors), op.added_bound(tensors), abs(op.limits(tensors)[0])


def _normalized(batch: Batch, op: Operation) -> np.ndarray:
    """Return the largest multiplicand of normalised rows, by model."""
    widest = range(1, 1 + int(batch.norm_bits.max()))
    bounds = [op.multiplicand_bound(batch.first.tensors, bits) for bits in widest]
    return np.array([0, *bounds])[batch.norm_bits]


def post_widths(
    batch: Batch, shifts: np.ndarray, wide: frozenset[str], multiplier: Multiplier
) -> dict[str, np.ndarray]:
    """Return the widths of the post-processor in bits, by the geometry's names: each [models].

    ``shifts`` : of each operation [models, operations]. ``wide`` : tensors that wide operations
    write.
    """
    bounds: dict[str, list[np.ndarray]] = defaultdict(lambda: [np.zeros(len(batch), np.int64)])
    powers = powers_of(batch, shifts)
    for place, op in enumerate(batch.first.operations):
        if op.at_port:
            continue
        u, factor, addend, zero = batch.values(place, _magnitudes).T
        shift, power = shifts[:, place], powers[:, place]
        if op.normalizes:  # a wider row's power is in the multiplicand
            u = _normalized(batch, op)
        else:
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
