"""What units have of a design: fields of a slot, and widths with no bit to spare."""

import pytest

from bitformer.hw.judging import score_bits, weight_bits
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.assembly import (
    address_generator,
    detector,
    matrix_engine,
    operands,
    post_processor,
    slots_of,
)
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize


@pytest.mark.parametrize(
    ("name", "part", "options", "told"),
    [
        ("tiny", "xc7s15", {"lanes": 4, "soft": 0}, False),
        ("tiny", "xc7s15", {"lanes": 4, "soft": 2}, True),
        ("etth1-96-24-w2a8", "ice40up5k", {}, False),
    ],
)
def test_slots_tell_columns_of_luts_beside_sums_that_are_not_apart(name, part, options, told):
    design = lower(initialize(named_config(name)), part=part, **options)
    geometry = design.geometry
    assert geometry.apart == (part == "ice40up5k")
    assert (geometry.weights.soft > 0) == (told or geometry.apart)
    assert ("soft" in slots_of(design).members) is told


def test_two_of_four_token_rows_begin_with_ones():
    """Synthesis does not merge their registers with those of the other two."""
    design = lower(initialize(named_config("tiny")), rows=4, posts=2)
    assert [matrix_engine(design, row).ones for row in range(4)] == [False, False, True, True]


SMALL = {"name": "small", "window": 6, "horizon": 2, "d_model": 4, "ffn": 6}
#: Models, how each is lowered, and whether it is to take new weights.
DESIGNS = {
    "plain": (SMALL, {"lanes": 4}, False),
    "one way": (SMALL, {"lanes": 2, "pack": False}, False),
    "rows": (SMALL | {"window": 8, "patch": 2, "input_bits": 16}, {"rows": 4, "posts": 2}, False),
    "no positions": (SMALL | {"block": "mlp"}, {"lanes": 4}, False),
    "short units": (SMALL, {"part": "ice40up5k"}, False),
    "detector": (SMALL | {"task": "detect"}, {"lanes": 4}, False),
    "loaded detector": (SMALL | {"task": "detect"}, {"lanes": 4}, True),
}


@pytest.fixture(scope="module", params=DESIGNS)
def design(request):
    shape, options, loaded = DESIGNS[request.param]
    model = initialize(TransformerConfig(**shape), samples=8)
    return (lower_reloadable if loaded else lower)(model, **options)


def bits_of(words):
    """Bits of an address of so many words, at least one."""
    return max(1, (max(words) - 1).bit_length())


def test_addresses_reach_the_deepest_store_and_no_further(design):
    stores, ways = design.stores, design.geometry.ways
    depths = {name: spec.depth for name, spec in stores.items()}
    unit, slot = address_generator(design), slots_of(design)
    words = {name: depths.get(name, 1) for name in ("activations", "scores", "position")}
    read = [depths["input"], ways * words["activations"], ways * words["scores"]]
    weights = [depths["weights"] * design.geometry.weights.units, depths.get("dynamic", 1)]
    assert unit.act_bits == bits_of(read)
    assert unit.weight_bits == bits_of(weights)
    for name in ("dst", "res"):
        assert slot[name].width == max(design.program.width(name), bits_of(words.values()))
    assert slot["parameter"].width == bits_of([len(design.images["parameters"])])
    assert ("upper" in slot.members) is (ways == 2 and bool(design.geometry.wide))


def test_operands_and_positions_are_those_of_a_token_row(design):
    geometry, unit, post = design.geometry, operands(design), post_processor(design)
    assert unit.several is (geometry.rows > 1)
    assert unit.joined is (not design.family.luts.rams)
    assert unit.word_bits * geometry.rows == design.stores["activations"].width
    assert post.widths.activation_bits * geometry.ways == unit.word_bits
    words = design.stores["position"].width if "position" in design.stores else geometry.rows
    assert post.widths.position_bits == max(1, words // geometry.rows // geometry.ways)


@pytest.mark.parametrize("design", ["detector", "loaded detector"], indirect=True)
def test_a_detector_has_room_for_any_weights_where_these_are_loaded(design):
    judge, loaded = design.model.detector, {"any_weights": design.banks == 2}
    unit = detector(design, judge)
    assert unit.weight_bits == weight_bits(judge, **loaded)
    assert unit.score_bits == score_bits(judge, design.model, **loaded)
    assert weight_bits(judge, any_weights=True) > weight_bits(judge)
