"""``--calendar``: a training, its scores, forecasts and what is said without a clock."""

import dataclasses
import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from bitformer import Training
from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.own_data import integer_windows
from bitformer.model.scored_data import scored_data

BOTH = ("hour", "weekday")
BEGIN = datetime(2024, 3, 1)  # a Friday
WINDOW, HORIZON = 24, 6
TINY = named_config("tiny").replace(calendar=BOTH)


def write(path, rows, *, step=timedelta(hours=1), zone="", begin=BEGIN):
    """Loads that follow the hour and the weekday, and noise."""
    rng = np.random.default_rng(0)
    lines = ["time,load"]
    for row in range(rows):
        at = begin + row * step
        load = 50 + 9 * np.sin(at.hour / 4) + 5 * (at.weekday() > 4) + rng.normal()
        lines.append(f"{at}{zone},{load:.2f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def options(data, run):
    sizes = ("--config", "tiny", "--epochs", 1, "--qat-epochs", 1)
    return ("--data", data, "--target", "load", *sizes, "-o", run)


@pytest.fixture(scope="module")
def trained(bitformer, tmp_path_factory):
    """A run with both numbers, and what the command said."""
    folder = tmp_path_factory.mktemp("calendar")
    data = write(folder / "my.csv", 400)
    timed = ("--time", "time", "--calendar", "weekday,hour")
    return (
        folder / "run",
        data,
        bitformer("train", *options(data, folder / "run"), *timed, "--json"),
    )


def test_a_model_comes_of_it_and_its_scores(trained, bitformer):
    run, _, said = trained
    assert said.code == 0
    assert said.data["config"]["calendar"] == list(BOTH)
    assert "linear, with hour and weekday" in said.data["baseline_mse"]
    assert said.data["test_mse"]["integer"] == pytest.approx(
        said.data["test_mse"]["quantized (QAT)"], rel=1e-12
    )
    stopped = said.data["stopped_clock_mse"]
    path = run / "model.safetensors"
    again = bitformer("evaluate", path, "--json")
    name = "my-load-24-6 (integer)"
    assert again.data["test_mse"][name] == said.data["test_mse"]["integer"]
    assert again.data["stopped_clock_mse"] == stopped > 0
    told = " ".join(bitformer("evaluate", path).out.split())
    assert f"its test MSE is {stopped:.4f}, not {again.data['test_mse'][name]:.4f}" in told
    assert "It takes the hour and the weekday of each window: without a clock" in told


def test_info_shows_it(trained, bitformer, tiny):
    path = trained[0] / "model.safetensors"
    assert (
        "calendar: hour (0 to 23) and weekday (0 to 6) of the last step, behind the window in 2"
        " step(s) of 1"
    ) in bitformer("info", path).out
    operations = bitformer("info", path, "--json").data["operations"]
    tables = {one["output"]: one["calendar"] for one in operations if one["calendar"]}
    assert tables == {
        "embedding": "hour",
        "output": "hour",
        "layers.0.add1": "weekday",
        "path": "weekday",
    }
    assert "calendar:" not in bitformer("info", tiny).out


def test_forecasts_are_of_the_newest_rows_time(trained, bitformer, tmp_path):
    run, _, _ = trained
    model = load_model(run / "model.safetensors")
    new = write(tmp_path / "new.csv", 30, begin=BEGIN + timedelta(days=20, hours=5))
    said = bitformer("predict", run / "model.safetensors", "--data", new, "--windows", 3, "--json")
    meta = model.meta["dataset"]
    values = np.loadtxt(new, delimiter=",", skiprows=1, usecols=1)
    z = (values - meta["mean"][0]) / meta["std"][0]
    for n, end in enumerate((28, 29, 30)):
        last = BEGIN + timedelta(days=20, hours=5 + end - 1)
        x, clock = z[None, end - WINDOW : end, None], [[last.hour, last.weekday()]]
        expected = reference.predict(model, x, clock)[0] * meta["target_std"] + meta["target_mean"]
        assert said.data["forecast"][n] == pytest.approx(expected.tolist())


def test_the_accelerator_takes_the_time(trained, bitformer):
    path = trained[0] / "model.safetensors"
    said = bitformer("simulate", path, "--samples", "2", "--json").data
    assert (said["source"], said["bit_exact"]) == ("my.csv, test windows", True)
    few = ("evaluate", path, "--samples", "2", "--json")
    errors = [
        bitformer(*few, "--engine", engine).data["test_mse"][f"my-load-24-6 ({engine})"]
        for engine in ("integer", "python")
    ]
    assert errors[0] == errors[1]


def test_a_function_is_told_the_time(trained):
    from bitformer import load

    run, data, _ = trained
    model, asked = load(run / "model.safetensors"), []

    def engine(windows, clock):
        asked.append(clock.tolist())
        return model.predict(windows, clock)

    model.forecast(str(data), engine=engine)
    last = BEGIN + timedelta(hours=399)
    assert asked == [[[last.hour, last.weekday()]]]


def test_samples_carry_their_time(trained):
    run, data, _ = trained
    model = load_model(run / "model.safetensors")
    dataset = scored_data(model, data=str(data))
    windows = integer_windows(model, dataset, 5, 0)
    assert windows.shape == (5, WINDOW + 2, 1)
    rows = dataset.test.first[
        [0, *np.linspace(0, len(dataset.test) - 1, 5).round().astype(int)[1:]]
    ]
    times = [BEGIN + timedelta(hours=int(row) - 1) for row in rows]
    assert windows[:, WINDOW:, 0].tolist() == [[at.hour, at.weekday()] for at in times]
    random = integer_windows(model, None, 40, 0)
    assert (random[:, WINDOW, 0] < 24).all()
    assert len(set(random[:, WINDOW + 1, 0].tolist())) == 7


def test_another_file_has_its_own_clock(trained, bitformer, tmp_path):
    """Later rows, written with an offset: the hour is what stands there."""
    run, _, _ = trained
    model = load_model(run / "model.safetensors")
    begin = BEGIN + timedelta(days=30)
    found = {}
    for zone in ("", "+05:00", "Z"):
        path = write(tmp_path / "later.csv", 80, begin=begin, zone=zone)
        dataset = scored_data(model, data=str(path))
        found[zone] = dataset.test.clock.tolist()
    hours = [begin + timedelta(hours=int(row) - 1) for row in dataset.test.first]
    assert found[""] == found["Z"] == found["+05:00"] == [[t.hour, t.weekday()] for t in hours]
    there = scored_data(model, data=str(path), time_zone="Asia/Karachi").test.clock
    assert there.tolist() == [
        [(t + timedelta(hours=5)).hour, (t + timedelta(hours=5)).weekday()] for t in hours
    ]


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_refuses_rows_without_a_clock(bitformer, tmp_path, command):
    model = initialize(TINY)
    dataset = {
        "name": "old.csv",
        "inputs": ["load"],
        "target": "load",
        "target_channel": 0,
        "mean": [50.0],
        "std": [20.0],
        "target_mean": 50.0,
        "target_std": 20.0,
    }
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(model, meta={"dataset": dataset}), path)
    data = write(tmp_path / "new.csv", 60)
    said = bitformer(command, path, "--data", data)
    assert said.code == 2
    assert said.err.strip().endswith(
        "new.csv must have dates, as the model takes the hour and weekday with each window: name"
        " the column of times with --time"
    )
    assert bitformer(command, path, "--data", data, "--time", "time").code == 0
    daily = write(tmp_path / "days.csv", 60, step=timedelta(days=1))
    said = bitformer(command, path, "--data", daily, "--time", "time")
    assert said.code == 2
    assert "must have rows less than a day apart, as the model takes the hour with" in said.err


def test_what_is_asked_for_and_cannot_be(bitformer, tmp_path):
    data = write(tmp_path / "my.csv", 200)
    said = bitformer("train", *options(data, tmp_path / "run"), "--calendar", "hour")
    assert said.code == 2
    assert (
        "my.csv must have dates, as the model takes the hour with each window: name the column of"
        " times with --time"
    ) in said.err
    assert "the model has no table" not in said.err
    counted = tmp_path / "counted.csv"
    rows = (f"{1_700_000_000 + 3600 * i},{i % 24}" for i in range(200))
    counted.write_text("\n".join(["time,load", *rows]) + "\n")
    said = bitformer(
        "train", *options(counted, tmp_path / "run"), "--time", "time", "--calendar", "hour"
    )
    assert said.code == 2
    assert "if they count seconds since 1970, say --time-format epoch, else name a" in said.err
    timed = ("--time", "time", "--calendar")
    said = bitformer("train", *options(data, tmp_path / "run"), *timed, "day")
    assert said.code == 2
    assert "calendar must be hour, weekday or hour,weekday, or none, not 'day'" in said.err
    daily = write(tmp_path / "days.csv", 200, step=timedelta(days=1))
    said = bitformer("train", *options(daily, tmp_path / "run"), *timed, "hour,weekday")
    assert said.code == 2
    assert "days.csv must have rows less than a day apart" in said.err
    narrow = named_config("grid-12-32-4").to_dict()
    (tmp_path / "narrow.json").write_text(json.dumps(narrow))
    config = ("--config", tmp_path / "narrow.json")
    said = bitformer("train", *options(data, tmp_path / "run"), *config, *timed, "hour")
    assert said.code == 2
    assert "input_bits must be at least 6 with a calendar" in said.err


def test_a_config_without_a_clock_loses_it_in_a_sentence(tmp_path):
    """What a configuration has and the rows do not is left out; ``none`` leaves it out anyway."""
    data = write(tmp_path / "my.csv", 200)
    config = tmp_path / "timed.json"
    config.write_text(json.dumps(TINY.to_dict()))
    columns = {"target": "load", "epochs": 1, "qat_epochs": 1, "progress": False}
    notes: list[str] = []
    bare = Training.run(
        str(data), config=str(config), to=tmp_path / "a", note=notes.append, **columns
    )
    assert bare.config.calendar == ()
    assert bare.evaluation.stopped_clock is None
    assert [note for note in notes if note.startswith("Rows have no dates, so the model has no")]
    timed = {**columns, "time": "time"}
    found = Training.run(str(data), config=str(config), to=tmp_path / "b", **timed)
    assert found.config.calendar == BOTH
    none = Training.run(str(data), config=str(config), to=tmp_path / "c", calendar="none", **timed)
    assert none.config.calendar == ()
    assert none.result.quantized_test == bare.result.quantized_test
