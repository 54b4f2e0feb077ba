"""Widths and counts of the units: everything is as wide as its bound, and no wider."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.hw.design import Geometry
from bitformer.hw.dsp48 import DSP_BITS, SPLIT
from bitformer.hw.lowering.packing import MATRIX, Packing, dynamic_bits
from bitformer.hw.lowering.wide import element_bits, wide_operations
from bitformer.hw.parts import Part
from bitformer.hw.program import Addend, Destination, Operation, Program
from bitformer.hw.weight_layout import WeightLayout
from bitformer.hw.widths import squared_in_dsp
from bitformer.model import ir, numerics
from bitformer.model.errors import UserError

__all__ = ["choose_columns", "choose_geometry", "value_widths"]


def choose_columns(
    model: ir.IntegerModel,
    part: Part,
    lanes: int | None,
    pack: bool,
    wide_rows: frozenset[str] = frozenset(),
) -> int:
    """Multipliers of the engine: those asked for, or the largest power of two that the part has."""
    if lanes is not None:
        if lanes < 1:
            raise UserError(f"lanes must be at least 1, not {lanes}")
        return max(1, lanes // 2) if pack and lanes > 1 else lanes
    layer_norm = any(isinstance(op, ir.LayerNorm) for op in model.operations)
    spare = part.dsps - 2 - (1 if layer_norm else 0)
    if squared_in_dsp(model.norm_bits):
        spare -= 2 if pack and not wide_rows else 1
    if spare < 1:
        raise UserError(f"part {part.name} must have more than {part.dsps} DSP blocks")
    return 1 << min(4, spare.bit_length() - 1)


def choose_geometry(
    model: ir.IntegerModel,
    packing: Packing,
    weights: WeightLayout,
    destination: Mapping[str, Destination],
    wide_rows: frozenset[str],
) -> Geometry:
    """Widths of every unit, from the bounds of the model's actual integers."""
    packed, shift, half = packing.packed, packing.shift, packing.half_bits
    matrix = [op for op in model.operations if isinstance(op, MATRIX)]
    kept_bits = dynamic_bits(model)
    # a weight of one bit is multiplied as a number of two
    widths = [2 * half if kind.pair else max(2, kind.field) for kind in weights.kinds]
    if kept_bits:
        widths.append(2 * half if packing.dynamic else kept_bits)
    wide = wide_operations(model, wide_rows)
    accumulators, products = {}, []
    for op in matrix:
        bound = op.bound(model.tensors)
        bits = accumulators[op.y] = bound.total.bit_length() + 1
        if bits > DSP_BITS:
            raise UserError(f"accumulator of {op.y} must fit {DSP_BITS} bits, not need {bits}")
        dot = bound.dot.bit_length() + 1
        products.append(dot + shift + 1 if packed[op.y] else dot)
    norms = [op for op in model.operations if isinstance(op, (ir.Affine, ir.LayerNorm))]
    layer = [model.tensors[op.x] for op in norms if isinstance(op, ir.LayerNorm)]
    if len({spec.features for spec in layer}) > 1:
        raise UserError("layer norms must all have the same features in one design")
    scores = [model.tensors[op.y] for op in model.operations if isinstance(op, ir.Scores)]
    keys = max((spec.features for spec in scores), default=1)
    ways = 2 if any(packed.values()) else 1
    written = [
        model.tensors[op.y] for op in model.operations if not isinstance(op, ir.SubtractLast)
    ]
    stored = [model.tensors[name] for name in model.tensors if name not in model.constants]
    operands = [spec.bits for spec in stored] + ([9] if scores else [])
    pitch = 1 << (-(-keys // ways) - 1).bit_length()
    return Geometry(
        columns=weights.columns,
        ways=ways,
        weights=weights,
        pack_shift=shift,
        half_bits=half,
        column_bits=max(widths),
        dynamic_bits=kept_bits,
        dynamic_packed=packing.dynamic,
        wide=wide,
        wide_rows=wide_rows,
        activation_bits=max(spec.bits for spec in written),
        element_bits=element_bits(model, destination, wide_rows),
        operand_bits=max(operands),
        accumulator_bits=max(accumulators.values()),
        narrow_bits=max((b for y, b in accumulators.items() if y not in wide), default=1),
        product_bits=max(products),
        result_bits=0,
        value_bits=0,
        low_bits=0,
        high_bits=0,
        sum_bits=0,
        factor_bits=0,
        keys=keys,
        norm_features=layer[0].features if layer else 0,
        norm_bits=model.norm_bits,
        score_pitch=pitch,
    )


def _largest_offset(op: ir.Operation) -> int:
    """Largest magnitude of a norm's offset."""
    if isinstance(op, ir.Affine):
        return int(np.abs(op.offset).max())
    if isinstance(op, ir.LayerNorm):
        return int(np.abs(op.beta).max())
    raise TypeError(f"A norm must be given, not {type(op).__name__}")


def _factor(model: ir.IntegerModel, geometry: Geometry, op: Operation, source) -> int:
    """Largest magnitude of an operation's multiplier."""
    if isinstance(source, (ir.Linear, ir.Affine)):
        largest = np.abs(source.multiplier).max()
        return int(np.ldexp(float(largest), op.shift - source.shift))
    if isinstance(source, ir.Attend):
        headroom = numerics.reciprocal_headroom(geometry.keys)
        return max(numerics.RECIPROCAL_TABLE) << (headroom + 1)
    if isinstance(source, ir.LayerNorm):
        return int(np.abs(source.gamma).max()) * max(numerics.RSQRT_TABLE)
    return op.multiplier


def _addend(model: ir.IntegerModel, op: Operation, source) -> int:
    """Largest magnitude of what is added."""
    if op.addend is Addend.NONE:
        return 0
    if op.addend is Addend.PARAMETER:
        return _largest_offset(source) << op.addend_shift
    return 1 << (model.tensors[source.residual.source].bits - 1 + op.addend_shift)


def _result_bound(u: int, multiplier: int, addend: int, shift: int, zero: int) -> int:
    """Largest magnitude of a requantized result before the clamp."""
    return ((u * multiplier + addend + (1 << shift)) >> shift) + abs(zero) + 1


def value_widths(model: ir.IntegerModel, geometry: Geometry, program: Program) -> dict[str, Any]:
    """Bits of the post-processor, by the geometry's names."""
    sources = {op.y: op for op in model.operations}
    bounds: dict[str, list[int]] = {}

    def note(name: str, bound: int) -> None:
        bounds.setdefault(name, [0]).append(bound)

    for op in program.operations:
        source = sources[op.tensor]
        u, factor = (
            source.multiplicand_bound(model.tensors, model.norm_bits),
            _factor(model, geometry, op, source),
        )
        addend = _addend(model, op, source)
        offset = addend + (1 << op.shift) + (abs(op.zero) << op.shift)
        note("result", _result_bound(u, factor, addend, op.shift, op.zero))
        note("factor", factor)
        if op.wide:
            note("low", (factor << SPLIT) + offset)
            note("high", ((u >> SPLIT) + 1) * factor)
            note("sum", u * factor + offset)
        else:
            note("value", u * factor + offset)
    bits = {name: max(found).bit_length() + 1 for name, found in bounds.items()}
    value = bits.get("value", 1)
    low, high = (max(value, bits.get(name, 1)) for name in ("low", "high"))
    if max(low, high) > DSP_BITS:
        raise UserError(
            f"post-processor must stay within {DSP_BITS} bits, not need {max(low, high)}"
        )
    if bits["factor"] > numerics.MULTIPLIER_BITS:
        raise UserError(
            f"multipliers must fit {numerics.MULTIPLIER_BITS} bits, not need {bits['factor']}"
        )
    return {
        "result_bits": bits["result"],
        "value_bits": value,
        "factor_bits": bits["factor"],
        "low_bits": low,
        "high_bits": high,
        "sum_bits": bits.get("sum", 1),
    }
