"""What is no measurement is named; heavy tails, flags and machines that are off are not."""

import csv

import numpy as np
import pytest

from bitformer.model.data.extremes import extremes, require_scale, warnings
from bitformer.model.data.sources import SOURCES, find
from bitformer.model.errors import UserError

ROWS = 4000


def measured(rows: int = ROWS, *, seed: int = 0, **replaced: float) -> np.ndarray:
    """A daily cycle with noise; ``r7=1e6`` puts 1e6 into row 7."""
    values = 20 + 5 * np.sin(np.arange(rows) * 2 * np.pi / 24)
    values += np.random.default_rng(seed).normal(0, 0.5, rows)
    for row, value in replaced.items():
        values[int(row[1:])] = value
    return values


def said(values: np.ndarray) -> list[str]:
    return warnings(["a"], values[:, None], np.arange(len(values)) + 2)


def honest():
    rng = np.random.default_rng(1)
    rain = np.where(rng.random(ROWS) < 0.07, 0.2 * np.ceil(rng.lognormal(0, 1.5, ROWS)), 0.0)
    machine = np.where(np.arange(ROWS) // 200 % 2, 1000 + rng.normal(0, 10, ROWS), 0.0)
    return {
        "cycle": measured(),
        "constant": np.full(ROWS, 3.0),
        "flag": (rng.random(ROWS) < 0.01).astype(float),
        "one event": np.r_[np.zeros(ROWS - 1), 1.0],
        "log-normal": rng.lognormal(3, 1, ROWS),
        "Pareto": rng.pareto(2.5, ROWS),
        "Student": rng.standard_t(3, ROWS),
        "rain": rain,
        "saturated": np.minimum(measured(), 23.0),
        "rounded": np.rint(measured()),
        "machine off half of the time": machine,
        "walk": np.cumsum(rng.normal(0, 1, ROWS)),
        "level shift": measured() + 500 * (np.arange(ROWS) > 3500),
        "all but missing": np.r_[np.full(ROWS - 3, np.nan), 1, 2, 3],
        "empty": np.empty(0),
        "tiny": np.array([1.0, 2.0, 1e9]),
    }


@pytest.mark.parametrize("kind", honest())
def test_honest_data_are_let_be(kind):
    values = honest()[kind]
    assert said(values) == []
    known = values[~np.isnan(values)]
    require_scale("x.csv", "a", known, np.arange(len(known)))


@pytest.mark.parametrize("value", [-999, -200, 0, 65535, -1e6, 1e300])
def test_a_value_that_repeats_far_out(value):
    values = measured()
    values[5::37] = value
    low, high = (f"{end(np.delete(values, np.s_[5::37])):g}" for end in (np.min, np.max))
    assert said(values) == [
        f"a is {value:g} in 108 rows, the first in line 7, and {low} to {high} in all others: if it"
        f" stands for a missing value, --missing {value:g} reads it as one"
    ]
    values[values == value] = np.nan
    assert said(values) == []


def test_two_values_that_repeat():
    values = measured()
    values[5::37], values[9::50] = -999, 9999
    assert {text.split(" in ")[0] for text in said(values)} == {"a is -999", "a is 9999"}


@pytest.mark.parametrize(
    ("value", "text"), [(1e6, "1e+06"), (-12345.678, "-12345.678"), (1e200, "1e+200")]
)
def test_one_value_swallows_the_scale(value, text):
    values = measured(r100=value)
    (found,) = extremes(values, np.arange(ROWS) + 2)
    rest = np.delete(values, 100)
    assert (found.value, found.count, found.line) == (value, 1, 102)
    assert (found.low, found.high) == (rest.min(), rest.max())
    expected = abs(value) / ROWS**0.5 / rest.std()  # what one value adds to a deviation
    assert found.times == pytest.approx(expected, rel=0.01)
    assert f"--missing {text} reads it as missing" in said(values)[0]
    if found.times >= 100:
        with pytest.raises(UserError, match=r"^a is .* in line 102, and .* or delete line 102$"):
            require_scale("x.csv", "a", values, np.arange(ROWS) + 2)
    else:
        require_scale("x.csv", "a", values, np.arange(ROWS) + 2)


def test_a_few_values_far_out():
    (text,) = said(measured(r100=5e5, r200=-6e5, r201=4e5))
    assert text.startswith("a is -600000 in line 202 and 2 more far out, and ")


def test_a_spike_of_rain_between_zeros():
    rng = np.random.default_rng(1)
    rain = np.where(rng.random(ROWS) < 0.2, rng.exponential(1, ROWS), 0.0)
    rain[777] = 9831.3
    (text,) = said(rain)
    assert text.startswith("a is 9831.3 in line 779, and 0 to ")


@pytest.mark.needs("data")
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("etth/ETTh1.csv", {}),
        ("etth/ETTh2.csv", {}),
        ("beijing_air/PRSA_Data_Dongsi_20130301-20170228.csv", {}),
        ("nab/nyc_taxi.csv", {}),
        ("nab/machine_temperature_system_failure.csv", {}),
        ("nab/ambient_temperature_system_failure.csv", {}),
        ("nab/ec2_request_latency_system_failure.csv", {}),
        ("nab/art_daily_jumpsup.csv", {}),
        ("metro/Metro_Interstate_Traffic_Volume.csv", {"temp": 0.0, "rain_1h": 9831.3}),
        ("awkward_csv/sentinel.csv", {"load": -999.0}),
        ("awkward_csv/spike.csv", {"load": 1e6}),
        ("awkward_csv/huge.csv", {"load": 1e200}),
        ("awkward_csv/grow.csv", {}),
        ("awkward_csv/shift.csv", {}),
        ("awkward_csv/level.csv", {}),
    ],
)
def test_public_data(path, found):
    own = find(SOURCES["etth1"]).parents[1] / path
    header, *rows = csv.reader(own.read_text(encoding="utf-8").splitlines())
    values_of = {}
    for i, name in enumerate(header):
        values = np.array([_number(row[i]) for row in rows])
        if not np.isnan(values).all():
            for one in extremes(values, np.arange(len(rows))):
                values_of[name] = one.value
    assert values_of == found


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def test_a_number_that_other_columns_have_is_missing_in_one_alone():
    cold, rain = measured() + 250, np.where(np.arange(ROWS) % 9, 0.0, measured())
    cold[5::400] = 0
    lines = np.arange(ROWS) + 2
    (text,) = warnings(["air temp", "rain"], np.column_stack([cold, rain]), lines)
    assert text.endswith("--missing 'air temp=0' reads it as one")
    both = np.column_stack([cold, cold])
    assert [text.split(": ")[1] for text in warnings(["a", "b"], both, lines)] == [
        "if it stands for a missing value, --missing 0 reads it as one"
    ] * 2


@pytest.mark.parametrize(("value", "told"), [(700.0, False), (1500.0, True)])
def test_what_is_notable(value, told):
    assert bool(said(measured(r100=value))) == told
