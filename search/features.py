"""What a lowered design's resources follow from: physical quantities of its units and stores.

Units are as wide as the widest thing they meet, so a design's logic follows from maxima (bits of
accumulators, of a weight word ...) and from how many columns, ways and operations there are; what a
component adds is memory: its weights, tables, results and program words. All of these are known
after ``lower``. The same formulas serve one design (integers) and a whole space (arrays).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np

from bitformer.hw.design import Design
from bitformer.hw.place import cost
from bitformer.hw.program import Program
from bitformer.hw.store import StoreSpec
from bitformer.hw.tiling import block_depth, rest_of
from bitformer.hw.timing import QUEUE
from bitformer.model import ir, numerics

__all__ = [
    "FEATURES",
    "VERSION",
    "StoreTerms",
    "live_bits",
    "physical",
    "quantities",
    "store_terms",
]

#: Changes whenever a formula here does: measurements of other versions are not fitted together.
VERSION = 2

#: An integer, or an array of them: one for each design of a space.
Count = Any


def _ceil(a: Count, b: int) -> Count:
    return -(-a // b)


def live_bits(words: Iterable[int]) -> int:
    """Bits that are not the same in all words of a ROM: synthesis drops the others."""
    words = list(words)
    if not words:
        return 0
    return (reduce(or_, words) & ~reduce(and_, words)).bit_count()


def _ram_cells(depth: Count, width: Count, copies: Count = 1) -> Count:
    """LUTs of a RAM with one write enable: RAM32M holds 32 x 6 bits in four, RAM64M 64 x 3."""
    shallow = _ceil(depth, 32) * _ceil(width, 6)
    deep = _ceil(depth, 64) * _ceil(width, 3)
    return 4 * copies * np.minimum(shallow, deep)


def _rom_cells(depth: Count, bits: Count) -> tuple[Count, Count]:
    """LUT6 of a ROM's 64-word blocks, and of the multiplexers behind them."""
    blocks = _ceil(depth, 64)
    return blocks * bits, bits * np.maximum(0, _ceil(blocks, 4) - 1) * (blocks > 4)


@dataclass(frozen=True, kw_only=True)
class StoreTerms:
    """What one store adds.

    ``rom_luts``, ``rom_muxes`` : a ROM's blocks of 64 words in LUTs, and what selects among them.
    ``tile_muxes`` : between the blocks of a tile and LUTs. ``ram_luts`` : LUTs as memory.
    ``ram_reads`` : bits of their blocks that a read port selects from. ``lut_address`` : address
    registers of memories in LUTs, ``write_bits`` : registers before a deep one's write port.
    ``rom_bits``, ``ram_bits`` : output registers.
    """

    ramb18: int = 0
    rom_luts: int = 0
    rom_muxes: int = 0
    tile_muxes: int = 0
    ram_luts: int = 0
    ram_reads: int = 0
    lut_address: int = 0
    rom_bits: int = 0
    ram_bits: int = 0
    write_bits: int = 0


def store_terms(spec: StoreSpec, live: int) -> StoreTerms:
    """A placed store's terms; ``live`` bits of a ROM's word are not constant."""
    address = max(1, (spec.depth - 1).bit_length())
    if spec.rom and spec.tiles:
        luts = muxes = 0
        for _, rows, _, bits in rest_of(spec.depth, spec.width, spec.tiles):
            more = _rom_cells(rows, bits)
            luts, muxes = luts + int(more[0]), muxes + int(more[1])
        return StoreTerms(
            ramb18=sum(tile.ramb18 for tile in spec.tiles),
            rom_luts=luts,
            rom_muxes=muxes,
            tile_muxes=sum(
                tile.width * (_ceil(tile.rows, block_depth(tile)) - 1 + (tile.rows < spec.depth))
                for tile in spec.tiles
            ),
            rom_bits=live,
        )
    if spec.rom and spec.placement == "block":
        narrow = StoreSpec(name=spec.name, depth=spec.depth, width=max(1, live), rom=True)
        return StoreTerms(ramb18=cost(narrow, "block").ramb18, rom_bits=live)
    if spec.rom:
        luts, muxes = _rom_cells(spec.depth, live)
        return StoreTerms(
            rom_luts=int(luts), rom_muxes=int(muxes), lut_address=address, rom_bits=live
        )
    if spec.placement == "block":
        block = cost(spec, "block").ramb18
        return StoreTerms(ramb18=block, ram_bits=spec.width * spec.read_ports)
    granule = spec.granule or spec.width
    copies = spec.width // granule * spec.read_ports
    blocks = _ceil(spec.depth, 64)
    return StoreTerms(
        ram_luts=int(_ram_cells(spec.depth, granule, copies)),
        ram_reads=blocks * spec.width * spec.read_ports if blocks > 1 else 0,
        lut_address=address,
        ram_bits=0 if spec.asynchronous else spec.width * spec.read_ports,
        write_bits=(address + spec.width + copies) * (blocks > 1),
    )


def _constants(program: Program) -> int:
    """LUTs that look up operations' constants: bits that differ, equal and inverted ones once."""
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


def quantities(design: Design) -> dict[str, int]:
    """Everything the features are computed from, for one design."""
    geometry, program, stores = design.geometry, design.program, design.stores
    terms = [
        store_terms(spec, live_bits(design.images[name]) if spec.rom else 0)
        for name, spec in stores.items()
    ]
    operations = program.operations
    found = {
        name: sum(getattr(term, name) for term in terms) for name in StoreTerms.__dataclass_fields__
    }
    scores = stores["scores"].depth // geometry.score_pitch if "scores" in stores else 0
    return found | {
        "columns": geometry.columns,
        "ways": geometry.ways,
        "mixed": int(geometry.ways > 1 and not all(design.packed.values())),
        "layer_norm": int(geometry.norm_features > 0),
        "wide": int(bool(geometry.wide)),
        "subtract": int(any(isinstance(op, ir.SubtractLast) for op in design.model.operations)),
        "weight_cuts": sum(geometry.weights.parts(kind) for kind in geometry.weights.kinds),
        "half_bits": geometry.half_bits,
        "column_bits": geometry.column_bits,
        "product_bits": geometry.product_bits,
        "accumulator_bits": geometry.accumulator_bits,
        "result_bits": geometry.result_bits,
        "value_bits": geometry.value_bits,
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
    }


def _length(count: Count) -> Count:
    """Bits of an address below ``count``."""
    return np.ceil(np.log2(np.maximum(2, count)))


def _memory_in_units(q: Mapping[str, Count]) -> Count:
    """LUTs of the units' own queues: the drain's, the key writer's, maxima, the last step."""
    queue = 1 << (int(np.max(q["columns"])) + 1).bit_length()
    word = q["ways"] + 1 + q["dst_bits"] + q["ways"] * q["dynamic_bits"]
    drain = _ram_cells(QUEUE, q["op_bits"] + q["dst_bits"] + q["res_bits"])
    writer = _ram_cells(queue, word) * (q["dynamic_bits"] > 0)
    rows = np.maximum(1, q["score_rows"])
    maxima = _ram_cells(rows, numerics.SCORE_BITS) * (q["score_rows"] > 0)
    last = 2 * _ram_cells(2 * q["channels"], q["input_bits"]) * q["subtract"]
    return drain + writer + maxima + last


#: The features of each fit: LUTs as logic, LUTs as memory, flip-flops.
FEATURES = {
    "logic": (
        *("one", "two_ways", "mixed", "layer_norm", "wide", "packing", "select", "cuts", "drain"),
        *("accumulator", "result", "value", "constants", "addresses", "timer", "shifts", "addends"),
        *("rom_luts", "rom_muxes", "tile_muxes", "ram_reads", "subtract"),
    ),
    "memory": ("one", "two_ways", "mixed", "layer_norm", "wide", "cells", "skew", "parameter"),
    "ffs": (
        *(
            "one",
            "two_ways",
            "mixed",
            "layer_norm",
            "wide",
            "rom_bits",
            "ram_bits",
            "select",
            "column",
        ),
        *("accumulator", "product", "addresses", "lut_address", "write_bits", "subtract"),
    ),
}


def physical(q: Mapping[str, Count]) -> dict[str, Count]:
    """The features, each about as large as the LUTs or flip-flops that it stands for.

    ``packing`` : weights put together for a DSP. ``select`` : keys or weights into the engine,
    ``cuts`` : out of words that hold weights of several widths.
    ``drain`` : columns to the post-processor. ``accumulator``, ``result``, ``value``, ``shifts``,
    ``addends`` : the post-processor's adders, clamp and multiplexers. ``addresses``, ``timer`` :
    counters of walker, slots and sequencer. ``skew`` : shift registers that delay the weights.
    """
    ways = q["ways"]
    return {
        "one": 1 + 0 * ways,
        "two_ways": ways - 1,
        "mixed": q["mixed"],
        "layer_norm": q["layer_norm"],
        "wide": q["wide"] * q["accumulator_bits"],
        "subtract": q["subtract"],
        "packing": q["columns"] * q["half_bits"],
        "select": q["columns"] * q["column_bits"],
        "cuts": q["columns"] * q["column_bits"] * np.maximum(0, q["weight_cuts"] - 1),
        "drain": q["product_bits"] * q["columns"] / 4,
        "accumulator": ways * q["accumulator_bits"],
        "result": ways * q["result_bits"],
        "value": ways * q["value_bits"],
        "constants": q["constants"],
        "addresses": q["dst_bits"] + q["res_bits"] + q["act_bits"] + _length(q["weight_words"]),
        "timer": q["delta_bits"] + _length(q["program_words"]),
        "shifts": ways * q["result_bits"] * (q["shifts"] - 1),
        "addends": ways * q["value_bits"] * np.maximum(0, q["addends"] - 3),
        "rom_luts": q["rom_luts"],
        "rom_muxes": q["rom_muxes"],
        "tile_muxes": q["tile_muxes"],
        "ram_reads": q["ram_reads"],
        "cells": q["ram_luts"] + _memory_in_units(q),
        "skew": q["column_bits"] * np.maximum(0, q["columns"] - 3),
        "parameter": q["res_bits"],
        "rom_bits": q["rom_bits"],
        "ram_bits": q["ram_bits"],
        "column": q["column_bits"],
        "product": q["product_bits"],
        "lut_address": q["lut_address"],
        "write_bits": q["write_bits"],
    }
