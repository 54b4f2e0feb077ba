"""``train --config auto``: the table, the file, and the run that goes on."""

import numpy as np
import pytest

from bitformer.search import auto


@pytest.fixture
def hourly(tmp_path, monkeypatch):
    monkeypatch.setattr(auto, "MOST", 3)
    monkeypatch.setattr(
        auto._Bench, "_error", lambda self, config, windows: 1 / config.window + config.patch * 1e-4
    )
    values = np.random.default_rng(0).normal(size=500)
    times = np.arange(500) * 3600 + 1_700_000_000
    rows = [f"{time},{v:.4f},{v:.1f}" for time, v in zip(times, values, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["t,v,w", *rows]) + "\n")
    return ("--data", tmp_path / "rows.csv", "--target", "v", "--time", "t", "--time-format",
            "epoch", "--horizon", 2, "--epochs", 1, "--qat-epochs", 1, "--batch", 64, "--device",
            "cpu")  # fmt: skip


def test_what_was_tried_is_shown_and_kept(bitformer, hourly, tmp_path):
    run = tmp_path / "run"
    said = bitformer("train", *hourly, "--config", "auto", "-o", run)
    assert said.code == 0, said.err
    assert "Short trainings without rounding, for the xc7s15" in said.out
    assert "7 days" in said.out
    assert "(chosen)" in said.out
    assert "Chose window 168, patch 12, width 16 (7 days): least validation error" in said.err
    assert f"Configuration: {run}/config.json, to be named with --config" in said.err
    again = bitformer("train", *hourly, "--config", "auto", "-o", run, "--json")
    assert again.code == 0, again.err
    assert again.data["auto"]["config"]["window"] == again.data["config"]["window"] == 168
    assert [one["what"] for one in again.data["auto"]["tried"]][-1] == "7 days"
    named = bitformer(
        "train", *hourly, "--config", run / "config.json", "-o", tmp_path / "named", "--json"
    )
    assert named.code == 0, named.err
    assert named.data["config"] == again.data["config"]
    assert named.data["auto"] is None
    assert named.data["test_mse"] == again.data["test_mse"]
    assert named.data["config"]["name"] == "rows-v-168-2"


def test_a_choice_has_what_was_given_as_far_as_the_data_allow(bitformer, hourly, tmp_path):
    """No last value is subtracted of a target that is no input: its bits mean nothing then."""
    options = ("--inputs", "w", "--delta", 16, "--window", 24, "--patch", 12, "-o", tmp_path / "r")
    said = bitformer("train", *hourly, "--config", "auto", *options, "--json")
    assert said.code == 0, said.err
    assert not said.data["config"]["subtract_last"]
    assert said.data["config"]["window"] == 24


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--part", "xc7s25"), "--part must be left out without --config auto, not be xc7s25"),
        (("--config", "auto", "--part", "xc9"), "part must be one of xc7s6, xc7s15"),
        (("--config", "auto", "--patch", 37), "no window of whole patches of 37 rows"),
    ],
)
def test_mistakes(bitformer, hourly, tmp_path, options, sentence):
    said = bitformer("train", *hourly, *options, "-o", tmp_path / "run")
    assert said.code == 2
    assert sentence in said.err
