"""What a store adds to a design: block RAM, and LUTs and registers counted as synthesis maps them.

Multiplexers and ROMs are counted in the family's LUTs, which hold words of a bit or select one of a
few. How Yosys cuts them was read in its netlists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np

from bitformer.hw.families.family import BlockRam, Family, Luts
from bitformer.hw.lowering.place import cost
from bitformer.hw.memory import DEEP, StoreSpec
from bitformer.hw.tiling import Tile, rest_of
from bitformer.hw.units.banks import is_banked, selects_of, words_of_bank

__all__ = [
    "Count",
    "StoreTerms",
    "design_terms",
    "live_bits",
    "ram_cells",
    "rom_share",
    "store_terms",
    "summed",
]

#: An integer, or an array of them: one for each design of a space.
Count = Any


def _ceil(a: Count, b: int) -> Count:
    return -(-a // b)


def live_bits(words: Iterable[int]) -> int:
    """Count the bits that differ between words of a ROM: synthesis drops the others."""
    words = list(words)
    if not words:
        return 0
    return (reduce(or_, words) & ~reduce(and_, words)).bit_count()


def ram_cells(depth: Count, width: Count, luts: Luts, copies: Count = 1) -> Count:
    """Return the LUTs of a RAM with one write enable, of the shape that takes fewest."""
    if not luts.rams:
        return 0 * depth * width
    return copies * reduce(np.minimum, (ram.cells(depth, width) for ram in luts.rams))


def _ram_blocks(depth: int, width: int, luts: Luts) -> int:
    """Return how many of those a RAM is deep."""
    deepest_first = reversed(luts.rams)
    return _ceil(depth, min(deepest_first, key=lambda ram: ram.cells(depth, width)).words)


def _muxes(inputs: Count, luts: Luts) -> Count:
    """Return the LUTs that select one of so many bits: each takes several, and gives one."""
    return (np.maximum(1, inputs) - 1) / (luts.selected - 1)


def _rom_luts(depth: int, bits: int, luts: Luts) -> float:
    """Estimate the LUTs of a ROM with unknown contents: its blocks, and what selects among them."""
    muxes = float(_muxes(_ceil(depth, luts.words), luts))
    return bits * (max(1.0, depth / luts.words) + muxes) * luts.rom_share


def _rom_contents(words: Sequence[int], bits: int, luts: Luts) -> float:
    """Return the LUTs of a ROM: what is constant, or is there already, takes none."""
    size = _ceil(bits, 8)
    raw = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), dtype=np.uint8)
    table = np.unpackbits(raw.reshape(len(words), size), axis=1, bitorder="little")[:, :bits]
    empty = np.zeros((-len(words) % luts.words, bits), dtype=np.uint8)
    table = np.concatenate([table, empty])
    packed = np.packbits(table.T.reshape(bits, -1, luts.words), axis=2)
    # [bits, blocks], a LUT's words in each
    blocks = np.ascontiguousarray(packed).view(f"u{luts.words // 8}")[:, :, 0]
    kinds, numbers = np.unique(blocks, return_inverse=True)
    found = np.count_nonzero(np.minimum(kinds, ~kinds))
    nodes: np.ndarray = numbers.reshape(blocks.shape)
    while nodes.shape[1] > 1:
        last = np.repeat(nodes[:, -1:], -nodes.shape[1] % luts.selected, axis=1)
        nodes = np.concatenate([nodes, last], axis=1)
        groups, numbers = np.unique(nodes.reshape(-1, luts.selected), axis=0, return_inverse=True)
        found += np.count_nonzero(groups.min(axis=1) < groups.max(axis=1))
        nodes = numbers.reshape(bits, -1)
    return float(found)


@dataclass(frozen=True, kw_only=True)
class StoreTerms:
    """What one store adds.

    ``rom_luts`` : a ROM's blocks in LUTs, and what selects among them.
    ``tile_muxes`` : between the blocks of a tile and LUTs, or among those of a deep ROM.
    ``ram_luts`` : LUTs as memory.
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


def _rom_blocks(depth: int, live: int, ram: BlockRam) -> int:
    """Return the block RAMs of a ROM: Yosys lays the slices of a deep one side by side."""
    return ram.taken(depth, live, sliced=True)[0]


def _tile_blocks(tile: Tile, words: Sequence[int], ram: BlockRam) -> int:
    """Return the block RAMs of a tile, without those that hold nothing but constants."""
    if not words:
        return tile.ramb18
    mask, found = (1 << tile.width) - 1, 0
    for row, rows in tile.parts:
        part = [word >> tile.first & mask for word in words[row : row + rows]]
        if live := live_bits(part):
            found += _rom_blocks(len(part), live, ram)
    return found


def rom_share(words: Sequence[int], bits: int, luts: Luts) -> float:
    """Return the LUTs of a ROM as a share of the estimate for its shape."""
    return _rom_contents(words, bits, luts) / _rom_luts(len(words), max(1, live_bits(words)), luts)


def summed(terms: Iterable[StoreTerms]) -> dict[str, float]:
    """Return the sums of terms, by their names."""
    terms = list(terms)
    return {name: sum(getattr(one, name) for one in terms) for name in vars(StoreTerms())}


def design_terms(
    stores: Mapping[str, StoreSpec], images: Mapping[str, Sequence[int]], family: Family
) -> list[StoreTerms]:
    """Return the terms of placed stores; ``images`` hold the words of the ROMs."""
    return [
        store_terms(spec, live_bits(images[name]), family, images[name])
        if spec.rom
        else store_terms(spec, 0, family)
        for name, spec in stores.items()
    ]


def _terms_of_parts(spec: StoreSpec, family: Family) -> StoreTerms:
    """Return the terms of a split RAM: its parts', and what selects and enables one of them."""
    own = [store_terms(part.spec, 0, family) for part in spec.parts]
    total = {name: sum(getattr(one, name) for one in own) for name in vars(StoreTerms())}
    read = [sum(port in part.ports for part in spec.parts) for port in range(spec.read_ports)]
    total["ram_reads"] += sum(_ceil(n - 1, family.luts.selected - 1) * spec.width for n in read)
    total["ram_enables"] += len(own) * (spec.width // (spec.granule or spec.width))
    return StoreTerms(**total)


def store_terms(
    spec: StoreSpec,
    live: int,
    family: Family,
    words: Sequence[int] = (),
    *,
    share: float = 1.0,
) -> StoreTerms:
    """Return a placed store's terms; ``live`` bits of a ROM's word are not constant.

    With a ROM's ``words``, its LUTs are counted by them, else by its shape and a ``share``.
    """
    address = max(1, (spec.depth - 1).bit_length())
    luts, ram = family.luts, family.block_ram
    if spec.parts:
        return _terms_of_parts(spec, family)
    if spec.rom and spec.tiles:
        rest = 0.0
        for row, rows, bit, bits in rest_of(spec.depth, spec.width, spec.tiles):
            part = [word >> bit & ((1 << bits) - 1) for word in words[row : row + rows]]
            rest += (
                _rom_contents(part, bits, luts) if words else share * _rom_luts(rows, bits, luts)
            )
        return StoreTerms(
            ramb18=sum(_tile_blocks(tile, words, ram) for tile in spec.tiles),
            rom_luts=rest,
            tile_muxes=sum(
                tile.width * float(_muxes(len(tile.parts) + (tile.rows < spec.depth), luts))
                for tile in spec.tiles
            ),
            rom_bits=live,
        )
    if spec.rom and spec.placement == "block":
        blocks, parts = ram.taken(spec.depth, max(1, live), sliced=True)
        muxes = live * _ceil(parts - 1, luts.selected - 1)
        if spec.early:
            return StoreTerms(ramb18=blocks, tile_muxes=muxes, lut_address=address)
        return StoreTerms(ramb18=blocks, tile_muxes=muxes, rom_bits=live)
    if spec.rom:
        found = (
            _rom_contents(words, spec.width, luts)
            if words
            else share * _rom_luts(spec.depth, live, luts)
        )
        return StoreTerms(rom_luts=found, lut_address=address, rom_bits=live)
    if spec.placement == "block":
        block = cost(spec, "block", family)
        if spec.early:
            return StoreTerms(ramb18=block.ramb18, lut_address=address * spec.read_ports)
        bits = 0 if spec.asynchronous else spec.width * spec.read_ports
        return StoreTerms(ramb18=block.ramb18, ram_reads=block.luts, ram_bits=bits)
    granule = spec.granule or spec.width
    if spec.placement == "registers" or not luts.rams:
        kept = cost(spec, "registers", family)
        read = 0 if spec.asynchronous else spec.read_ports
        return StoreTerms(
            ram_reads=kept.luts,
            lut_address=address * read,
            ram_bits=kept.ffs + spec.width * read,
            write_bits=(address + spec.width + spec.width // granule) * (spec.depth > DEEP),
        )
    copies = spec.width // granule * spec.read_ports
    if is_banked(spec, luts):
        blocks = _ceil(spec.depth, words_of_bank(luts))
        selects = selects_of(blocks, luts)
    else:
        blocks = _ram_blocks(spec.depth, granule, luts)
        selects = _ceil(blocks - 1, luts.selected - 1)
    return StoreTerms(
        ram_luts=int(ram_cells(spec.depth, granule, luts, copies)),
        ram_reads=selects * spec.width * spec.read_ports,
        ram_enables=blocks * (spec.width // granule) if blocks > 1 else 0,
        lut_address=address,
        ram_bits=0 if spec.asynchronous else spec.width * spec.read_ports,
        write_bits=(address + spec.width + copies) * (spec.depth > DEEP),
    )
