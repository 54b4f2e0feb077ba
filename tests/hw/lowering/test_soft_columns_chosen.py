"""How many columns of LUTs a design has where it asks for them, and which layers use them."""

import pytest

from bitformer.hw.lowering import soft_columns
from bitformer.hw.lowering.images import weight_words
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.soft_columns import (
    most_columns,
)
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


@pytest.mark.parametrize("soft", [-1, 65, 1.0, "all", True])
def test_what_is_no_count_is_refused(model, soft):
    with pytest.raises(UserError, match=r"^soft must be auto or a number from 0 to 64, not "):
        lower(model("tiny"), soft=soft)


def test_too_few_multipliers_before_them_leave_them_out(model):
    """Products of 8 bits begin a cycle or two earlier than those of the first column."""
    # an odd number of multipliers serves no model of which some layers are not packed
    design = lower(model("grid-12-8-8"), lanes=2, soft=1)
    assert design.geometry.columns == 1
