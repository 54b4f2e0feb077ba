"""What an accumulator and a result can reach, from the actual integers."""

from dataclasses import dataclass

import numpy as np

from bitformer.hw.widths import normalized_bound
from bitformer.model import ir, numerics

__all__ = ["Bound", "accumulator_bound", "multiplicand_bound", "norm_bits", "result_bound"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Largest magnitude of the dot product (``dot``) and with the bias (``total``)."""

    dot: int
    total: int


def _magnitude(tensor: ir.Tensor) -> int:
    return max(-tensor.low, tensor.high)


def accumulator_bound(model: ir.IntegerModel, op: ir.Operation) -> Bound:
    """Bound over every output of a matrix operation; contract: exact, never wraps."""
    tensors = model.tensors
    if isinstance(op, ir.Linear):
        x = tensors[op.x]
        positive = np.maximum(op.weight, 0).sum(axis=1)
        negative = np.maximum(-op.weight, 0).sum(axis=1)
        high = positive * x.high - negative * x.low
        low = positive * x.low - negative * x.high
        dot = int(max(high.max(), -low.min()))
        total = int(max(np.abs(high + op.bias).max(), np.abs(low + op.bias).max()))
        return Bound(dot=dot, total=max(dot, total))
    if isinstance(op, ir.Scores):
        q, k = tensors[op.q], tensors[op.k]
        dot = q.features // op.heads * _magnitude(q) * _magnitude(k)
    elif isinstance(op, ir.Attend):
        v = tensors[op.v]
        dot = v.rows * max(numerics.EXP_TABLE) * _magnitude(v)
    elif isinstance(op, ir.Pool):
        dot = tensors[op.x].rows * _magnitude(tensors[op.x])
    else:
        raise TypeError(f"A matrix operation must be given, not {type(op).__name__}")
    return Bound(dot=dot, total=dot)


def norm_bits(model: ir.IntegerModel) -> int:
    """Bits of the widest row that a LayerNorm reads: one unit serves all; 0 without one."""
    norms = (op for op in model.operations if isinstance(op, ir.LayerNorm))
    return max((model.tensors[op.x].bits for op in norms), default=0)


def multiplicand_bound(model: ir.IntegerModel, op: ir.Operation) -> int:
    """Largest magnitude of what the post-processor multiplies."""
    if isinstance(op, ir.Affine):
        return -model.tensors[op.x].low
    if isinstance(op, ir.LayerNorm):
        return normalized_bound(model.tensors[op.x].features, norm_bits(model))
    return accumulator_bound(model, op).total


def result_bound(u: int, multiplier: int, addend: int, shift: int, zero: int) -> int:
    """Largest magnitude of a requantized result before the clamp."""
    return ((u * multiplier + addend + (1 << shift)) >> shift) + abs(zero) + 1
