"""Widths and counts of the units: each is as wide as its bound, and no wider."""

from collections import defaultdict
from collections.abc import Mapping

from bitformer.hw.design import Geometry
from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.packing import Packing, dynamic_bits
from bitformer.hw.lowering.wide import stored_activations, wide_operations
from bitformer.hw.parts import Part
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightLayout
from bitformer.hw.widths import squared_in_dsp
from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel

__all__ = ["choose_columns", "geometry_of"]


def choose_columns(
    model: IntegerModel,
    part: Part,
    lanes: int | None,
    pack: bool,
    wide_rows: frozenset[str] = frozenset(),
) -> int:
    """Return the engine's multipliers: those asked for, or the largest power of two on the part."""
    if lanes is not None:
        if lanes < 1:
            raise UserError(f"lanes must be at least 1, not {lanes}")
        return max(1, lanes // 2) if pack and lanes > 1 else lanes
    spare = part.dsps - 2 - bool(model.norm_bits)
    if squared_in_dsp(model.norm_bits):
        spare -= 2 if pack and not wide_rows else 1
    if spare < 1:
        raise UserError(f"part {part.name} must have more than {part.dsps} DSP blocks")
    return 1 << min(4, spare.bit_length() - 1)


def geometry_of(
    model: IntegerModel,
    *,
    packing: Packing,
    weights: WeightLayout,
    destinations: Mapping[str, Destination],
    wide_rows: frozenset[str],
    shifts: Mapping[str, int],
    multiplier: Multiplier,
) -> Geometry:
    """Return the widths of every unit, from the bounds of the model's actual integers.

    Raises :class:`UserError` for a sum or a multiplier that is too wide for a DSP block, and for
    layer norms of different features, which one unit does not serve.
    """
    tensors, half = model.tensors, packing.half_bits
    kept_bits = dynamic_bits(model)
    # a weight of one bit is multiplied as a number of two
    widths = [2 * half if kind.pair else max(2, kind.field) for kind in weights.kinds]
    if kept_bits:
        widths.append(2 * half if packing.dynamic else kept_bits)
    wide = wide_operations(model, wide_rows, multiplier)
    accumulators, products = {}, []
    for y, bound in model.bounds.items():
        bits = accumulators[y] = bound.total.bit_length() + 1
        if bits > multiplier.accumulator_bits:
            raise UserError(
                f"accumulator of {y} must fit {multiplier.accumulator_bits} bits, not need {bits}"
            )
        dot = bound.dot.bit_length() + 1
        products.append(dot + packing.shift + 1 if packing.packed[y] else dot)
    written = [op for op in model.operations if not op.at_input]
    norm_features = {tensors[op.reads[0]].features for op in written if op.normalizes}
    if len(norm_features) > 1:
        raise UserError("layer norms must all have the same features in one design")
    scores = [tensors[n] for n, where in destinations.items() if where is Destination.SCORE]
    keys = max((spec.features for spec in scores), default=1)
    ways = 2 if any(packing.packed.values()) else 1
    operands = [spec.bits for name, spec in tensors.items() if name not in model.constants]
    return Geometry(
        columns=weights.columns,
        ways=ways,
        weights=weights,
        pack_shift=packing.shift,
        half_bits=half,
        column_bits=max(widths),
        dynamic_bits=kept_bits,
        dynamic_packed=packing.dynamic,
        wide=wide,
        wide_rows=wide_rows,
        activation_bits=max(tensors[op.y].bits for op in written),
        element_bits=_element_bits(model, destinations, wide_rows),
        operand_bits=max([*operands, 9] if scores else operands),
        accumulator_bits=max(accumulators.values()),
        narrow_bits=max((b for y, b in accumulators.items() if y not in wide), default=1),
        product_bits=max(products),
        keys=keys,
        norm_features=max(norm_features, default=0),
        norm_bits=model.norm_bits,
        score_pitch=1 << (-(-keys // ways) - 1).bit_length(),
        multiplier=multiplier,
        **_value_widths(model, shifts, wide, multiplier),
    )


def _element_bits(
    model: IntegerModel, destinations: Mapping[str, Destination], wide_rows: frozenset[str]
) -> int:
    """Return the bits of an element of the activation store: two hold one of a wide row."""
    stored = stored_activations(model, destinations)
    halved = (-(-spec.bits // 2) if spec.name in wide_rows else spec.bits for spec in stored)
    return max(halved, default=1)


def _value_widths(
    model: IntegerModel,
    shifts: Mapping[str, int],
    wide: frozenset[str],
    multiplier: Multiplier,
) -> dict[str, int]:
    """Return the widths of the post-processor, by the geometry's names."""
    bounds: dict[str, list[int]] = defaultdict(lambda: [0])
    for op in model.operations:
        if op.at_input:
            continue
        shift, zero = shifts[op.y], abs(model.tensors[op.y].zero)
        power = shift - op.shift
        u, factor = model.multiplicand_bounds[op.y], op.multiplier_bound(model.tensors)
        if not op.normalizes:  # which has a wider row's power in its multiplicand
            factor = numerics.scaled(factor, power)
        addend = numerics.scaled(op.added_bound(model.tensors), power)
        offset = addend + (1 << shift) + (zero << shift)
        bounds["factor"].append(factor)
        bounds["result"].append(((u * factor + addend + (1 << shift)) >> shift) + zero + 1)
        if op.y in wide:
            bounds["low"].append((factor << multiplier.split) + offset)
            bounds["high"].append(((u >> multiplier.split) + 1) * factor)
            bounds["sum"].append(u * factor + offset)
        else:
            bounds["value"].append(u * factor + offset)
    names = ("result", "value", "factor", "low", "high", "sum")
    bits = {f"{name}_bits": max(bounds[name]).bit_length() + 1 for name in names}
    for name in ("low_bits", "high_bits"):
        bits[name] = max(bits["value_bits"], bits[name])
        if bits[name] > multiplier.accumulator_bits:
            raise UserError(
                f"post-processor must stay within {multiplier.accumulator_bits} bits,"
                f" not need {bits[name]}"
            )
    if bits["factor_bits"] > multiplier.short_bits:
        raise UserError(
            f"multipliers must fit {multiplier.short_bits} bits, not need {bits['factor_bits']}"
        )
    return bits
