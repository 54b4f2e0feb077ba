"""Widths and counts of the units: everything is as wide as its bound, and no wider."""

import numpy as np

from bitformer.model import ir, numerics
from bitformer.model.errors import UserError

from .bounds import accumulator_bound, result_bound
from .design import Geometry
from .packing import MATRIX, PORT_BITS, Packing, dynamic_bits
from .parts import Part
from .program import Addend, Program
from .weights import WeightLayout

__all__ = ["choose_columns", "choose_geometry", "value_widths"]

#: Width of a DSP48E1's accumulator.
DSP_BITS = 48


def choose_columns(model: ir.IntegerModel, part: Part, lanes: int | None, pack: bool) -> int:
    """Multipliers of the engine: those asked for, or the largest power of two that the part has."""
    if lanes is not None:
        if lanes < 1:
            raise UserError(f"lanes must be at least 1, not {lanes}")
        return max(1, lanes // 2) if pack and lanes > 1 else lanes
    layer_norm = any(isinstance(op, ir.LayerNorm) for op in model.operations)
    spare = part.dsps - 2 - (1 if layer_norm else 0)
    if spare < 1:
        raise UserError(f"part {part.name} must have more than {part.dsps} DSP blocks")
    return 1 << min(4, spare.bit_length() - 1)


def choose_geometry(model: ir.IntegerModel, packing: Packing, weights: WeightLayout) -> Geometry:
    """Widths of every unit, from the bounds of the model's actual integers."""
    packed, shift, half = packing.packed, packing.shift, packing.half_bits
    matrix = [op for op in model.operations if isinstance(op, MATRIX)]
    kept_bits = dynamic_bits(model)
    # a weight of one bit is multiplied as a number of two
    widths = [2 * half if kind.pair else max(2, kind.field) for kind in weights.kinds]
    if kept_bits:
        widths.append(2 * half if packing.dynamic else kept_bits)
    accumulators, products = [], []
    for op in matrix:
        bound = accumulator_bound(model, op)
        bits = bound.total.bit_length() + 1
        if bits > PORT_BITS:
            raise UserError(f"accumulator of {op.y} must fit {PORT_BITS} bits, not need {bits}")
        accumulators.append(bits)
        dot = bound.dot.bit_length() + 1
        products.append(dot + shift + 1 if packed[op.y] else dot)
    norms = [op for op in model.operations if isinstance(op, (ir.Affine, ir.LayerNorm))]
    layer = [model.tensors[op.x] for op in norms if isinstance(op, ir.LayerNorm)]
    if len({(spec.features, spec.bits) for spec in layer}) > 1:
        raise UserError("layer norms must all have the same features and bits in one design")
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
        activation_bits=max(spec.bits for spec in written),
        operand_bits=max(operands),
        accumulator_bits=max(accumulators),
        product_bits=max(products),
        result_bits=0,
        value_bits=0,
        factor_bits=0,
        keys=keys,
        norm_features=layer[0].features if layer else 0,
        norm_bits=layer[0].bits if layer else 0,
        score_pitch=pitch,
    )


def _largest_offset(op: ir.Operation) -> int:
    """Largest magnitude of a norm's offset."""
    if isinstance(op, ir.Affine):
        return int(np.abs(op.offset).max())
    if isinstance(op, ir.LayerNorm):
        return int(np.abs(op.beta).max())
    raise TypeError(f"A norm must be given, not {type(op).__name__}")


def value_widths(
    model: ir.IntegerModel, geometry: Geometry, program: Program
) -> tuple[int, int, int]:
    """Bits of the post-processor: result before the clamp, its sum, and the multiplier."""
    sources = {op.y: op for op in model.operations}
    results, sums, factors = [1], [1], [1]
    for op in program.operations:
        source = sources[op.tensor]
        factor = op.multiplier
        if isinstance(source, ir.Linear):
            u = accumulator_bound(model, source).total
            power = op.shift - source.shift
            factor = int(np.ldexp(float(source.multiplier.max()), power))
        elif isinstance(source, ir.Attend):
            u = accumulator_bound(model, source).total
            headroom = numerics.reciprocal_headroom(geometry.keys)
            factor = max(numerics.RECIPROCAL_TABLE) << (headroom + 1)
        elif isinstance(source, ir.Affine):
            u = -model.tensors[source.x].low
            factor = int(np.ldexp(float(np.abs(source.multiplier).max()), op.shift - source.shift))
        elif isinstance(source, ir.LayerNorm):
            spec = model.tensors[source.x]
            width = numerics.norm_width(spec.features, spec.bits)
            u = int(np.ceil(np.sqrt(spec.features) * 2 ** (width // 2)))
            factor = int(np.abs(source.gamma).max()) * max(numerics.RSQRT_TABLE)
        else:
            u = accumulator_bound(model, source).total
        addend = 0
        if op.addend is Addend.PARAMETER:
            addend = _largest_offset(source) << op.addend_shift
        elif op.addend is not Addend.NONE:
            bits = max(model.tensors[name].bits for name in source.reads)
            addend = 1 << (bits - 1 + op.addend_shift)
        bound = result_bound(u, factor, addend, op.shift, op.zero)
        results.append(bound.bit_length() + 1)
        total = u * factor + addend + (1 << op.shift) + (abs(op.zero) << op.shift)
        sums.append(total.bit_length() + 1)
        factors.append(factor.bit_length() + 1)
    if max(sums) > DSP_BITS:
        raise UserError(f"post-processor must stay within {DSP_BITS} bits, not need {max(sums)}")
    if max(factors) > numerics.MULTIPLIER_BITS:
        raise UserError(
            f"multipliers must fit {numerics.MULTIPLIER_BITS} bits, not need {max(factors)}"
        )
    return max(results), max(sums), max(factors)
