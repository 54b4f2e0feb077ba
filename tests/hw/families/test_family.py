"""Another family of devices: a design for it follows from its facts alone."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import Predictor
from bitformer.hw.families.family import (
    BlockRam,
    Family,
    LutRam,
    Luts,
    Multiplier,
)
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import cost, place, placed
from bitformer.hw.memory import StorePart, StoreSpec
from bitformer.hw.parts import PARTS, Part
from bitformer.hw.tiling import best_tiling
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

NAME = "made-up"

#: An 18 x 18 multiplier, LUTs of four inputs, wider and larger block RAMs than the 7 series.
OTHER = Family(
    name="made-up family",
    multiplier=Multiplier(name="MUL18", long_bits=18, short_bits=18, accumulator_bits=36),
    block_ram=BlockRam(
        name="RAM40K",
        shapes=((512, 80), (1024, 40), (2048, 20)),
        stacked=2,
        enable_bits=10,
        saves=40,
    ),
    luts=Luts(inputs=4, joined=2, rams=(LutRam(words=16, bits=4, luts=6),)),
    primitives={},
    pins=SERIES7.pins,
    script=SERIES7.script,
    power=SERIES7.power,
)


#: LUTs that are no memories.
NO_RAMS = Luts(inputs=4, joined=1)


def small_model(**changes):
    return initialize(named_config("tiny").replace(**changes))


@pytest.fixture
def lowered(monkeypatch):
    """Lower a model for a part of a family that differs from ``OTHER`` as said."""

    def on(model, placement=None, *, lutram_luts=1000, dsps=28, ramb18=12, **facts):
        family = changed(**facts)
        part = Part(
            name=NAME,
            family=family,
            luts=20_000,
            ffs=20_000,
            lutram_luts=lutram_luts,
            ramb18=ramb18,
            dsps=dsps,
            bitstream_bits=1,
            static_w=None,
            verified=False,
        )
        monkeypatch.setitem(PARTS, NAME, part)
        return lower(model, part=NAME, placement=placement)

    return on


def changed(**facts):
    names = ("name", "multiplier", "block_ram", "luts", "primitives", "pins", "script", "power")
    return Family(**{name: getattr(OTHER, name) for name in names} | facts)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_design_is_exact(lowered, norm):
    model = small_model(norm=norm, linear_path=False)  # with one, its 16 bits are wide
    design = lowered(model)
    ours = lower(model)
    geometry = design.geometry
    assert geometry.multiplier is OTHER.multiplier
    assert geometry.pack_shift + geometry.half_bits <= 18 < ours.geometry.pack_shift + 4
    # what fits 25 bits and not 18 is made in two steps, one result at a time
    assert geometry.wide
    assert not ours.geometry.wide
    assert not any(design.packed[name] for name in geometry.wide)
    x = np.random.default_rng(0).integers(-128, 128, (3, *model.input.shape))
    x[0], x[1] = -128, 127
    result = simulate(design, x)
    assert result.bit_exact
    assert result.cycles


def test_stores_are_placed_by_its_shapes(lowered):
    model = small_model()
    design = lowered(model)
    weights = design.stores["weights"]
    assert weights.placement == "block"
    blocks = min(
        -(-weights.depth // words) * -(-weights.width // bits)
        for words, bits in OTHER.block_ram.shapes
    )
    found = estimate(design)
    assert next(s for s in found.stores if s.name == "weights").ramb18 == blocks
    assert [use.resource for use in found.uses][:2] == ["DSP", "RAM40K"]
    assert next(use for use in found.uses if use.resource == "RAM40K").available == 12
    small = lowered(model, ramb18=1)
    assert sum(tile.ramb18 for store in small.stores.values() for tile in store.tiles) <= 1
    assert small.stores["activations"].placement == "distributed"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"short_bits": 16, "long_bits": 16}, r"^multipliers must fit 16 bits, not need 1[78]$"),
        ({"accumulator_bits": 24}, r"^post-processor must stay within 24 bits, not need \d+$"),
        ({"accumulator_bits": 18}, r"^accumulator of .* must fit 18 bits, not need \d+$"),
    ],
)
def test_what_does_not_fit_is_refused(lowered, facts, message):
    with pytest.raises(UserError, match=message):
        lowered(small_model(), multiplier=replace(OTHER.multiplier, **facts))


def test_without_memories_in_luts_registers_serve(lowered):
    model = small_model()
    design = lowered(model, lutram_luts=0, luts=NO_RAMS)
    found = estimate(design)
    assert sum(store.lutram for store in found.stores) == 0
    stores = {store.name: store for store in found.stores}
    # a few words are in registers, whatever is asked for; more of them wait in a block
    last = stores["last"]
    assert (last.placement, last.ffs) == ("registers", last.bits)
    assert stores["output"].placement == "block"
    asked = lowered(model, {"output": "distributed"}, lutram_luts=0, luts=NO_RAMS)
    assert asked.stores["output"].placement == "registers"
    assert not design.stores["activations"].asynchronous
    assert design.stores["activations"].placement == "block"
    x = np.random.default_rng(0).integers(-128, 128, (1, *model.input.shape))
    assert simulate(design, x).bit_exact


@pytest.mark.parametrize(
    ("spec", "placement", "taken"),
    [
        # one block of 512 x 80; two of 36 bits in the 7 series
        ({"depth": 500, "width": 72}, "block", {"ramb18": 1}),
        # a write enable for 10 bits: 6 granules of 11 take 20 each
        ({"depth": 500, "width": 66, "granule": 11}, "block", {"ramb18": 2}),
        ({"depth": 16, "width": 9}, "distributed", {"lutram": 18}),
        # three deep, and each bit selected among three by two LUTs
        ({"depth": 40, "width": 4}, "distributed", {"lutram": 18, "luts": 8}),
        # five LUTs of 16 words, of which two are joined: two more select among three pairs
        ({"depth": 70, "width": 2, "rom": True}, "distributed", {"luts": 14}),
    ],
)
def test_cost_of_a_store(spec, placement, taken):
    found = cost(StoreSpec(name="s", **spec), placement, OTHER)
    names = ("ramb18", "lutram", "luts", "ffs")
    assert {name: getattr(found, name) for name in names if getattr(found, name)} == taken


@pytest.mark.parametrize(
    ("depth", "width", "early"),
    [(256, 16, True), (1024, 16, True), (600, 5, False), (4096, 2, False), (16384, 16, False)],
)
def test_registers_are_before_the_address_where_no_block_is_selected(depth, width, early):
    spec = StoreSpec(name="one", depth=depth, width=width)
    assert placed(spec, "block", PARTS["ice40up5k"].family).early == early
    assert not placed(spec, "block", SERIES7).early


@pytest.mark.parametrize(("parts", "luts"), [(2, 1), (4, 1), (5, 2), (7, 2), (8, 3)])
def test_parts_of_a_store_are_selected_by_four_a_lut(parts, luts):
    """Of 10 bits: a LUT selects among four, or adds three to what was selected."""
    part = StoreSpec(name="part", depth=512, width=10, placement="block")
    spec = StoreSpec(
        name="one",
        depth=512 * parts,
        width=10,
        parts=tuple(
            StorePart(base=512 * n, spec=part, ports=(0,), tensors=()) for n in range(parts)
        ),
    )
    enables = parts * 1 + parts * 2
    assert cost(spec, "block", SERIES7).luts == 10 * luts + enables
    assert cost(spec, "block", SERIES7).ramb18 == parts


def test_stacks_of_a_tile_are_of_its_shapes():
    (tile,) = best_tiling(1000, 80, 2, OTHER.block_ram)
    assert (tile.rows, tile.width, tile.ramb18, tile.deep) == (1000, 80, 2, 1024)


def test_luts_of_a_family():
    assert (SERIES7.luts.words, SERIES7.luts.selected) == (64, 4)
    assert (OTHER.luts.words, OTHER.luts.selected) == (16, 2)
    assert SERIES7.block_ram.bits == 18 * 1024
    assert (SERIES7.multiplier.split, SERIES7.multiplier.short_split) == (24, 17)
    assert repr(SERIES7) == "<Family 7 series>"


def test_a_prediction_is_for_its_family(lowered):
    predictor = Predictor(shipped_entries())
    with pytest.raises(UserError, match=r"must hold measured designs of the made-up family, and"):
        predictor.predict(lowered(small_model()))


def test_blocks_are_kept_until_they_cost_a_tenth_of_the_luts():
    """A board's shell has three of an iCE40UP's, unless an accelerator needs them too much."""

    def placed(words):
        rom = StoreSpec(name="weights", depth=words, width=32, rom=True)
        found = place([rom], PARTS["ice40up5k"], {})["weights"]
        return sum(tile.ramb18 for tile in found.tiles)

    assert PARTS["ice40up5k"].family.block_ram.kept == 3
    assert placed(3500) == 27
    assert placed(3800) == 30
