"""Classes and flags through ``compare``, ``sensitivity``, ``search`` and ``--config auto``."""

import csv
import json

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.scored_data import scored_data
from bitformer.model.task import task_for
from bitformer.model.task.thresholds import Rule, learn, residuals_of
from bitformer.search import auto

CONFIG = {"name": "wave", "window": 8, "d_model": 4, "ffn": 8, "patch": 4, "linear_path": True}
FAST = ["--epochs", "2", "--qat-epochs", "1", "--workers", "1", "--batch", "32"]
ROWS = 900


@pytest.fixture(scope="module")
def wave(tmp_path_factory):
    """A wave with a fault among its test rows; and as two classes, of fast and slow turns."""
    place, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    at = np.arange(ROWS)
    values = np.sin(at / 4) + rng.normal(size=ROWS) * 0.05
    values[830:860] = 3.0
    turns = np.sin(at * np.where(at // 450 % 2, 1.0, 0.2)) + rng.normal(size=ROWS) * 0.05
    kinds = np.where(at // 450 % 2, "fast", "slow")
    for name, columns in (("wave", ("v", values)), ("turns", ("v", turns))):
        with (place / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            if name == "wave":
                table.writerow(["v"])
                table.writerows([f"{one:.4f}"] for one in columns[1])
            else:
                table.writerow(["v", "kind"])
                table.writerows(
                    [f"{one:.4f}", kind] for one, kind in zip(columns[1], kinds, strict=True)
                )
    (place / "c.json").write_text(json.dumps(CONFIG))
    return place


@pytest.fixture
def detecting(wave):
    return ["--data", wave / "wave.csv", "--target", "v", "--task", "detect"]


def test_a_detector_is_compared_by_its_forecasts(bitformer, wave, detecting, tmp_path):
    """The error is the network's; each model has a threshold of its own behind it."""
    asked = ["compare", *detecting, "--config", wave / "c.json", "-o", tmp_path / "s", *FAST]
    said = bitformer(*asked, "--widths", "8,3", "--method", "ptq", "--seeds", "1", "--json")
    assert said.code == 0
    assert (said.data["config"]["task"], said.data["config"]["horizon"]) == ("detect", 1)
    assert [trial["weights"] for trial in said.data["trials"]] == [8, 3]
    for trial in said.data["trials"]:
        model = load_model(trial["model"])
        own = scored_data(model, data=str(wave / "wave.csv"), target="v")
        left = residuals_of(model, own.val)
        errors = left * 2.0 ** min(model.input.exponent, model.output.exponent)
        assert np.square(errors).mean() == pytest.approx(trial["val"], rel=0.02)
        clean = np.concatenate([residuals_of(model, own.train), left])
        judge = learn(model, [clean], Rule().fitted(len(clean)))
        assert model.detector.threshold == judge.threshold > 0


def test_sensitivity_of_a_detector(bitformer, wave, detecting, tmp_path):
    asked = ["sensitivity", *detecting, "--config", wave / "c.json", "-o", tmp_path / "s", *FAST]
    said = bitformer(*asked, "--widths", "8,3", "--json")
    assert said.code == 0
    assert said.data["float_val"] < 0.3
    assert said.data["low"] > said.data["alone"]["Linput"]["8"]


@pytest.mark.slow
def test_a_detector_is_searched(bitformer, wave, detecting, tmp_path):
    """Candidates are simulated with what they judge, and come out set by clean rows."""
    asked = ["search", *detecting, "--config", wave / "c.json", "-o", tmp_path / "s", *FAST]
    said = bitformer(*asked, "--bits", "4,8", "--top", "1", "--synthesis", "none", "--json")
    assert said.code == 0
    one = said.data["candidates"][0]
    assert one["proof"]["bit_exact"]
    assert one["proof"]["tensors"] > 5
    model = load_model(said.data["model"])
    assert model.detector.threshold > 0
    assert said.data["chosen"]["rank"] == 1


@pytest.fixture
def short(monkeypatch):
    """Trainings that are shorter still, and few."""
    monkeypatch.setattr(auto, "_SEEN", 400)
    monkeypatch.setattr(auto, "MOST", 4)


@pytest.mark.parametrize("task", [pytest.param("detect", marks=pytest.mark.slow), "classify"])
def test_a_configuration_is_chosen(bitformer, wave, detecting, tmp_path, short, task):
    labelled = ["--data", wave / "turns.csv", "--label", "kind", "--stride", "2"]
    asked = {"detect": detecting, "classify": labelled}[task]
    run = tmp_path / "r"
    quick = ["--epochs", "1", "--qat-epochs", "1", "--device", "cpu"]
    said = bitformer("train", *asked, "--config", "auto", *quick, "-o", run, "--json")
    assert said.code in (0, 1), said.err  # so little training may cost too much
    found, config = said.data["auto"], said.data["config"]
    assert (config["task"], config["horizon"]) == (task, 1 if task == "detect" else 2)
    chosen = found["config"]
    assert chosen["window"] == config["window"]
    key = {"detect": "validation_mse", "classify": "validation_cross_entropy"}[task]
    tried = [one for one in found["tried"] if one[key] is not None]
    assert len({one["config"]["window"] for one in tried}) > 1
    own = next(one[key] for one in tried if one["config"] == chosen)
    assert own <= min(one[key] for one in tried) * 1.01
    windows = {"detect": {32, 64, 128}, "classify": {16, 32, 64}}[task]
    assert {one["config"]["window"] for one in found["tried"]} <= windows
    # the file that was written is named again, and says by itself what it is for
    again = [one for one in asked if one not in ("--task", "detect")]
    named = bitformer(
        *("train", *again, "--config", run / "config.json", *quick, "-o", tmp_path / "n", "--json")
    )
    assert named.data["config"]["window"] == config["window"]
    assert named.data["config"]["task"] == task
    told = bitformer("train", *asked, "--config", "auto", *quick, "-o", run).out
    assert "Short trainings without rounding" in told
    assert ("cross" in told) == (task == "classify")
    assert ("MSE" in told) == (task == "detect")


def test_kinds_of_layers_are_tried_for_classes():
    from bitformer.model.config import named_config
    from bitformer.search.proposals import variants

    best = named_config("strike-25")
    found = {one.what: one.config for one in variants(best)}
    assert {"an MLP", "attention", "twice as wide", "half as wide"} <= set(found)
    assert found["an MLP"].block == "mlp"
    assert found["attention"].block == "attention"
    assert {one.task for one in found.values()} == {"classify"}
    assert {one.name for one in found.values()} == {"strike-25"}
    assert task_for(found["attention"]).error_key == "cross_entropy"
    assert {one.block for one in (o.config for o in variants(best, block="mixer"))} == {"mixer"}
