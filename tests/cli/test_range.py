"""Levels beyond the training rows, ranges that are asked for, and what is clipped: each is told."""

import json
import re

import numpy as np
import pytest

import bitformer as api
from bitformer.cli.sensor_range import _ranges
from bitformer.model import calibrate
from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config
from bitformer.model.precision import Precision

ROWS = 320
HOURS = np.arange(ROWS)
CYCLE = np.sin(2 * np.pi * HOURS / 24)
SERIES = {
    # rises beyond the training rows, grows, and is moved in the test part
    "level": 5 + HOURS / 12 + CYCLE / 2,
    "grow": CYCLE * np.exp(HOURS / 130) + 30,
    "shift": 20 + 3 * CYCLE + 60 * (HOURS > 270),
}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A small configuration of 16-bit input, output and difference, as a file."""
    config = named_config("tiny").replace(
        name="wide",
        linear_path=False,  # it forecasts these series all but exactly: any rounding costs a tenth
        input_bits=16,
        output_bits=16,
        tensors={"delta": 16},
        default=Precision(weights=8, activations=8),
    )
    path = tmp_path_factory.mktemp("wide") / "wide.json"
    path.write_text(json.dumps(config.to_dict()))
    return path


def csv_of(folder, **columns):
    noise = np.random.default_rng(0).normal(0, 0.02, (len(columns), ROWS))
    path = folder / "my.csv"
    values = np.array(list(columns.values())) + noise
    with path.open("w") as file:
        # a name with a comma is quoted, as everywhere in CSV files
        file.write(",".join(f'"{name}"' for name in columns) + "\n")
        for row in values.T:
            file.write(",".join(f"{value:.4f}" for value in row) + "\n")
    return path


FAST = ("--epochs", "8", "--qat-epochs", "3", "--batch", "16")


def train(bitformer, data, config, run, *options, target="v"):
    return bitformer(
        *("train", "--data", data, "--target", target, "--config", config, *FAST),
        *("-o", run, "--json", *options),
    )


def holds(said):
    """Whether rounding costs no more than a tenth, and the output's own rounding error."""
    errors = said.data["test_mse"]
    output = next(one for one in said.data["coverage"] if one["tensor"] == "output")
    own = (output["step"] / said.data["data"]["target_std"]) ** 2 / 12
    return errors["integer"] <= 1.1 * errors["float Transformer"] + own


@pytest.mark.parametrize("name", SERIES)
def test_levels_beyond_the_training_rows_cost_nothing(name, wide, bitformer, tmp_path):
    said = train(bitformer, csv_of(tmp_path, v=SERIES[name]), wide, tmp_path / "run")
    assert said.code == 0
    assert [one for one in said.data["clipped"] if one["tensor"] == "input"] == []
    assert "they are clipped" not in said.err
    assert holds(said)


@pytest.mark.parametrize("name", ["level", "shift"])
def test_an_input_that_clips_before_the_subtraction_is_caught(
    name, wide, bitformer, tmp_path, monkeypatch
):
    """The mutant: words that are fitted to the training rows."""
    monkeypatch.setattr(calibrate, "input_exponent", lambda words, x, _asked: words.fitted(x))
    said = train(bitformer, csv_of(tmp_path, v=SERIES[name]), wide, tmp_path / "run")
    assert not holds(said)
    inputs = [one for one in said.data["clipped"] if one["tensor"] == "input"]
    assert [one["part"] for one in inputs][-1] == "test"
    assert re.search(r"Test windows: \d+ of \d+ values of v .* train with --range ", said.err)


@pytest.fixture(scope="module")
def narrow(wide, bitformer, tmp_path_factory):
    """A training whose range is narrower than what comes, and what the command said."""
    folder = tmp_path_factory.mktemp("narrow")
    data = csv_of(folder, v=SERIES["level"])
    return data, folder / "run", train(bitformer, data, wide, folder / "run", "--range", "8,17")


def test_a_range_that_is_too_narrow_is_counted_and_exits_with_one(narrow, bitformer):
    data, run, said = narrow
    assert said.code == 1
    assert "Rounding costs too much: the quantized model's validation MSE is" in said.err
    assert "try a wider range (--range" in said.err
    assert said.data["rounding_failure"] in said.err
    model = load_model(run / "model.safetensors")
    assert model.meta["dataset"]["range"] == {"v": [8.0, 17.0]}
    values = np.array([float(row) for row in data.read_text().split()[1:]])
    inputs = next(one for one in said.data["coverage"] if one["tensor"] == "input")
    ends = [one for one in said.data["clipped"] if one["tensor"] == "input"]
    assert [one["part"] for one in ends] == ["validation", "test"]
    for one, (start, stop) in zip(ends, [(192, 256), (256, 320)], strict=True):
        outside = 0
        for first in range(start, stop - 6 + 1):
            window = values[first - 24 : first]
            outside += (window >= inputs["high"] + inputs["step"] / 2).sum()
        assert one["values"] == outside > 0
        assert one["most"] == pytest.approx(values[start - 24 : stop - 6].max())
        assert f"{one['values']} of {one['of']} values of v" in said.err


def test_the_remedy_in_the_sentence_works(narrow, wide, bitformer, tmp_path):
    data, _, said = narrow
    remedies = re.findall(r"try a wider range \((--range [^)]*)\)", said.err)
    again = train(bitformer, data, wide, tmp_path / "run", *remedies[0].split(" "))
    assert again.code == 0
    assert again.data["clipped"] == []
    assert holds(again)


def test_evaluate_and_simulate_count_too(narrow, bitformer):
    _, run, said = narrow
    model = run / "model.safetensors"
    test = [one for one in said.data["clipped"] if one["part"] == "test"]
    evaluated = bitformer("evaluate", model, "--json")
    assert evaluated.data["clipped"] == test
    sentence = next(line for line in evaluated.err.splitlines() if line.startswith("Test windows"))
    assert sentence in said.err
    simulated = bitformer("simulate", model, "--samples", "2", "--json")
    assert simulated.code == 0, "the reference clips alike"
    first, *_ = simulated.data["clipped"]
    assert (first["tensor"], first["of"], first["of_windows"]) == ("input", 48, 2)
    assert "Test windows: " in simulated.err


def test_predict_counts_too(narrow, bitformer):
    data, run, _ = narrow
    said = bitformer("predict", run / "model.safetensors", "--data", data, "--json")
    assert said.code == 0
    found = said.data["clipped"][0]
    values = np.array([float(row) for row in data.read_text().split()[1:]])[-24:]
    assert (found["tensor"], found["values"], found["of"]) == ("input", 24, 24)
    assert (found["windows"], found["of_windows"]) == (1, 1)
    assert (found["least"], found["most"]) == pytest.approx((values.min(), values.max()))
    (sentence,) = [line for line in said.err.splitlines() if "they are clipped" in line]
    assert sentence.startswith("24 of 24 values of v (in 1 of 1 windows) are up to")
    assert sentence in said.data["notes"]


def test_training_says_what_the_words_cover(wide, bitformer, tmp_path):
    data = csv_of(tmp_path, **{"Power, kW": SERIES["shift"], "a=b": SERIES["level"]})
    options = ("--range", "-40,160")
    said = bitformer(
        *("train", "--data", data, "--target", "Power, kW", "--config", wide, *FAST),
        *(*options, "-o", tmp_path / "run", "--json"),
    )
    (one, output) = said.data["coverage"]
    assert one["column"] == output["column"] == "Power, kW"
    assert (one["low"], one["high"]) == (output["low"], output["high"])
    # by the power of two above what was asked for
    std, mean = said.data["data"]["target_std"], (one["low"] + one["high"] + one["step"]) / 2
    assert one["step"] == std * 2 ** np.ceil(np.log2((160 - mean) / std / 32767.5))
    line = next(line for line in said.err.splitlines() if line.startswith("Range: "))
    assert f"Power, kW from {one['low']:.6g} to {one['high']:.6g} in steps of" in line
    assert "forecasts the same (16-bit words; a window takes 384 bits of memory, 192 more" in line


@pytest.mark.parametrize(
    ("text", "name", "limits"),
    [
        ("-40,160", None, (-40.0, 160.0)),
        (" 0.5 , 1e3 ", None, (0.5, 1000.0)),
        ("wind=-.5,+4.", "wind", (-0.5, 4.0)),
        ("Power, kW=0,5", "Power, kW", (0.0, 5.0)),
        ("a=b=-1e-1,50", "a=b", (-0.1, 50.0)),
        ("1,2=3,4", "1,2", (3.0, 4.0)),
        ("x= 1,2", "x", (1.0, 2.0)),
    ],
)
def test_notation_of_a_range(text, name, limits):
    assert _ranges(None, None, [text]) == {name: limits}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--range", "5"], "--range must be LOW,HIGH or NAME=LOW,HIGH, such as --range 0,100"),
        (["--range", "0,5,1"], "--range must be LOW,HIGH"),
        (["--range", "v=nan,5"], "--range must be LOW,HIGH"),
        (["--range", "=0,5"], "--range must be LOW,HIGH"),
        (["--range", "9,5"], "range of v must be two numbers, the lower first, such as 0,100"),
        (["--range", "w=0,5"], "range must name a column of the model, one of v, not 'w'"),
        (["--range", "0,5", "--range", "0,6"], "--range must be given once for each column"),
        (["--range", "0,5", "--range", "v=0,6"], "range of v must be given once, not twice"),
        (["--range", "-1e9,1e9"], "a range must lie within 32767 standard deviations"),
    ],
)
def test_what_is_no_range(options, message, wide, bitformer, tmp_path):
    said = train(bitformer, csv_of(tmp_path, v=CYCLE), wide, tmp_path / "run", *options)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) <= 4


def test_the_range_is_a_keyword_of_the_api(wide, tmp_path):
    data = csv_of(tmp_path, v=CYCLE)
    options = {"epochs": 1, "qat_epochs": 1, "target": "v", "config": str(wide)}
    model = api.train(str(data), to=tmp_path / "run", sensor_range=(-50, 50), **options)
    assert model.integer.meta["dataset"]["range"] == {"v": [-50.0, 50.0]}
    run = api.Training.run(
        str(data), to=tmp_path / "run", sensor_range={"v": (-50.0, 50.0)}, **options
    )
    low, high = run.coverage[0].low, run.coverage[0].high
    assert low <= -50 < 50 <= high
    assert run.clipped == ()
    assert run.coverage_sentence.startswith("Range: v from")


def test_bits_of_the_difference(bitformer, wide, tmp_path):
    data, quick = csv_of(tmp_path, v=10 + CYCLE * (1 + 9 * (HOURS > 250))), ("--epochs", "1")
    narrow = train(bitformer, data, wide, tmp_path / "narrow", "--delta", "8", *quick)
    deltas = [one for one in narrow.data["clipped"] if one["tensor"] == "delta"]
    assert [one["bits"] for one in deltas if one["part"] == "test"] == [8]
    assert "v less its last one" in narrow.err
    assert "they are clipped: if changes grow, train with --delta 16;" in narrow.err
    remedied = train(bitformer, data, wide, tmp_path / "wide", "--delta", "16", *quick)
    assert remedied.data["clipped"] == []
    assert load_model(tmp_path / "wide" / "model.safetensors").tensors["delta"].bits == 16
    refused = train(bitformer, data, "grid-12-16-4", tmp_path / "grid", "--delta", "16")
    assert refused.code == 2
    assert "--delta must be left out with config grid-12-16-4, which subtracts no" in refused.err


def test_rounding_that_costs_too_much_is_exit_code_one(wide, bitformer, tmp_path, monkeypatch):
    from bitformer.model import fidelity

    monkeypatch.setattr(fidelity, "MOST", 0.0)
    said = train(bitformer, csv_of(tmp_path, v=CYCLE), wide, tmp_path / "run", "--epochs", "1")
    assert said.code == 1
    assert said.data["rounding_failure"].startswith("Rounding costs too much: ")
    assert (tmp_path / "run" / "model.safetensors").is_file(), "written all the same"
    monkeypatch.undo()
    again = train(bitformer, csv_of(tmp_path, v=CYCLE), wide, tmp_path / "run", "--epochs", "1")
    assert (again.code, again.data["rounding_failure"]) == (0, None)
