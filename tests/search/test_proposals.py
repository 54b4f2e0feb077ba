"""Windows of whole cycles, patches that align with them, and changes of the best."""

import numpy as np
import pytest

from bitformer.model.config import named_config
from bitformer.model.config_choice import start_config
from bitformer.model.data.csv_source import Series
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import by_fractions
from bitformer.model.data.windows import make_dataset
from bitformer.model.errors import UserError
from bitformer.search.proposals import (
    Cycle,
    cycle_of,
    default_horizon,
    shapes,
    thinned,
    variants,
)

DAY = Cycle(rows=24, name="day")
HOUR = 3600.0


@pytest.mark.parametrize(
    ("rows", "every"), [(24, None), (48, None), (96, 2), (1440, 30), (50, 2), (97, None)]
)
def test_how_a_long_cycle_is_thinned(rows, every):
    assert thinned(Cycle(rows=rows, name="day")) == every
    assert thinned(None) is None


def dataset(step: float, *, dated: bool = True, days=None, unit: str | None = None):
    times = step * np.arange(120.0) if days is None else days
    series = Series(
        columns=("v",),
        values=np.random.default_rng(0).normal(size=(len(times), 1)),
        lines=np.arange(len(times)) + 2,
        times=np.asarray(times),
        dated=dated,
    )
    return make_dataset(
        series,
        name="made",
        inputs=("v",),
        target="v",
        split=by_fractions,
        window=1,
        horizon=1,
        reading=Reading(step=unit),
    )


def business_days():
    days = np.arange(200)
    return 86400.0 * days[(days % 7 != 2) & (days % 7 != 3)]  # 1970 began on a Thursday


def months():
    first = np.arange("1990-01", "2000-01", dtype="datetime64[M]").astype("datetime64[s]")
    return first.astype(float)


@pytest.mark.parametrize(
    ("data", "cycle"),
    [
        (dataset(HOUR), DAY),
        (dataset(HOUR / 2), Cycle(rows=48, name="day")),
        (dataset(6 * HOUR), Cycle(rows=4, name="day")),
        (dataset(12 * HOUR), Cycle(rows=14, name="week")),
        (dataset(24 * HOUR), Cycle(rows=7, name="week")),
        (dataset(7 * 24 * HOUR), Cycle(rows=52, name="year")),
        (dataset(0, days=business_days()), Cycle(rows=5, name="week")),
        (dataset(0, days=months()), Cycle(rows=12, name="year")),
        (dataset(7 * HOUR), None),
        (dataset(1.0, dated=False), None),
        (dataset(HOUR, unit="row"), None),
    ],
)
def test_the_cycle_is_what_the_step_says(data, cycle):
    assert cycle_of(data) == cycle


@pytest.mark.parametrize(("rows", "horizon"), [(24, 24), (48, 48), (96, 48), (144, 48), (7, 7)])
def test_a_cycle_is_forecast_or_a_part_of_it(rows, horizon):
    assert default_horizon(Cycle(rows=rows, name="day")) == horizon
    assert default_horizon(None) == 8


def sizes(proposals):
    return [(one.config.window, one.config.patch, one.what) for one in proposals]


@pytest.mark.parametrize(
    ("cycle", "expected"),
    [
        (DAY, [(24, 2, "1 day"), (48, 4, "2 days"), (168, 24, "7 days"), (168, 12, "7 days")]),
        (Cycle(rows=7, name="week"), [(7, 1, "1 week"), (14, 1, "2 weeks"), (28, 7, "4 weeks")]),
        (None, [(32, 2, "32 rows"), (64, 4, "64 rows"), (128, 8, "128 rows")]),
        (
            Cycle(rows=1440, name="day"),
            [(32, 2, "32 rows"), (64, 4, "64 rows"), (128, 8, "128 rows")],
        ),
    ],
)
def test_windows_are_whole_cycles(cycle, expected):
    assert sizes(shapes(start_config(None), cycle)) == expected


@pytest.mark.parametrize("rows", [4, 5, 7, 12, 13, 24, 48, 52, 96, 144, 288, 720, 1440])
@pytest.mark.parametrize("inputs", [1, 7, 60])
def test_all_that_is_proposed_is_possible(rows, inputs):
    """No refusal by the configuration, whatever the cycle."""
    base = start_config(None).replace(inputs=inputs)
    found = shapes(base, Cycle(rows=rows, name="day"))
    assert 1 <= len(found) <= 4
    assert len({(one.config.window, one.config.patch) for one in found}) == len(found)
    for one in found:
        assert variants(one.config)


def test_what_is_given_stays():
    base = start_config(None)
    assert {one.config.window for one in shapes(base, DAY, window=96)} == {96}
    assert sizes(shapes(base, DAY, patch=24)) == [
        (24, 24, "1 day"),
        (48, 24, "2 days"),
        (168, 24, "7 days"),
    ]
    assert sizes(shapes(base, DAY, window=100, patch=10)) == [(100, 10, "100 rows")]
    with pytest.raises(UserError, match=r"no window of whole patches of 37 rows: leave --patch"):
        shapes(base, DAY, patch=37)
    best = shapes(base, DAY, patch=12)[-1].config
    assert {one.config.patch for one in variants(best, patch=12)} == {12}
    assert {one.config.block for one in variants(best, block="attention")} == {"attention"}


def test_variants_change_one_thing_each():
    best = named_config("etth1-96-24")
    found = {one.what: one.config for one in variants(best)}
    plain = found.pop("last value not subtracted")
    assert plain == best.replace(subtract_last=False)
    assert found["twice as wide"] == best.replace(d_model=32, ffn=64)
    assert found["half as wide"] == best.replace(d_model=8, ffn=16)
    assert found["a mixer"] == best.replace(block="mixer")
    mlp = found["an MLP"]
    assert (mlp.block, mlp.patch, mlp.d_model, mlp.ffn) == ("mlp", 96, 64, 128)
    assert not any("subtracted" in one.what for one in variants(plain))
