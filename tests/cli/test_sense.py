"""A virtual sensor: trained, scored, asked, on rows whose target is made of the same row."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.own_data import dataset_of, rows_ahead

CONFIG = {
    "name": "small",
    "window": 4,
    "inputs": 2,
    "horizon": 1,
    "patch": 4,
    "d_model": 8,
    "ffn": 16,
    "input_bits": 10,
    "output_bits": 10,
    "linear_path": False,
    "default": {"weights": 8, "activations": 8},
}
SHORT = ("--qat-epochs", 1, "--batch", 16, "--lr", 0.01, "--device", "cpu")
ROWS = 900


def made_of(x: np.ndarray) -> np.ndarray:
    """What the sensor would say: no linear model knows it."""
    return 20 + 5 * np.abs(x[:, 0]) - 3 * x[:, 1]


def table(path, *, seed: int = 0, rows: int = ROWS, target: bool = True) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(rows, 2)).round(4)
    y = made_of(x)
    begin = datetime(2024, 1, 1)
    names, lines = "time,a,b,word", []
    for row, (one, two) in enumerate(x):
        lines.append(f"{begin + timedelta(hours=row)},{one},{two},w")
    if target:
        names = f"{names},y"
        lines = [f"{line},{value:.4f}" for line, value in zip(lines, y, strict=True)]
    path.write_text("\n".join([names, *lines]) + "\n")
    return y


@pytest.fixture(scope="module")
def trained(bitformer, tmp_path_factory):
    """A sensor, and the run of a forecast of the next row from the same columns."""
    folder = tmp_path_factory.mktemp("sense")
    y = table(folder / "rows.csv")
    (folder / "small.json").write_text(json.dumps(CONFIG))
    common = ("--data", folder / "rows.csv", "--time", "time", "--config", folder / "small.json")
    found = {}
    for name, asked in (
        ("now", ("--sense", "y", "--epochs", 10)),
        ("next", ("--target", "y", "--inputs", "a,b", "--ahead", 1, "--epochs", 1)),
    ):
        said = bitformer("train", *common, *asked, *SHORT, "-o", folder / name, "--json")
        assert said.code == 0, said.err
        found[name] = said.data
    return folder, y, found


def test_now_is_sensed_and_the_next_row_is_not(trained):
    _, _, found = trained
    now, after = found["now"]["test_mse"]["integer"], found["next"]["test_mse"]["integer"]
    assert now < 0.2
    assert now < 0.3 * found["now"]["baseline_mse"]["linear"]
    assert after > 0.8
    assert found["now"]["verdict"]["outcome"] == "wins"
    assert found["now"]["verdict"]["baseline"] == "linear"
    assert found["now"]["baseline_mse"]["repeat last value"] is None
    assert found["now"]["baseline_mse"]["mean of training"] == pytest.approx(1, abs=0.3)
    assert "repeat last value" in found["next"]["baselines_off_device"]
    assert found["next"]["verdict"]["baseline"] in ("linear", "mean of training")


def test_a_model_knows_that_it_senses(trained):
    folder, _, _ = trained
    now, after = (load_model(folder / name / "model.safetensors") for name in ("now", "next"))
    assert (rows_ahead(now), rows_ahead(after)) == (0, 1)
    assert "ahead" not in after.meta["dataset"]
    source = json.loads((folder / "now" / "source.json").read_text())
    assert (source["target"], source["inputs"], source["ahead"]) == ("y", ["a", "b"], 0)
    assert "ahead" not in json.loads((folder / "next" / "source.json").read_text())
    assert dataset_of(now, data=None).test.ahead == 0


def test_a_sensed_value_is_for_the_last_row(bitformer, trained):
    folder, y, _ = trained
    model, data = folder / "now" / "model.safetensors", folder / "rows.csv"
    said = bitformer("predict", model, "--windows", 200, "--json").data
    assert (said["ahead"], said["lines"][-1]) == (0, ROWS + 1)
    last = datetime(2024, 1, 1) + timedelta(hours=ROWS - 1)
    assert said["times"][-1] == [last.isoformat()]
    np.testing.assert_allclose(np.ravel(said["truth"]), y[-200:], atol=1e-4)
    off = np.ravel(said["forecast"]) - y[-200:]
    assert np.mean(off**2) < 0.2 * np.var(y)
    assert said["error"]["values"] == 200
    shown = bitformer("predict", model, "--data", data)
    assert f"Sensed value of y, at line {ROWS + 1}" in shown.out
    assert "after line" not in shown.out
    csv = folder / "sensed.csv"
    bitformer("predict", model, "--data", data, "--csv", csv)
    names, row = (line.split(",") for line in csv.read_text().splitlines())
    assert dict(zip(names, row, strict=True))["step"] == "0"


def test_a_sensor_needs_no_target(bitformer, trained, tmp_path):
    """What the file of a device has: the inputs alone."""
    folder, _, _ = trained
    y = table(tmp_path / "device.csv", seed=5, rows=40, target=False)
    said = bitformer(
        "predict", folder / "now" / "model.safetensors", "--data", tmp_path / "device.csv",
        "--windows", 30, "--json",
    ).data  # fmt: skip
    assert said["truth"] is None
    off = np.ravel(said["forecast"]) - y[-30:]
    assert np.mean(off**2) < 0.3 * np.var(y)


def test_rows_of_another_file_are_scored(bitformer, trained, tmp_path):
    folder, _, _ = trained
    table(tmp_path / "next_year.csv", seed=6, rows=300)
    model = folder / "now" / "model.safetensors"
    said = bitformer("evaluate", model, "--data", tmp_path / "next_year.csv", "--json").data
    assert said["test_windows"] == 300 - 4 + 1
    assert next(iter(said["test_mse"].values())) < 0.2
    own = bitformer("evaluate", model, "--json").data
    assert own["test_windows"] == ROWS - ROWS * 4 // 5


def test_hardware_senses_the_same(bitformer, trained):
    folder, _, _ = trained
    said = bitformer("simulate", folder / "now" / "model.safetensors", "--samples", 2, "--json")
    assert said.code == 0
    assert said.data["bit_exact"] is True


def test_the_table_says_what_no_device_sees(bitformer, trained):
    folder, _, _ = trained
    said = bitformer("evaluate", folder / "next" / "model.safetensors")
    assert "repeat last value (not on the device)" in said.out
    assert "If the device has y, name it with --target and among --inputs" in said.err
    sensed = bitformer("evaluate", folder / "now" / "model.safetensors")
    assert "y is sensed from the inputs, for the time of a window's last row" in sensed.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--sense", "y", "--horizon", 4), "Horizon must be 1 where y is told for the window's"),
        (("--sense", "y", "--inputs", "a,y"), "Inputs must not hold y, which is to be sensed"),
        (("--sense", "y", "--target", "a"), "Target must be left out where y is sensed"),
        (("--target", "y", "--ahead", 0), "Inputs must not hold y where it is told for"),
        (("--sense", "c"), "Column 'c'"),
    ],
)
def test_mistakes(bitformer, tmp_path, options, sentence):
    table(tmp_path / "rows.csv", rows=200)
    data = ("--data", tmp_path / "rows.csv", "--time", "time")
    said = bitformer("train", *data, *options, "-o", tmp_path / "run")
    assert said.code == 2
    assert sentence in said.err
    assert not (tmp_path / "run").exists()
