"""Cuts a ROM into rectangles: some in block RAM, the rest in LUTs."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bitformer.hw.families.family import BlockRam

__all__ = ["Tile", "best_tiling", "block_depth", "rest_of"]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """``rows`` words from word 0 on, bits ``first`` to ``first + width``, in block RAM.

    It is a stack of ``ramb18`` blocks of ``deep`` words each, or several side by side.
    """

    rows: int
    first: int
    width: int
    ramb18: int
    deep: int


def _columns(depth: int, width: int, blocks: int, ram: BlockRam) -> Iterator[tuple[int, int, int]]:
    """Yield (rows, width, blocks) of a stack of one or more block RAMs beside each other."""
    for shape_depth, shape_width in ram.shapes[: ram.stacked]:
        for across in range(1, -(-width // shape_width) + 1):
            for stacked in range(1, -(-depth // shape_depth) + 1):
                if across * stacked <= blocks:
                    rows, bits = min(depth, stacked * shape_depth), min(width, across * shape_width)
                    yield rows, bits, across * stacked


@functools.cache
def _covered(
    depth: int, width: int, blocks: int, ram: BlockRam, levels: int
) -> tuple[int, tuple[Tile, ...]]:
    """Return the most bits that the blocks can hold, and at most ``levels`` tiles side by side."""
    best: tuple[int, tuple[Tile, ...]] = (0, ())
    if not levels or not blocks or not width:
        return best
    for rows, bits, used in _columns(depth, width, blocks, ram):
        if rows * bits + min(depth * (width - bits), (blocks - used) * ram.bits) <= best[0]:
            continue
        more, tiles = _covered(depth, width - bits, blocks - used, ram, levels - 1)
        if rows * bits + more > best[0]:
            shifted = [replace(t, first=t.first + bits) for t in tiles]
            deep = block_depth(rows, bits, ram)
            tile = Tile(rows=rows, first=0, width=bits, ramb18=used, deep=deep)
            best = (rows * bits + more, (tile, *shifted))
    return best


@functools.cache
def best_tiling(depth: int, width: int, blocks: int, ram: BlockRam) -> tuple[Tile, ...]:
    """Return tiles of a ``depth`` x ``width`` ROM that put most of its bits in ``blocks`` RAMs."""
    return _covered(depth, width, blocks, ram, 2)[1]


def block_depth(rows: int, bits: int, ram: BlockRam) -> int:
    """Return the words of a block in a tile's stack: the shape that takes the fewest blocks."""

    def taken(shape: tuple[int, int]) -> tuple[int, int]:
        depth, width = shape
        return -(-rows // depth) * -(-bits // width), -depth

    return min(ram.shapes[: ram.stacked], key=taken)[0]


def rest_of(depth: int, width: int, tiles: Iterable[Tile]) -> list[tuple[int, int, int, int]]:
    """Return (first row, rows, first bit, bits) of each rectangle that the tiles leave."""
    rest, bit = [], 0
    for tile in tiles:
        if tile.rows < depth:
            rest.append((tile.rows, depth - tile.rows, tile.first, tile.width))
        bit = tile.first + tile.width
    if bit < width:
        rest.append((0, depth, bit, width - bit))
    return rest
