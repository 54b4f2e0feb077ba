"""Series with labelled anomalies: which rows are learned from, marked and judged."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from class_harness import table_of

from bitformer.model.data.detection import (
    _WINDOWS,
    DETECTION,
    load_detection,
    read_detection,
)
from bitformer.model.data.reading import Reading
from bitformer.model.data.sources import ENVIRONMENT
from bitformer.model.errors import UserError


def read(path: str, **options: object):
    settings: dict = {"columns": ("v",), "anomaly": "bad", **options}
    reading = settings.pop("reading", Reading(time="when"))
    return read_detection(Path(path), reading=reading, **settings)


def rows_of(marks: str, lost: tuple[int, ...] = ()) -> list[tuple[str, int, object]]:
    return [
        (f"2020-01-01 00:{row // 60:02d}:{row % 60:02d}", row, mark)
        for row, mark in enumerate(marks)
        if row not in lost
    ]


def test_marks_windows_and_the_first_rows(tmp_path):
    path = table_of(
        tmp_path / "my.csv", rows_of("0" * 40 + "1" * 5 + "0" * 50 + "11111"), "when,v,bad"
    )
    found = read(path)
    assert (found.columns, found.clean, found.step) == (("v",), 15, 1.0)
    assert found.windows == found.judged_windows == ((40, 45), (95, 100))
    assert np.flatnonzero(found.anomaly).tolist() == [*range(40, 45), *range(95, 100)]
    assert np.flatnonzero(found.judged).tolist() == list(range(15, 100))
    assert found.days == pytest.approx(85 / 86400)
    assert found.first(10).tolist() == list(range(10, 100))
    assert found.first(10, horizon=3, ahead=0).tolist() == list(range(9, 98))
    assert found.notes == ()


def test_lost_rows_are_put_in_and_not_judged(tmp_path):
    rows = rows_of("0" * 50 + "1" * 10 + "0" * 40, lost=(20, 55, 70, 71, 72, 73))
    found = read(table_of(tmp_path / "my.csv", rows, "when,v,bad"))
    assert np.flatnonzero(found.made).tolist() == [20, 55]
    assert not found.judged[[20, 55]].any()
    assert found.windows == ((50, 60),)  # a lost second does not end it
    assert found.segments == ((0, 70), (70, 96))  # four are a gap
    assert 75 not in found.first(8)
    assert found.first(8)[-1] == 95
    stands = read(
        table_of(tmp_path / "my.csv", rows, "when,v,bad"), reading=Reading(time="when", step="row")
    )
    assert (len(stands.values), stands.made.any()) == (94, False)


def test_anomalies_in_the_first_rows_are_told(tmp_path):
    path = table_of(tmp_path / "my.csv", rows_of("0" * 10 + "1" * 10 + "0" * 80), "when,v,bad")
    found = read(path)
    assert found.windows == ((10, 20),)
    assert found.judged_windows == ((10, 20),)  # five of its rows are judged
    assert (
        "5 of the first 15 rows of my.csv, on which a detector is set, are labelled"
        in found.notes[-1]
    )
    later = read(path, clean_part=0.5)
    assert later.judged_windows == ()
    assert later.windows == ((10, 20),)


@pytest.mark.parametrize(
    ("marks", "ones"), [("yn", ["yes", "no"]), ("tf", ["True", "FALSE"]), ("01", ["1.0", ""])]
)
def test_how_rows_are_marked(tmp_path, marks, ones):
    rows = [(when, row, ones[row % 2]) for when, row, _ in rows_of("x" * 20)]
    found = read(table_of(tmp_path / "my.csv", rows, "when,v,bad"))
    assert found.anomaly.tolist() == [True, False] * 10


def test_rows_without_marks_and_times(tmp_path):
    path = table_of(tmp_path / "my.csv", [(row, 1) for row in range(20)], "v,w")
    found = read(path, anomaly=None, columns=("v", "w"), reading=Reading())
    assert (found.values.shape, found.windows, found.step, found.days) == ((20, 2), (), None, None)


def test_mistakes(tmp_path):
    path = table_of(tmp_path / "my.csv", rows_of("0" * 20 + "?" + "0" * 20), "when,v,bad")
    with pytest.raises(
        UserError,
        match=r"^Column 'bad' of .*my\.csv must mark anomalies by 1 and 0, true and false, or yes"
        r" and no, but line 22 has '\?'$",
    ):
        read(path)
    with pytest.raises(
        UserError, match=r"^The clean part must be 0 to below 1 of the rows, not 1$"
    ):
        read(path, clean_part=1)
    with pytest.raises(UserError, match=r"^Column 'flag' is not in .*my\.csv, which has"):
        read(path, anomaly="flag")
    with pytest.raises(
        UserError, match=r"^Data with labelled anomalies must be skab, skab/valve1,"
    ):
        load_detection("skab/valve3")
    several = table_of(tmp_path / "two.csv", [(i % 2, i) for i in range(20)], "which,v")
    with pytest.raises(UserError, match=r"two\.csv must be one series for a detector: leave"):
        read(several, anomaly=None, reading=Reading(series="which"))


def test_nyc_taxi_ships_with_its_windows():
    (found,) = load_detection("nyc-taxi").series
    assert (len(found.values), found.clean, found.step) == (10320, 1548, 1800.0)
    assert [stop - start for start, stop in found.windows] == [207] * 5
    assert found.anomaly.sum() == 5 * 207
    assert found.judged_windows == found.windows
    # 2014-10-30 15:30 is so many half hours after 2014-07-01
    assert found.windows[0][0] == (121 * 24 + 15) * 2 + 1
    assert found.times is not None
    assert found.times[found.windows[0][0]] == np.datetime64("2014-10-30T15:30").astype(int) * 60


@pytest.mark.needs("nab")
@pytest.mark.parametrize("name", [one for one in DETECTION if "skab" not in one])
def test_nab(name):
    data = load_detection(name)
    (found,) = data.series
    assert data.train is None
    counts = {"nyc-taxi": 5, "machine-temperature": 4, "ambient-temperature": 2}
    assert len(found.windows) == counts.get(name, 3 if name.startswith("ec2") else 1)
    # of machine-temperature, the first is among the first 15 % of the rows
    assert len(found.judged_windows) == len(found.windows) - (name == "machine-temperature")
    assert found.clean == len(found.values) * 15 // 100
    assert (found.anomaly == np.isin(np.arange(len(found.values)), _rows(found.windows))).all()


def _rows(windows) -> list[int]:
    return [row for start, stop in windows for row in range(start, stop)]


@pytest.mark.needs("nab")
def test_windows_are_those_that_were_published():
    own = json.loads(_WINDOWS.read_text())
    folder = Path(os.environ[ENVIRONMENT], "nab")
    published = json.loads((folder / "combined_windows.json").read_text())
    named = {path.split("/")[1]: windows for path, windows in published.items()}
    for file, windows in own.items():
        assert (folder / file).is_file()
        assert [[f"{end}.000000" for end in one] for one in windows] == named[file]
    assert len(own) == 6


@pytest.mark.needs("skab")
def test_skab():
    data = load_detection("skab", step="row")
    assert data.train is not None
    assert (data.train.values.shape, data.train.anomaly.any()) == ((9405, 8), False)
    assert data.train.clean == 9405
    groups = [one.group for one in data.series]
    assert {group: groups.count(group) for group in groups} == {
        "valve1": 16,
        "valve2": 4,
        "other": 14,
    }
    assert [one.name for one in data.series[:3]] == [f"skab/valve1/{i}" for i in range(3)]
    assert sum(len(one.values) for one in data.series) == 37401
    assert sum(int(one.anomaly.sum()) for one in data.series) == 13067
    assert {one.clean for one in data.series} == {400}
    told = [one.name for one in data.series if any("labelled as anomalies" in n for n in one.notes)]
    assert told == ["skab/other/2"]


@pytest.mark.needs("skab")
def test_skab_with_lost_seconds_put_in():
    whole = load_detection("skab/valve2")
    bare = load_detection("skab/valve2", step="row")
    for one, other in zip(whole.series, bare.series, strict=True):
        assert (one.values[~one.made] == other.values).all()
        assert (~one.made)[: one.clean].sum() == 400
        assert one.anomaly[one.judged].sum() == other.anomaly[400:].sum()
        assert one.step == 1.0
    assert len(whole.series[1].segments) == 2  # 64 s are lost
