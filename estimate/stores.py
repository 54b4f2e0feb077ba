"""What a store adds to a design: block RAM, and LUTs and registers counted as synthesis maps them.

Multiplexers and ROMs are counted in LUT6, which hold 64 words of a bit or select one of four. How
Yosys cuts them was read in its netlists.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np

from bitformer.hw.lowering.place import cost
from bitformer.hw.memory import StoreSpec
from bitformer.hw.tiling import RAMB18_SHAPES, Tile, block_depth, rest_of

__all__ = ["Count", "StoreTerms", "live_bits", "ram_cells", "rom_share", "store_terms"]

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


def ram_cells(depth: Count, width: Count, copies: Count = 1) -> Count:
    """LUTs of a RAM with one write enable: RAM32M holds 32 x 6 bits in four, RAM64M 64 x 3."""
    shallow = _ceil(depth, 32) * _ceil(width, 6)
    deep = _ceil(depth, 64) * _ceil(width, 3)
    return 4 * copies * np.minimum(shallow, deep)


def _ram_blocks(depth: int, width: int) -> int:
    """How many of those a RAM is deep."""
    shallow, deep = _ceil(depth, 32), _ceil(depth, 64)
    return shallow if shallow * _ceil(width, 6) < deep * _ceil(width, 3) else deep


def _muxes(inputs: Count) -> Count:
    """LUT6 that select one of so many bits: each takes four, and gives one."""
    return (np.maximum(1, inputs) - 1) / 3


def _rom_luts(depth: int, bits: int) -> float:
    """LUTs of a ROM that nobody knows: its 64-word blocks, and what selects one of them."""
    return bits * (max(1.0, depth / 64) + float(_muxes(_ceil(depth, 64))))


def _rom_contents(words: Sequence[int], bits: int) -> float:
    """The same for a ROM's words: what is constant, or is there already, takes no LUT."""
    size = _ceil(bits, 8)
    raw = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), dtype=np.uint8)
    table = np.unpackbits(raw.reshape(len(words), size), axis=1, bitorder="little")[:, :bits]
    empty = np.zeros((-len(words) % 64, bits), dtype=np.uint8)
    table = np.concatenate([table, empty])
    packed = np.packbits(table.T.reshape(bits, -1, 64), axis=2)
    blocks = np.ascontiguousarray(packed).view(np.uint64)[:, :, 0]  # [bits, blocks] of 64 bits
    kinds, numbers = np.unique(blocks, return_inverse=True)
    luts = np.count_nonzero(np.minimum(kinds, ~kinds))
    nodes: np.ndarray = numbers.reshape(blocks.shape)
    while nodes.shape[1] > 1:
        last = np.repeat(nodes[:, -1:], -nodes.shape[1] % 4, axis=1)
        nodes = np.concatenate([nodes, last], axis=1)
        groups, numbers = np.unique(nodes.reshape(-1, 4), axis=0, return_inverse=True)
        luts += np.count_nonzero(groups.min(axis=1) < groups.max(axis=1))
        nodes = numbers.reshape(bits, -1)
    return float(luts)


@dataclass(frozen=True, kw_only=True)
class StoreTerms:
    """What one store adds.

    ``rom_luts`` : a ROM's blocks of 64 words in LUTs, and what selects among them.
    ``tile_muxes`` : between the blocks of a tile and LUTs. ``ram_luts`` : LUTs as memory.
    ``ram_reads`` : LUTs that select one of their blocks, ``ram_enables`` : that write to one.
    ``lut_address`` : address
    registers of memories in LUTs, ``write_bits`` : registers before a deep one's write port.
    ``rom_bits``, ``ram_bits`` : output registers.
    """

    ramb18: int = 0
    rom_luts: float = 0
    tile_muxes: float = 0
    ram_luts: int = 0
    ram_reads: int = 0
    ram_enables: int = 0
    lut_address: int = 0
    rom_bits: int = 0
    ram_bits: int = 0
    write_bits: int = 0


def _rom_blocks(depth: int, live: int) -> int:
    """RAMB18 of a ROM: Yosys lays the slices of a deep one side by side."""
    return min(_ceil(_ceil(depth, rows) * live, bits) for rows, bits in RAMB18_SHAPES)


def _tile_blocks(tile: Tile, words: Sequence[int]) -> int:
    """RAMB18 of a tile; those that hold nothing but constants are not there in the end."""
    if not words:
        return tile.ramb18
    deep, mask, found = block_depth(tile), (1 << tile.width) - 1, 0
    for row in range(0, tile.rows, deep):
        part = [word >> tile.first & mask for word in words[row : min(row + deep, tile.rows)]]
        if live := live_bits(part):
            found += _rom_blocks(len(part), live)
    return found


def rom_share(words: Sequence[int], bits: int) -> float:
    """What a ROM in LUTs takes, as a share of what any of its shape may."""
    return _rom_contents(words, bits) / _rom_luts(len(words), max(1, live_bits(words)))


def store_terms(
    spec: StoreSpec, live: int, words: Sequence[int] = (), *, share: float = 1.0
) -> StoreTerms:
    """A placed store's terms; ``live`` bits of a ROM's word are not constant.

    With a ROM's ``words``, its LUTs are counted by them, else by its shape and a ``share``.
    """
    address = max(1, (spec.depth - 1).bit_length())
    if spec.rom and spec.tiles:
        luts = 0.0
        for row, rows, bit, bits in rest_of(spec.depth, spec.width, spec.tiles):
            part = [word >> bit & ((1 << bits) - 1) for word in words[row : row + rows]]
            luts += _rom_contents(part, bits) if words else share * _rom_luts(rows, bits)
        return StoreTerms(
            ramb18=sum(_tile_blocks(tile, words) for tile in spec.tiles),
            rom_luts=luts,
            tile_muxes=sum(
                tile.width
                * float(_muxes(_ceil(tile.rows, block_depth(tile)) + (tile.rows < spec.depth)))
                for tile in spec.tiles
            ),
            rom_bits=live,
        )
    if spec.rom and spec.placement == "block":
        return StoreTerms(ramb18=_rom_blocks(spec.depth, max(1, live)), rom_bits=live)
    if spec.rom:
        luts = _rom_contents(words, spec.width) if words else share * _rom_luts(spec.depth, live)
        return StoreTerms(rom_luts=luts, lut_address=address, rom_bits=live)
    if spec.placement == "block":
        block = cost(spec, "block").ramb18
        return StoreTerms(ramb18=block, ram_bits=spec.width * spec.read_ports)
    granule = spec.granule or spec.width
    copies = spec.width // granule * spec.read_ports
    blocks = _ram_blocks(spec.depth, granule)
    return StoreTerms(
        ram_luts=int(ram_cells(spec.depth, granule, copies)),
        ram_reads=_ceil(blocks - 1, 3) * spec.width * spec.read_ports,
        ram_enables=blocks * (spec.width // granule) if blocks > 1 else 0,
        lut_address=address,
        ram_bits=0 if spec.asynchronous else spec.width * spec.read_ports,
        write_bits=(address + spec.width + copies) * (spec.depth > 64),
    )
