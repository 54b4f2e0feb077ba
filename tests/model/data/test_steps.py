"""Steps as they are written, counted and compared."""

import numpy as np
import pytest

from bitformer.model.data.grid import found_step, later, steps_between
from bitformer.model.data.reading import Reading
from bitformer.model.data.steps import Step, require_step, step_of
from bitformer.model.errors import UserError

DAY = 86400.0


@pytest.mark.parametrize(
    ("text", "length", "unit", "said"),
    [
        ("60s", 60, "even", "1min"),
        ("15min", 900, "even", "15min"),
        ("90 min", 5400, "even", "90min"),
        ("1h", 3600, "even", "1h"),
        ("0.5h", 1800, "even", "30min"),
        (".25s", 0.25, "even", "0.25s"),
        ("24h", DAY, "even", "1d"),
        ("1w", 7 * DAY, "even", "7d"),
        ("1b", DAY, "business", "1b"),
        ("1mo", 365.2425 / 12 * DAY, "month", "1mo"),
        ("12mo", 365.2425 * DAY, "month", "12mo"),
        ("row", 1, "row", "row"),
    ],
)
def test_written(text, length, unit, said):
    step = step_of(text)
    assert (step.length, step.unit, str(step)) == (pytest.approx(length), unit, said)
    assert step_of(str(step)).like(step)
    assert Reading(step=text).step == text


def test_of_plain_numbers():
    assert step_of("0.25", dated=False) == Step(length=0.25, dated=False)
    assert str(step_of("60", dated=False)) == "60"


@pytest.mark.parametrize(
    "text", ["", "h", "0h", "-1h", "1 hour", "nan", "1e3s", "2b", "1.5mo", "1h1"]
)
def test_what_is_no_step(text):
    with pytest.raises(UserError, match="step must be"):
        Reading(step=text)


@pytest.mark.parametrize("repeats", ["", "max"])
def test_repeats(repeats):
    with pytest.raises(UserError, match="repeats must be first, last, mean, not"):
        Reading(repeats=repeats)


def at(*dates: str) -> np.ndarray:
    return np.array(dates, "datetime64[s]").astype(float)


def later_by(step: str, times: np.ndarray, count) -> np.ndarray:
    return later(times, step_of(step), count)


def test_later():
    friday = at("2020-01-31T16:00")
    assert later_by("1b", friday, 1) == at("2020-02-03T16:00")
    assert later_by("1b", friday, 6) == at("2020-02-10T16:00")
    assert later_by("1mo", friday, 1) == at("2020-02-29T16:00")  # the last of the month
    assert later_by("1mo", at("2020-01-30"), 1) == at("2020-02-29")
    assert later_by("1mo", at("2020-01-05"), 1) == at("2020-02-05")
    assert later_by("3mo", at("2019-11-05"), 2) == at("2020-05-05")
    assert later_by("15min", friday, 3) == friday + 2700
    np.testing.assert_array_equal(
        later_by("1mo", at("1969-12-31", "1970-01-31"), np.array([1, 2])),
        at("1970-01-31", "1970-03-31"),
    )


@pytest.mark.parametrize("step", [0.01, 0.1, 1.0, 59.7, 60.0, 3600.0, DAY])
@pytest.mark.parametrize("start", [0.0, 1.7e9])
def test_the_step_of_even_rows(step, start):
    times = start + step * np.arange(400)
    found = found_step([times], dated=True)
    assert found is not None
    assert found.length == pytest.approx(step, rel=1e-6)
    assert set(steps_between(times, found)) == {1}


def test_the_step_is_that_of_most_rows():
    times = at("2020-01-01") + 300.0 * np.cumsum([1, 1, 2, 1, 9, 1, 1, 50, 1, 2, 2, 1])
    found = found_step([times], dated=True)
    assert found == Step(length=300.0)
    np.testing.assert_array_equal(
        steps_between(times, Step(length=300.0)), [1, 2, 1, 9, 1, 1, 50, 1, 2, 2, 1]
    )


def test_without_rows_there_is_no_step():
    assert found_step([np.empty(0)], dated=True) is None
    assert found_step([np.zeros(1), np.ones(1)], dated=True) is None
    assert len(steps_between(np.zeros(1), Step(length=1.0))) == 0


def test_weekdays_need_two_weekends():
    week = at("2020-01-06") + DAY * np.arange(5)
    assert found_step([week], dated=True) == Step(length=DAY)
    three = np.concatenate([week, week + 7 * DAY, week + 14 * DAY])
    assert found_step([three], dated=True) == Step(length=DAY, unit="business")
    assert found_step([three], dated=False) == Step(length=DAY, dated=False)


def test_a_row_that_is_late_by_more_than_half_a_step_is_in_its_place():
    times = 60.0 * np.arange(200)
    times[50] += 33
    times[120] -= 33
    times[[60, 70]] += [20, -20]
    assert set(steps_between(times, Step(length=60.0))) == {1}


HOURLY = {"step": 3600.0, "step_unit": "even", "dated": True}


def test_a_model_of_another_step():
    message = (
        r"^x\.csv must have a row every 1h, as the data that the model was trained on, not every"
        r" 3h: give rows 1h apart, or train a model on these, or say --step 1h --max-fill 2, with"
        r" which each row stands for those that lack after it$"
    )
    with pytest.raises(UserError, match=message):
        require_step(HOURLY, Step(length=10800.0), "x.csv")
    with pytest.raises(
        UserError, match=r"not every 30min: give rows 1h apart, or train a model on these$"
    ):
        require_step(HOURLY, Step(length=1800.0), "x.csv")
    with pytest.raises(UserError, match=r"every 1h, .* not every 3600"):
        require_step(HOURLY, Step(length=3600.0, dated=False), "x.csv")
    for found in (Step(length=3601.0), None, Step(length=60.0, unit="row")):
        require_step(HOURLY, found, "x.csv")
    require_step({}, Step(length=1.0), "x.csv")
