"""Cuts a ROM into rectangles: some in block RAM, the rest in LUTs."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["RAMB18_SHAPES", "Tile", "best_tiling", "block_depth", "rest_of"]

#: Depth and width of a RAMB18 with one write and one read port.
RAMB18_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


@dataclass(frozen=True, kw_only=True)
class Tile:
    """``rows`` words from word 0 on, bits ``first`` to ``first + width``, in block RAM."""

    rows: int
    first: int
    width: int
    ramb18: int


def _columns(depth: int, width: int, blocks: int) -> Iterator[tuple[int, int, int]]:
    """(rows, width, blocks) of a stack of one or more RAMB18 beside each other."""
    for shape_depth, shape_width in RAMB18_SHAPES[:3]:
        for across in range(1, -(-width // shape_width) + 1):
            for stacked in range(1, -(-depth // shape_depth) + 1):
                if across * stacked <= blocks:
                    rows, bits = min(depth, stacked * shape_depth), min(width, across * shape_width)
                    yield rows, bits, across * stacked


@functools.cache
def _covered(depth: int, width: int, blocks: int, levels: int) -> tuple[int, tuple[Tile, ...]]:
    """Most bits that ``blocks`` RAMB18 can hold, as at most ``levels`` tiles side by side."""
    best: tuple[int, tuple[Tile, ...]] = (0, ())
    if not levels or not blocks or not width:
        return best
    for rows, bits, used in _columns(depth, width, blocks):
        more, tiles = _covered(depth, width - bits, blocks - used, levels - 1)
        if rows * bits + more > best[0]:
            shifted = [
                Tile(rows=t.rows, first=t.first + bits, width=t.width, ramb18=t.ramb18)
                for t in tiles
            ]
            tile = Tile(rows=rows, first=0, width=bits, ramb18=used)
            best = (rows * bits + more, (tile, *shifted))
    return best


@functools.cache
def best_tiling(depth: int, width: int, blocks: int) -> tuple[Tile, ...]:
    """The tiles of a ``depth`` x ``width`` ROM that put most of its bits in ``blocks`` RAMB18."""
    return _covered(depth, width, blocks, 2)[1]


def block_depth(tile: Tile) -> int:
    """Words of each block in a tile's stack: the shape that takes the fewest RAMB18."""

    def taken(shape: tuple[int, int]) -> tuple[int, int]:
        depth, width = shape
        return -(-tile.rows // depth) * -(-tile.width // width), -depth

    return min(RAMB18_SHAPES[:3], key=taken)[0]


def rest_of(depth: int, width: int, tiles: Iterable[Tile]) -> list[tuple[int, int, int, int]]:
    """(first row, rows, first bit, bits) of what the tiles leave, one rectangle for each."""
    rest, bit = [], 0
    for tile in tiles:
        if tile.rows < depth:
            rest.append((tile.rows, depth - tile.rows, tile.first, tile.width))
        bit = tile.first + tile.width
    if bit < width:
        rest.append((0, depth, bit, width - bit))
    return rest
