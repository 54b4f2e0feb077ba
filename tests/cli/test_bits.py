"""Bits and schemes of weights and activations, as ``train`` is told them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config

FAST = ("--config", "tiny", "--epochs", "1", "--qat-epochs", "1")


def test_bits_of_the_command_line(bitformer, tmp_path):
    options = ["--data", "synthetic", *FAST, "--weights", "2", "--activations", "6"]
    said = bitformer("train", *options, "--horizon", "3", "-o", tmp_path / "run", "--json")
    assert said.code == 0
    config = load_model(tmp_path / "run" / "model.safetensors").config
    assert (config.default.weights, config.default.activations, config.horizon) == (2, 6, 3)


@pytest.mark.parametrize(("block", "name"), [("mixer", "float mixer"), ("mlp", "float MLP")])
def test_the_float_model_is_named_after_its_layers(bitformer, tmp_path, block, name):
    options = ["--data", "synthetic", *FAST, "--block", block, "-o", tmp_path / "run"]
    said = bitformer("train", *options)
    assert said.code == 0
    assert name in said.out
    assert "float Transformer" not in said.out + said.err


def test_powers_of_two_from_the_command_line_to_the_chip(bitformer, tmp_path):
    options = ["--data", "synthetic", *FAST, "--weights", "4p", "--path", "6p"]
    said = bitformer("train", *options, "-o", tmp_path / "run", "--json")
    assert said.code == 0
    assert said.data["config"]["default"]["scheme"] == "power-of-two"
    file = tmp_path / "run" / "model.safetensors"
    model = load_model(file)
    for op in model.linears:
        most = 16 if op.y == "path" else 4
        assert {*np.unique(np.abs(op.weight))} <= {n for n in (0, 1, 2, 4, 8, 16) if n <= most}
    told = bitformer("info", file, "--json")
    schemes = {row["output"]: row["weight_scheme"] for row in told.data["operations"]}
    assert schemes["path"] == schemes["layers.0.q"] == "power-of-two"
    assert schemes["layers.0.norm1"] is None
    shown = bitformer("info", file).out
    assert "6p bits" in shown
    assert "p: weights are 0 and powers of two" in shown
    assert bitformer("simulate", file, "--samples", "1").code == 0
    refused = bitformer("train", *options[:-4], "--weights", "2p", "-o", tmp_path / "other")
    assert refused.code == 2
    assert "write 2 instead of 2p" in refused.err


def test_what_is_kept_in_floats_has_no_integer_model(bitformer, tmp_path):
    config = replace(
        named_config("tiny").replace(linear_path=False),
        name="ed",
        decoder_layers=1,
        horizon=8,
        window=8,
        d_model=4,
    )
    path = tmp_path / "ed.json"
    path.write_text(json.dumps(config.to_dict()))
    options = ["--data", "synthetic", "--config", path, *FAST[2:], "--weights", "2"]
    options += ["--lowering", "none", "--ranges", "minmax", "--precise", "32"]
    said = bitformer("train", *options, "-o", tmp_path / "run", "--json")
    assert said.code == 0
    assert said.data["model"] is None
    assert set(said.data["test_mse"]) == {"float Transformer", "quantized (QAT)"}
    assert said.data["config"]["precision"]["CMHA"] == {"weights": 32, "activations": 32}
    assert "No integer model: parts are kept in floats" in said.err
    refused = bitformer("export", tmp_path / "run", "-o", tmp_path / "m.safetensors")
    assert refused.code != 0
    assert "must be integers of at most 16 bits, not float32" in refused.err


def test_bits_of_the_path_are_its_own(bitformer, tmp_path):
    small = ("--data", "synthetic", "--epochs", "1", "--qat-epochs", "1", "--batch", "512")
    run = (*small, "--config", "tiny", "--weights", "2", "--path", "16", "-o", tmp_path / "run")
    said = bitformer("train", *run, "--json")
    precision = said.data["config"]["precision"]
    assert precision["Lpath"] == {"weights": 16, "activations": 16}
    assert said.data["config"]["default"]["weights"] == 2
    refused = bitformer("train", *small, "--config", "grid-6-8-4", "--path", "16", "-o", tmp_path)
    assert refused.code == 2
    assert "--path must be left out with config grid-6-8-4, which has none" in refused.err
