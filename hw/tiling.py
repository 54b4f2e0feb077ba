"""Cuts a ROM into rectangles: some in block RAM, the rest in LUTs."""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bitformer.hw.families.family import BlockRam

__all__ = ["Tile", "best_tiling", "rest_of", "tile_of"]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """``rows`` words from word 0 on, bits ``first`` to ``first + width``, in block RAM.

    It is a stack of ``ramb18`` blocks of ``deep`` words each, or several side by side. Where blocks
    of several shapes are stacked, ``stack`` has the words of each, the deepest first, which are
    multiples of ``deep``.
    """

    rows: int
    first: int
    width: int
    ramb18: int
    deep: int
    stack: tuple[int, ...] = ()

    @property
    def parts(self) -> list[tuple[int, int]]:
        """First word and words of each part of the stack; the last may hold more than there are."""
        depths = self.stack or (self.deep,) * -(-self.rows // self.deep)
        rows = [0, *itertools.accumulate(depths)]
        return [(row, min(self.rows - row, deep)) for row, deep in zip(rows, depths, strict=False)]

    @property
    def numbers(self) -> list[int]:
        """The part that holds each ``deep`` words, from word 0 on."""
        return [n for n, (_, rows) in enumerate(self.parts) for _ in range(-(-rows // self.deep))]


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
            best = (rows * bits + more, (tile_of(rows, 0, bits, used, ram), *shifted))
    return best


@functools.cache
def best_tiling(depth: int, width: int, blocks: int, ram: BlockRam) -> tuple[Tile, ...]:
    """Return tiles of a ``depth`` x ``width`` ROM that put most of its bits in ``blocks`` RAMs."""
    return _covered(depth, width, blocks, ram, 2)[1]


def tile_of(rows: int, first: int, width: int, blocks: int, ram: BlockRam) -> Tile:
    """Return a tile of so many block RAMs: of the stack that takes the fewest, and fewest parts."""

    def taken(shape: tuple[int, int]) -> tuple[int, int]:
        depth, bits = shape
        return -(-rows // depth) * -(-width // bits), -depth

    shapes = ram.shapes[: ram.stacked]
    deep = min(shapes, key=taken)[0]
    tile = Tile(rows=rows, first=first, width=width, ramb18=blocks, deep=deep)
    least, stack = _stack(rows, width, shapes)
    if least <= taken((deep, dict(shapes)[deep]))[0] and len(stack) < len(tile.parts):
        return replace(tile, deep=stack[-1], stack=stack)
    return tile


def _stack(
    rows: int, width: int, shapes: tuple[tuple[int, int], ...]
) -> tuple[int, tuple[int, ...]]:
    """Return the fewest blocks, and the words of each part, of a stack of several shapes."""
    unit = shapes[0][0]
    found: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
    for units in range(1, -(-rows // unit) + 1):
        options = []
        for depth, bits in shapes:
            blocks, parts, stack = found[max(0, units - depth // unit)]
            options.append((blocks + -(-width // bits), parts + 1, (*stack, depth)))
        found.append(min(options))
    blocks, _, stack = found[-1]
    return blocks, tuple(sorted(stack, reverse=True))


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
