"""Brings the requantizers' shifts to few distinct values: each costs the hardware a multiplexer.

``(u*m + (r << s) + 2**(n-1)) >> n`` is unchanged when m and n, s grow or shrink together by a
power of two that divides what must stay an integer. The least number of points that meet every
operation's interval of possible n is found greedily, by right ends.
"""

from collections.abc import Mapping

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.model import ir, numerics

__all__ = ["common_shifts", "shift_interval"]


def _divisible(values) -> int:
    """How often 2 divides every value (40 when all are zero)."""
    values = np.abs(np.asarray(values, dtype=np.int64))
    values = values[values > 0]
    if not values.size:
        return 40
    return int(min((int(v) & -int(v)).bit_length() - 1 for v in np.unique(values)))


def _spare(model: ir.IntegerModel, op: ir.Attend) -> int:
    """Power of two by which the reciprocal of the design's longest row exceeds this one's."""
    own = model.tensors[op.v].rows
    longest = max(model.tensors[o.v].rows for o in model.operations if isinstance(o, ir.Attend))
    return numerics.reciprocal_headroom(longest) - numerics.reciprocal_headroom(own)


def _sum(model: ir.IntegerModel, op, largest: int) -> int:
    """Bound of the sum before it is shifted, at the operation's own shift."""
    zero = abs(model.tensors[op.y].zero)
    total = op.multiplicand_bound(model.tensors, model.norm_bits) * largest + (
        (1 + zero) << op.shift
    )
    if isinstance(op, ir.Affine):
        total += int(np.abs(op.offset).max()) << op.offset_shift
    if isinstance(op, ir.Linear) and op.residual is not None:
        source = model.tensors[op.residual.source]
        total += 1 << (source.bits - 1 + op.residual.shift)
    return total


def shift_interval(
    model: ir.IntegerModel, op: ir.Operation, multiplier: Multiplier
) -> tuple[int, int]:
    """Shifts that the operation can be brought to without a change in any result."""
    if isinstance(op, ir.Attend):
        # one unit makes all reciprocals, with the headroom of the longest row
        shift = op.shift + _spare(model, op)
        return shift, shift
    if isinstance(op, ir.LayerNorm):
        # and one all normalised rows, with the exponent of the widest
        spec = model.tensors[op.x]
        widths = (numerics.norm_width(spec.features, b) for b in (model.norm_bits, spec.bits))
        shift = op.shift + (next(widths) - next(widths)) // 2
        return shift, shift
    if not isinstance(op, (ir.Linear, ir.Scores, ir.Pool, ir.Affine)):
        raise TypeError(f"An operation with a multiplier must be given, not {type(op).__name__}")
    largest = int(np.abs(np.asarray(op.multiplier)).max())
    up = multiplier.short_bits - 1 - largest.bit_length()
    up = min(up, multiplier.accumulator_bits - 1 - _sum(model, op, largest).bit_length())
    down = min(_divisible(op.multiplier), max(0, op.shift - 1))
    if isinstance(op, ir.Affine):
        down = min(down, op.offset_shift)
    if isinstance(op, ir.Linear) and op.residual is not None:
        down = min(down, op.residual.shift)
    return op.shift - down, op.shift + max(0, up)


def common_shifts(
    model: ir.IntegerModel, multiplier: Multiplier, wanted: Mapping[str, int] | None = None
) -> dict[str, int]:
    """The shift to use for each operation, by the tensor it writes; ``wanted`` where possible."""
    intervals = {
        op.y: shift_interval(model, op, multiplier)
        for op in model.operations
        if not isinstance(op, ir.SubtractLast)
    }
    chosen: dict[str, int] = {}
    point = None
    for name, (low, high) in sorted(intervals.items(), key=lambda item: item[1][1]):
        if point is None or low > point:
            point = high
        chosen[name] = point
    for name, shift in (wanted or {}).items():
        low, high = intervals.get(name, (1, 0))
        if low <= shift <= high:
            chosen[name] = shift
    return chosen
