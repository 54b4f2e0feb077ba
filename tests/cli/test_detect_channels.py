"""Detectors of several channels on the command line: from a CSV file to the chip and its host."""

import json

import numpy as np
import pytest

from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.scored_data import scored_data
from bitformer.model.task.thresholds import Rule, learn, residuals_of

CONFIG = {
    "window": 8,
    "d_model": 4,
    "ffn": 8,
    "patch": 4,
    "subtract_last": True,
    "linear_path": True,
}
QUICK = ["--epochs", "3", "--qat-epochs", "1", "--device", "cpu", "--batch", "32"]
ROWS, FAULT = 800, range(700, 725)


def machine(path, fault=range(0), seed=0):
    """Three channels, of which the second stands still during a fault."""
    rng, at = np.random.default_rng(seed), np.arange(ROWS)
    columns = [20 + 5 * np.sin(at / 4), 3 + np.cos(at / 4), 100 + 10 * np.sin(at / 7)]
    rows = np.stack(columns, axis=1) + rng.normal(size=(ROWS, 3)) * [0.2, 0.05, 0.5]
    rows[fault, 1] = 3.0
    lines = [",".join(f"{value:.4f}" for value in row) for row in rows]
    path.write_text("temp,flow,load\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    (folder / "c.json").write_text(json.dumps({"name": "m", **CONFIG}))
    machine(folder / "machine.csv", fault=FAULT)
    return folder


def trained(bitformer, place, run, *options):
    asked = ["train", "--data", place / "machine.csv", "--task", "detect", *QUICK, *options]
    said = bitformer(*asked, "-o", run, "--json")
    assert said.code in (0, 1), said.err  # so little training may cost too much
    return said


@pytest.fixture(scope="module")
def run(bitformer, place):
    """All channels are judged: the folder of the run, and what was said."""
    folder = place / "all"
    return folder, trained(
        bitformer, place, folder, "--target", "all", "--config", place / "c.json"
    )


def test_all_channels_are_judged_each_by_its_last_value_too(run):
    folder, said = run
    config = said.data["config"]
    assert (config["targets"], config["horizon"], config["inputs"]) == (3, 1, 3)
    assert config["subtract_last"]
    assert "so no last value is subtracted" not in said.err
    model = load_model(folder / "model.safetensors")
    assert model.results.shape == (3, 1)
    assert model.detector.weight.size == 3
    # weights and threshold are those of all clean rows
    own = scored_data(model, data=None)
    clean = np.concatenate([residuals_of(model, own.train), residuals_of(model, own.val)])
    assert clean.shape[1] == 3
    expected = learn(model, [clean], Rule().fitted(len(clean)))
    assert model.detector.weight.tolist() == expected.weight.tolist()
    assert model.detector.threshold == expected.threshold


def test_a_fault_of_one_channel_is_found_by_all_and_not_by_another(bitformer, place, run):
    model = run[0] / "model.safetensors"
    lines = {}
    for name, asked in (("all", model), ("load", place / "load" / "model.safetensors")):
        if name == "load":
            trained(
                bitformer, place, place / "load", "--target", "load", "--config", place / "c.json"
            )
        found = bitformer("predict", asked, "--data", place / "machine.csv", "--json").data
        assert len(found["flags"]) == ROWS - 8
        lines[name] = [line for line, up in zip(found["lines"], found["flags"], strict=True) if up]
    first = FAULT.start + 2
    assert first <= min(lines["all"]) < first + 15
    assert not [line for line in lines["load"] if first <= line < first + 15]


def test_evaluate_and_another_file(bitformer, place, run, tmp_path):
    model = run[0] / "model.safetensors"
    own = bitformer("evaluate", model, "--json")
    assert own.code == 0
    assert own.data["flagged"] == run[1].data["flagged"] > 0
    calm = bitformer("evaluate", model, "--data", machine(tmp_path / "c.csv", seed=5), "--json")
    assert calm.data["test_windows"] == ROWS - 8
    assert calm.data["flagged"] < 0.05


def test_the_hardware_flags_the_same(bitformer, run, tmp_path):
    model = run[0] / "model.safetensors"
    said = bitformer("simulate", model, "--samples", 3, "--json")
    assert said.code == 0
    assert said.data["bit_exact"]
    loaded = load_model(model)
    dataset = scored_data(loaded, data=None).test.take(slice(0, 3))
    flags = reference.predict(loaded, dataset.x, dataset.clock, dataset.y).ravel()
    assert said.data["answers"] == ["flag" if up else "no flag" for up in flags]
    plan = tmp_path / "plan"
    said = bitformer("build", model, "--board", "sea", "--plan-only", "-o", plan, "--json")
    assert said.code == 0
    assert "#define BITFORMER_MODEL_JUDGED 3\n" in (plan / "bitformer_model.h").read_text()
    readme = " ".join((plan / "README.txt").read_text().split())
    assert (
        "Judges one step of each of temp, flow, load, one after the other, at the next row"
        in readme
    )


def test_some_channels_and_steps(bitformer, place, tmp_path):
    options = ["--target", "flow,temp", "--inputs", "all", "--horizon", "2"]
    said = trained(bitformer, place, tmp_path / "r", *options, "--config", place / "c.json")
    config = said.data["config"]
    assert (config["targets"], config["horizon"], config["inputs"]) == (2, 2, 3)
    assert config["target_channels"] == [1, 0]
    model = load_model(tmp_path / "r" / "model.safetensors")
    assert model.detector.weight.size == 4
    assert model.config.judged_rows == 2
    found = bitformer("predict", tmp_path / "r" / "model.safetensors", "--windows", 5, "--json")
    assert found.code == 0
    assert found.data["lines"] == list(range(ROWS - 3, ROWS + 2))
    # its own configuration asks for as many again, of whatever is judged
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(config))
    other = trained(bitformer, place, tmp_path / "n", "--target", "all", "--config", saved)
    assert (other.data["config"]["targets"], other.data["config"]["horizon"]) == (3, 2)


def test_a_reconstruction(bitformer, place, tmp_path):
    """The last row of a window is judged by what the network makes of the window."""
    config = tmp_path / "narrow.json"
    config.write_text(json.dumps({"name": "m", **CONFIG, "patch": 8, "d_model": 2}))
    options = ["--target", "all", "--ahead", "0", "--config", config]
    said = trained(bitformer, place, tmp_path / "r", *options)
    made = said.data["config"]
    assert (made["targets"], made["subtract_last"], made["linear_path"]) == (3, False, False)
    assert "a window's last row is reconstructed: without a linear path" in said.err
    model = load_model(tmp_path / "r" / "model.safetensors")
    windows = scored_data(model, data=None).test
    # what is judged is the last row of the window itself
    assert np.array_equal(windows.y, windows.x[:, -1])
    found = bitformer("predict", tmp_path / "r" / "model.safetensors", "--json")
    assert found.code == 0
    assert found.data["lines"][0] == 9  # the eighth row
    other = ["train", "--data", place / "machine.csv", "--target", "load", "--ahead", "0"]
    refused = bitformer(*other, "-o", tmp_path / "n")
    assert refused.code == 2
    assert "Inputs must not hold load where it is told for the window's last row" in refused.err
