"""``predict`` without a board: in units, with limits and truth, against the raw file."""

import csv
import dataclasses
import itertools
import sys
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from pins_harness import SimulatedUart
from predict_harness import BEGIN, HORIZON, ROWS, made, moments, naive, write

from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.initialize import initialize
from bitformer.model.training_run import describe


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


def test_hardware_that_is_wrong_is_no_forecast(bitformer, model, data, monkeypatch):
    def wrong(integer, x, run=reference.run):
        tensors = dict(run(integer, x))
        name = integer.output.name
        return tensors | {name: tensors[name] + 1}

    monkeypatch.setattr("bitformer.sim.run.reference.run", wrong)
    said = bitformer("predict", model, "--data", data, "--engine", "python", "--json")
    assert (said.code, said.out) == (1, "")
    assert "Not bit exact: " in said.err


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
