"""Several series in one file: one model, windows inside each, split each by itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bitformer.model.baselines import REPEAT_LAST, baselines
from bitformer.model.data.csv_source import Series
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import by_fractions, fractions
from bitformer.model.data.windows import Dataset, make_dataset
from bitformer.model.errors import UserError

WINDOW, HORIZON = 5, 3
#: Rows of each series.
SERIES = {"north": 100, "south": 61, "west": 80}


def rows() -> Series:
    """Each value tells its series and row: 1000 times the series' number, and the row."""
    names = np.repeat(list(SERIES), list(SERIES.values()))
    own = np.concatenate([np.arange(count) for count in SERIES.values()])
    values = 1000.0 * np.repeat(np.arange(3), list(SERIES.values())) + own
    return Series(
        columns=("a", "b"),
        values=np.column_stack([values, -values]),
        lines=np.arange(len(own)) + 2,
        times=1.7e9 + 3600.0 * own,
        dated=True,
        labels=names,
    )


def make(series: Series, **reading) -> Dataset:
    return make_dataset(
        series,
        name="many",
        inputs=("b", "a"),
        target="a",
        split=by_fractions,
        window=WINDOW,
        horizon=HORIZON,
        reading=Reading(series="which", **reading),
    )


def units(data: Dataset, z: np.ndarray) -> np.ndarray:
    return np.rint(z * data.target_std + data.target_mean).astype(int)


@pytest.mark.parametrize("interleaved", [False, True])
def test_windows_are_those_of_each_series_alone(interleaved):
    series = rows()
    if interleaved:
        series = series.rows(np.argsort(series.times, kind="stable"))
    data = make(series)
    for place, part in enumerate(("train", "val", "test")):
        windows = getattr(data, part)
        x, y = units(data, windows.x[:, :, 1]), units(data, windows.y)
        expected = []
        for number, count in enumerate(SERIES.values()):
            start, stop = fractions(count).ranges[place]
            for first in range(max(start, WINDOW), stop - HORIZON + 1):
                expected.append(1000 * number + np.arange(first - WINDOW, first + HORIZON))
        np.testing.assert_array_equal(np.column_stack([x, y]), expected)
        np.testing.assert_array_equal(units(data, windows.past), x)
        np.testing.assert_array_equal(np.diff(np.column_stack([x, y]), axis=1), 1)


def test_scaling_is_over_the_training_rows_of_all():
    series = rows()
    data = make(series)
    used = []
    for number, count in enumerate(SERIES.values()):
        used.append(1000.0 * number + np.arange(fractions(count).train))
    used = np.concatenate(used)
    assert data.target_mean == pytest.approx(used.mean())
    assert data.target_std == pytest.approx(used.std())
    assert data.notes[0] == (
        "Split: the first 60 %, 20 % and 20 % of the rows of each of 3 series; scaled by the"
        " training rows of all of them, no window across two"
    )


def test_the_baselines_know_no_other_series():
    data = make(rows())
    # a value rises by one a row: the last one is 1, 2 and 3 below those that follow
    expected = np.mean(np.square([1, 2, 3])) / data.target_std**2
    assert baselines(data)[REPEAT_LAST] == pytest.approx(expected)


def test_without_the_column_they_are_refused():
    series = dataclasses.replace(rows(), labels=None)
    with pytest.raises(UserError, match="line 102 goes back behind that of line 101: --series COL"):
        make(series)


def test_no_series_is_long_enough():
    short = rows().rows(np.r_[0:12, 100:112, 161:173])
    with pytest.raises(UserError, match=r"at least 14 rows of one series without a gap"):
        make(short)


def file_of(path: Path, *, interleaved: bool) -> Path:
    lines = [
        f"2024-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{name},{hour % 24 + 100 * number},x"
        for number, name in enumerate(SERIES)
        for hour in range(120)
    ]
    if interleaved:
        lines.sort()
    path.write_text("\n".join(["time,site,load,note", *lines]) + "\n")
    return path


@pytest.mark.parametrize("interleaved", [False, True])
def test_from_a_file(tmp_path, interleaved):
    path = str(file_of(tmp_path / "sites.csv", interleaved=interleaved))
    options = {"window": 24, "horizon": 4, "target": "load", "time": "time"}
    with pytest.raises(UserError, match="--series COLUMN tells several series apart"):
        load_dataset(path, **options)
    data = load_dataset(path, series="site", **options)
    assert [len(part) for part in (data.train, data.val, data.test)] == [
        3 * (72 - 24 - 3),
        3 * 21,
        3 * 21,
    ]
    assert data.period == 24
    with pytest.raises(UserError, match="Column 'city' is not in"):
        load_dataset(path, series="city", **options)
