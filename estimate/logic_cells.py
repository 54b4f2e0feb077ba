"""What logic cells follow from, in a family where a LUT and the flip-flop behind it share one.

Delays are cells of their own there, a queue's words are flip-flops with multiplexers behind them,
and sums beside multipliers are carry chains, columns of LUTs among them. So the cells of a design
are fitted on features of LUTs and of flip-flops at once.
"""

from collections.abc import Mapping

import numpy as np

from bitformer.estimate.stores import Count
from bitformer.hw.design import Design
from bitformer.hw.queues import queues_of
from bitformer.hw.units.layernorm import FACTOR_BITS
from bitformer.hw.widths import squared_in_dsp

__all__ = ["CELLS", "CELL_FEATURES", "CELL_FFS", "cell_features", "cell_quantities"]

#: What they are called among a measured design's features.
CELLS = "logic_cells"

#: The features of the fit of cells, with about what one of each takes; 0 where nothing is known.
CELL_FEATURES: dict[str, float] = {
    "one": 300,
    "scores": 350,
    "layer_norm": 300,
    **dict.fromkeys(("two_ways", "mixed", "subtract", "wide", "halves"), 0),
    **dict.fromkeys(("skew", "operands", "sums", "soft", "unpack", "select", "beyond", "parts"), 1),
    **dict.fromkeys(("drain", "post", "clamp", "element", "addends", "scaled", "squares"), 1),
    **dict.fromkeys(("constants", "addresses", "timer", "queues"), 1.5),
    **dict.fromkeys(("rom_luts", "tile_muxes", "ram_reads", "ram_enables", "ram_bits"), 1),
    **dict.fromkeys(("rom_bits", "lut_address"), 1),
}
#: The same of flip-flops there, where delays and queues are made of them.
CELL_FFS: dict[str, float] = {
    "one": 200,
    "scores": 150,
    "layer_norm": 250,
    **dict.fromkeys(("two_ways", "mixed", "subtract", "wide", "halves"), 0),
    **dict.fromkeys(("skew", "operands", "sums", "soft", "queues", "ram_bits", "rom_bits"), 1),
    **dict.fromkeys(("lut_address", "timer"), 1),
    **dict.fromkeys(("post", "element", "clamp", "addresses"), 2),
}


def cell_quantities(design: Design) -> dict[str, int]:
    """Return the quantities that only logic cells follow from."""
    geometry, queues = design.geometry, queues_of(design)
    return {
        "soft": geometry.weights.soft,
        "soft_bits": geometry.soft_bits,
        "extension": geometry.extension,
        "halves": int(geometry.halves),
        "scaled": int(geometry.norm_features > 0 and not geometry.gamma_block),
        "queue_rows": queues.rows,
        "queue_keys": queues.keys,
        "queue_statistics": queues.statistics if geometry.norm_features else 0,
    }


def cell_features(q: Mapping[str, Count], common: Mapping[str, Count]) -> dict[str, Count]:
    """Return the features that are not among the ``common`` ones.

    ``skew`` : delays before the columns. ``sums`` : behind all of them; ``soft`` : products of
    columns of LUTs. ``queues`` : bits that wait, for the drain, the writer of keys, a LayerNorm.
    ``squares`` : the tables of those; ``scaled`` : its multipliers where no block makes them.
    """
    columns, ways = q["columns"], q["ways"]
    late = (columns - 1) / 2
    row = q["op_bits"] + q["dst_bits"] + q["res_bits"]
    key = ways + 1 + q["dst_bits"] + ways * q["dynamic_bits"]
    sums = 2 * q["norm_bits"] + FACTOR_BITS
    table = np.exp2(np.maximum(0, q["norm_bits"] - 1)) / 16
    own = table * 2 * q["norm_bits"] * np.logical_not(squared_in_dsp(q["norm_bits"]))
    return {
        "scores": 1 * np.greater(q["score_rows"], 0),
        "halves": q["halves"],
        "skew": late * q["engine_bits"],
        "sums": columns * (q["product_bits"] + q["extension"]),
        "soft": q["soft"] * 2 * np.maximum(1, q["half_bits"] - 1) * q["soft_bits"],
        "queues": q["queue_rows"] * row + q["queue_keys"] * key + q["queue_statistics"] * sums,
        "squares": ways * own * (common["layer_norm"] > 0),
        "scaled": q["scaled"] * ways * FACTOR_BITS * 3,
    }
