"""The hour and the weekday of rows: the file's own clock, and of a window its last row's."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bitformer.model.data.clock import clock_of, lost, numbers_known, require_calendar
from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.gaps import clean
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

BOTH = ("hour", "weekday")
BEGIN = datetime(2024, 2, 29, 20, 0)  # a Thursday
SIZES = {"window": 5, "horizon": 2, "target": "v", "time": "t"}


def write(path, times):
    lines = [f"{time},{i * i % 37}" for i, time in enumerate(times)]
    path.write_text("\n".join(["t,v", *lines]) + "\n")
    return path


def clock(path, calendar=BOTH, **reading):
    how = Reading(time="t", **reading)
    cleaned = clean(read_csv(path, columns=("v",), reading=how), reading=how)
    return clock_of(cleaned.rows, cleaned.step, calendar)


def shown(times):
    """(hour, weekday) of the clocks of datetimes."""
    return [[time.hour, time.weekday()] for time in times]


def hourly(count, begin=BEGIN, step=timedelta(hours=1)):
    return [begin + i * step for i in range(count)]


@pytest.mark.parametrize("minutes", [5, 15, 30, 60, 180, 1439])
def test_times_without_a_zone_are_as_clocks_show_them(tmp_path, minutes):
    times = hourly(200, step=timedelta(minutes=minutes))
    assert clock(write(tmp_path / "a.csv", times)).tolist() == shown(times)


def test_times_with_an_offset_are_as_they_are_written(tmp_path):
    times = hourly(60, BEGIN.replace(tzinfo=timezone(timedelta(hours=5, minutes=30))))
    path = write(tmp_path / "a.csv", [time.isoformat() for time in times])
    assert clock(path).tolist() == shown(times)
    there = [time.astimezone(ZoneInfo("America/New_York")) for time in times]
    assert clock(path, time_zone="America/New_York").tolist() == shown(there)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("begin", [datetime(2024, 3, 30), datetime(2024, 10, 26)])
def test_seconds_since_1970_are_of_the_zone_that_is_named(tmp_path, zone, begin):
    times = hourly(400, begin.replace(tzinfo=UTC), timedelta(minutes=15))
    path = write(tmp_path / "a.csv", [int(time.timestamp()) for time in times])
    place = UTC if zone is None else ZoneInfo(zone)
    found = clock(path, time_format="epoch", time_zone=zone)
    assert found.tolist() == shown([time.astimezone(place) for time in times])


def test_summer_time_is_what_clocks_show(tmp_path):
    """Where clocks are set back an hour is there twice; where they are put on, one is skipped."""
    place = ZoneInfo("Europe/Berlin")
    for begin in (datetime(2024, 10, 26, 20), datetime(2024, 3, 30, 20)):
        utc = hourly(30, begin.replace(tzinfo=UTC))
        local = [time.astimezone(place) for time in utc]
        path = write(tmp_path / "a.csv", [time.strftime("%Y-%m-%d %H:%M") for time in local])
        assert clock(path, time_zone="Europe/Berlin").tolist() == shown(local)


def test_a_clock_that_jitters_is_half_a_minute_early_at_most(tmp_path):
    rng = np.random.default_rng(0)
    times = hourly(200)
    near = [time + timedelta(seconds=int(rng.integers(-30, 31))) for time in times]
    assert clock(write(tmp_path / "a.csv", near)).tolist() == shown(times)
    late = [time + timedelta(minutes=59) for time in times]
    assert clock(write(tmp_path / "a.csv", late)).tolist() == shown(times)
    # of a short step it is a quarter
    seconds = hourly(200, BEGIN + timedelta(minutes=59), timedelta(seconds=1))
    assert clock(write(tmp_path / "a.csv", seconds)).tolist() == shown(seconds)


def test_a_row_that_is_put_in_has_its_own_time(tmp_path):
    times = hourly(60)
    path = write(tmp_path / "a.csv", [*times[:20], *times[22:]])
    assert clock(path).tolist() == shown(times)


@pytest.mark.parametrize(
    ("step", "known"),
    [
        (timedelta(hours=23), BOTH),
        (timedelta(days=1), ("weekday",)),
        (timedelta(days=3), ("weekday",)),
        (timedelta(days=7), ()),
    ],
)
def test_long_steps_have_fewer_numbers(tmp_path, step, known):
    path = write(tmp_path / "a.csv", hourly(60, step=step))
    data = load_dataset(str(path), calendar=BOTH, **SIZES)
    assert data.calendar == data.train.calendar == known
    assert data.train.clock.shape == (len(data.train), len(known))
    said = [note for note in data.notes if "so the model has no table" in note]
    assert len(said) == (known != BOTH)
    if known == ("weekday",):
        days = step.days
        assert said == [f"Rows are {days}d apart, so the model has no table of the hour"]


def test_business_days_have_a_weekday(tmp_path):
    days = [day for day in hourly(90, step=timedelta(days=1)) if day.weekday() < 5]
    path = write(tmp_path / "a.csv", [f"{day:%Y-%m-%d}" for day in days])
    data = load_dataset(str(path), calendar=("weekday",), **SIZES)
    first = data.test.first
    assert data.test.clock[:, 0].tolist() == [days[row - 1].weekday() for row in first]


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_window_has_the_time_of_its_last_row(tmp_path, part):
    times = hourly(200)
    lost_rows = {*range(60, 70), *range(150, 160)}
    kept = [time for i, time in enumerate(times) if i not in lost_rows]
    data = load_dataset(str(write(tmp_path / "a.csv", kept)), calendar=BOTH, **SIZES)
    windows = getattr(data, part)
    assert windows.clock.tolist() == shown([kept[row - 1] for row in windows.first])
    some = windows.take(np.array([3, 0]))
    assert some.clock.tolist() == windows.clock[[3, 0]].tolist()
    assert windows.without_clock().clock.shape == (len(windows), 0)
    assert windows.clock.dtype == np.int64


def test_without_dates_a_sentence_says_what_is_lost(tmp_path):
    path = str(write(tmp_path / "a.csv", range(60)))
    numbers = (
        "its times are plain numbers; if they count seconds since 1970, say --time-format epoch,"
        " else name a column of dates with --time"
    )
    for time, remedy in (("t", numbers), (None, "name the column of times with --time")):
        data = load_dataset(path, calendar=BOTH, **(SIZES | {"time": time}))
        assert data.calendar == ()
        assert (
            "Rows have no dates, so the model has no table of the hour and of the weekday, and what"
            f" follows from the clock alone is lost: {remedy}"
        ) in data.notes
    assert not any("table" in note for note in load_dataset(path, **SIZES).notes)


def test_a_finished_model_wants_its_numbers(tmp_path):
    for times, calendar, sentence in (
        (range(60), BOTH, "a.csv must have dates, as the model takes the hour and weekday with"),
        (
            hourly(60, step=timedelta(days=1)),
            BOTH,
            "rows less than a day apart, as the model takes",
        ),
        (hourly(60, step=timedelta(days=7)), ("weekday",), "less than a week apart, as the model"),
    ):
        how = Reading(time="t")
        series = read_csv(write(tmp_path / "a.csv", times), columns=("v",), reading=how)
        cleaned = clean(series, reading=how)
        known = numbers_known(cleaned.rows, cleaned.step)
        with pytest.raises(UserError, match=sentence):
            require_calendar(calendar, known, cleaned.step, "a.csv")
        assert lost(cleaned.rows, cleaned.step, calendar)
        require_calendar((), known, cleaned.step, "a.csv")
        assert lost(cleaned.rows, cleaned.step, ()) is None
