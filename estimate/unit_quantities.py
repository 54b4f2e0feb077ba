"""How large the units of a lowered design are: what :mod:`.unit_features` counts their logic by."""

from bitformer.estimate.stores import live_bits
from bitformer.hw.column_groups import group_of
from bitformer.hw.design import Design
from bitformer.hw.queues import queues_of
from bitformer.hw.units.layernorm import FACTOR_BITS
from bitformer.hw.widths import squared_in_dsp, sum_bits
from bitformer.model import numerics

__all__ = ["unit_quantities"]

#: Words of a LUT.
_LUT_WORDS = 64


def unit_quantities(design: Design) -> dict[str, int]:
    """Return counts and bits of a design's units; 0 of those that it has not.

    ``rows``, ``posts`` : token rows and post-processors. ``headroom`` : of a softmax's reciprocals.
    ``scale_bits`` : of a channel's multiplier among the parameters, ``scale_live`` those of them
    that differ between words, where they are multiplied in LUTs. ``multiplied_bits`` : of the
    widest activation that a weight multiplies. ``soft_squares`` : a LayerNorm's statistics take no
    multiplier.
    ``narrow_bits``, ``low_bits``, ``high_bits``, ``sum_bits`` : of the post-processor's sums, as of
    :class:`bitformer.hw.design.Geometry`. ``factors`` : what multiplies there, by kind.
    ``splits`` : rows are added up, ``kept_rows`` : those whose columns wait for a later round.
    ``soft_columns``, ``broad_columns`` : columns of LUTs. ``groups`` : of columns that read keys
    one after another, each with ``group_address`` bits of addresses. ``dynamic_slots``,
    ``dynamic_parts`` : slots of a word of keys, and parts of it. ``queue_...`` : words that wait.
    ``steps`` : whether a program is one of a stream. ``clocks`` : numbers of the time.
    """
    geometry, program, stores, model = design.geometry, design.program, design.stores, design.model
    operations, queues = program.operations, queues_of(design)
    rows, posts, hard = geometry.rows, geometry.posts, geometry.hard
    blocks = any(op.rows > posts for op in operations if op.matrix)
    group = group_of(design)
    dynamic = stores.get("dynamic")
    groups = -(-hard // group) if group < geometry.columns else 0
    address = (dynamic.depth - 1).bit_length() if dynamic else 0
    scores = "scores" in stores
    return {
        "rows": rows,
        "posts": posts,
        "multiplied_bits": max(
            op.operand_width(model.tensors) for op in model.operations if op.matrix
        ),
        "soft_squares": int(geometry.soft_squares),
        "headroom": numerics.reciprocal_headroom(geometry.keys) if scores else 0,
        "scale_bits": design.parameter_bits[1],
        "scale_live": _live_scales(design),
        "narrow_bits": geometry.narrow_bits,
        "low_bits": geometry.low_bits,
        "high_bits": geometry.high_bits,
        "sum_bits": geometry.sum_bits,
        "factors": len({op.factor for op in operations}),
        "wide_rows": int(bool(geometry.wide_rows)),
        "extension": geometry.extension,
        "splits": int(any(op.split for op in operations)),
        "kept_rows": rows - posts if blocks else 0,
        "soft_columns": geometry.weights.soft,
        "broad_columns": geometry.weights.broad,
        "groups": groups,
        "group_address": 2 * address * (groups > 0),
        "dynamic_slots": geometry.dynamic_slots if dynamic else 0,
        "dynamic_parts": geometry.dynamic_parts if dynamic else 0,
        "queue_rows": queues.rows,
        "queue_keys": queues.keys,
        "output_bits": model.results.bits,
        "window_bits": (model.input.size - 1).bit_length(),
        "steps": int(program.steps > 1 or bool(program.loop)),
        "clocks": len(model.config.calendar),
        **_norm_quantities(design, queues.statistics),
    }


def _live_scales(design: Design) -> int:
    """Count the bits of a channel's multiplier that differ between words, in the first way."""
    if design.geometry.gamma_block:
        return 0
    words, (value, scale) = design.images.get("parameters", ()), design.parameter_bits
    return live_bits(word >> value & ((1 << scale) - 1) for word in words)


def _norm_quantities(design: Design, waiting: int) -> dict[str, int]:
    """Return those of a LayerNorm, whose statistics of so many rows wait.

    ``norm_width`` : bits of a variance, ``norm_terms`` : sums that a row's length multiplies it by,
    ``norm_u_bits`` : of what is normalised, ``square_luts`` : of the tables of squares.
    """
    geometry = design.geometry
    features, bits = geometry.norm_features, geometry.norm_bits
    if not features:
        names = ("norm_width", "norm_terms", "norm_u_bits", "square_luts", "queue_statistics")
        return dict.fromkeys((*names, "statistics_bits"), 0)
    width = numerics.norm_width(features, bits)
    tables = (
        -(-(2**own) * 2 * own // _LUT_WORDS)
        for own in geometry.square_bits
        if not squared_in_dsp(own)
    )
    exponent = (width // 2).bit_length()
    return {
        "norm_width": width,
        "norm_terms": features.bit_count() - 1,
        "norm_u_bits": width // 2 + (features - 1).bit_length() // 2 + 3,
        "square_luts": sum(tables),
        "queue_statistics": waiting,
        "statistics_bits": sum_bits(features, bits) + exponent + FACTOR_BITS,
    }
