"""What LUTs and flip-flops are fitted on where each is counted by itself: the size of each unit.

Most features are as large as what they stand for, and the coefficient that each is said to have was
read in netlists, by the names of what drives their nets. Every token row has an engine, operands
and a softmax, every post-processor its sums, limits and statistics; the rest is there once. So an
estimate of a kind of design that nobody has measured is near, and measured ones mend it.
"""

from collections.abc import Mapping

import numpy as np

from bitformer.estimate.stores import Count, ram_cells
from bitformer.hw.families.family import Luts
from bitformer.model import numerics

__all__ = ["UNIT_FEATURES", "unit_features"]

#: The features of each fit, with about what one of each takes: LUTs as logic, LUTs as memory,
#: flip-flops.
UNIT_FEATURES: dict[str, dict[str, float]] = {
    "logic": {
        "one": 40,
        "two_ways": 0,
        "softmax": 75,
        "maxima": 20,
        "reciprocal": 15,
        "lanes": 20,
        "drained": 1,
        "sums": 0.3,
        "shift": 1,
        "clamp": 2.3,
        "factors": 0.85,
        "vector": 2.9,
        "addends": 0.6,
        "wide": 3.5,
        "wide_rows": 1,
        "elements": 0.5,
        "constants": 1.1,
        "looked_up": 0.45,
        "gelu": 40,
        "normalizer": 25,
        "gammas": 7.5,
        "exponent": 0.7,
        "centre": 1.5,
        "statistics": 43,
        "variance": 3,
        "soft_variance": 5.4,
        "times": 1,
        "squares": 0.8,
        "norm_sums": 1.6,
        "select": 1.1,
        "unpack": 1.3,
        "packing": 0.5,
        "borrow": 1,
        "soft": 1,
        "soft_columns": 0,
        "broad": 0,
        "split": 0.5,
        "later": 1,
        "rounds": 25,
        "turns": 2.5,
        "subtract": 2,
        "writer": 40,
        "written": 1,
        "enables": 1,
        "groups": 10,
        "rom_luts": 1,
        "tile_muxes": 1,
        "ram_reads": 1,
        "ram_enables": 1,
        "addresses": 3,
        "weights": 5,
        "timer": 4,
        "waits": 5,
        "queued": 10,
        "steps": 20,
        "clocks": 20,
        "output": 0.5,
    },
    "memory": {
        "one": 15,
        "cells": 1,
        "delayed": 1,
        "statistics": 20,
        "wide_units": 5,
        "group_delays": 1,
    },
    "ffs": {
        "one": 70,
        "softmax": 106,
        "reciprocal": 13,
        "statistics": 65,
        "variance": 4.3,
        "soft_variance": 5.2,
        "norm_sums": 2.8,
        "normalized": 2.4,
        "normalizer": 110,
        "kept_scales": 3,
        "engine": 1,
        "first_words": 3.5,
        "halves": 1,
        "columns": 1,
        "operands": 0.9,
        "soft_ffs": 0.9,
        "soft_columns": 0,
        "broad": 0,
        "product": 0.3,
        "drained_sum": 0.8,
        "sums": 0.9,
        "accumulated": 1,
        "clamp": 1.8,
        "elements": 0.6,
        "factors": 0.8,
        "wide": 1.4,
        "wide_units": 20,
        "wide_rows": 4,
        "writer": 30,
        "written": 2.4,
        "group_bits": 1.1,
        "enables": 1,
        "rom_bits": 1.1,
        "ram_bits": 1,
        "lut_address": 1.5,
        "write_bits": 0.35,
        "addresses": 3.6,
        "timer": 3.2,
        "constants": 1.3,
        "looked_up": 0.4,
        "output": 0,
        "split_bits": 1,
        "rounds": 10,
        "turns": 1.5,
        "subtract": 0.9,
        "clocks": 10,
        "two_ways": 0,
        "posts": 100,
    },
}


#: Bits of most activations.
_NARROW = 8


def _length(count: Count) -> Count:
    """Return the bits of an address below ``count``."""
    return np.ceil(np.log2(np.maximum(2, count)))


def _muxes(inputs: Count) -> Count:
    """Return the LUTs of 6 inputs that select one of so many bits."""
    return (np.maximum(1, inputs) - 1) / 3


def _cells(q: Mapping[str, Count], luts: Luts) -> Count:
    """Count the LUTs of memories: stores, queues, a row's maxima, kept columns, the last step."""
    ways = q["ways"]
    # of a key's words that come with two results, every second one waits
    word = ways + 1 + q["dst_bits"] + ways * q["dynamic_bits"]
    keys = np.maximum(1, q["columns"] // 2)
    writer = ram_cells(keys, word, luts) * (q["dynamic_bits"] > 0) * (ways > 1) * (q["rows"] == 1)
    row = q["op_bits"] + q["dst_bits"] + q["res_bits"]
    drain = ram_cells(np.maximum(1, q["queue_rows"]), row, luts) * (q["queue_rows"] > 1)
    waiting = ram_cells(np.maximum(1, q["queue_statistics"]), q["statistics_bits"], luts)
    statistics = q["posts"] * waiting * (q["queue_statistics"] > 0)
    maxima = ram_cells(np.maximum(1, q["score_rows"]), numerics.SCORE_BITS, luts)
    last = 2 * ram_cells(2 * q["channels"], q["input_bits"], luts) * q["subtract"]
    kept = q["kept_rows"] * ram_cells(q["columns"], q["product_bits"], luts)
    found = q["ram_luts"] - q["unused_output"] + drain + writer + statistics + last + kept
    return found + q["rows"] * maxima * (q["score_rows"] > 0)


def unit_features(q: Mapping[str, Count], luts: Luts) -> dict[str, Count]:
    """Return the features of designs with quantities ``q``: numbers, or arrays of them.

    ``softmax``, ``reciprocal`` : of each token row, and by its headroom. ``drained`` : columns to
    the post-processors, four to a LUT. Of each post-processor ``sums``, ``shift``, ``clamp``,
    ``factors``, ``vector`` (an accumulator's sum, its addition, and into the multiplier),
    ``addends``, ``wide``, ``elements``, and of its LayerNorm ``normalizer``, ``gammas`` (bits that
    a factor of three times three bits is multiplied by), ``exponent``, ``centre``, ``statistics``,
    ``variance``, ``soft_variance`` (without a multiplier), ``turns`` (sums of the rows of later
    rounds), ``times`` (a row's length, where it is no power of two), ``squares``, ``norm_sums``.
    ``select`` : keys or weights into the engine (:mod:`.columns`), ``first_words``, ``halves``,
    ``operands`` : registers of its first column, and of weights and activations on their way to the
    others. ``unpack``, ``packing`` : what is before the multipliers where some operations are
    packed, or all. ``enables`` : slots of keys that are written. ``split``, ``later`` : what adds
    up token rows, and what keeps them for a later round. ``cells`` : LUTs as RAM, ``delayed`` : as
    shift registers.
    """
    ways, rows, posts = q["ways"], q["rows"], q["posts"]
    columns, wide, mixed = q["columns"], q["wide"], q["mixed"]
    pairs, each = ways - 1, posts * ways
    again = rows - 1
    # of rows with the same weights two have registers of their own
    copies = 1 + np.where(q["splits"], again, np.minimum(1, again))
    hard = 1 - q["soft_columns"] / columns
    fours = np.maximum(1, columns / 4)
    product = q["product_bits"] + q["extension"]
    low = np.where(wide, q["low_bits"], q["value_bits"])
    high = np.where(wide, q["high_bits"], q["value_bits"])
    narrow = np.where(wide, q["narrow_bits"], q["accumulator_bits"])
    accumulated = posts * (q["accumulator_bits"] + pairs * narrow)
    keys = 1 * np.greater(q["dynamic_bits"], 0)
    scores = 1 * np.greater(q["score_rows"], 0)
    norm = q["layer_norm"]
    return {
        "one": 1 + 0 * ways,
        "softmax": rows * scores,
        "lanes": rows * scores * (rows > 1) * pairs,
        "maxima": rows * scores * pairs,
        "reciprocal": rows * q["headroom"],
        "drained": rows * product * (fours + 0.8 * (fours - 1)),
        "sums": posts * (low + pairs * high),
        "shift": each * q["result_bits"] * np.ceil(_muxes(q["shifts"])),
        "clamp": each * np.maximum(0, q["result_bits"] - _NARROW),
        "factors": each * q["factor_bits"] * (q["factors"] > 1),
        "vector": accumulated,
        "accumulated": accumulated,
        "addends": each * q["addend_muxes"],
        "wide": posts * wide * q["sum_bits"],
        "wide_units": posts * wide,
        "wide_rows": posts * q["wide_rows"] * q["element_bits"],
        "elements": each * q["element_bits"],
        "constants": q["constants"],
        "looked_up": q["constants"] * np.clip(q["op_bits"] - 4, 0, 3),
        "gelu": each * np.greater(q.get("gelu_luts", 0), 0),
        "normalizer": each * norm,
        "gammas": each * norm * q["scale_live"],
        "kept_scales": each * norm * q["scale_bits"],
        "exponent": each * q["norm_u_bits"] * _muxes(q["norm_width"] // 2),
        "centre": each * q["norm_terms"] * (q["norm_bits"] + 4),
        "normalized": each * q["norm_u_bits"],
        "statistics": posts * norm,
        "variance": posts * q["norm_width"],
        "soft_variance": posts * q["soft_squares"] * q["norm_width"],
        "times": posts * q["norm_terms"] * q["norm_width"],
        "squares": posts * q["square_luts"] / 2,
        "norm_sums": each * 2 * q["norm_bits"],
        "select": copies * q["selecting_luts"],
        "unpack": copies * mixed * hard * (q["engine_bits"] + columns),
        "packing": copies * pairs * (1 - mixed) * hard * q["engine_bits"],
        "borrow": copies * pairs * hard * columns * np.maximum(0, q["half_bits"] - 3),
        "rounds": rows / posts - 1,
        "turns": (rows - posts) * q["norm_width"],
        "engine": copies * q["engine_bits"],
        "first_words": copies * q["column_bits"],
        "halves": copies * pairs * (columns * hard - 1) * (q["half_bits"] + mixed),
        "columns": rows * (columns - 1) * (1 + mixed),
        "operands": rows * (columns - 1) * np.maximum(q["multiplied_bits"], q["element_bits"]),
        "soft": q.get("soft_luts", 0) + 0 * ways,
        "soft_ffs": q.get("soft_ffs", 0) + 0 * ways,
        "soft_columns": rows * q["soft_columns"],
        "broad": rows * q["broad_columns"],
        "product": rows * q["product_bits"],
        "drained_sum": posts * q["product_bits"],
        "split": q["splits"] * rows * product * fours,
        "split_bits": q["splits"] * again * 2 * q["product_bits"],
        "later": (rows - posts) * q["product_bits"],
        "subtract": rows * q["subtract"] * q["input_bits"],
        "writer": keys,
        "written": ways * q["dynamic_bits"],
        "enables": q["dynamic_slots"] * q["dynamic_parts"],
        "groups": q["groups"],
        "group_bits": q["groups"] * (q["group_address"] + ways * q["dynamic_bits"]),
        "group_delays": np.maximum(0, q["groups"] - 1)
        * (q["group_address"] + ways * q["dynamic_bits"]),
        "addresses": q["dst_bits"] + q["res_bits"] + q["act_bits"],
        "weights": _length(q["weight_words"]),
        "timer": q["delta_bits"] + _length(q["program_words"]),
        "waits": q["delta_bits"],
        "queued": 1 * np.greater(q["queue_keys"], 0),
        "steps": q["steps"],
        "clocks": q["clocks"],
        "output": ways * q["output_bits"],
        "two_ways": posts * pairs,
        "posts": posts,
        "cells": _cells(q, luts),
        "delayed": rows * q["delayed_bits"] + q["waiting_bits"],
        **{name: q[name] for name in ("rom_luts", "tile_muxes", "ram_reads", "ram_enables")},
        **{name: q[name] for name in ("rom_bits", "ram_bits", "lut_address", "write_bits")},
    }
