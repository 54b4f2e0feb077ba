"""``predict`` without a board: in units, with times, limits and truth, against the raw file."""

import csv
import dataclasses
import itertools
import re
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from pins_harness import SimulatedUart

from bitformer import load
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.initialize import initialize
from bitformer.model.train import describe

ROWS, BEGIN = 60, datetime(2024, 2, 27, 22)
HORIZON, WINDOW = 6, 24
INTERVALS = [
    {"percent": 50, "low": [-1.0] * 6, "high": [0.5] * 6, "coverage": 0.47},
    {"percent": 80, "low": [-2.0, -3.0] * 3, "high": [2.0] * 6, "coverage": 0.785},
]


def made(**changes):
    """An untrained model of two inputs that knows scales, a source and intervals."""
    model = initialize(named_config("tiny").replace(inputs=2, target_channel=0))
    dataset = {
        "name": "old.csv",
        "inputs": ["power", "wind"],
        "target": "power",
        "mean": [10.0, 3.0],
        "std": [2.0, 1.5],
        "target_mean": 10.0,
        "target_std": 2.0,
        "target_channel": 0,
    }
    source = {"data": "old.csv", "target": "power", "inputs": ["power", "wind"], "time": "when"}
    meta = {"dataset": dataset, "source": source, "intervals": INTERVALS}
    return dataclasses.replace(model, meta=meta | changes)


@pytest.fixture(scope="module")
def numbers():
    """Power and wind of every hour."""
    rng = np.random.default_rng(1)
    hours = np.arange(ROWS)
    power = 10 + 2 * np.sin(hours / 4) + 0.2 * rng.normal(size=ROWS)
    return np.stack([power.round(3), rng.uniform(0, 6, ROWS).round(2)], axis=1)


@pytest.fixture
def model(tmp_path):
    save_model(made(), tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def write(path, rows, names="wind,note,when,power"):
    path.write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def moments(count=ROWS, step=timedelta(hours=1)):
    return [f"{BEGIN + step * k:%Y-%m-%d %H:%M}" for k in range(count)]


@pytest.fixture
def data(tmp_path, numbers):
    """Columns in another order, and one more that no model asked for."""
    rows = [(w, "dull, or not", t, p) for t, (p, w) in zip(moments(), numbers, strict=True)]
    return write(tmp_path / "my.csv", [(w, f'"{n}"', t, p) for w, n, t, p in rows])


def naive(numbers, end):
    """What the integer model says after ``end`` rows, in units, from the raw numbers."""
    x = (numbers[end - WINDOW : end] - [10.0, 3.0]) / [2.0, 1.5]
    return reference.predict(made(), x[None])[0] * 2.0 + 10.0


def test_past_the_end_of_the_file(bitformer, model, data, numbers):
    said = bitformer("predict", model, "--data", data, "--json")
    assert said.code == 0
    expected = naive(numbers, ROWS)
    assert said.data["forecast"] == [expected.tolist()]
    assert said.data["low"] == [(expected + [-2.0, -3.0] * 3).tolist()]
    assert said.data["high"] == [(expected + 2.0).tolist()]
    assert said.data["interval"] == {"percent": 80, "test_coverage": 0.785}
    last = BEGIN + timedelta(hours=ROWS - 1)
    assert said.data["times"] == [
        [(last + timedelta(hours=k)).isoformat() for k in range(1, HORIZON + 1)]
    ]
    assert said.data["truth"] == [[None] * HORIZON]
    assert (said.data["error"], said.data["lines"]) == (None, [ROWS + 1])
    assert (said.data["target"], said.data["engine"]) == ("power", "integer")


def test_truth_stands_beside_older_forecasts(bitformer, model, data, numbers):
    said = bitformer("predict", model, "--data", data, "--windows", 9, "--json")
    power = numbers[:, 0]
    off, inside = [], []
    for k, end in enumerate(range(ROWS - 8, ROWS + 1)):
        forecast = naive(numbers, end)
        assert said.data["forecast"][k] == forecast.tolist()
        truth = power[end : end + HORIZON].tolist()
        assert said.data["truth"][k] == truth + [None] * (HORIZON - len(truth))
        for step, value in enumerate(truth):
            off.append(value - forecast[step])
            inside.append(-2.0 - step % 2 <= off[-1] <= 2.0)
    error = said.data["error"]
    assert error["values"] == len(off) == 3 * HORIZON + 15
    assert error["mae"] == pytest.approx(np.mean(np.abs(off)), rel=1e-12)
    assert error["mse"] == pytest.approx(np.mean(np.square(off)), rel=1e-12)
    assert error["rmse"] ** 2 == pytest.approx(error["mse"], rel=1e-12)
    assert error["inside"] == np.mean(inside)


def test_csv_and_words_say_what_json_does(bitformer, model, data, tmp_path):
    table = tmp_path / "new" / "out.csv"
    asked = ["predict", model, "--data", data, "--windows", 3]
    said, told = bitformer(*asked, "--json", "--csv", table), bitformer(*asked)
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time", "step", "forecast", "low", "high", "truth", "line"]
    flat = {
        name: list(itertools.chain(*said.data[name]))
        for name in ("times", "forecast", "low", "high", "truth")
    }
    assert [row["time"] for row in rows] == [t[:16].replace("T", " ") for t in flat["times"]]
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6] * 3
    assert [int(row["line"]) for row in rows] == [n for n in (59, 60, 61) for _ in range(HORIZON)]
    for name in ("forecast", "low", "high"):
        assert [float(row[name]) for row in rows] == flat[name]
    assert [float(row["truth"]) if row["truth"] else None for row in rows] == flat["truth"]
    lines = told.out.splitlines()
    for row in rows[-HORIZON:]:
        (line,) = [one for one in lines if one.strip().startswith(row["time"])]
        numbers = [float(row[name]) for name in ("forecast", "low", "high")]
        assert line.split()[2:] == [row["step"], *(f"{value:.6g}" for value in numbers)]
    assert "the 80 % interval covers 78.5 % of test values" in told.out
    error = said.data["error"]
    assert f"Against the 3 values that the file has: MAE {error['mae']:.4g}" in told.out


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


def test_days_are_written_without_a_clock(bitformer, model, tmp_path, numbers):
    days = [f"{BEGIN + timedelta(days=k):%d.%m.%Y}" for k in range(ROWS)]
    rows = [(w, "", t, p) for t, (p, w) in zip(days, numbers, strict=True)]
    path, table = write(tmp_path / "d.csv", rows), tmp_path / "out.csv"
    said = bitformer("predict", model, "--data", path, "--csv", table)
    assert said.code == 0
    with open(table, newline="") as file:
        assert next(csv.DictReader(file))["time"] == "2024-04-27"
    assert " 2024-04-27 " in said.out


def test_truth_is_of_the_forecast_times_and_not_of_a_later_stretch(
    bitformer, model, tmp_path, numbers
):
    """Ten hours are missing after row 50; what is beyond is no truth of the hours before."""
    times = moments(ROWS + 10)
    times = times[:50] + times[60:]
    rows = [(w, "", t, p) for t, (p, w) in zip(times, numbers, strict=True)]
    path = write(tmp_path / "gap.csv", rows)
    said = bitformer("predict", model, "--data", path, "--windows", 2, "--json")
    assert said.data["lines"] == [50, 51]
    assert said.data["truth"] == [[numbers[49, 0], *[None] * 5], [None] * 6]
    assert "The newest whole window ends at line 51" in said.err


def test_a_filled_cell_is_no_truth(bitformer, model, tmp_path, numbers):
    rows = [[w, "", t, p] for t, (p, w) in zip(moments(), numbers, strict=True)]
    rows[56][3] = "NA"
    path = write(tmp_path / "na.csv", rows)
    said = bitformer("predict", model, "--data", path, "--at", 56, "--json")
    assert said.data["truth"] == [[numbers[55, 0], None, *numbers[57:, 0], None]]


def test_target_that_is_no_input_may_be_missing(bitformer, tmp_path, data, numbers):
    dataset = made().meta["dataset"] | {"target": "sold", "target_channel": None}
    model = made(dataset=dataset)
    save_model(model, tmp_path / "m.safetensors")
    asked = ["predict", tmp_path / "m.safetensors", "--data", data, "--windows", 9, "--json"]
    said = bitformer(*asked)
    assert (said.data["target"], said.data["truth"], said.data["error"]) == ("sold", None, None)
    assert bitformer(*asked, "--target", "sold").code == 2
    said = bitformer(*asked, "--target", "wind")
    assert said.data["truth"][0] == numbers[ROWS - 8 : ROWS - 2, 1].tolist()


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


def test_hardware_that_is_wrong_is_no_forecast(bitformer, model, data, monkeypatch):
    def wrong(integer, x, run=reference.run):
        tensors = dict(run(integer, x))
        name = integer.output.name
        return tensors | {name: tensors[name] + 1}

    monkeypatch.setattr("bitformer.sim.run.reference.run", wrong)
    said = bitformer("predict", model, "--data", data, "--engine", "python", "--json")
    assert (said.code, said.out) == (1, "")
    assert "Not bit exact: " in said.err


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_picture(bitformer, model, data, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"week.{suffix}"
    asked = ["predict", model, "--data", data, "--windows", 13, "--plot", path]
    said = bitformer(*asked, "--json")
    assert (said.code, said.data["plot"]) == (0, str(path))
    head = path.read_bytes()[:400]
    assert head.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


def test_picture_has_what_the_forecast_has(model, data, numbers, tmp_path, monkeypatch):
    drawn = []

    def spy(_path, **given):
        drawn.append(given)

    monkeypatch.setattr("bitformer.model.forecasts.result.draw", spy)
    forecast = load(model).forecast(str(data), windows=13)
    forecast.plot(tmp_path / "a.png")
    (given,) = drawn
    assert np.array_equal(given["past"][1], numbers[:, 0])
    assert np.array_equal(given["values"], forecast.values)
    assert given["limits"][0] == "80 % interval"
    assert given["places"][-1][0] - given["past"][0][-1] == 3600


def test_picture_without_matplotlib(bitformer, model, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = bitformer("predict", model, "--data", data, "--plot", tmp_path / "a.png")
    assert (said.code, said.out) == (2, "")
    assert "a picture needs matplotlib: pip install 'bitformer[plot]'" in said.err


@pytest.mark.slow
@pytest.mark.needs("etth1", "compiler")
def test_past_the_end_of_etth1_on_every_engine(bitformer, tmp_path, monkeypatch):
    """The reference, both simulators, and the UART shell's gateware behind a serial port."""
    config = named_config("etth1-96-24")
    dataset = load_dataset("etth1", window=config.window, horizon=config.horizon)
    meta = {"dataset": describe(dataset), "source": {"data": "etth1"}}
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(initialize(config), meta=meta), path)
    accelerator = Accelerator(design=lower(load_model(path)))
    shell = UartShell(accelerator=accelerator, clock_hz=80_000, baud=10_000, gap_bits=40)

    def serial_for_url(_name, **_options):
        return SimulatedUart(shell, timeout=0.5, cache=tmp_path / "cache")

    monkeypatch.setitem(sys.modules, "serial", SimpleNamespace(serial_for_url=serial_for_url))
    asked = ["predict", path, "--windows", 2, "--json"]
    found = [
        bitformer(*asked, *more).data
        for more in ([], ["--engine", "python"], ["--engine", "native"], ["--port", "F"])
    ]
    assert [one["engine"] for one in found] == ["integer", "python", "native", "board"]
    for name in ("forecast", "times", "lines", "truth"):
        assert all(one[name] == found[0][name] for one in found)
    # the file ends on 2018-06-26 at 19:00
    assert found[0]["times"][1][0] == "2018-06-26T20:00:00"
