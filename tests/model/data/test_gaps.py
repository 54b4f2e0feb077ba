"""Lost rows, missing cells, jitter and order, against loops that go row by row."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitformer.model.data.csv_source import Series
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.reading import Reading
from bitformer.model.data.row_order import Block
from bitformer.model.errors import UserError

START = 1_700_000_000.0
HOUR = 3600.0


def series(values, *, slots=None, step: float = HOUR, times=None, **fields) -> Series:
    values = np.asarray(values, float)
    if values.ndim == 1:
        values = values[:, np.newaxis]
    if times is None:
        times = START + step * np.asarray(slots if slots is not None else range(len(values)))
    return Series(
        columns=tuple("abcdefg"[: values.shape[1]]),
        values=values,
        lines=np.arange(len(values)) + 2,
        times=np.asarray(times, float),
        **{"dated": True} | fields,
    )


def naive(slots, values, lines, max_fill):
    """Rows, lines and segments, as the head of `bitformer.model.data.gaps` says, row by row."""
    stretches = [[(values[0].copy(), lines[0])]]
    for before, after, row, line in zip(slots, slots[1:], values[1:], lines[1:], strict=False):
        lost = after - before - 1
        if lost < 0 or lost > max_fill:
            stretches.append([])
        else:
            empty = np.full(values.shape[1], np.nan)
            last = stretches[-1][-1][1]
            stretches[-1] += [(empty.copy(), last) for _ in range(lost)]
        stretches[-1].append((row.copy(), line))
    for stretch in stretches:
        for column in range(values.shape[1]):
            row = 0
            while row < len(stretch):
                stop = row
                while stop < len(stretch) and np.isnan(stretch[stop][0][column]):
                    stop += 1
                if 0 < stop - row <= max_fill and row > 0:
                    for one in range(row, stop):
                        stretch[one][0][column] = stretch[row - 1][0][column]
                row = stop + 1
    rows = [one for stretch in stretches for one in stretch]
    segments, start, at = [], None, 0
    for stretch in stretches:
        for row, _ in stretch:
            if np.isnan(row).any() and start is not None:
                segments.append((start, at))
                start = None
            elif not np.isnan(row).any() and start is None:
                start = at
            at += 1
        if start is not None:
            segments.append((start, at))
            start = None
    return np.array([row for row, _ in rows]), np.array([line for _, line in rows]), segments


@st.composite
def damaged(draw):
    """Slots of rows, most of them one apart, and values with missing cells."""
    steps = draw(st.lists(st.sampled_from([1] * 8 + [2, 2, 3, 4, 5, 9]), min_size=12, max_size=60))
    if steps.count(1) * 2 < len(steps):  # the step that most rows have
        steps += [1] * len(steps)
    slots = np.r_[0, np.cumsum(steps)]
    cells = draw(
        st.lists(
            st.sampled_from([False] * 5 + [True]), min_size=2 * len(slots), max_size=2 * len(slots)
        )
    )
    values = np.arange(2.0 * len(slots)).reshape(-1, 2)
    values[np.array(cells).reshape(-1, 2)] = np.nan
    return slots, values


@settings(max_examples=80, deadline=None)
@given(data=damaged(), max_fill=st.integers(0, 5), unsteady=st.integers(0, 2**32 - 1))
def test_as_row_by_row(data, max_fill, unsteady):
    slots, values = data
    jitter = np.random.default_rng(unsteady).uniform(-0.1, 0.1, len(slots))
    for moved in (0.0, jitter):
        found = clean(
            series(values, slots=slots + moved), reading=Reading(max_fill=max_fill, step="1h")
        )
        rows, lines, segments = naive(slots, values, np.arange(len(values)) + 2, max_fill)
        np.testing.assert_array_equal(found.values, rows)
        np.testing.assert_array_equal(found.rows.lines, lines)
        assert list(found.segments) == segments
        assert found.made.sum() == len(rows) - len(values)
        assert found.step is not None
        assert found.step.length == HOUR


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    jitter=st.floats(0.0, 0.4),
    drift=st.floats(-2e-3, 2e-3),
    lost=st.floats(0.0, 0.08),
)
@example(seed=524, jitter=0.39, drift=0.00195, lost=0.0)
@example(seed=8, jitter=0.4, drift=-0.002, lost=0.08)
def test_a_clock_that_jitters_and_drifts_loses_no_row(seed, jitter, drift, lost):
    rng = np.random.default_rng(seed)
    slots = np.arange(1500)
    kept = rng.random(1500) >= lost
    kept[[0, -1]] = True
    times = START + 60 * (slots * (1 + drift) + rng.uniform(-jitter, jitter, 1500))
    found = clean(series(slots[kept], times=times[kept]), reading=Reading(max_fill=1500))
    assert found.step is not None
    assert found.step.length == pytest.approx(60, rel=4e-3)
    np.testing.assert_array_equal(np.flatnonzero(~found.made), slots[kept])
    assert found.segments == ((0, 1500),)


@pytest.mark.parametrize("turn", [60, 190, 300])
def test_a_clock_whose_drift_turns_loses_no_row(turn):
    """Rows are told apart without the drift where it is another in the same stretch."""
    slots, rng = np.arange(1500), np.random.default_rng(turn)
    drifted = np.cumsum(0.002 * np.sign(np.sin(slots / turn)))
    times = START + 60 * (slots + drifted + rng.uniform(-0.33, 0.33, 1500))
    found = clean(series(slots, times=times), reading=Reading(max_fill=0))
    assert not found.made.any()
    assert found.segments == ((0, 1500),)


def test_nothing_comes_from_the_future_or_from_across_a_gap():
    values = np.array([np.nan, 1, 2, np.nan, 4, 5, np.nan, 7])
    found = clean(series(values, slots=[0, 1, 2, 3, 4, 5, 20, 21]), reading=Reading(max_fill=3))
    np.testing.assert_array_equal(found.values[:, 0], [np.nan, 1, 2, 2, 4, 5, np.nan, 7])
    assert found.segments == ((1, 6), (7, 8))


def test_rows_put_in_are_seen():
    found = clean(series([5, 6, 7, 8, 9], slots=[0, 1, 4, 5, 6]), reading=Reading(max_fill=2))
    np.testing.assert_array_equal(found.values[:, 0], [5, 6, 6, 6, 7, 8, 9])
    np.testing.assert_array_equal(found.rows.lines, [2, 3, 3, 3, 4, 5, 6])
    np.testing.assert_array_equal(found.made, [0, 0, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.rows.times, START + HOUR * np.arange(7))
    assert found.notes == (
        "2 lost rows, on a step of 1h, took the values before them (after line 3)",
    )


def test_a_lost_row_beside_a_missing_cell_is_one_run():
    values = np.array([[1, 1], [2, 2], [np.nan, 3], [4, 4.0]])
    rows = series(values, slots=[0, 1, 3, 4])
    for max_fill, segments in ((2, ((0, 5),)), (1, ((0, 2), (4, 5)))):
        assert clean(rows, reading=Reading(max_fill=max_fill, step="1h")).segments == segments


def test_lost_rows_are_no_missing_cells():
    values = np.arange(8.0)
    values[5] = np.nan
    found = clean(series(values, slots=[0, 1, 2, 4, 5, 6, 7, 8]), reading=Reading(max_fill=3))
    assert found.notes == (
        "1 lost row, on a step of 1h, took the values before it (after line 4)",
        "1 missing cell in runs of at most 3 took the value before it (a 1)",
    )


def test_a_step_that_is_asked_for():
    rows = series(np.arange(6.0), slots=[0, 3, 6, 9, 12, 15])
    assert len(clean(rows, reading=Reading()).values) == 6
    found = clean(rows, reading=Reading(step="1h"))
    np.testing.assert_array_equal(found.values[:5, 0], [0, 0, 0, 1, 1])
    assert len(clean(rows, reading=Reading(step="1h", max_fill=1)).segments) == 6
    gaps = series(np.arange(6.0), slots=[0, 1, 2, 30, 31, 200])
    assert clean(gaps, reading=Reading(step="row")).segments == ((0, 6),)
    assert clean(gaps, reading=Reading(step="row")).notes == ()


@pytest.mark.parametrize(
    ("text", "dated", "message"),
    [
        ("60", True, r"step must have a unit, such as 60min or 60h, as the times are dates"),
        ("1h", False, r"must be a number in their unit, such as 1, as the times are plain numbers"),
    ],
)
def test_a_step_of_another_kind(text, dated, message):
    rows = series(np.arange(6.0), dated=dated)
    with pytest.raises(UserError, match=message):
        clean(rows, reading=Reading(step=text))


def test_rows_too_close_end_a_segment():
    found = clean(series(np.arange(8.0), slots=[0, 1, 2, 3, 3.3, 4.3, 5.3, 6.3]), reading=Reading())
    assert found.segments == ((0, 4), (4, 8))
    assert found.notes[-1] == "1 gap in time, the first before line 6: no window spans one"


def days(first: str, count: int, *, without=()) -> np.ndarray:
    found = np.arange(np.datetime64(first), np.datetime64(first) + count)
    return found[~np.isin(found, np.array(without, "datetime64[D]"))]


def test_business_days():
    dates = days("2020-01-01", 40)
    dates = dates[np.is_busday(dates)]
    dates = dates[dates != np.datetime64("2020-01-20")]  # a holiday
    times = dates.astype("datetime64[s]").astype(float)
    found = clean(series(np.arange(len(times)), times=times), reading=Reading(max_fill=3))
    assert str(found.step) == "1b"
    assert (len(found.values), found.made.sum(), len(found.segments)) == (len(times) + 1, 1, 1)
    assert found.rows.times is not None
    assert found.rows.times[found.made][0] == np.datetime64("2020-01-20", "s").astype(float)
    assert found.notes[0] == (
        "Rows are business days, Monday to Friday: a weekend is no gap"
        " (--step 1d counts calendar days)"
    )
    calendar = clean(series(np.arange(len(times)), times=times), reading=Reading(step="1d"))
    assert (len(calendar.values), len(calendar.segments)) == (38, 1)
    assert (
        len(clean(series(times, times=times), reading=Reading(step="1d", max_fill=1)).segments) > 5
    )


@pytest.mark.parametrize("unit", ["1mo", "3mo", "12mo"])
@pytest.mark.parametrize("last", [False, True])
def test_calendar_months(unit, last):
    months = np.arange(0, 480, int(unit.removesuffix("mo"))) + np.datetime64("1970-01", "M")
    dates = (months + 1).astype("datetime64[D]") - 1 if last else months.astype("datetime64[D]")
    times = dates.astype("datetime64[s]").astype(float)
    kept = np.delete(times, 7)
    found = clean(series(np.arange(len(kept)), times=kept), reading=Reading())
    assert str(found.step) == unit
    np.testing.assert_array_equal(found.rows.times, times)
    assert found.notes == (
        f"1 lost row, on a step of {unit}, took the values before it (after line 8)",
    )


def test_newest_first():
    ascending = series(np.arange(30.0), slots=[*range(10), *range(11, 31)])
    descending = ascending.rows(slice(None, None, -1))
    expected = clean(ascending, reading=Reading())
    found = clean(descending, reading=Reading())
    asked = clean(descending, reading=Reading(reverse=True))
    for one in (found, asked):
        np.testing.assert_array_equal(one.values, expected.values)
        np.testing.assert_array_equal(one.rows.lines, expected.rows.lines)
    assert found.notes == (
        "The newest row comes first: rows are read from the last line up",
        *expected.notes,
    )
    without = dataclasses.replace(descending, times=None)
    assert clean(without, reading=Reading(reverse=True)).values[0] == 0
    with pytest.raises(UserError, match="leave out --reverse, as the oldest row is the first"):
        clean(ascending, reading=Reading(reverse=True))


def refused(rows: Series, **reading) -> str:
    with pytest.raises(UserError) as caught:
        clean(rows, reading=Reading(**reading))
    return str(caught.value)


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_rows_of_one_time(how):
    rows = series([0, 1, 2, 4, 10, 3, 4, 5, 6, 7], slots=[0, 1, 2, 2, 2, 3, 4, 5, 6, 7])
    assert "the time of line 5 repeats that of line 4: --repeats first, last or mean" in refused(
        rows
    )
    found = clean(rows, reading=Reading(repeats=how))
    middle = {"first": 2, "last": 10, "mean": 16 / 3}[how]
    np.testing.assert_array_equal(found.values[:, 0], [0, 1, middle, 3, 4, 5, 6, 7])
    assert found.notes == (f"2 rows had a time that another has: the {how} of such rows counts",)


def test_the_mean_is_of_known_cells():
    values = [[0, np.nan], [1, 5], [3, np.nan], [9, np.nan], [9, np.nan], [5, 5]]
    rows = series(values, slots=[0, 1, 1, 2, 2, 3])
    found = clean(rows, reading=Reading(repeats="mean", max_fill=0))
    np.testing.assert_array_equal(found.values, [[0, np.nan], [2, 5], [9, np.nan], [5, 5]])


def test_rows_out_of_order_are_sorted_if_that_is_asked():
    rows = series([0, 1, 3, 2, 4, 5], slots=[0, 1, 3, 2, 4, 5])
    text = refused(rows)
    assert "line 5 goes back behind that of line 4: --repeats first, last or mean sorts" in text
    found = clean(rows, reading=Reading(repeats="first"))
    np.testing.assert_array_equal(found.values[:, 0], range(6))
    np.testing.assert_array_equal(found.rows.lines, [2, 3, 5, 4, 6, 7])


@pytest.mark.parametrize("minutes", [15, 60])
def test_the_hour_that_comes_twice_in_autumn(minutes):
    start = np.datetime64("2023-10-28T00:00", "s").astype(float)
    utc = start + 60 * minutes * np.arange(48 * 60 // minutes)
    summer = utc < np.datetime64("2023-10-29T01:00", "s").astype(float)
    rows = series(np.arange(len(utc)), times=utc + HOUR * (1 + summer), naive=True)
    assert "name their zone, as --time-zone Europe/Berlin" in refused(rows)
    winter = series(np.arange(len(utc)), times=utc + HOUR * (1 + summer) + 60 * 86400, naive=True)
    assert "--time-zone" not in refused(winter)


def several(*, stacked: bool) -> Series:
    """Two series of 20 and 15 hours, b one hour later; one under the other or row by row."""
    slots = np.r_[np.arange(20), np.arange(1, 16)]
    values = np.r_[np.arange(20.0), 100 + np.arange(15.0)]
    labels = np.array(["b"] * 20 + ["a"] * 15)
    rows = series(values, slots=slots, labels=labels)
    return rows if stacked else rows.rows(np.argsort(rows.times, kind="stable"))


@pytest.mark.parametrize("stacked", [True, False])
def test_several_series(stacked):
    rows = several(stacked=stacked)
    assert "--series COLUMN tells several series apart" in refused(
        dataclasses.replace(rows, labels=None)
    )
    found: Clean = clean(rows, reading=Reading(series="which"))
    assert found.blocks == (Block(name="b", start=0, stop=20), Block(name="a", start=20, stop=35))
    assert found.segments == ((0, 20), (20, 35))
    np.testing.assert_array_equal(found.values[:, 0], np.r_[np.arange(20), 100 + np.arange(15)])
    assert found.block_of(20).name == "a"
    assert found.notes == ()


def test_nothing_is_filled_from_another_series():
    rows = several(stacked=True)
    rows.values[[20, 25], 0] = np.nan
    found = clean(rows.rows(np.delete(np.arange(35), 10)), reading=Reading(max_fill=3))
    assert found.blocks[1].start == 20
    assert np.isnan(found.values[20, 0])
    np.testing.assert_array_equal(found.values[[10, 25], 0], [9, 104])
    assert found.segments == ((0, 20), (21, 35))


def test_an_error_in_one_series_names_it():
    rows = several(stacked=True)
    assert rows.times is not None
    rows.times[22] = rows.times[21]
    assert refused(rows).startswith("Times of series a must rise from row to row, but the time of")


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("_filled", lambda values, *_: (values[::-1].copy(), np.zeros(values.shape, bool))),
        ("later", lambda times, step, count: times + 2 * step.length * count),
        ("steps_between", lambda times, _: np.ones(len(times) - 1, int)),
        ("in_order", lambda rows, _: (rows, (Block(name="", start=0, stop=len(rows.values)),), [])),
    ],
)
def test_a_mutant_fails(monkeypatch, name, mutant):
    monkeypatch.setattr(f"bitformer.model.data.gaps.{name}", mutant)
    tests = (test_rows_put_in_are_seen, test_newest_first, test_lost_rows_are_no_missing_cells)
    failed = 0
    for test in tests:
        try:
            test()
        except (AssertionError, pytest.fail.Exception, ValueError, IndexError):
            failed += 1
    assert failed


def test_far_more_rows_than_there_are_are_not_put_in():
    rows = series(np.arange(300.0), step=900.0)
    text = refused(rows, step="0.001s", max_fill=10**6)
    assert text.startswith("A step of 0.001s puts 269099701 rows between 300, which is too many")
    assert "name a longer one with --step, or fewer with --max-fill" in text
    assert len(clean(rows, reading=Reading(step="0.001s")).segments) == 300
    assert len(clean(rows, reading=Reading(step="1s", max_fill=10**6)).values) == 299 * 900 + 1
