"""ROMs cut into rectangles, against all ways to cut them."""

from itertools import product

import pytest

from bitformer.hw.families.family import BlockRam
from bitformer.hw.tiling import Tile, best_tiling, rest_of, tile_of

#: A small block: 9 x 4, 18 x 2, and, for other memories, 36 x 1.
SMALL = BlockRam(name="small", shapes=((9, 4), (18, 2), (36, 1)), stacked=2, enable_bits=1, saves=0)
SHAPES = SMALL.shapes[: SMALL.stacked]
#: Words and bits of ROMs: less than a block, one, and more, exactly and not.
ROMS = list(product((1, 8, 9, 10, 18, 19, 37), (1, 2, 4, 5, 9)))


def up(a, b):
    return (a + b - 1) // b


def stacks(depth, width, blocks):
    """All stacks of blocks: rows that they hold, bits, and how many they are."""
    for deep, wide in SHAPES:
        for across, stacked in product(
            range(1, up(width, wide) + 1), range(1, up(depth, deep) + 1)
        ):
            if across * stacked <= blocks:
                yield min(depth, stacked * deep), min(width, across * wide), across * stacked


def most_bits(depth, width, blocks):
    """The most bits in one stack, or in two beside each other."""
    best = 0
    for rows, bits, used in stacks(depth, width, blocks):
        beside = stacks(depth, width - bits, blocks - used) if width > bits else ()
        best = max(best, rows * bits + max((r * b for r, b, _ in beside), default=0))
    return best


@pytest.mark.parametrize(("depth", "width"), ROMS)
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 7])
def test_most_bits_are_in_blocks(depth, width, blocks):
    tiles = best_tiling(depth, width, blocks, SMALL)
    assert len(tiles) <= 2
    assert all(tile.rows and tile.width and tile.ramb18 for tile in tiles)
    assert sum(tile.ramb18 for tile in tiles) <= blocks
    assert sum(tile.rows * tile.width for tile in tiles) == most_bits(depth, width, blocks)
    # all that they hold and what is left is the ROM, each bit once
    covered = [(0, t.rows, t.first, t.width) for t in tiles] + rest_of(depth, width, tiles)
    places = [
        (row, bit)
        for first, rows, start, bits in covered
        for row in range(first, first + rows)
        for bit in range(start, start + bits)
    ]
    assert sorted(places) == [*product(range(depth), range(width))]
    for tile in tiles:
        fits_its_blocks(tile)


def fits_its_blocks(tile):
    """The parts hold all rows, one behind the other, in no more blocks than the tile's."""
    wide = dict(SHAPES)
    assert len({*tile.stack}) != 1
    depths = tile.stack or (tile.deep,) * up(tile.rows, tile.deep)
    assert sum(up(tile.width, wide[deep]) for deep in depths) <= tile.ramb18
    firsts = [sum(depths[:n]) for n in range(len(depths))]
    assert tile.parts == [
        (first, min(deep, tile.rows - first)) for first, deep in zip(firsts, depths, strict=True)
    ]
    assert all(rows > 0 for _, rows in tile.parts)
    assert tile.parts[-1][0] + tile.parts[-1][1] == tile.rows
    assert all(deep % tile.deep == 0 for deep in depths)
    numbers = [
        next(n for n, (first, rows) in enumerate(tile.parts) if first <= word < first + rows)
        for word in range(0, tile.rows, tile.deep)
    ]
    assert tile.numbers == numbers


def fewest(rows, width):
    """The fewest blocks of a stack, and the fewest parts of such a one: deepest blocks first."""
    options = [
        (few * up(width, 4) + deep * up(width, 2), few + deep)
        for few, deep in product(range(up(rows, 9) + 1), range(up(rows, 18) + 1))
        if few * 9 + deep * 18 >= rows
    ]
    return min(options)


@pytest.mark.parametrize("rows", [1, 9, 10, 18, 19, 27, 28, 45, 46])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_tile_is_a_stack_of_the_fewest_blocks_and_parts(rows, width):
    # of one shape, unless several take no more blocks in fewer parts
    blocks, parts = min((up(rows, deep) * up(width, wide), up(rows, deep)) for deep, wide in SHAPES)
    least, others = fewest(rows, width)
    tile = tile_of(rows, 3, width, blocks, SMALL)
    assert (tile.rows, tile.first, tile.width, tile.ramb18) == (rows, 3, width, blocks)
    fits_its_blocks(tile)
    depths = tile.stack or (tile.deep,) * len(tile.parts)
    assert len(depths) == (min(parts, others) if least <= blocks else parts)
    assert tile.deep == min(depths)
    assert list(tile.stack) == sorted(tile.stack, reverse=True)


def test_of_two_blocks_of_other_shapes():
    """Of 27 words of four bits: two blocks of 18 words side by side, and one of 9 below."""
    tile = tile_of(27, 0, 4, 3, SMALL)
    assert tile == Tile(rows=27, first=0, width=4, ramb18=3, deep=9, stack=(18, 9))
    assert (tile.parts, tile.numbers) == ([(0, 18), (18, 9)], [0, 0, 1])


def test_parts_of_a_tile():
    tile = Tile(rows=20, first=4, width=2, ramb18=2, deep=16)
    assert (tile.parts, tile.numbers) == ([(0, 16), (16, 4)], [0, 1])
    mixed = Tile(rows=35, first=4, width=2, ramb18=4, deep=8, stack=(16, 16, 8))
    assert (mixed.parts, mixed.numbers) == ([(0, 16), (16, 16), (32, 3)], [0, 0, 1, 1, 2])


def test_what_tiles_leave():
    """Below each that is not as deep as the ROM, and beside all of them."""
    low = Tile(rows=8, first=0, width=4, ramb18=1, deep=8)
    whole = Tile(rows=20, first=4, width=2, ramb18=2, deep=16)
    assert rest_of(20, 7, [low, whole]) == [(8, 12, 0, 4), (0, 20, 6, 1)]
    assert rest_of(20, 6, [low, whole]) == [(8, 12, 0, 4)]
    assert rest_of(8, 4, [low]) == []
    assert rest_of(5, 3, []) == [(0, 5, 0, 3)]
