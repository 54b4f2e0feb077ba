"""Token rows and post-processors that lowering chooses: the fastest that the part has room for."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import choose_rows
from bitformer.hw.lowering.choose_rows import asked_rows
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


@pytest.fixture
def choose(monkeypatch):
    """Choose among designs by functions of rows and posts: cycles, and what is too much."""

    def chosen(cycles, *, posts=1, dsps=lambda r, p: 0, memories=lambda r, p: 0, left=None):
        tried = []

        def lower_with(rows, own):
            tried.append((rows, own))
            latency = cycles(rows, own)
            if latency is None:
                raise UserError("rows must be others")
            geometry = SimpleNamespace(dsps=dsps(rows, own))
            stores = {"only": (rows, own)}
            return SimpleNamespace(
                part="xc7s15", geometry=geometry, stores=stores, latency=latency, asked=(rows, own)
            )

        def crowding(specs, part):
            ((rows, own),) = specs
            return memories(rows, own), 10**6

        monkeypatch.setattr(choose_rows, "crowding", crowding)
        monkeypatch.setattr(
            choose_rows, "room", lambda design: left(*design.asked) if left else 0.0
        )
        return asked_rows("auto", posts, lower_with), tried

    return chosen


def test_rows_up_to_8_and_as_many_post_processors_are_tried(choose):
    pairs = [(rows, own) for rows in (1, 2, 4, 8) for own in (1, 2, 4, 8) if own <= rows]
    found, tried = choose(lambda rows, posts: 1000 - 50 * rows - 10 * posts)
    assert tried == pairs
    assert found == (8, 8)
    found, tried = choose(lambda rows, posts: 1000 - 50 * rows - 10 * posts, posts=2)
    assert tried == [(rows, 2) for rows in (1, 2, 4, 8)]
    assert found == (8, 2)


@pytest.mark.parametrize(("one", "best"), [(1030 / 1020, (1, 1)), (1031 / 1020, (2, 1))])
def test_a_row_must_save_a_hundredth(choose, one, best):
    """With two units a design counts 1020 parts of a thousand, with three of them 1030."""
    cycles = {(1, 1): 0.9999999 * one, (2, 1): 1.0}
    assert choose(lambda rows, posts: cycles.get((rows, posts), 2.0))[0] == best


@pytest.mark.parametrize(
    ("limits", "best"),
    [
        ({"dsps": lambda r, p: 20 + (r > 2)}, (2, 2)),
        ({"dsps": lambda r, p: 21 + r}, (1, 1)),
        ({"memories": lambda r, p: r > 4}, (4, 4)),
        ({"left": lambda r, p: 2.0 - r * p}, (2, 1)),
        # what is over by multipliers is worse than what is by memories, and that than by LUTs
        ({"dsps": lambda r, p: 20 + (r == 1), "memories": lambda r, p: 9}, (8, 8)),
        ({"memories": lambda r, p: r == 8, "left": lambda r, p: -float(r)}, (1, 1)),
        ({"memories": lambda r, p: r < 8, "left": lambda r, p: -float(r)}, (8, 8)),
    ],
)
def test_what_fits_goes_before_what_is_fast(choose, limits, best):
    assert choose(lambda rows, posts: 1000 - 50 * rows - 10 * posts, **limits)[0] == best


def test_what_no_engine_can_have_is_passed_over(choose):
    assert choose(lambda rows, posts: None if rows > 2 else 9 - rows - posts)[0] == (2, 2)
    assert choose(lambda rows, posts: None if rows < 4 else rows, posts=4)[0] == (4, 4)
    with pytest.raises(UserError, match=r"^rows must be others$"):
        choose(lambda rows, posts: None if rows == 1 else 5)
    with pytest.raises(UserError, match=r"^posts must be at most the rows of a .*, not 16$"):
        choose(lambda rows, posts: None, posts=16)
