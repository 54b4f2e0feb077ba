"""Files as they come: each gives the values and times of the plain file that it was made from."""

import os
from pathlib import Path

import numpy as np
import pytest
from needs import require
from remedies import told

from bitformer.model.data.csv_source import read_csv, read_header
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

DAY = 86400.0


@pytest.fixture(scope="module")
def folder():
    require("awkward-files")
    return Path(os.environ["BITFORMER_DATA"]) / "awkward_csv"


@pytest.fixture(scope="module")
def plain(folder):
    """Times and the column load of 600 hours."""
    rows = [line.split(",") for line in (folder / "base.csv").read_text().splitlines()[1:]]
    times = np.array([np.datetime64(row[0], "s") for row in rows]).astype(float)
    return times, np.array([float(row[1]) for row in rows])


#: File, column, and how it is read: as base.csv without more.
SAME = {
    "base.csv": ("load", {"time": "time"}),
    "base.csv.gz": ("load", {"time": "time"}),
    "dmy.csv": ("load", {"time": "time"}),
    "ampm.csv": ("load", {"time": "time"}),
    "twocol.csv": ("load", {"time": "Date,Time"}),
    "trailing.csv": ("load", {"time": "time"}),
    "commaname.csv": ("Power, kW", {"time": "time"}),
    "utf16.csv": ("Temp", {"time": "Zeit"}),
    "cp1252.csv": ("Temp °C", {"time": "Zeit", "encoding": "cp1252"}),
    "deccomma.csv": ("Temp", {"time": "Zeit", "decimal": ","}),
    "meta.csv": ("load", {"time": "time", "skip": 3}),
}


@pytest.mark.parametrize("name", SAME)
def test_same_values_and_times(folder, plain, name):
    column, options = SAME[name]
    series = read_csv(folder / name, columns=[column], reading=Reading(**options))
    assert series.times is not None
    np.testing.assert_array_equal(series.times, plain[0])
    np.testing.assert_array_equal(series.values[:, 0], plain[1])
    assert series.dated
    assert series.notes == ()
    first = {"meta.csv": 5}.get(name, 2)
    assert series.lines.tolist() == list(range(first, first + 600))


def test_thousands(folder, plain):
    series = read_csv(folder / "thousand.csv", columns=["load"], reading=Reading(time="time"))
    assert np.abs(series.values[:, 0] / 1000 - plain[1]).max() < 6e-4  # the file has one decimal
    assert series.values[0, 0] == 20172.8
    assert series.notes == (
        "Numbers are read with a decimal point, and other marks between thousands, as with"
        " --decimal .",
    )


def test_months(folder, plain):
    series = read_csv(folder / "yymm.csv", columns=["y"], reading=Reading(time="Month"))
    assert series.times is not None
    months = np.datetime64("1970-01") + np.arange(600)
    np.testing.assert_array_equal(series.times, months.astype("datetime64[s]").astype(float))
    np.testing.assert_array_equal(series.values[:, 0], plain[1])


def test_missing_mark(folder, plain):
    how = Reading(time="time", missing=("?",))
    series = read_csv(folder / "qmark.csv", columns=["load"], reading=how)
    lost = np.isnan(series.values[:, 0])
    text = (folder / "qmark.csv").read_text()
    assert lost.sum() == text.count("?") > 0
    np.testing.assert_array_equal(series.values[~lost, 0], plain[1][~lost])


@pytest.mark.parametrize("mark", ["-999", "-999.0", "x,-9.99e2"])
def test_missing_number(folder, plain, mark):
    how = Reading(time="time", missing=mark)
    series = read_csv(folder / "sentinel.csv", columns=["load"], reading=how)
    lost = np.isnan(series.values[:, 0])
    assert 10 < lost.sum() < 20
    np.testing.assert_array_equal(series.values[~lost, 0], plain[1][~lost])


def test_units(folder, plain):
    how = Reading(time="time", strip=("kW",))
    series = read_csv(folder / "units.csv", columns=["load"], reading=how)
    np.testing.assert_allclose(series.values[:, 0], plain[1], atol=0.0501)
    assert series.values[0, 0] == 20.2


def test_the_step_decides_between_days_and_months(folder):
    path = folder / "dm_ambiguous.csv"
    series = read_csv(path, columns=["load"], reading=Reading(time="time"))
    assert series.times is not None
    assert set(np.diff(series.times)) == {3600.0}
    assert series.times[0] == np.datetime64("2023-03-01", "s").astype(float)
    assert series.notes == (
        "Times are read as day/month/year, which gives even steps; if that is wrong, say"
        " --time-format '%m/%d/%Y %H:%M'",
    )
    how = Reading(time="time", time_format="%m/%d/%Y %H:%M")
    series = read_csv(path, columns=["load"], reading=how)
    assert series.times is not None
    assert series.times[0] == np.datetime64("2023-01-03", "s").astype(float)
    assert series.times[24] == np.datetime64("2023-02-03", "s").astype(float)
    assert series.notes == ()


def test_autumn_hour(folder, plain):
    path = folder / "dst_autumn_naive.csv"
    with pytest.raises(UserError, match=r"repeats that of line .* --time-zone Europe/Berlin"):
        load_dataset(str(path), window=48, horizon=12, target="load", time="time")
    how = Reading(time="time", time_zone="Europe/Berlin")
    series = read_csv(path, columns=["load"], reading=how)
    assert series.times is not None
    assert set(np.diff(series.times)) == {3600.0}
    assert series.times[0] == np.datetime64("2023-10-15T00:00", "s").astype(float)
    np.testing.assert_array_equal(series.values[:, 0], plain[1])


#: File, options, and what the sentence says.
REFUSED = {
    "deccomma.csv": ("Temp", r"'Temp' of .* line 2 has '20,173': say --decimal , if "),
    "units.csv": ("load", r"'load' of .* line 2 has '20.2 kW': say --strip kW"),
    "qmark.csv": ("load", r"'load' of .* line 102 has '\?': say --missing '\?'"),
    "meta.csv": ("load", r"line 1 was taken as the header, and line 4 has .*say --skip 3"),
    "cp1252.csv": ("Temp °C", r"byte 10 is 0xb0: --encoding cp1252 reads 'Zeit;Temp °C;"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_the_option_that_works(folder, plain, name):
    column, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as caught:
        read_csv(folder / name, columns=[column])
    options: dict = told(str(caught.value))
    series = read_csv(folder / name, columns=[column], reading=Reading(**options))
    found = series.values[:, 0]
    assert np.abs(found - plain[1])[~np.isnan(found)].max() < 0.0501


def test_column_with_a_comma_among_inputs(folder, plain):
    data = load_dataset(
        str(folder / "commaname.csv"),
        window=48,
        horizon=12,
        target="Power, kW",
        inputs='"Temp, C","Power, kW"',
        time="time",
    )
    assert data.inputs == ("Temp, C", "Power, kW")
    np.testing.assert_allclose(data.target_mean, plain[1][:360].mean())
    one = load_dataset(
        str(folder / "commaname.csv"), window=48, horizon=12, target="Power, kW", inputs="Temp, C"
    )
    assert one.inputs == ("Temp, C",)


def test_header_of_a_file_with_remarks_above(folder):
    assert read_header(folder / "meta.csv", Reading(skip=3)) == ["time", "load"]
