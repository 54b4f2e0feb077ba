"""What a lowered design's resources follow from: physical quantities of its units and stores.

Units are as wide as the widest thing they meet, so a design's logic follows from maxima (bits of
accumulators, of a weight word ...) and from how many columns, ways and operations there are; what a
component adds is memory: its weights, tables, results and program words. All of these are known
after ``lower``. The same formulas serve one design (integers) and a whole space (arrays).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bitformer.estimate.columns import Columns, column_quantities
from bitformer.estimate.decisions import decision_quantities
from bitformer.estimate.logic_cells import CELL_FEATURES, CELL_FFS, cell_features, cell_quantities
from bitformer.estimate.stores import Count, design_terms, ram_cells, store_terms, summed
from bitformer.estimate.unit_features import UNIT_FEATURES, unit_features
from bitformer.estimate.unit_quantities import unit_quantities
from bitformer.hw.design import Design
from bitformer.hw.families.family import Luts
from bitformer.hw.lut_rows import product_cost
from bitformer.hw.program import Addend, Program
from bitformer.hw.timing import QUEUE
from bitformer.model import numerics
from bitformer.model.gelu import corrections
from bitformer.model.numerics import bit_length

__all__ = [
    "FEATURES",
    "VERSION",
    "addend_muxes",
    "physical",
    "quantities",
]

#: Changes whenever a formula here does: measurements of other versions are not fitted together.
VERSION = 5


def _constants(program: Program) -> int:
    """Count the LUTs that look up operations' constants: bits that differ, equal ones once."""
    total = 0
    skipped = {"tensor"}
    for name in vars(program.operations[0]).keys() - skipped:
        values = program.values(name)
        low = min(values)
        bits = max(v.bit_length() for v in values) + (low < 0)
        columns = set()
        for bit in range(bits):
            column = tuple((value >> bit) & 1 for value in values)
            if len(set(column)) > 1:
                columns.add(tuple(one ^ column[0] for one in column))
        total += len(columns)
    return total


def addend_muxes(
    sources: np.ndarray, shifts: np.ndarray, widths: np.ndarray, value_bits: np.ndarray
) -> np.ndarray:
    """Count LUTs that choose a way's addend, of bits that come from different places: [models].

    A sign's copies are one bit, and so is what is below a shifted addend. ``sources`` : numbers of
    an :class:`Addend`, ``shifts`` : their left shifts, [models, operations]. ``widths`` : bits of
    each addend, by number [models, addends]. ``value_bits`` : of what they are added to, [models].
    """
    kinds = np.sort(shifts * len(Addend) + sources, axis=1)
    again = np.diff(kinds, axis=1, prepend=-1) == 0
    shifts, sources = np.divmod(kinds, len(Addend))
    bits = np.arange(value_bits.max())
    places = bits[:, None] - shifts[:, None]  # [models, bits, kinds]
    here = (places >= 0) & ((sources > 0) & ~again)[:, None]
    highest = np.take_along_axis(widths, sources, axis=1)[:, None] - 1
    places = np.where(here, np.minimum(places, highest), -1)
    different = (np.diff(places, axis=1, prepend=-2) != 0).any(axis=2)
    different &= here.any(axis=2) & (bits < value_bits[:, None])
    inputs = here.sum(axis=2) + bit_length((~again).sum(axis=1) - 1)[:, None]
    return ((1 + np.maximum(0, inputs - 6)) * different).sum(axis=1)


def _addend_widths(design: Design) -> tuple[int, ...]:
    """Return the bits of what is added, by number of the :class:`Addend`."""
    widths = {Addend.PARAMETER: design.parameter_bits[0], Addend.LAST: design.model.input.bits}
    for source, name in ((Addend.ACTIVATION, "activations"), (Addend.POSITION, "position")):
        if name in design.stores:
            widths[source] = design.stores[name].width // design.geometry.ways
    return tuple(widths.get(source, 1) for source in Addend)


def _unused_output(design: Design) -> int:
    """Count the LUTs of the output's second way, which a single result never uses."""
    spec, output = design.stores["output"], design.model.results
    if output.features > 1 or spec.width == output.bits or spec.placement == "block":
        return 0
    one = replace(spec, width=output.bits, granule=0)
    return (
        store_terms(spec, 0, design.family).ram_luts - store_terms(one, 0, design.family).ram_luts
    )


def _gelu(design: Design) -> dict[str, int]:
    """Return what the stage for GELU takes, if there is one: it is counted, not fitted.

    Of each way an adder with its register, and for each bit of a table's entries LUTs of 6 inputs.
    """
    widths = sorted({op.gelu for op in design.program.operations} - {0})
    if not widths:
        return {}
    tables = 0
    for table in map(corrections, widths):
        index_bits = (len(table) - 1).bit_length() + 1
        tables += max(table).bit_length() << max(0, index_bits - 6)
    ways = design.geometry.ways * design.geometry.posts
    bits = max(design.geometry.activation_bits, 1 + widths[-1])
    return {"gelu_luts": ways * (bits + tables + 8), "gelu_ffs": ways * bits + 12}


def _soft(design: Design) -> dict[str, int]:
    """Return what columns of LUTs take for their products, by the rows of LUTs that make them.

    Of a broad column one product has a longer weight. Nothing where the multipliers' sums are of
    LUTs, too.
    """
    geometry, adder = design.geometry, design.family.multiplier.adder
    soft, bits = geometry.weights.soft, geometry.soft_sum_bits
    if not soft or adder is None or not bits:
        return {}
    own = product_cost(geometry.half_bits, geometry.soft_bits, bits, adder.terms)
    single = product_cost(
        max(geometry.half_bits, geometry.broad_bits),
        geometry.soft_bits,
        max(bits, geometry.broad_sum_bits),
        adder.terms,
    )
    broad = geometry.weights.broad
    short, long = (geometry.rows * count for count in (2 * soft - broad, broad))
    return {
        "soft_luts": short * own.luts + long * single.luts,
        "soft_ffs": short * own.ffs + long * single.ffs,
    }


def quantities(design: Design) -> dict[str, int]:
    """Return everything the features of a design are computed from."""
    geometry, program, stores = design.geometry, design.program, design.stores
    operations = program.operations
    terms = summed(design_terms(stores, design.images, design.family))
    found = {name: round(value) for name, value in terms.items()}
    scores = stores["scores"].depth // geometry.score_pitch if "scores" in stores else 0
    return found | {
        "columns": geometry.columns,
        "ways": geometry.ways,
        "mixed": int(geometry.ways > 1 and not all(design.packed.values())),
        "layer_norm": int(geometry.norm_features > 0),
        "wide": int(bool(geometry.wide)),
        "subtract": int(design.model.subtraction is not None),
        "weight_cuts": sum(geometry.weights.parts(kind) for kind in geometry.weights.kinds),
        **column_quantities(Columns.of(design)),
        "addend_muxes": int(
            addend_muxes(
                np.array([[op.addend for op in operations]]),
                np.array([[op.addend_shift for op in operations]]),
                np.array([_addend_widths(design)]),
                np.array([geometry.value_bits]),
            )[0]
        ),
        "operand_bits": geometry.operand_bits,
        "unused_output": _unused_output(design),
        "half_bits": geometry.half_bits,
        "column_bits": geometry.column_bits,
        "product_bits": geometry.product_bits,
        "accumulator_bits": geometry.accumulator_bits,
        "result_bits": geometry.result_bits,
        "value_bits": geometry.value_bits,
        "factor_bits": geometry.factor_bits,
        "norm_bits": geometry.norm_bits if geometry.norm_features else 0,
        "element_bits": geometry.element_bits,
        "dynamic_bits": geometry.dynamic_bits,
        "op_bits": program.width("op"),
        "dst_bits": program.width("dst"),
        "res_bits": program.width("res"),
        "act_bits": program.width("act"),
        "delta_bits": program.width("delta"),
        "program_words": len(program.instructions),
        "weight_words": stores["weights"].depth if "weights" in stores else 0,
        "constants": _constants(program),
        "shifts": len({op.shift for op in operations}),
        "addends": len({(op.addend, op.addend_shift) for op in operations if op.addend}),
        "score_rows": scores,
        "channels": design.model.input.features,
        "input_bits": design.model.input.bits,
        **_gelu(design),
        **_soft(design),
        **decision_quantities(design),
        **unit_quantities(design),
        **(cell_quantities(design) if design.family.luts.holds_register else {}),
    }


def _length(count: Count) -> Count:
    """Return the bits of an address below ``count``."""
    return np.ceil(np.log2(np.maximum(2, count)))


def _memory_in_units(q: Mapping[str, Count], luts: Luts) -> Count:
    """Count the LUTs of queues in units: result slots, key/value writer, maxima, last step."""
    # of a key's words that come with two results, every second one waits
    queue = np.maximum(1, q["columns"] // 2)
    word = q["ways"] + 1 + q["dst_bits"] + q["ways"] * q["dynamic_bits"]
    drain = ram_cells(QUEUE, q["op_bits"] + q["dst_bits"] + q["res_bits"], luts)
    writer = ram_cells(queue, word, luts) * (q["dynamic_bits"] > 0) * (q["ways"] > 1)
    rows = np.maximum(1, q["score_rows"])
    maxima = ram_cells(rows, numerics.SCORE_BITS, luts) * (q["score_rows"] > 0)
    last = 2 * ram_cells(2 * q["channels"], q["input_bits"], luts) * q["subtract"]
    return drain + writer + maxima + last


#: The features of each fit, with about what one of each takes; 0 where nothing is known. Those of
#: cells are for families in which a LUT and a flip-flop share a logic cell.
FEATURES: dict[str, dict[str, float]] = {
    "cell_memory": {
        **dict.fromkeys(("one", "two_ways", "mixed", "layer_norm", "norm", "wide", "value"), 0),
        **dict.fromkeys(("cells", "delayed"), 1),
        "addresses": 0.6,
    },
    "cells": CELL_FEATURES,
    "cell_ffs": CELL_FFS,
    **UNIT_FEATURES,
}


def physical(q: Mapping[str, Count], luts: Luts) -> dict[str, Count]:
    """Return the features, most of them as large as the LUTs or flip-flops that they stand for.

    Those below are where logic cells are counted, :mod:`.unit_features` has the others.

    ``unpack``, ``packing`` : what is before the multipliers where some operations are packed, or
    all. ``select``, ``parts``, ``beyond`` : keys or weights into the engine
    (:mod:`.columns`). ``drain`` : columns to the post-processor, four to a LUT, and its
    ``post``, ``clamp`` and ``addends`` : adders, limits, multiplexers. ``constants`` : look-ups by
    operation. ``addresses``, ``timer`` : counters of addresses, slots and
    sequencer. ``cells`` : LUTs as RAM, ``delayed`` : shift registers before the columns.
    """
    if not luts.holds_register:
        return unit_features(q, luts)
    ways, columns = q["ways"], q["columns"]
    groups = columns / 4 + np.where(np.greater(columns, 4), columns / 8, 0)
    found = {
        "one": 1 + 0 * ways,
        "two_ways": ways - 1,
        "mixed": q["mixed"],
        "layer_norm": q["layer_norm"],
        "norm": ways * q["norm_bits"],
        "wide": q["wide"] * q["accumulator_bits"],
        "subtract": q["subtract"],
        "packing": columns * (1 - q["mixed"]) * (ways - 1),
        "unpack": q["mixed"] * (q["engine_bits"] + columns),
        "engine": q["engine_bits"],
        "select": q["selected_bits"],
        "parts": q["selected_parts"],
        "beyond": q["selected_beyond"],
        "operands": columns * q["operand_bits"],
        "columns": columns,
        "drain": q["product_bits"] * groups,
        "post": ways * (q["value_bits"] + q["accumulator_bits"] + q["factor_bits"]),
        "clamp": ways * q["result_bits"],
        "value": ways * q["value_bits"],
        "element": ways * q["element_bits"],
        "addends": ways * q["addend_muxes"],
        "constants": q["constants"],
        "addresses": q["dst_bits"] + q["res_bits"] + q["act_bits"] + _length(q["weight_words"]),
        "timer": q["delta_bits"] + _length(q["program_words"]),
        "rom_luts": q["rom_luts"],
        "tile_muxes": q["tile_muxes"],
        "ram_reads": q["ram_reads"],
        "ram_enables": q["ram_enables"],
        "cells": q["ram_luts"] + _memory_in_units(q, luts) - q["unused_output"],
        "delayed": q["delayed_bits"],
        "rom_bits": q["rom_bits"],
        "ram_bits": q["ram_bits"],
        "product": q["product_bits"],
        "lut_address": q["lut_address"],
        "write_bits": q["write_bits"],
    }
    return {**found, **cell_features(q, found)}
