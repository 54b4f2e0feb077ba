"""What ``predict`` refuses and with which words it works, and what it remarks."""

import dataclasses
import re

import pytest
from predict_harness import ROWS, made, moments, naive, write

from bitformer.model.checkpoint import save_model

REFUSALS = {
    "--data {d}/other.csv": (
        r"must have the columns that the model takes, power, wind, and lacks power; it has wind,"
        r" when, kw: name those that stand for them, in that order, with --inputs",
        "--data {d}/other.csv --inputs kw,wind",
    ),
    "--data {d}/my.csv --inputs wind,power": (
        "in the order of the model's, power, wind, not wind, power: leave --inputs out",
        "--data {d}/my.csv",
    ),
    "--data {d}/my.csv --inputs power": (
        "Data must have 2 input column.s. for this model, not 1: name with --inputs",
        "--data {d}/my.csv --inputs power,wind",
    ),
    "--data {d}/my.csv --target wind": (
        "Target wind must be input column 0 of this model, power: leave --target out",
        "--data {d}/my.csv",
    ),
    "--data {d}/clock.csv": (
        "must have the column of times .*when, and has .*: name its own with --time",
        "--data {d}/clock.csv --time clock",
    ),
    "--data {d}/my.csv --interval 95": (
        "--interval must be one that this model has, 50, 80, not 95",
        "--data {d}/my.csv --interval 50",
    ),
    "--data {d}/my.csv --at soon": (
        "--at must be a line of .*, or one of its times as ISO 8601, not 'soon'",
        "--data {d}/my.csv --at 2024-02-29T13:00",
    ),
    "--data {d}/my.csv --at 2023-01-01T00:00": ("is before its first", "--data {d}/my.csv --at 30"),
    "--data {d}/my.csv --at 10": (
        "must have 24 rows without a gap up to line 10 .* its longest stretch of 9 rows is 9",
        "--data {d}/my.csv --at 25",
    ),
    "--data {d}/short.csv": (
        "must have 24 rows without a gap for a window of this model, .* of 23 rows is 23",
        "--data {d}/my.csv",
    ),
    "": (
        "Data must be given with --data, as old.csv, which the model was trained on, is not here",
        "--data {d}/my.csv",
    ),
    "--data {d}/my.csv --self-test": ("--self-test must come with --port P", "--data {d}/my.csv"),
    "--data {d}/my.csv --baud 9600": ("--baud must come with --port P", "--data {d}/my.csv"),
    "--data {d}/my.csv --port F --engine python": (
        "--engine must be left out with --port",
        "--data {d}/my.csv --engine python",
    ),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_a_refusal_names_what_works(bitformer, model, data, tmp_path, numbers, words):
    rows = list(zip(moments(), numbers.tolist(), strict=True))
    write(tmp_path / "other.csv", [(w, t, p) for t, (p, w) in rows], "wind,when,kw")
    write(tmp_path / "clock.csv", [(w, t, p) for t, (p, w) in rows], "wind,clock,power")
    write(tmp_path / "short.csv", [(w, t, p) for t, (p, w) in rows[:23]], "wind,when,power")
    sentence, remedy = REFUSALS[words]
    said = bitformer("predict", model, *words.format(d=tmp_path).split(), "--json")
    assert (said.code, said.out) == (2, "")
    assert re.search(sentence, " ".join(said.err.split()))
    assert bitformer("predict", model, *remedy.format(d=tmp_path).split(), "--json").code == 0


def test_columns_that_stand_for_others_are_said(bitformer, model, tmp_path, data, numbers):
    rows = [(w, t, p) for t, (p, w) in zip(moments(), numbers, strict=True)]
    path = write(tmp_path / "other.csv", rows, "wind,when,kw")
    said = bitformer("predict", model, "--data", path, "--inputs", "kw,wind", "--json")
    assert "Columns stand for the model's own: kw for power" in said.err
    assert said.data["target"] == "kw"
    high = [(w, t, 1e6) for t, (p, w) in zip(moments(), numbers, strict=True)]
    path = write(tmp_path / "high.csv", high, "wind,when,kw")
    said_of_high = bitformer("predict", model, "--data", path, "--inputs", "kw,wind", "--json")
    assert " values of kw (in 1 of 1 windows) are up to" in said_of_high.err
    assert said_of_high.data["clipped"][0]["column"] == "kw"
    assert said.data["forecast"] == [naive(numbers, ROWS).tolist()]


def test_fewer_windows_than_were_asked_for_are_said(bitformer, model, data):
    said = bitformer("predict", model, "--data", data, "--windows", 100, "--json")
    assert "has 37 windows for forecasts, not 100" in said.err
    assert said.data["lines"] == list(range(25, 62))


def test_a_model_of_earlier_knows_no_intervals(bitformer, tmp_path, data):
    model = made()
    meta = {name: one for name, one in model.meta.items() if name != "intervals"}
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(model, meta=meta), path)
    said = bitformer("predict", path, "--data", data, "--json")
    assert (said.data["low"], said.data["interval"]) == (None, None)
    said = bitformer("predict", path, "--data", data, "--interval", 80)
    assert (said.code, "leave --interval out, or train it again" in said.err) == (2, True)
