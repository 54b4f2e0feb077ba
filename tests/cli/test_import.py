"""``bitformer import``: files of another framework become a run that every command takes."""

import pytest
import torch
from class_harness import strides
from import_harness import ENCODER, PATCHTST, encoder_folder, patchtst_folder, series

torch.set_num_threads(1)
PTQ = ("--method", "ptq", "--device", "cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("import")


@pytest.fixture(scope="module")
def table(place):
    return series(place / "my.csv")


@pytest.fixture(scope="module")
def run(bitformer, place, table):
    """An imported PatchTST whose windows are scaled one by one."""
    folder = patchtst_folder(place / "patchtst", scaling="std")
    asked = ("--data", table, "--target", "power", "--time", "at", "-o", place / "run", *PTQ)
    said = bitformer("import", folder, *asked, "--json")
    assert said.code == 0, said.err
    return place / "run", said


def test_what_is_said(run):
    folder, said = run
    assert "PatchTSTForPrediction: 24 steps of 1 input(s) in 6 tokens, 1 layer(s) of width 8," in (
        said.err
    )
    assert "on the host, before and after the chip" in said.err
    assert said.data["imported"] == "PatchTSTForPrediction"
    assert said.data["config"]["window_scaling"] == 1e-5
    assert said.data["config"]["name"] == "patchtst-24-6"
    errors = said.data["test_mse"]
    assert errors["integer"] == pytest.approx(errors["float Transformer"], rel=0.05)
    assert (folder / "model.safetensors").exists()


def test_every_command_takes_the_model(bitformer, run, table):
    model = run[0] / "model.safetensors"
    scores = bitformer("evaluate", model, "--json").data
    assert list(scores["test_mse"].values())[-1] == run[1].data["test_mse"]["integer"]
    forecast = bitformer("predict", model, "--data", table, "--json").data
    assert forecast["by_window"][0]["values"] if "by_window" in forecast else forecast
    assert "Bit exact" in bitformer("simulate", model, "--engine", "python", "--samples", 1).out
    assert bitformer("estimate", model, "--json").data["within_budget"]
    assert bitformer("info", model).code == 0
    hardware = bitformer("evaluate", model, "--engine", "python", "--samples", 2, "--json")
    reference = bitformer("evaluate", model, "--samples", 2, "--json")
    assert [*hardware.data["test_mse"].values()] == [*reference.data["test_mse"].values()]


def test_a_build_says_that_windows_are_scaled(bitformer, run, place):
    bitformer("build", run[0] / "model.safetensors", "--board", "sea", "-o", place / "build")
    assert '"window_scaling"' in (place / "build" / "scaling.json").read_text()


def test_widths_and_rounding_are_options(bitformer, place, table):
    folder = encoder_folder(place / "encoder")
    asked = ("--data", table, "--target", "power", "-o", place / "narrow", "--device", "cpu")
    more = ("--weights", 4, "--activations", 6, "--precise", 8, "--qat-epochs", 1)
    said = bitformer("import", folder, *asked, *more, "--name", "small", "--json")
    assert said.code in (0, 1), said.err
    config = said.data["config"]
    assert config["default"] == {"weights": 4, "activations": 6}
    assert config["precision"]["Loutput"] == {"weights": 8, "activations": 8}
    assert (config["name"], said.data["method"]) == ("small", "qat")
    assert config["window"] == ENCODER["window"]


def test_a_classifier(bitformer, place):
    data = strides(place / "classes", rows=200)
    fields = {"architectures": ["PatchTSTForClassification"], "pooling_type": "mean"}
    folder = patchtst_folder(place / "told", **fields, num_targets=2)
    files = ("--files", "{group}_{label}.csv", "--inputs", "x")
    asked = ("--data", data, *files, "-o", place / "classes-run", *PTQ)
    said = bitformer("import", folder, *asked, "--json")
    assert said.code in (0, 1), said.err
    assert said.data["config"]["task"] == "classify"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "none must be a folder with model.safetensors, or a file of weights, but is"),
        (["{wrong}"], "activation_function must be relu or gelu (the exact one), not 'silu'"),
        (["{right}", "--scaling", "often"], "--scaling must be data, none or [COLUMN=]MEAN:DEVIA"),
        (
            ["{right}", "--scaling", "1:0"],
            "scaling of 'power' must be a finite mean and a",
        ),
        (["{right}", "--inputs", "power,wind"], "inputs of the data must be 1 as in "),
        (["{right}", "--channel", "1"], "channel must be left out for"),
    ],
)
def test_mistakes_are_one_sentence(bitformer, place, table, args, message):
    patchtst_folder(place / "wrong", activation_function="silu")
    patchtst_folder(place / "right")
    names = {"wrong": place / "wrong", "right": place / "right"}
    asked = ("--data", table, "--target", "power", "-o", place / "refused", *PTQ)
    said = bitformer("import", *(str(one).format(**names) for one in args), *asked)
    assert said.code == 2
    assert message in said.err
    assert said.err.splitlines()[-1].startswith("Error: ")
    assert PATCHTST["context_length"] == 24
