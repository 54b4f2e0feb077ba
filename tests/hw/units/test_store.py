# amaranth: UnusedElaboratable=no
"""Memories in every placement: what is written is read two cycles after its address."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Fragment, ResetInserter, Signal
from amaranth.sim import Simulator
from registers_harness import registers

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.memory import DEEP, PLACEMENTS, READ_LATENCY, StoreSpec, placement_attributes
from bitformer.hw.tiling import best_tiling, rest_of, tile_of
from bitformer.hw.units import store as store_module
from bitformer.hw.units.pipeline import delay
from bitformer.hw.units.store import Store

RAM, EBR = SERIES7.block_ram, ICE40UP.block_ram


def tile(rows, first, width, blocks=1):
    return tile_of(rows, first, width, blocks, RAM)


def contents(depth, width):
    """A ROM's words, each its own."""
    chance = random.Random(depth * width)
    return [chance.getrandbits(width) for _ in range(depth)]


def reads_and_writes(play, spec, init=(), *, cycles=150, seed=0):
    """Play random traffic; compare each read with the model."""
    chance = random.Random(seed)
    dut = Store(spec=spec, init=init)
    script = []
    for _ in range(cycles):
        # half of the reads are of what has just been written
        last = script[-1].get("w_addr", 0) if script else 0
        step = {
            f"addr_{p}": chance.choice([last, chance.randrange(spec.depth)])
            for p in range(spec.read_ports)
        }
        if not spec.rom:
            step |= {
                "w_addr": chance.randrange(spec.depth),
                "w_data": chance.getrandbits(spec.width),
                "w_en": chance.getrandbits(len(dut.w_en)) if chance.random() < 0.7 else 0,
            }
        script.append(step)
    names = [f"data_{p}" for p in range(spec.read_ports)]
    shown = play(dut, script + [{}] * dut.latency, names)
    for expected, got in zip(dut.model(script), shown[dut.latency :], strict=True):
        # what is being written is not read in the same cycle
        known = tuple(None if e is None else g for e, g in zip(expected, got, strict=True))
        assert known == expected


def test_model_of_a_few_steps():
    dut = Store(spec=spec(granule=4, read_ports=2), init=[0x12, 0x34])
    read = {"addr_0": 1, "addr_1": 3}
    steps = [
        read,
        {"w_addr": 1, "w_data": 0xAB, "w_en": 0b01} | read,
        read,
        {"w_addr": 3, "w_data": 0xCD, "w_en": 0b11} | read,
        {"w_addr": 3, "w_data": 0xFF, "w_en": 0} | read,
    ]
    assert dut.model(steps) == [(0x34, 0), (None, 0), (0x3B, 0), (0x3B, None), (0x3B, 0xCD)]


def test_a_changed_word_is_noticed(play):
    """The mutant of the comparison: a ROM with one other bit."""
    init = contents(7, 11)
    rom = spec(depth=7, width=11, rom=True)
    script = [{"addr_0": n} for n in range(7)]
    shown = play(Store(spec=rom, init=init), script + [{}] * READ_LATENCY, ["data_0"])
    assert shown[READ_LATENCY:] == Store(spec=rom, init=init).model(script)
    changed = [*init[:6], init[6] ^ 1 << 10]
    assert shown[READ_LATENCY:] != Store(spec=rom, init=changed).model(script)


def test_latency_is_two():
    assert READ_LATENCY == Store.latency == 2


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(
    "shape",
    [
        {"depth": 1, "width": 1},
        {"depth": 1, "width": 12, "granule": 4},
        {"depth": 2, "width": 8, "read_ports": 2},
        {"depth": 5, "width": 9, "granule": 3},
        {"depth": 13, "width": 16, "granule": 8, "read_ports": 2},
        {"depth": 16, "width": 7, "granule": 7},
        {"depth": 65, "width": 6, "granule": 3, "read_ports": 2},
    ],
    ids=lambda shape: "x".join(map(str, shape.values())),
)
def test_ram(play, placement, shape):
    reads_and_writes(play, StoreSpec(name="ram", placement=placement, **shape))


@pytest.mark.parametrize("depth", [64, 65])
def test_writes_a_cycle_later_are_found(play, depth, monkeypatch):
    def late(m, value, cycles, **options):
        return delay(m, value, cycles + 1, **options)

    spec = StoreSpec(name="ram", depth=depth, width=8, placement="distributed")
    reads_and_writes(play, spec)
    monkeypatch.setattr(store_module, "delay", late)
    if depth > 64:
        with pytest.raises(AssertionError):
            reads_and_writes(play, spec)
    else:
        # one LUT deep, a word is written at once: this much later is still in time
        reads_and_writes(play, spec)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("depth", "width", "ports"), [(1, 4, 1), (7, 11, 1), (12, 3, 2)])
def test_rom(play, placement, depth, width, ports):
    init = contents(depth, width)
    spec = StoreSpec(
        name="rom", depth=depth, width=width, rom=True, placement=placement, read_ports=ports
    )
    dut = Store(spec=spec, init=init)
    assert not hasattr(dut, "w_en")
    reads_and_writes(play, spec, init, cycles=60)


@pytest.mark.parametrize("early", [False, True])
def test_a_word_comes_as_late_with_a_register_before_its_address(play, early):
    init = contents(100, 7)
    rom = spec(depth=100, width=7, rom=True, placement="block", early=early)
    reads_and_writes(play, rom, init, cycles=60)


def test_a_ram_with_a_register_before_its_address_reads_a_cycle_later(play):
    """A word that is written the cycle after it is addressed is nobody's."""
    ram = spec(depth=9, width=4, placement="block", early=True)
    reads_and_writes(play, ram, cycles=60)
    steps = [{"addr_0": 3}, {"w_addr": 3, "w_data": 5, "w_en": 1}, {"addr_0": 3}]
    assert Store(spec=ram).model(steps) == [(None,), (0,), (5,)]
    assert Store(spec=replace(ram, early=False)).model(steps) == [(0,), (0,), (5,)]


TILINGS = {
    "rows": [tile(3, 0, 10)],
    "bits": [tile(11, 0, 6)],
    "corner": [tile(4, 0, 7)],
    "two": [tile(11, 0, 4), tile(2, 4, 6)],
    "two and a rest": [
        tile(9, 0, 3),
        tile(5, 3, 3),
    ],
}


@pytest.mark.parametrize("tiles", TILINGS.values(), ids=TILINGS)
@pytest.mark.parametrize("given", [11, 6])
def test_rom_in_pieces(play, tiles, given):
    init = contents(11, 10)
    spec = StoreSpec(
        name="rom", depth=11, width=10, rom=True, placement="block", tiles=tuple(tiles)
    )
    reads_and_writes(play, spec, init[:given], cycles=80)


@pytest.mark.parametrize(
    ("ram", "rows", "width", "first", "stack"),
    [
        (RAM, 1030, 36, 0, [1024, 6]),
        (RAM, 520, 35, 1, [520]),
        (RAM, 1100, 1, 2, [1100]),
        (RAM, 2049, 15, 0, [2048, 1]),
        (RAM, 1536, 36, 0, [1024, 512]),
        (EBR, 1792, 16, 0, [1024, 512, 256]),
        (EBR, 1700, 16, 3, [1024, 512, 164]),
        (EBR, 2304, 16, 0, [1024, 1024, 256]),
        (EBR, 700, 3, 0, [700]),
    ],
)
def test_stacked_rom_at_every_address(play, ram, rows, width, first, stack):
    """A stack has the blocks of its shapes, the deepest first, and as few parts as can be."""
    depth = rows + 3
    init = contents(depth, 40)
    stacked = tile_of(rows, first, width, 8, ram)
    assert [words for _, words in stacked.parts] == stack
    if first:
        spare = tile(depth, 0, first)
        tiles = (spare, stacked)
    else:
        tiles = (stacked,)
    spec = StoreSpec(name="rom", depth=depth, width=40, rom=True, placement="block", tiles=tiles)
    script = [{"addr_0": address} for address in range(depth)] + [{}] * READ_LATENCY
    shown = play(Store(spec=spec, init=init), script, ["data_0"])
    assert [word for (word,) in shown[READ_LATENCY:]] == init


@pytest.mark.parametrize("blocks", [1, 2, 3, 10])
@pytest.mark.parametrize(("depth", "width"), [(600, 40), (1614, 192), (3164, 128), (2000, 7)])
def test_a_stack_takes_the_blocks_of_its_tile(depth, width, blocks):
    for ram in (RAM, EBR):
        widths = dict(ram.shapes)
        for one in best_tiling(depth, width, blocks, ram):
            depths = one.stack or [one.deep] * len(one.parts)
            assert sum(-(-one.width // widths[words]) for words in depths) <= one.ramb18
            assert sum(words for _, words in one.parts) == one.rows


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize(("depth", "width"), [(600, 40), (3, 200), (2000, 7), (1025, 37)])
def test_tiles_and_their_rest_cover_the_rom_once(depth, width, blocks):
    tiles = best_tiling(depth, width, blocks, RAM)
    assert sum(one.ramb18 for one in tiles) <= blocks
    rectangles = [(0, t.rows, t.first, t.width) for t in tiles] + rest_of(depth, width, tiles)
    assert sum(rows * bits for _, rows, _, bits in rectangles) == depth * width
    for row, rows, bit, bits in rectangles:
        assert 0 <= row < row + rows <= depth
        assert 0 <= bit < bit + bits <= width
    for a in rectangles:
        for b in rectangles:
            apart = a[0] + a[1] <= b[0] or b[0] + b[1] <= a[0]
            assert a is b or apart or a[2] + a[3] <= b[2] or b[2] + b[3] <= a[2]


@pytest.mark.parametrize(
    ("placement", "rom", "attributes"),
    [
        ("block", False, {"ram_style": "block"}),
        ("distributed", False, {"ram_style": "distributed"}),
        ("registers", False, {"ram_style": "registers"}),
        ("block", True, {"rom_style": "block"}),
        ("distributed", True, {"rom_style": "distributed"}),
        ("registers", True, {"rom_style": "distributed"}),
        ("auto", True, {}),
        ("auto", False, {}),
    ],
)
def test_placement_as_the_tools_spell_it(placement, rom, attributes):
    assert placement_attributes(placement, rom=rom) == attributes


def spec(**changes):
    return StoreSpec(**{"name": "s", "depth": 4, "width": 8} | changes)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Store(spec="s"), TypeError, r"^Spec must be a StoreSpec, not 's'$"),
        (
            lambda: Store(spec=spec(depth=0)),
            ValueError,
            r"^Store s must have words and bits, not 0x8$",
        ),
        (
            lambda: Store(spec=spec(width=0)),
            ValueError,
            r"^Store s must have words and bits, not 4x0$",
        ),
        (
            lambda: Store(spec=spec(read_ports=3)),
            ValueError,
            r"^Read ports must be 1 or 2, not 3$",
        ),
        (
            lambda: Store(spec=spec(tiles=(tile(2, 0, 8),))),
            ValueError,
            r"^Tiles must be those of a ROM with one read port$",
        ),
        (
            lambda: Store(spec=spec(), init=[0, 256]),
            ValueError,
            r"^Init must have words of 8 bits, not 256$",
        ),
        (
            lambda: Store(spec=spec(), init=[-1]),
            ValueError,
            r"^Init must have words of 8 bits, not -1$",
        ),
        (
            lambda: Store(spec=spec(), init=[0.5]),
            TypeError,
            r"^Init must have words that are integers, not 0\.5$",
        ),
        (
            lambda: Store(spec=spec(granule=3)),
            ValueError,
            r"^Granule must divide the width 8, not be 3$",
        ),
        (
            lambda: Store(spec=spec(), init=range(5)),
            ValueError,
            r"^Init must have at most 4 words, not 5$",
        ),
        (
            lambda: placement_attributes("flash", rom=True),
            ValueError,
            r"^Placement must be one of .*, not 'flash'$",
        ),
    ],
)
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_parameters_can_be_read():
    dut = Store(spec=spec(), init=range(3))
    assert (dut.spec, dut.init, dut.granule) == (spec(), (0, 1, 2), 8)
    with pytest.raises(AttributeError, match=r"^Spec cannot be changed$"):
        dut.spec = spec(depth=5)


def test_a_reset_leaves_no_write_behind():
    """A deep memory's writes are a cycle late: one that a reset overtakes is not made."""
    dut, found = Store(spec=spec(depth=4 * DEEP, width=6, placement="distributed")), []
    top = ResetInserter(reset := Signal())(dut)

    async def bench(ctx):
        async def write(address, word, reset_now):
            ctx.set(dut.w_addr, address)
            ctx.set(dut.w_data, word)
            ctx.set(dut.w_en, -1)
            ctx.set(reset, reset_now)
            await ctx.tick()
            ctx.set(dut.w_en, 0)
            ctx.set(reset, 0)

        await write(3, 21, 0)
        await write(5, 22, 0)
        await ctx.tick().repeat(3)
        await write(5, 63, 1)
        for address in (3, 5):
            ctx.set(dut.addr_0, address)
            await ctx.tick().repeat(READ_LATENCY + 1)
            found.append(ctx.get(dut.data_0))

    simulator = Simulator(top)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [21, 22]


@pytest.mark.parametrize("bits", [1, 2, 3, 7, 30, 64])
def test_a_word_is_cut_by_its_loads(bits):
    """Into as few parts as leave 48 to each register, of four; no part is two bits longer."""
    for loads in (1, 47, 48, 49, 95, 96, 97, 144, 145, 192, 193, 1000):
        cuts = store_module._cuts(bits, loads)
        assert [bit for cut in cuts for bit in cut] == list(range(bits))
        assert max(map(len, cuts)) - min(map(len, cuts)) <= 1
        most = min(bits, 4)
        assert len(cuts) == next((n for n in range(1, most) if 48 * n >= loads), most)


def names_of(**shape):
    store = Store(spec=spec(placement="distributed", **shape))
    return [signal.name for _, signal in registers(Fragment.get(store, None))]


def test_a_deep_ram_is_written_a_cycle_later():
    for depth in (1, 63, 64, 65, 200):
        assert ("w_en_d1" in names_of(depth=depth, width=8)) is (depth > DEEP == 64)


def test_a_rom_of_more_words_than_a_lut_holds_has_more_loads():
    for depth, copies in ((2, 1), (64, 1), (65, 2), (128, 2), (129, 2), (193, 3)):
        names = names_of(depth=depth, width=30, rom=True)
        assert sum(name.startswith("address_rom") for name in names) == copies
