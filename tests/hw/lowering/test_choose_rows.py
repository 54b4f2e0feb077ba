"""Token rows and post-processors that lowering chooses: the fastest that the part has room for."""

import pytest

from bitformer.hw.lowering import choose_rows
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.soft_columns import room
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("tiny"), seed=0, samples=16)


def shape(design):
    return design.geometry.rows, design.geometry.posts


def test_the_fastest_that_fits_is_chosen(model):
    found = lower(model, rows="auto")
    assert found.geometry.dsps <= PARTS["xc7s15"].dsps
    assert room(found) >= 0
    others = {}
    for rows, posts in ((1, 1), (2, 1), (2, 2), (4, 1), (4, 2)):
        design = lower(model, rows=rows, posts=posts)
        if design.geometry.dsps <= PARTS["xc7s15"].dsps and room(design) >= 0:
            others[rows, posts] = design.latency
    assert shape(found) in others
    assert found.latency <= 1.05 * min(others.values())
    assert found.latency < 0.7 * others[1, 1]


def test_a_small_part_has_room_for_fewer(model):
    large, small = (lower(model, rows="auto", part=part) for part in ("xc7s50", "xc7s6"))
    assert small.geometry.dsps <= PARTS["xc7s6"].dsps
    assert large.latency < small.latency


def test_post_processors_that_are_asked_for_are_kept(model):
    assert shape(lower(model, rows="auto", posts=2, part="xc7s50"))[1] == 2


def test_a_model_whose_rows_cannot_stand_side_by_side_has_one():
    model = initialize(named_config("mixer-96-24"), seed=0, samples=16)
    assert shape(lower(model, rows="auto")) == (1, 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rows": "most"}, "rows must be auto or a power of two, not 'most'"),
        ({"rows": 2.0}, "rows must be auto or a power of two, not 2.0"),
        ({"rows": "auto", "posts": 16}, "posts must be at most the rows"),
    ],
)
def test_what_is_no_number_is_refused(model, options, sentence):
    with pytest.raises(UserError, match=sentence):
        lower(model, **options)


@pytest.mark.parametrize(("left", "over"), [(3.0, 0), (0.0, 0), (-0.5, 0.5), (-40.0, 40.0)])
def test_luts_that_are_missing_count_and_those_that_are_left_do_not(monkeypatch, left, over):
    design = lower(initialize(named_config("tiny"), samples=8))
    monkeypatch.setattr(choose_rows, "room", lambda design: left)
    multipliers, memories, luts, cycles = choose_rows._value(design, 2)
    assert (multipliers, memories, luts) == (0, 0, over)
    assert design.latency < cycles < 1.2 * design.latency
