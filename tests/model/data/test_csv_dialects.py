"""A table that is written in any dialect reads back equal, by the options that it needs."""

import bz2
import gzip
import io
import itertools
import lzma
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.gaps import clean
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

#: Directives of a time, and whether the file says by itself what they are.
TIMES = {
    "%Y-%m-%d %H:%M:%S": True,
    "%Y-%m-%dT%H:%M:%SZ": True,
    "%Y-%m-%dT%H:%M:%S+0000": True,
    "%Y/%m/%d %H:%M:%S": True,
    "%Y.%m.%d, %H:%M:%S": True,
    "%d.%m.%Y %H:%M:%S": True,
    "%d.%m.%Y %H.%M.%S": True,
    "%d %b %Y %H:%M:%S": True,
    "%d-%B-%Y %H:%M:%S": True,
    "%b %d, %Y %I:%M:%S %p": True,
    "%d/%m/%Y %H:%M:%S": False,
    "%m/%d/%Y %I:%M:%S %p": False,
    "%m-%d-%Y %H:%M:%S": False,
    "%d/%m/%y %H:%M:%S": False,
    "%y%m%d%H%M%S": False,
    "%H:%M:%S %d/%m/%Y": False,
    "%j/%Y %H:%M:%S": False,
}
ENCODINGS = {
    "utf-8": None,
    "utf-8-sig": None,
    "utf-16": None,
    "utf-32": None,
    "utf-16-le": "utf-16-le",
    "cp1252": "cp1252",
}


def zipped(raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", raw)
    return out.getvalue()


PACKERS = {
    "": lambda raw: raw,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
}


def written(value: float | None, *, decimal: str, thousands: str, unit: str, missing: str) -> str:
    if value is None:
        return missing
    # a Python group mark stands in for both, so that neither is taken for the other
    text = f"{value:,.2f}" if thousands else f"{value:.2f}"
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands) + unit


def quoted(cell: str, separator: str, *, always: bool) -> str:
    return f'"{cell}"' if always or separator in cell else cell


@st.composite
def dialects(draw):
    decimal = draw(st.sampled_from(".,"))
    others = [mark for mark in ("", " ", "\u00a0", "'", ".", ",") if mark != decimal]
    return {
        "separator": draw(st.sampled_from(",;\t|")),
        "decimal": decimal,
        "thousands": draw(st.sampled_from(others)),
        "unit": draw(st.sampled_from(["", " kW", "%", "°"])),
        "missing": draw(st.sampled_from(["", "NA", "?", "-200", "n.d."])),
        "time": draw(st.sampled_from(list(TIMES))),
        "encoding": draw(st.sampled_from(list(ENCODINGS))),
        "packer": draw(st.sampled_from(list(PACKERS))),
        "quote": draw(st.booleans()),
        "trailing": draw(st.integers(0, 2)),
        "above": draw(st.sampled_from([(), ("Logger 7",), ("Ort;Köln", "", "x,y,z")])),
        "remarks": draw(st.integers(0, 2)),
        "named": draw(st.booleans()),
        "end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
    }


values = st.none() | st.integers(-(10**8), 10**8).map(lambda n: n / 100)
tables = st.lists(st.tuples(values, values), min_size=3, max_size=30)


def text_of(rows, begin, step, how) -> tuple[str, list[float]]:
    separator = how["separator"]
    ends = separator * how["trailing"]
    if separator in "Ort;Köln" or separator == ",":  # above the header anything may stand
        how["above"] = how["above"][:1]
    lines = [*how["above"], *["# a remark"] * how["remarks"]]
    names = ["when", "Größe, m", "b"]
    if how["named"]:
        cells = (quoted(name, separator, always=False) for name in names)
        lines.append(separator.join(cells) + ends)
    times = []
    for row, pair in enumerate(rows):
        when = begin + row * step
        times.append(when.timestamp())
        cells = [when.strftime(how["time"])]
        own = {key: how[key] for key in ("decimal", "thousands", "unit", "missing")}
        cells += [written(value, **own) for value in pair]
        quotes = (quoted(cell, separator, always=how["quote"]) for cell in cells)
        lines.append(separator.join(quotes) + ends)
    return how["end"].join(lines) + how["end"], times


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=tables,
    begin=st.datetimes(datetime(1995, 1, 1), datetime(2060, 1, 1)),
    step=st.sampled_from([1, 60, 900, 3600, 86400, 11 * 3600]),
    how=dialects(),
)
def test_a_table_reads_back_equal(tmp_path_factory, rows, begin, step, how):
    begin = begin.replace(microsecond=0, tzinfo=UTC)
    text, times = text_of(rows, begin, timedelta(seconds=step), how)
    path = tmp_path_factory.mktemp("dialect") / f"rows.csv{how['packer'] and '.' + how['packer']}"
    path.write_bytes(PACKERS[how["packer"]](text.encode(how["encoding"])))
    names = ["when", "Größe, m", "b"]
    options = {
        "time": "when",
        "time_format": None if TIMES[how["time"]] else how["time"],
        "decimal": how["decimal"] if how["thousands"] or how["decimal"] == "," else None,
        "missing": [how["missing"]] if how["missing"] in ("?", "-200", "n.d.") else (),
        "strip": [how["unit"].strip()] if how["unit"] else (),
        "encoding": ENCODINGS[how["encoding"]],
        "skip": len(how["above"]),
        "header": None if how["named"] else (*names, *"xy"[: how["trailing"]]),
    }
    series = read_csv(path, columns=names[1:], reading=Reading(**options))
    expected = np.array([[np.nan if v is None else v for v in pair] for pair in rows])
    if how["missing"] == "-200":
        expected[expected == -200] = np.nan
    np.testing.assert_array_equal(series.values, expected)
    assert series.times is not None
    np.testing.assert_array_equal(series.times, times)
    above = len(how["above"]) + how["remarks"] + how["named"]
    assert series.lines.tolist() == list(range(above + 1, above + 1 + len(rows)))


@settings(max_examples=100, deadline=None)
@given(
    begin=st.datetimes(datetime(1970, 1, 1), datetime(2060, 1, 1)),
    count=st.integers(3, 900),
    step=st.sampled_from([3600, 900, 1800, 7200, 86400]),
    first=st.sampled_from(["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d-%m-%Y %H:%M"]),
)
def test_days_and_months_are_told_apart_or_asked_for(tmp_path_factory, begin, count, step, first):
    """Whatever is read without a word is right; what is not certain is refused."""
    begin = begin.replace(second=0, microsecond=0, tzinfo=UTC)
    times = [begin + timedelta(seconds=step * row) for row in range(count)]
    path: Path = tmp_path_factory.mktemp("order") / "rows.csv"
    path.write_text("t,a\n" + "".join(f"{when.strftime(first)},1\n" for when in times))
    refused = None
    try:
        series = read_csv(path, columns=["a"], reading=Reading(time="t"))
    except UserError as error:
        refused = str(error)
    if refused is not None:
        assert "which number is the day" in refused
        # three days of hours always say it
        assert len({when.date() for when in times}) < 3 or step == 86400
        return
    assert series.times is not None
    np.testing.assert_array_equal(series.times, [when.timestamp() for when in times])
    past = any(when.day > 12 for when in times)
    assert bool(series.notes) == (not past)


@settings(max_examples=60, deadline=None)
@given(
    year=st.integers(1996, 2036),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]
    ),
    step=st.sampled_from([900, 1800, 3600]),
    newest_first=st.booleans(),
)
def test_clocks_of_a_place(tmp_path_factory, year, zone, step, newest_first):
    """A year of a place's clocks, with both changes of a summer time, gives even steps."""
    begin = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    times = begin + np.arange(0, 366 * 86400, step)
    if newest_first:
        times = times[::-1]
    place = ZoneInfo(zone)
    # only the nights of changes matter: the rest would take a while to write
    offsets = [datetime.fromtimestamp(t, place).utcoffset() for t in times[:: 86400 // step]]
    changes = [i for i, (a, b) in enumerate(itertools.pairwise(offsets)) if a != b]
    days = sorted({day for i in changes for day in (i - 1, i, i + 1) if 0 <= day < 366} or {5, 6})
    kept = np.concatenate([times[d * 86400 // step : (d + 1) * 86400 // step] for d in days])
    path = tmp_path_factory.mktemp("zone") / "rows.csv"
    with path.open("w") as file:
        file.write("t,a\n")
        for t in kept:
            file.write(f"{datetime.fromtimestamp(t, place):%Y-%m-%d %H:%M},1\n")
    series = read_csv(path, columns=["a"], reading=Reading(time="t", time_zone=zone))
    assert series.times is not None
    np.testing.assert_array_equal(series.times, kept)
    assert not series.naive


@pytest.mark.parametrize(
    ("keep", "clock", "step"),
    [
        (range(7), "%Y-%m-%d", "1d"),
        (range(5), "%Y-%m-%d", "1b"),
        (range(7), "%d.%m.%Y 02:30", "1d"),
    ],
)
def test_days_of_a_calendar_are_steps_whatever_their_clocks_do(tmp_path, keep, clock, step):
    """Those of two years in Berlin, four of which have another number of hours."""
    days = [datetime(2021, 1, 1) + timedelta(days=n) for n in range(730)]
    kept = [day for day in days if day.weekday() in keep]
    path = tmp_path / "days.csv"
    rows = [f"{day.strftime(clock)},{n}" for n, day in enumerate(kept)]
    path.write_text("\n".join(["t,a", *rows]) + "\n")
    how = Reading(time="t", time_zone="Europe/Berlin")
    cleaned = clean(read_csv(path, columns=["a"], reading=how), reading=how)
    assert str(cleaned.step) == step
    assert len(cleaned.values) == len(kept)
    assert cleaned.segments == ((0, len(kept)),)
    assert "Rows lie whole days apart: --time-zone changes nothing" in cleaned.notes
    assert not any("jitter" in note or "lost" in note for note in cleaned.notes)


def test_the_months_of_years_are_no_days(tmp_path):
    """The first of each month for three years, as the United States write it."""
    path = tmp_path / "rows.csv"
    rows = [f"{month:02d}/01/{year},1" for year in (2021, 2022, 2023) for month in range(1, 13)]
    path.write_text("t,a\n" + "\n".join(rows) + "\n")
    series = read_csv(path, columns=["a"], reading=Reading(time="t"))
    assert series.times is not None
    assert series.times[13] == datetime(2022, 2, 1, tzinfo=UTC).timestamp()
    assert "month/day/year" in series.notes[0]


@pytest.mark.parametrize("labelled", [False, True])
def test_autumn_hour_of_several_series(tmp_path, labelled):
    """Each series in its own order, and a file that has the hour once."""
    rows = ["02:00,a", "02:00,b", "02:00,a", "02:00,b"] if labelled else ["02:00,a", "03:00,a"]
    path = tmp_path / "rows.csv"
    path.write_text("t,s,v\n" + "".join(f"2023-10-29 {row},1\n" for row in ["01:00,a", *rows]))
    how = Reading(time="t", time_zone="Europe/Berlin", series="s" if labelled else None)
    series = read_csv(path, columns=["v"], reading=how)
    assert series.times is not None
    hours = ((series.times - datetime(2023, 10, 28, 23, tzinfo=UTC).timestamp()) / 3600).tolist()
    assert hours == ([0, 1, 1, 2, 2] if labelled else [0, 1, 3])
