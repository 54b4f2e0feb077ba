# amaranth: UnusedElaboratable=no
"""Real syntheses: placements take effect, packing costs no second DSP, depth is what it must be."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.memory import StoreSpec
from bitformer.hw.tiling import Tile
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.units.pipeline import by_operation
from bitformer.hw.units.store import Store
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize
from bitformer.synth.depth import MOST_LATE_STEPS, MOST_LOADS
from bitformer.synth.netlist import signal_of
from bitformer.synth.synthesize import source_of, synthesize

ENGINE = {"operand_bits": 9, "product_bits": 40, "multiplier": SERIES7.multiplier}


class Gallery(wiring.Component):
    """Components side by side, every port of each a port."""

    def __init__(self, **units):
        self._units = units
        super().__init__({name: Out(unit.signature) for name, unit in units.items()})

    def elaborate(self, platform):
        m = Module()
        for name, unit in self._units.items():
            m.submodules[name] = unit
            connect(m, unit, flipped(getattr(self, name)))
        return m


class Adder(wiring.Component):
    """Sums of two registers in a third."""

    a: In(16)
    b: In(16)
    o: Out(16)

    def elaborate(self, platform):
        m = Module()
        a, b = Signal(16, reset_less=True), Signal(16, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b), self.o.eq(a + b)]
        return m


class Parity(wiring.Component):
    """Parity of so many bits: one LUT of six inputs for the first six, and for five more each."""

    def __init__(self, *, bits):
        super().__init__({"i": In(bits), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        bits = Signal.like(self.i, reset_less=True)
        m.d.sync += [bits.eq(self.i), self.o.eq(bits.xor())]
        return m


class Constants(wiring.Component):
    """A constant of 16 bits for each of 200 operations, between registers."""

    i: In(8)
    o: Out(16)

    def elaborate(self, platform):
        m = Module()
        rng = random.Random(200)
        op = Signal.like(self.i, reset_less=True)
        values = [rng.getrandbits(16) for _ in range(200)]
        m.d.sync += [op.eq(self.i), self.o.eq(by_operation(m, op, values, name="value"))]
        return m


class Gate(wiring.Component):
    """A register of 200 bits behind an enable."""

    i: In(200)
    i_go: In(1)
    o: Out(200)

    def elaborate(self, platform):
        m = Module()
        go = Signal(reset_less=True)
        kept = Signal(200, reset_less=True)
        m.d.comb += self.o.eq(kept)
        m.d.sync += go.eq(self.i_go)
        with m.If(go):
            m.d.sync += kept.eq(self.i)
        return m


def store(placement, depth, width, *, rom=False):
    rng = random.Random(depth * width)
    words = [rng.getrandbits(width) for _ in range(depth)] if rom else []
    spec = StoreSpec(name="s", depth=depth, width=width, rom=rom, placement=placement)
    return Store(spec=spec, init=words)


@pytest.fixture(scope="module")
def gallery():
    """What has been synthesized comes from the cache: a test run later takes no time."""
    return synthesize(
        Gallery(
            ram_block=store("block", 512, 16),
            ram_distributed=store("distributed", 64, 12),
            ram_deep=store("distributed", 256, 12),
            ram_registers=store("registers", 8, 10),
            rom_block=store("block", 512, 16, rom=True),
            rom_distributed=store("distributed", 128, 8, rom=True),
            packed=MatrixEngine(
                columns=4, column_bits=8, pack_shift=21, half_bits=4, always_packed=True, **ENGINE
            ),
            unpacked=MatrixEngine(
                columns=7, column_bits=4, pack_shift=0, half_bits=0, always_packed=False, **ENGINE
            ),
            adder=Adder(),
            parity=Parity(bits=6),
            wide=Parity(bits=200),
            gate=Gate(),
            constants=Constants(),
        ),
        units=True,
        worst=1000,
    )


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "ramb18", "memory", "least_ffs"),
    [
        ("ram_block", 1, False, 16),
        ("ram_distributed", 0, True, 12),
        ("ram_registers", 0, False, 80),
        ("rom_block", 1, False, 0),
        ("rom_distributed", 0, False, 8),
    ],
)
def test_placement_took_effect(unit, ramb18, memory, least_ffs, gallery):
    taken = gallery.units[unit]
    assert taken.ramb18 == ramb18
    assert (taken.luts_as_memory > 0) == memory
    assert taken.ffs >= least_ffs
    assert (taken.luts_as_logic >= 8) == (unit in ("rom_distributed", "ram_registers"))


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize(("unit", "dsps"), [("packed", 4), ("unpacked", 7)])
def test_a_column_is_one_dsp(unit, dsps, gallery):
    assert gallery.units[unit].dsps == dsps


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_the_whole_is_the_units(gallery):
    taken, units = gallery.resources, gallery.units.values()
    assert taken.dsps == sum(unit.dsps for unit in units) == 11
    assert taken.ramb18 == sum(unit.ramb18 for unit in units) == 2
    assert 0.8 < taken.luts / sum(unit.luts for unit in units) <= 1.05
    assert sum(gallery.cells[kind] for kind in ("FDRE", "FDSE") if kind in gallery.cells) == (
        taken.ffs
    )


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "levels", "chains", "carries"),
    [("adder.o/D", 1, 1, 4), ("parity.o/D", 1, 0, 0), ("gate.o/CE", 0, 0, 0)],
)
def test_depth_of_known_logic(end, levels, chains, carries, gallery):
    found = next(path for path in gallery.depth.paths if signal_of(path.end) == end)
    assert (found.levels, found.chains, found.carries) == (levels, chains, carries)


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_200_bits_take_three_levels_or_more(gallery):
    """Six to the power of two are 36; more levels are Yosys' choice, where others are deeper."""
    found = next(path for path in gallery.depth.paths if path.end == "wide.o/D")
    assert 3 <= found.levels <= gallery.depth.levels


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_constants_of_many_operations_take_three_levels(gallery):
    """A LUT of each 64, and a choice among four of these; a table of all takes five."""
    ends = {p.end: p.levels for p in gallery.depth.paths if p.end.startswith("constants.o[")}
    assert ends
    assert max(ends.values()) <= 3


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_a_wide_enable_is_noticed(gallery):
    widest = gallery.fanouts[0]
    assert widest.name == "gate.go"
    assert (widest.loads, widest.enables, widest.control) == (200, 200, True)
    assert widest.loads > MOST_LOADS


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_writes_of_a_deep_memory_load_its_own_registers(gallery):
    loads = {net.name: net for net in gallery.fanouts}
    deep, shallow = (loads[f"ram_{name}__w_addr[0]"] for name in ("deep", "distributed"))
    assert (deep.loads, deep.data) == (1, 1)
    assert shallow.loads >= 4


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_a_stack_of_blocks_is_chosen_by_halves():
    chance = random.Random(0)
    tile = Tile(rows=1536, first=0, width=144, ramb18=12, deep=512)
    rom = StoreSpec(name="s", depth=1540, width=144, rom=True, placement="block", tiles=(tile,))
    result = synthesize(Store(spec=rom, init=[chance.getrandbits(144) for _ in range(1540)]))
    assert result.resources.ramb18 == 12
    # of 144 bits
    assert result.control.loads <= MOST_LOADS
    assert result.short_enough


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid-18-32-6", "grid-12-64-6"])
def test_published_configurations_keep_150_mhz(name):
    """Two that are the likeliest not to: look-ups in LUTs, and weights in a stack of block RAM."""
    design = lower(initialize(named_config(name)), part="xc7s15")
    result = synthesize(design)
    assert result.over == ()
    assert result.depth.short_enough, result.depth.paths[0]
    assert result.control.loads <= MOST_LOADS, result.control


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_tiny_is_short_fits_and_uses_its_multipliers_once():
    design = lower(initialize(named_config("tiny")))
    result = synthesize(design)
    assert result.over == ()
    assert result.resources.dsps <= 20
    assert result.depth.levels >= 2
    assert result.depth.short_enough, result.depth.paths[0]
    assert result.control.loads <= MOST_LOADS, result.control
    assert result.short_enough
    block = sum(spec.placement == "block" for spec in design.stores.values())
    assert (result.resources.ramb18 > 0) == (block > 0)
    multipliers = design.geometry.columns + design.geometry.ways
    assert multipliers <= result.resources.dsps <= multipliers + 1


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_tables_of_the_calendar_make_no_longest_path():
    """The row's offset is added where a row of the layer begins."""
    config = named_config("tiny").replace(linear_path=True)
    without, timed = (
        synthesize(lower(initialize(config.replace(calendar=calendar))), worst=400)
        for calendar in ((), ("hour", "weekday"))
    )
    assert timed.short_enough
    begins = [path.levels for path in timed.depth.paths if path.end.startswith("drain.parameters")]
    assert 1 < max(begins) < timed.depth.levels
    assert timed.resources.dsps == without.resources.dsps
    assert 0 < timed.resources.luts - without.resources.luts < 150
    assert 0 < timed.resources.ffs - without.resources.ffs < 100


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize("width", [24, 60])
def test_rows_of_any_width_take_the_dsp_blocks_that_are_counted(width):
    config = named_config("tiny").replace(d_model=width, heads=1)
    design = lower(initialize(config))
    found = synthesize(design)
    assert found.resources.dsps == design.geometry.dsps
    assert found.short_enough


#: A forecaster whose small stores are RAMs in LUTs, and new weights are loaded into them.
SMALL = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)


def test_new_weights_are_loaded_by_ports():
    """Without them a tool sees no write, and makes ROMs of what it is told to be RAMs."""
    model = initialize(SMALL)
    ports = {}
    for lowered in (lower, lower_reloadable):
        text = source_of(lowered(model, part="xc7s15", lanes=4))
        top = text[text.index("module \\top\n") :].partition("\nend\n")[0]
        lines = [line for line in top.splitlines() if " input " in line or " output " in line]
        ports[lowered] = {line.split()[-1].removeprefix("\\") for line in lines}
    assert {name.split("__")[0] for name in ports[lower]} == {"clk", "rst", "i", "o"}
    assert ports[lower_reloadable] - ports[lower] == {
        "i_bank",
        "i_load_addr",
        "i_load_data",
        "i_load_en",
    }


@pytest.mark.needs("yosys")
@pytest.mark.slow
def test_a_small_reloadable_design_is_synthesized():
    """Its positions are 16 words in LUTs: eight rows, twice."""
    design = lower_reloadable(initialize(SMALL), part="xc7s15", lanes=4)
    assert design.stores["position"].placement == "distributed"
    found = synthesize(design)
    fixed = synthesize(lower(initialize(SMALL), part="xc7s15", lanes=4))
    # 16 words of 16 bits are three RAM32M of four LUTs
    assert found.resources.luts_as_memory >= fixed.resources.luts_as_memory + 12
    assert found.resources.ramb18 == fixed.resources.ramb18 + 3
    assert not found.over


@pytest.mark.needs("yosys")
def test_what_begins_late_ends_soon():
    """Behind shift registers and memories in LUTs, and products without a register."""
    least = TransformerConfig(name="least", window=2, horizon=2, d_model=2, heads=1, ffn=2)
    design = lower(initialize(least), part="xc7s15", lanes=2)
    assert design.geometry.norm_features
    result = synthesize(design)
    assert {path.late for path in result.depth.late} == {1}
    assert result.depth.late_steps <= MOST_LATE_STEPS, result.depth.late[0]
    assert result.short_enough


@pytest.mark.needs("yosys")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["etth1-96-24", "grid-12-32-4", "grid-12-64-6"])
def test_what_begins_late_ends_soon_in_routed_designs(name):
    """Those whose paths on a Spartan-7 are known: docs/accelerator.md."""
    result = synthesize(lower(initialize(named_config(name))))
    assert result.depth.late_steps <= MOST_LATE_STEPS, result.depth.late[0]
    assert result.short_enough, result.depth.paths[0]
