"""Times of ``predict``: where a forecast begins, and how its steps are written."""

import csv
from datetime import timedelta

import pytest
from predict_harness import BEGIN, ROWS, made, moments, naive, write

from bitformer.model.checkpoint import save_model


@pytest.mark.parametrize("at", [41, "2024-02-29T13:00", "2024-02-29 13:20"])
def test_at_a_line_or_a_time(bitformer, model, data, numbers, at):
    said = bitformer("predict", model, "--data", data, "--at", at, "--json")
    assert said.data["lines"] == [41]
    assert said.data["forecast"] == [naive(numbers, 40).tolist()]
    assert said.data["truth"] == [numbers[40:46, 0].tolist()]
    assert said.data["times"][0][0] == "2024-02-29T14:00:00"


def test_rows_without_times(bitformer, tmp_path, data, numbers):
    source = made().meta["source"] | {"time": None}
    save_model(made(source=source), tmp_path / "m.safetensors")
    said = bitformer("predict", tmp_path / "m.safetensors", "--data", data, "--json")
    assert said.data["times"] is None
    assert said.data["forecast"] == [naive(numbers, ROWS).tolist()]
    said = bitformer("predict", tmp_path / "m.safetensors", "--data", data, "--at", "2024-03-01")
    assert said.code == 2
    assert "--at must be a line of " in said.err
    assert "as its rows have no dates" in said.err


def test_months_are_counted_by_the_calendar(bitformer, model, tmp_path, numbers):
    months = [f"{1990 + k // 12}-{k % 12 + 1:02d}-01" for k in range(ROWS)]
    rows = [(w, "", t, p) for t, (p, w) in zip(months, numbers, strict=True)]
    said = bitformer("predict", model, "--data", write(tmp_path / "m.csv", rows), "--json")
    assert [t[:10] for t in said.data["times"][0]] == [
        "1995-01-01",
        "1995-02-01",
        "1995-03-01",
        "1995-04-01",
        "1995-05-01",
        "1995-06-01",
    ]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("", "2024-03-01T10:00:00"),
        ("Z", "2024-03-01T10:00:00+00:00"),
        ("+02:00", "2024-03-01T10:00:00+02:00"),
        ("-03:30", "2024-03-01T10:00:00-03:30"),
        (" in Berlin", "2024-03-01T10:00:00+01:00"),
    ],
)
def test_times_say_their_zone_where_it_is_known(bitformer, model, tmp_path, numbers, zone, first):
    more = ["--time-zone", "Europe/Berlin"] if zone == " in Berlin" else []
    zone = "" if more else zone
    rows = [(w, "", t + zone, p) for t, (p, w) in zip(moments(), numbers, strict=True)]
    path, table = write(tmp_path / "z.csv", rows), tmp_path / "out.csv"
    asked = ["predict", model, "--data", path, *more, "--csv", table, "--json"]
    said = bitformer(*asked)
    assert said.data["times"][0][0] == first
    with open(table, newline="") as file:
        assert next(csv.DictReader(file))["time"] == first.replace("T", " ").replace(
            ":00:00", ":00"
        )
    at = bitformer(*asked, "--at", first)
    assert at.data["lines"] == [ROWS + 1]
    if "+00:00" not in first:  # a time without a zone is one of the file's clock
        assert bitformer(*asked, "--at", "2024-03-01 09:30").data["lines"] == [ROWS + 1]
        assert bitformer(*asked, "--at", "2024-03-01 08:30").data["lines"] == [ROWS]


def test_of_several_offsets_the_newest_rows_counts(bitformer, model, tmp_path, numbers):
    """Clocks went forward before row 30."""
    times = [
        f"{BEGIN + timedelta(hours=k + (k >= 30)):%Y-%m-%d %H:%M}+0{1 + (k >= 30)}:00"
        for k in range(ROWS)
    ]
    rows = [(w, "", t, p) for t, (p, w) in zip(times, numbers, strict=True)]
    said = bitformer("predict", model, "--data", write(tmp_path / "summer.csv", rows), "--json")
    assert said.data["times"][0][0] == "2024-03-01T11:00:00+02:00"
    assert said.data["forecast"] == [naive(numbers, ROWS).tolist()]


def test_days_are_written_without_a_clock(bitformer, model, tmp_path, numbers):
    days = [f"{BEGIN + timedelta(days=k):%d.%m.%Y}" for k in range(ROWS)]
    rows = [(w, "", t, p) for t, (p, w) in zip(days, numbers, strict=True)]
    path, table = write(tmp_path / "d.csv", rows), tmp_path / "out.csv"
    said = bitformer("predict", model, "--data", path, "--csv", table)
    assert said.code == 0
    with open(table, newline="") as file:
        assert next(csv.DictReader(file))["time"] == "2024-04-27"
    assert " 2024-04-27 " in said.out
