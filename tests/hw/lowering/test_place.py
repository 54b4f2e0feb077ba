"""What a store takes, counted piece by piece; and of all placements the cheapest that fits."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.place import Cost, cost, crowding, place, placed, places_of, taken
from bitformer.hw.memory import StorePart, StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.hw.tiling import Tile, best_tiling, rest_of

FAMILIES = [SERIES7, ECP5, ICE40UP]
SHAPES = list(itertools.product((1, 2, 15, 16, 17, 33, 64, 65, 257, 600, 1025, 5000), (1, 5, 36)))


def ram(depth, width, **fields):
    return StoreSpec(name="ram", depth=depth, width=width, **fields)


def rom(depth, width, **fields):
    return StoreSpec(name="rom", depth=depth, width=width, rom=True, **fields)


def selectors(inputs, family):
    """LUTs that select among bits: each leaves one of as many as it takes."""
    luts = 0
    while inputs > 1:
        inputs, luts = inputs - min(inputs, family.luts.selected) + 1, luts + 1
    return luts


def rom_luts(depth, width, family):
    """LUTs of a table: those that hold it, and those that select among as many as are joined."""
    luts = family.luts
    holding = len(range(0, depth, luts.words))
    selecting = len(range(0, holding, luts.joined)) - 1
    return int(width * (holding + selecting) * luts.rom_share)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_a_table_in_luts(family):
    for depth, width in SHAPES:
        for where in ("distributed", "registers"):
            found = cost(rom(depth, width), where, family)
            assert found == Cost(luts=rom_luts(depth, width, family))


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize("granules", [0, 1, 3])
def test_words_in_registers(family, ports, granules):
    """A multiplexer for each bit and port, and half a LUT for each enable."""
    for depth, width in SHAPES:
        width *= granules or 1
        spec = ram(depth, width, read_ports=ports, granule=width // granules if granules else 0)
        enables = depth * (granules or 1) // 2
        muxes = width * selectors(depth, family)
        wanted = Cost(ffs=depth * width, luts=muxes * ports + enables)
        assert cost(spec, "registers", family) == wanted
        if not family.luts.rams:
            assert cost(spec, "distributed", family) == wanted


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize(
    ("family", "depth", "width", "lutram", "luts"),
    [
        # RAM32M: 6 bits in 4 LUTs; RAM64M: 3 bits in 4
        (SERIES7, 1, 6, 4, 0),
        (SERIES7, 32, 7, 8, 0),
        (SERIES7, 33, 7, 12, 0),
        (SERIES7, 64, 3, 4, 0),
        # two to three of them: a LUT for each bit that selects, from four on a second one
        (SERIES7, 65, 3, 8, 3),
        (SERIES7, 192, 3, 12, 3),
        (SERIES7, 193, 3, 16, 6),
        (SERIES7, 600, 1, 40, 3),
        # DPR16X4: 4 bits in 6 LUTs, and one in four selects of two
        (ECP5, 16, 4, 6, 0),
        (ECP5, 16, 5, 12, 0),
        (ECP5, 17, 4, 12, 8),
    ],
)
def test_memories_in_luts(family, depth, width, lutram, luts, ports):
    found = cost(ram(depth, width, read_ports=ports), "distributed", family)
    assert found == Cost(lutram=lutram * ports, luts=luts * ports)


def test_a_granule_wastes_what_its_memory_does_not_fill():
    spec = ram(16, 12, granule=3)
    assert cost(spec, "distributed", ECP5).lutram == 3 * 6
    assert cost(spec, "distributed", ECP5, granules=True).lutram == 4 * 6


@pytest.mark.parametrize("family", [SERIES7, ECP5], ids=repr)
def test_blocks_of_a_shape(family):
    """Of every shape the blocks side by side and above each other, and the fewest of all."""
    for depth, width in SHAPES:
        own = min(
            len(range(0, depth, words)) * len(range(0, width, bits))
            for words, bits in family.block_ram.shapes
        )
        for ports in (1, 2):
            found = cost(ram(depth, width, read_ports=ports), "block", family)
            assert found == Cost(ramb18=own * ports)


@pytest.mark.parametrize(
    ("width", "granule", "as_wide"),
    [
        (36, 0, 36),
        (36, 36, 36),
        # an enable of nine bits serves eight of them, too
        (36, 9, 36),
        (32, 8, 32),
        (72, 8, 72),
        (28, 7, 36),
        (20, 10, 36),
        (18, 6, 27),
        (10, 5, 18),
    ],
)
def test_granules_fill_the_bits_of_an_enable(width, granule, as_wide):
    """Nothing but 512 words of 36 bits: what is wider takes more blocks."""
    for depth in (512, 2048):
        found = cost(ram(depth, width, granule=granule), "block", SERIES7)
        assert found == cost(ram(depth, as_wide), "block", SERIES7)


def test_parts_of_a_deep_memory_share_a_block_where_bits_are_masked():
    """A block of 256 x 16: of 600 words three parts, 5 bits each, which are selected among."""
    blocks = [
        len(range(0, len(range(0, 600, words)) * 5, bits))
        for words, bits in ICE40UP.block_ram.shapes
    ]
    assert blocks == [1, 2, 2, 3]
    for ports in (1, 2):
        found = cost(ram(600, 5, read_ports=ports), "block", ICE40UP)
        selected = ICE40UP.luts.selected
        assert found == Cost(ramb18=ports, luts=5 * 2 // (selected - 1) * ports)
    assert cost(ram(256, 16, granule=4), "block", ICE40UP) == Cost(ramb18=1)
    assert cost(ram(600, 5), "block", SERIES7).luts == 0


@pytest.mark.parametrize(("family", "stacked"), [(SERIES7, 0), (ICE40UP, 2)], ids=str)
def test_a_cut_table_takes_its_tiles_and_the_rest_in_luts(family, stacked):
    deep = family.block_ram.shapes[0][0]
    whole = Tile(rows=2 * deep, first=0, width=4, ramb18=2, deep=deep)
    short = Tile(rows=deep, first=4, width=6, ramb18=1, deep=deep)
    spec = rom(2 * deep, 12, tiles=(whole, short))
    found = cost(spec, "block", family)
    rest = rest_of(2 * deep, 12, (whole, short))
    assert [(rows, bits) for _, rows, _, bits in rest] == [(deep, 6), (2 * deep, 2)]
    luts = sum(rom_luts(rows, bits, family) for _, rows, _, bits in rest)
    # the short tile is selected from its rest; of a stack, larger LUTs select with that
    muxes = 6 if not stacked else 4 * 1 + 6 * 1
    assert found == Cost(ramb18=3, luts=luts + muxes)


def part_of(depth, ports, where="distributed", **fields):
    spec = ram(depth, 8, read_ports=len(ports), **fields)
    return StorePart(base=0, spec=placed(spec, where, SERIES7), ports=ports, tensors=())


@pytest.mark.parametrize("granule", [0, 4])
@pytest.mark.parametrize("others", range(4))
def test_parts_take_what_they_take_alone_and_what_selects(granule, others):
    """Of parts that a port reads, a LUT selects four bits; each has enables for its granules."""
    parts = [
        part_of(40, (0, 1), granule=granule),
        part_of(600, (0, 1), "block", granule=granule),
        part_of(3, (0,), "registers", granule=granule),
        *[part_of(16, (0,), granule=granule)] * others,
    ]
    spec = ram(700, 8, read_ports=2, granule=granule, parts=tuple(parts))
    own = [cost(one.spec, one.spec.placement, SERIES7, granules=True) for one in parts]
    # port 0 reads all of them, and port 1 two, by one LUT a bit
    muxes = 8 * (selectors(3 + others, SERIES7) + 1)
    enables = len(parts) * (2 if granule else 1) + len(parts) * 3
    assert cost(spec, "split", SERIES7) == Cost(
        ramb18=sum(one.ramb18 for one in own),
        lutram=sum(one.lutram for one in own),
        luts=sum(one.luts for one in own) + muxes + enables,
        ffs=sum(one.ffs for one in own),
    )


def test_what_is_no_placement_is_refused():
    for rest in (ram(4, 4), rom(4, 4)):
        with pytest.raises(ValueError, match=r"^Placement must be a memory's, not 'auto'$"):
            cost(rest, "auto", SERIES7)


def test_registers_are_lost_luts_where_they_share_a_cell():
    spec = replace(ram(3, 5), placement="registers")
    luts = cost(spec, "registers", SERIES7).luts
    assert taken(spec, SERIES7) == (0, 0, luts)
    assert taken(spec, ICE40UP) == (0, 0, cost(spec, "registers", ICE40UP).luts + 15)
    in_luts = replace(ram(65, 3), placement="distributed")
    assert taken(in_luts, SERIES7) == (0, 8, 11)
    assert taken(replace(ram(512, 37), placement="block"), SERIES7) == (2, 0, 0)


def test_memories_that_are_missing_count_as_luts():
    """A block RAM of 16 384 bits or more is as good as the LUTs that could hold it."""
    part = replace(PARTS["xc7s6"], ramb18=2, lutram_luts=20, luts=100)
    each = SERIES7.block_ram.bits // 64
    block = replace(ram(512, 36), placement="block")
    small = replace(ram(32, 6), placement="distributed")
    assert crowding([block] * 2 + [small] * 5, part) == (0, 0)
    assert crowding([block] * 3 + [small] * 5, part) == (each, 0)
    assert crowding([block] * 2 + [small] * 6, part) == (4, 0)
    assert crowding([block] * 4 + [small] * 7, part) == (2 * each + 8, 28 - 25)
    # what is kept for others is no more than there is
    assert crowding([small] * 4, part, spare=4) == (0, 0)
    assert crowding([small] * 4, part, spare=5) == (1, 0)
    assert crowding([small], part, spare=500) == (4, 0)
    # a quarter of its LUTs, stores' own and those as memory
    table = replace(rom(64, 21), placement="distributed")
    assert crowding([table, small], part) == (0, 0)
    assert crowding([table, small, replace(rom(64, 1), placement="distributed")], part) == (0, 1)


@pytest.mark.parametrize(
    ("family", "spec", "asked", "where"),
    [
        (SERIES7, ram(8, 8), "auto", ("distributed", "block")),
        (ICE40UP, ram(8, 8), "auto", ("registers", "block")),
        (ICE40UP, rom(8, 8), "auto", ("distributed", "block")),
        (SERIES7, ram(8, 8, asynchronous=True), "auto", ("distributed",)),
        (ICE40UP, ram(8, 8, asynchronous=True), "auto", ("registers", "block")),
        (ICE40UP, ram(8, 8), "distributed", ("registers",)),
        (SERIES7, ram(8, 8), "distributed", ("distributed",)),
        (SERIES7, ram(8, 8), "registers", ("registers",)),
        (ICE40UP, ram(8, 8), "block", ("block",)),
    ],
)
def test_where_a_store_may_lie(family, spec, asked, where):
    assert places_of(spec, asked, family) == where


def test_a_register_is_before_the_address_of_one_block():
    assert placed(ram(256, 16), "block", ICE40UP).early
    assert placed(ram(2048, 2), "block", ICE40UP).early
    assert not placed(ram(2049, 2), "block", ICE40UP).early
    # three parts of a block, where one of each width would take two
    assert not placed(ram(600, 5), "block", ICE40UP).early
    assert not placed(ram(256, 16, asynchronous=True), "block", ICE40UP).early
    assert not placed(ram(256, 16), "block", SERIES7).early


SPECS = st.lists(
    st.tuples(st.sampled_from((3, 16, 40, 70, 300, 700)), st.sampled_from((2, 9, 20, 40))),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", ["xc7s6", "lfe5u-25f", "ice40up5k"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes=SPECS, ramb18=st.integers(1, 6), some=st.integers(0, 300), spare=st.integers(0, 90))
def test_no_other_placement_is_better(name, shapes, ramb18, some, spare):
    """Of RAMs, by trying all: first what is too much of the memories, then LUTs and blocks."""
    part = PARTS[name]
    family = part.family
    memories = some + 1 if part.lutram_luts else 0
    part = replace(part, ramb18=ramb18, lutram_luts=memories)
    specs = [replace(ram(*shape), name=f"ram{n}") for n, shape in enumerate(shapes)]
    options = [
        [placed(spec, where, family) for where in places_of(spec, "auto", family)] for spec in specs
    ]
    kept = family.block_ram.kept

    def value(chosen, kept=kept):
        each = [taken(spec, family) for spec in chosen]
        blocks, lutram, luts = map(sum, zip(*each, strict=True))
        over = max(0, blocks + kept - ramb18) * (family.block_ram.bits // family.luts.words)
        over += max(0, lutram + min(spare, memories) - memories)
        return over, luts + family.block_ram.saves * blocks

    found = place(specs, part, {}, spare=spare)
    assert [*found] == [spec.name for spec in specs]
    chosen = [*found.values()]
    ways = [*itertools.product(*options)]
    first = min(ways, key=value)
    every = min(ways, key=lambda way: value(way, 0))
    total = [sum(taken(spec, family)[2] for spec in way) for way in (first, every)]
    if kept and total[0] - total[1] > part.luts // 10:
        assert value(chosen, 0) == value(every, 0)
    else:
        assert value(chosen) == value(first)


def test_a_table_beyond_the_blocks_that_are_left_is_cut():
    part = replace(PARTS["xc7s6"], ramb18=3, lutram_luts=2000)
    specs = [replace(rom(1024, 70), name="large"), replace(ram(512, 36), name="small")]
    found = place(specs, part, {"small": "block"})
    tiles = best_tiling(1024, 70, 2, SERIES7.block_ram)
    assert found["large"].tiles == tiles
    assert sum(tile.ramb18 for tile in tiles) == 2
    # asked for as a block, or where all of it has room, it is whole
    assert not place(specs, part, {"large": "block"})["large"].tiles
    assert not place(specs[:1], replace(part, ramb18=4), {})["large"].tiles
    # of two tables the larger one
    other = replace(rom(1024, 36), name="other")
    two = place([other, specs[0]], part, {})
    assert not two["other"].tiles


@pytest.mark.parametrize("left", [1, 2])
def test_a_cut_table_leaves_the_blocks_that_are_kept(left):
    """And what of it is in blocks is as much as those that are left hold."""
    kept = ICE40UP.block_ram.kept
    part = replace(PARTS["ice40up5k"], ramb18=kept + left + 1, luts=10**6)
    specs = [replace(rom(512, 60), name="large"), replace(ram(256, 16), name="small")]
    tiles = place(specs, part, {"small": "block"})["large"].tiles
    assert tiles == best_tiling(512, 60, left, ICE40UP.block_ram)
    assert sum(tile.ramb18 for tile in tiles) == left


def test_blocks_are_kept_while_they_cost_a_tenth_of_the_luts_or_less():
    part = replace(PARTS["ice40up5k"], ramb18=ICE40UP.block_ram.kept + 1)
    specs = [replace(ram(256, 16), name=f"ram{n}") for n in range(3)]

    def lies(luts):
        return place(specs, replace(part, luts=luts), {})

    def takes(stores):
        return sum(taken(spec, ICE40UP)[2] for spec in stores.values())

    less, more = lies(10**6), lies(1)
    saved = takes(less) - takes(more)
    assert saved > 0
    assert lies(10 * saved) == less
    assert lies(10 * saved - 1) == more


def test_a_store_is_one_of_its_ways():
    own = replace(placed(ram(40, 20), "block", SERIES7), name="way")
    specs = [replace(ram(40, 20), name="way"), replace(ram(8, 8), name="small")]
    found = place(specs, PARTS["xc7s15"], {"way": "distributed"}, {"way": [own]})
    assert found["way"] is own
    assert found["small"].placement == "distributed"
