"""Widths and counts of the units: each is as wide as its bound, and no wider."""

from collections.abc import Mapping

import numpy as np

from bitformer.hw.design import Geometry
from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.packing import Packing, product_bits
from bitformer.hw.lowering.post_widths import post_widths
from bitformer.hw.lowering.token_rows import lane_dot
from bitformer.hw.lowering.wide import element_bits, wide_operations
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel

__all__ = ["geometry_of"]


def geometry_of(
    model: IntegerModel,
    *,
    packing: Packing,
    weights: WeightLayout,
    destinations: Mapping[str, Destination],
    wide_rows: frozenset[str],
    rows: int,
    shifts: Mapping[str, int],
    multiplier: Multiplier,
) -> Geometry:
    """Return the widths of every unit, from the bounds of the model's actual integers.

    Raises :class:`UserError` for a sum, a multiplicand or a multiplier that is too wide for DSP
    blocks (a multiplicand has two), and for layer norms of different features, which one unit does
    not serve.
    """
    tensors = model.tensors
    batch = Batch.of(model)
    kept_bits = int(batch.dynamic_bits[0])
    keys = WeightFormat.of(kept_bits, pair=packing.dynamic) if kept_bits else None
    wide = wide_operations(model, wide_rows, multiplier)
    for y, largest in model.multiplicand_bounds.items():
        bits, most = largest.bit_length() + 1, multiplier.multiplicand_bits
        if bits > most:
            raise UserError(f"multiplicand of {y} must fit {most} bits, not need {bits}")
    accumulators = {}
    for y, bound in model.bounds.items():
        bits = accumulators[y] = bound.total.bit_length() + 1
        if bits > multiplier.accumulator_bits:
            raise UserError(
                f"accumulator of {y} must fit {multiplier.accumulator_bits} bits, not need {bits}"
            )
    dots = np.array([bound.dot for bound in model.bounds.values()])
    packed = np.array([packing.packed[y] for y in model.bounds])
    written = [op for op in model.operations if not op.at_port]
    norm_features = {tensors[op.reads[0]].features for op in written if op.normalizes}
    if len(norm_features) > 1:
        raise UserError("layer norms must all have the same features in one design")
    scores = [tensors[n] for n, where in destinations.items() if where is Destination.SCORE]
    longest = max((spec.features for spec in scores), default=1)
    ways = 2 if packed.any() else 1
    apart = {*model.constants, *(op.y for op in model.operations if op.at_output)}
    operands = [spec.bits for name, spec in tensors.items() if name not in apart]
    named = np.array([[shifts[op.y] for op in model.operations]])
    post = {n: int(w[0]) for n, w in post_widths(batch, named, wide, multiplier).items()}
    _check(post, multiplier)
    soft = [op for op in model.linears if weights.formats[op.y] in weights.short]
    # a multiplier whose sums are in LUTs has them apart as its columns of LUTs do
    apart_sums = packing.apart or (weights.soft > 0 and multiplier.apart)
    soft_sums = 0
    if weights.soft and not apart_sums:
        own = [model.bounds[op.y].dot for op in soft if packing.packed[op.y]]
        soft_sums = max(own, default=0).bit_length() + 1
    single = [op for op in model.linears if weights.formats[op.y] in weights.single]
    broad_bits = max((max(2, op.weight_bits) for op in single), default=0)
    broad_sums = [lane_dot(model, op, rows) for op in single]
    return Geometry(
        columns=weights.columns,
        ways=ways,
        weights=weights,
        pack_shift=packing.shift,
        half_bits=packing.half_bits,
        column_bits=weights.column_bits(keys),
        dynamic_bits=kept_bits,
        dynamic_packed=packing.dynamic,
        wide=wide,
        wide_rows=wide_rows,
        activation_bits=max(tensors[op.y].bits for op in written),
        element_bits=int(element_bits(batch, destinations, wide_rows)[0]),
        operand_bits=max([*operands, 9] if scores else operands),
        accumulator_bits=max(accumulators.values()),
        narrow_bits=max((b for y, b in accumulators.items() if y not in wide), default=1),
        product_bits=int(product_bits(dots, packed, packing.shift, apart=packing.apart).max()),
        keys=longest,
        norm_features=max(norm_features, default=0),
        norm_bits=model.norm_bits,
        score_pitch=1 << (-(-longest // ways) - 1).bit_length(),
        multiplier=multiplier,
        gelu=any(op.gelu for op in model.linears),
        factor_signed=not multiplier.unsigned or bool(batch.negates[0]),
        upper_bits=_upper_bits(model, wide, multiplier),
        apart=apart_sums,
        extension=packing.extension,
        halves=packing.halves,
        gamma_block=False,
        soft_squares=False,
        soft_bits=max((tensors[op.x].bits for op in [*soft, *single]), default=0),
        soft_sum_bits=soft_sums,
        broad_bits=broad_bits,
        broad_sum_bits=max(broad_sums).bit_length() + 1 if single else 0,
        **post,
    )


def _upper_bits(model: IntegerModel, wide: frozenset[str], multiplier: Multiplier) -> int:
    """Return the bits of the upper part of a wide operation's multiplicand; 0 where it has none.

    That of one multiplier or less is not told from another.
    """
    bounds = model.multiplicand_bounds.items()
    bits = [bound.bit_length() + 1 - multiplier.split for y, bound in bounds if y in wide]
    return max((own for own in bits if own > multiplier.long_bits), default=0)


def _check(widths: Mapping[str, int], multiplier: Multiplier) -> None:
    """Raise :class:`UserError` for a post-processor with numbers too wide for its multipliers."""
    widest = max(widths["low_bits"], widths["high_bits"])
    if widest > multiplier.accumulator_bits:
        raise UserError(
            f"post-processor must stay within {multiplier.accumulator_bits} bits, not need {widest}"
        )
    if widths["factor_bits"] > multiplier.factor_bits:
        raise UserError(
            f"multipliers must fit {multiplier.factor_bits} bits, not need {widths['factor_bits']}"
        )
