"""How many columns of LUTs a design has where it asks for them, and which layers use them."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import soft_columns
from bitformer.hw.lowering.images import weight_words
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.soft_columns import (
    asked_broad,
    column_luts,
    in_time,
    longest_single,
    most_columns,
    soft_of,
)
from bitformer.hw.lut_rows import MOST_BITS, ahead
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

PART = "xc7s15"


@pytest.fixture(scope="module")
def model():
    made = {}

    def named(name):
        if name not in made:
            made[name] = initialize(named_config(name), seed=0)
        return made[name]

    return named


@pytest.mark.parametrize(
    ("name", "soft", "most"),
    [
        ("etth1-48-24-ed", 16, 21_000),
        ("grid-24-64-4", 28, 21_500),
        ("grid-12-64-6", 16, 12_000),
        ("grid-12-32-4", 16, 4_800),
    ],
)
def test_auto_takes_fewer_cycles_within_the_part(model, name, soft, most):
    plain, design = lower(model(name)), lower(model(name), soft="auto")
    assert plain.latency > design.latency <= most
    assert design.geometry.weights.soft == soft <= most_columns(plain)
    assert design.geometry.hard == plain.geometry.columns
    assert crowding(design.stores.values(), PARTS[PART])[0] == 0
    # another lowering of as many is the same design
    again = lower(model(name), soft=soft)
    assert again.program == design.program
    assert again.images == design.images


@pytest.mark.parametrize("soft", [None, 16])
def test_cycles_are_counted_as_the_schedule_has_them(model, soft):
    design = lower(model("grid-24-64-4"), soft=soft)
    served = {op.y for op in soft_columns._served(design)}
    assert served
    rows = [event.row for event in design.schedule.events if event.row.tensor in served]
    found = sum(row.operation.cycles for row in rows)
    assert soft_columns._cycles(design, design.geometry.columns) == found


def test_as_many_as_there_may_be_are_tried(model, monkeypatch):
    monkeypatch.setattr(soft_columns, "most_columns", lambda design: 16)
    for name in ("grid-12-32-4", "grid-24-64-4"):
        assert lower(model(name), soft="auto").geometry.weights.soft == 16


def test_few_multipliers_are_not_ahead_of_any_weight():
    multiplier = PARTS[PART].family.multiplier
    packing = SimpleNamespace(apart=False, half_bits=4)
    found = [longest_single(hard, packing, multiplier) for hard in range(9)]
    terms = multiplier.adder.terms
    for hard, bits in enumerate(found):
        assert ahead(bits, terms) <= hard
        assert ahead(bits + 1, terms) > hard or bits == MOST_BITS - 1
    assert longest_single(9, SimpleNamespace(apart=True, half_bits=4), multiplier) == 0


def test_without_room_or_gain_there_are_none(model):
    for name in ("grid-24-64-8", "etth1-96-24"):
        plain, design = lower(model(name)), lower(model(name), soft="auto")
        assert design.geometry.weights.soft == 0
        assert design.program == plain.program
    # of 32 results and fewer, 16 columns make all at once
    assert lower(model("etth1-96-24"), soft=8).geometry.columns == 16
    assert most_columns(lower(model("grid-24-64-8"))) == 0
    assert most_columns(lower(model("grid-12-32-4"), pack=False)) == 0


def test_layers_that_gain_nothing_leave_them_out(model):
    """Of an encoder's layers those of 32 results have 16 columns, as many as are multipliers."""
    design = lower(model("etth1-48-24-ed"), soft=16)
    layout = design.geometry.weights
    for op in design.model.linears:
        kind = layout.formats[op.y]
        outputs = design.model.tensors[op.y].features
        if design.packed[op.y]:
            assert kind.few == (outputs <= 2 * design.geometry.hard)
            assert layout.columns_of(kind) == (16 if kind.few else 32)
    # so no word of them is half empty
    words, _ = weight_words(design.model.linears, layout)
    assert len(words) == len(lower(model("etth1-48-24-ed")).images["weights"])


def test_unpacked_layers_and_kept_values_use_multipliers_alone(model):
    design = lower(model("etth1-48-24-ed"), soft=16)
    hard = design.geometry.hard
    for o in design.program.operations:
        if o.matrix and (o.dynamic or not o.packed):
            assert o.columns <= hard
            assert o.last_columns <= hard
    assert any(o.columns > hard for o in design.program.operations)


def test_a_column_takes_what_its_bits_ask_for():
    part = PARTS[PART]
    luts = [
        column_luts(part, weight_bits=w, activation_bits=a, sum_bits=s)
        for w, a, s in ((2, 8, 14), (4, 4, 13), (4, 8, 16), (8, 8, 20))
    ]
    assert luts == sorted(luts)
    # of etth1-48-24-ed and of grid-12-32-4, by Yosys with 16 columns and without
    assert luts[0] == pytest.approx(58, abs=6)
    assert luts[1] == pytest.approx(69, abs=6)
    with pytest.raises(UserError, match=r"^part ice40up5k must have no columns of LUTs but"):
        column_luts(PARTS["ice40up5k"], weight_bits=2, activation_bits=8, sum_bits=14)


@pytest.mark.parametrize("soft", [-1, 65, 1.0, "all", True])
def test_what_is_no_count_is_refused(model, soft):
    with pytest.raises(UserError, match=r"^soft must be auto or a number from 0 to 64, not "):
        lower(model("tiny"), soft=soft)


def test_lanes_are_two_a_column():
    assert [soft_of(lanes) for lanes in (0, 2, 32, "auto")] == [0, 1, 16, "auto"]
    assert [soft_of(lanes, 4) for lanes in (0, 8, 32, "auto")] == [0, 1, 4, "auto"]
    assert soft_of(128) == soft_of(256, 2) == soft_of(512, 4) == 64
    with pytest.raises(UserError, match="lut_lanes must be auto or a multiple of 8 from 0 to 512"):
        soft_of(36, 4)
    with pytest.raises(
        UserError, match=r"^lut_lanes must be auto or a multiple of 4 from 0 to 256"
    ):
        soft_of(260, 2)
    with pytest.raises(UserError, match=r"^lut_lanes must be auto where rows are, not 4$"):
        soft_of(4, "auto")
    for lanes in (3, -2, 130, "x", False):
        with pytest.raises(UserError, match=r"^lut_lanes must be auto or an even number from 0 "):
            soft_of(lanes)


def test_broad_columns_are_compared_with_none():
    asked = []

    def lower_with(broad):
        asked.append(broad)
        weights = SimpleNamespace(soft=0)
        return SimpleNamespace(geometry=SimpleNamespace(weights=weights, apart=False))

    assert asked_broad(None, 4, lower_with) == 0
    assert asked == [0]
    assert [asked_broad(None, none, lower_with) for none in (0, None)] == [0, 0]
    assert [asked_broad(own, 4, lower_with) for own in (0, 4)] == [0, 4]
    for wrong in (-1, 5, True):
        with pytest.raises(UserError, match=r"^broad must be a number from 0 to the 4 columns"):
            asked_broad(wrong, 4, lower_with)


def test_too_few_multipliers_before_them_leave_them_out(model):
    """Products of 8 bits begin a cycle or two earlier than those of the first column."""

    def least(half, part):
        packing = Packing(packed={}, shift=16, half_bits=half)
        multiplier = PARTS[part].family.multiplier
        return next(n for n in range(9) if in_time(n, packing, multiplier))

    assert [least(half, PART) for half in (2, 4, 8)] == [0, 0, 1]
    assert [least(half, "lfe5u-25f") for half in (2, 4, 8)] == [0, 1, 2]
    assert [least(half, "ice40up5k") for half in (2, 4, 8)] == [0, 0, 0]
    # an odd number of multipliers serves no model of which some layers are not packed
    design = lower(model("grid-12-8-8"), lanes=2, soft=1)
    assert design.geometry.columns == 1
