"""Models that run by steps, on the command line: what they forecast, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest
from predict_harness import BEGIN, HORIZON, made, moments, write

from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

CONFIG = named_config("tiny").replace(
    inputs=2, window=12, causal=True, stream=True, position="relative", linear_path=False
)
ROWS = 70


@pytest.fixture
def model(tmp_path):
    found = dataclasses.replace(initialize(CONFIG), meta=made().meta)
    save_model(found, tmp_path / "stream.safetensors")
    return tmp_path / "stream.safetensors"


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(1)
    walk = rng.normal(size=(ROWS, 2)).cumsum(axis=0).round(3)
    rows = [
        (wind, "-", when, power) for (power, wind), when in zip(walk, moments(ROWS), strict=True)
    ]
    return write(tmp_path / "my.csv", rows), walk


def test_steps_forecast_what_windows_do(bitformer, model, data):
    path, walk = data
    asked = ("predict", model, "--data", path, "--windows", 20, "--json")
    whole, steps = bitformer(*asked), bitformer(*asked, "--engine", "steps")
    assert (whole.code, steps.code) == (0, 0)
    assert steps.data["forecast"] == whole.data["forecast"]
    assert (steps.data["engine"], whole.data["engine"]) == ("steps", "integer")
    seen = CONFIG.rows_seen
    x = (walk[ROWS - seen :] - [10.0, 3.0]) / [2.0, 1.5]
    expected = reference.predict(load_model(model), x[None])[0] * 2.0 + 10.0
    assert whole.data["forecast"][-1] == expected.tolist()
    assert len(expected) == HORIZON
    assert whole.data["times"][-1][0] > (BEGIN.isoformat())


def test_too_few_rows_for_all_that_a_forecast_depends_on(bitformer, model, tmp_path):
    rows = [(0, "-", when, 1) for when in moments(CONFIG.rows_seen - 1)]
    said = bitformer("predict", model, "--data", write(tmp_path / "few.csv", rows))
    assert said.code == 2
    assert f"must have {CONFIG.rows_seen} rows without a gap for a window of this" in said.err


def test_training_tells_scores_by_steps(bitformer, tmp_path, data):
    path, _ = data
    (tmp_path / "c.json").write_text(
        '{"name": "c", "window": 8, "patch": 4, "horizon": 2, "d_model": 4, "ffn": 4,'
        ' "stream": true, "subtract_last": true}'
    )
    columns = ("--data", path, "--target", "power", "--inputs", "power", "--time", "when")
    sizes = ("--config", tmp_path / "c.json", "--epochs", 2, "--qat-epochs", 1)
    said = bitformer("train", *columns, *sizes, "-o", tmp_path / "run", "--json")
    assert said.code == 0, said.err
    file = tmp_path / "run" / "model.safetensors"
    config = load_model(file).config
    assert (config.causal, config.position, config.linear_path) == (True, "relative", True)
    whole = bitformer("evaluate", file, "--json")
    steps = bitformer("evaluate", file, "--engine", "steps", "--json")
    assert (whole.code, steps.code) == (0, 0)
    assert steps.data["test_mse"]["c (steps)"] == whole.data["test_mse"]["c (integer)"]


def test_steps_of_a_model_of_windows_are_refused(bitformer, tmp_path, data):
    file = tmp_path / "m.safetensors"
    save_model(made(), file)
    said = bitformer("predict", file, "--data", data[0], "--engine", "steps")
    assert said.code == 2
    assert "stream must be true in config tiny to run by steps, not false" in said.err


def test_steps_are_simulated(bitformer, model, data):
    """Patches that follow one another, of the data or random ones; the first one is sooner done."""
    path, _ = data
    own = ("--data", path, "--target", "power", "--inputs", "power,wind", "--time", "when")
    for columns, source in ((("--data", "random"), "random"), (own, "my.csv, test windows")):
        said = bitformer("simulate", model, *columns, "--samples", 7, "--json")
        assert said.code == 0, said.err
        assert (said.data["bit_exact"], said.data["samples"]) == (True, 7)
        assert said.data["cycles_as_predicted"] is True
        predicted = said.data["predicted"]
        assert said.data["latency_cycles"][0] == predicted["latency_cycles"]
        assert set(said.data["interval_cycles"][3:]) == {predicted["interval_cycles"]}
        assert source in str(said.data)


def test_figures_and_verilog_of_a_step(bitformer, model, tmp_path):
    said = bitformer("estimate", model, "--json")
    assert said.code == 0, said.err
    assert said.data["macs"] == CONFIG.macs
    said = bitformer("elaborate", model, "-o", tmp_path / "rtl")
    assert said.code == 0, said.err
    described = json.loads((tmp_path / "rtl" / "bitformer.json").read_text())
    assert described["input"]["values"] == CONFIG.patch * CONFIG.inputs
    rows = {one["op"] for one in described["instructions"]}
    assert rows == set(range(len(described["operations"])))


def test_phases_take_steps_in_turn(bitformer, model, tmp_path):
    said = bitformer("simulate", model, "--data", "random", "--samples", 9, "--phases", 4, "--json")
    assert said.code == 0, said.err
    assert (said.data["bit_exact"], said.data["cycles_as_predicted"]) == (True, True)
    one, four = (bitformer("estimate", model, "--phases", n, "--days", "--json") for n in (1, 4))
    assert four.code == 0, four.err
    assert four.data["latency_cycles"] == one.data["latency_cycles"]
    words = [
        {s["name"]: s["depth"] for s in said.data["stores"]}["activations"] for said in (one, four)
    ]
    assert words[1] == 4 * words[0]
    assert f"each has rings of its own: {words[0]} of {words[1]} words of activations" in four.err
    assert "each has rings" not in one.err
    assert {days["refill"] for days in four.data["days"]} == {4 * (CONFIG.tokens_seen - 1)}
    said = bitformer("elaborate", model, "--phases", 4, "-o", tmp_path / "rtl")
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "rtl" / "bitformer.json").read_text())["phases"] == 4
    header = (tmp_path / "rtl" / "bitformer_model.h").read_text()
    assert "#define BITFORMER_MODEL_PHASES 4\n" in header
    assert f"#define BITFORMER_MODEL_WARM_UP {4 * CONFIG.tokens_seen}\n" in header


@pytest.mark.parametrize("phases", ["0", "-1", "two"])
def test_phases_are_a_number(bitformer, model, phases):
    said = bitformer("estimate", model, "--phases", phases)
    assert said.code == 2
    assert "--phases" in said.err


@pytest.mark.parametrize(
    ("asked", "must"),
    [
        (("estimate", "--phases", 65), "phases must be from 1 to 64, not 65"),
        (
            ("estimate", "--phases", 2, "--place", "results=auto"),
            "placement must leave out intermediate results with several phases",
        ),
        (
            ("elaborate", "--reloadable", "--phases", 2),
            "phases must be 1 of a reloadable design, not 2",
        ),
    ],
)
def test_what_no_stream_has_is_refused(bitformer, model, tmp_path, asked, must):
    command, *options = asked
    if command != "estimate":
        options += ["-o", tmp_path / "out"]
    said = bitformer(command, model, *options)
    assert said.code == 2
    assert must in said.err
    assert "Traceback" not in said.err


def test_phases_of_a_model_of_windows_are_refused(bitformer, tmp_path):
    save_model(made(), tmp_path / "m.safetensors")
    said = bitformer("estimate", tmp_path / "m.safetensors", "--phases", 2)
    assert said.code == 2
    assert "phases must be 1 for a model of windows, not 2" in said.err


def test_days_of_a_stream_are_of_steps(bitformer, model):
    said = bitformer("estimate", model, "--days", "--json")
    assert said.code == 0
    refill = CONFIG.tokens_seen - 1
    assert refill > 1
    assert f"Where its power is cut, a stream forgets: {refill} steps fill its rings" in said.err
    assert {days["refill"] for days in said.data["days"]} == {refill}


def test_fewer_phases_make_a_design_fit(bitformer, tmp_path):
    """What is too large is told with what to change, the most phases first."""
    save_model(initialize(named_config("etth1-96-24-stream")), tmp_path / "s.safetensors")
    said = bitformer("estimate", tmp_path / "s.safetensors", "--phases", 16, "--part", "xc7s6")
    assert said.code == 1, said.err
    assert "It fits with 4 phase(s): " in said.out
    assert "8 phase(s)" not in said.out
