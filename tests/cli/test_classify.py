"""``bitformer train``, ``evaluate`` and ``export`` of a classifier, from files to a class."""

import json

import numpy as np
import pytest
from class_harness import folder_of, strides, table_of, walk

import bitformer as library
from bitformer.model.checkpoint import load_model
from bitformer.model.data.datasets import load_dataset
from bitformer.model.reference import predict

FILES = ["--files", "{group}_{label}.csv"]
CONFIG = {"name": "gait", "window": 4, "inputs": 2, "d_model": 4, "ffn": 8, "patch": 2}
QUICK = ["--epochs", "3", "--qat-epochs", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return strides(tmp_path_factory.mktemp("strides"), rows=60)


@pytest.fixture(scope="module")
def run(bitformer, folder, tmp_path_factory):
    """A trained classifier: its folder, and what was said."""
    place = tmp_path_factory.mktemp("run")
    config = place / "c.json"
    config.write_text(json.dumps(CONFIG))
    asked = ["train", "--data", folder, *FILES, "--config", config, *QUICK]
    return place / "r", bitformer(*asked, "-o", place / "r", "--json"), asked


def test_train_says_classes(run, folder):
    place, said, _ = run
    assert said.code == 0
    found = said.data
    assert found["task"] == "classify"
    assert found["config"]["task"] == "classify"
    assert found["config"]["horizon"] == 2
    assert found["data"]["classes"] == ["run", "walk"]
    assert found["scores"]["integer"]["accuracy"] == 1.0
    assert set(found["scores"]["integer"]["group_f1"]) == set("abcd")
    assert found["baselines"]["majority class"]["accuracy"] == 0.5
    assert found["validation_cross_entropy"]["quantized"] < 0.6
    assert "validation_mse" not in found
    assert [one["tensor"] for one in found["coverage"]] == ["input", "input"]
    model = load_model(place / "model.safetensors")
    assert model.meta["classes"] == ["run", "walk"]
    test = load_dataset(str(folder), files=FILES[1], window=4, horizon=1).test
    assert predict(model, test.x).ravel().tolist() == test.label.tolist()


def test_tables_name_classes_and_groups(bitformer, run):
    said = bitformer(*run[2], "-o", run[0])  # it is there: read again
    assert said.code == 0
    for word in ("accuracy", "weighted F1", "majority class", "logistic regression", "as walk"):
        assert word in said.out
    assert "Groups, by integer" in said.out
    assert "test error rate 0.0000" in said.out
    assert "MSE" not in said.out


def test_evaluate_is_what_training_said(bitformer, run):
    said = bitformer("evaluate", run[0] / "model.safetensors", "--json")
    assert said.code == 0
    assert said.data["scores"]["gait (integer)"] == run[1].data["scores"]["integer"]
    assert said.data["baselines"] == run[1].data["baselines"]
    table = bitformer("evaluate", run[0] / "model.safetensors")
    assert "gait (integer)" in table.out


def test_evaluate_other_recordings(bitformer, run, tmp_path):
    rows = [
        (*numbers, kind)
        for kind, level in (("walk", 10.0), ("run", 0.0))
        for numbers in walk(20, level, seed=9)
    ]
    other = table_of(tmp_path / "other.csv", rows, "x,y,kind")
    model = run[0] / "model.safetensors"
    said = bitformer("evaluate", model, "--data", other, "--label", "kind", "--json")
    assert said.code == 0
    scores = said.data["scores"]["gait (integer)"]
    assert scores["confusion"] == [[17, 0, 0], [0, 17, 0]]
    assert said.data["test_windows"] == 34
    assert said.data["baselines"]["logistic regression"]["accuracy"] == 1.0
    folder_of(tmp_path / "more", {"z_walk.csv": walk(30, 10.0, seed=5)})
    said = bitformer("evaluate", model, "--data", tmp_path / "more", *FILES, "--json")
    assert said.data["scores"]["gait (integer)"]["group_f1"] == {"z": 1.0}
    plain = bitformer("evaluate", model, "--data", table_of(tmp_path / "p.csv", [(1, 2)], "x,y"))
    assert plain.code == 2
    assert "p.csv must have classes for a classifier to be scored: name their colu" in plain.err


def test_export_with_a_share_that_is_rejected(bitformer, run, tmp_path):
    said = bitformer("export", run[0], "-o", tmp_path / "m.safetensors", "--reject", "0.3")
    assert said.code == 0
    assert load_model(tmp_path / "m.safetensors").decision.margin > 0
    scores = bitformer("evaluate", tmp_path / "m.safetensors", "--json").data["scores"]
    rejected = scores["gait (integer)"]["rejected"]
    assert 0 < rejected < 0.7
    told = bitformer("evaluate", tmp_path / "m.safetensors").out
    assert "Rejected: " in told
    assert "as rejected" in told
    again = bitformer("export", tmp_path / "m.safetensors", "-o", tmp_path / "n", "--reject", "0.1")
    assert again.code == 2
    assert "--reject must come with the folder of a run" in again.err
    wrong = bitformer("export", run[0], "-o", tmp_path / "m.safetensors", "--reject", "5")
    assert wrong.code == 2
    assert "--reject must be a number from 0 to below 1, not '5'" in wrong.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--horizon", "3"], "horizon must be left out to classify, not 3: a model has a score"),
        (["--config", "auto", "--horizon", "3"], "horizon must be left out to classify, not 3"),
        (["--task", "forecast"], "files is for a classifier, and the task is forecast"),
        (["--reject", "1.5"], "--reject must be a number from 0 to below 1, not '1.5'"),
        (["--calendar", "hour"], "calendar must be left out to classify, not be hour: a class"),
        (
            ["--raw", "12"],
            "raw must be left out to classify, not be 12: an answer is",
        ),
    ],
)
def test_what_does_not_go_with_classes(bitformer, run, options, message, tmp_path):
    said = bitformer(*run[2], *options, "-o", tmp_path / "r")
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()[-1].split(". ")) <= 2


def test_a_classifier_needs_classes(bitformer, tmp_path):
    data = table_of(tmp_path / "p.csv", walk(40, 0.0).tolist(), "x,y")
    said = bitformer("train", "--data", data, "--task", "classify", "-o", tmp_path / "r")
    assert said.code == 2
    assert "Task classify needs the classes of the rows: name their column with --label" in said.err


def test_the_library_says_the_same(run, folder, tmp_path):
    model = library.load(run[0] / "model.safetensors")
    found = model.evaluate(str(folder), files=FILES[1])
    assert found.scores.accuracy == 1.0
    assert found.to_dict()["scores"]["gait (integer)"] == run[1].data["scores"]["integer"]
    other = library.train(
        str(folder),
        files=FILES[1],
        config=model.config,
        to=tmp_path,
        epochs=1,
        qat_epochs=1,
        class_weights="balanced",
        reject=0.2,
        progress=False,
    )
    assert other.integer.decision.margin > 0
    assert other.predict(np.zeros((3, 4, 2))).shape == (3, 1)


def test_predict_says_the_class_of_the_newest_windows(bitformer, run, tmp_path):
    rows = [*walk(30, 0.0, seed=3).tolist(), *walk(20, 10.0, seed=4).tolist()]
    new = table_of(tmp_path / "new.csv", rows, "x,y")  # nobody knows its classes
    model = run[0] / "model.safetensors"
    said = bitformer("predict", model, "--data", new)
    assert said.code == 0
    assert "Class of each window" in said.out
    assert "walk" in said.out
    found = bitformer("predict", model, "--data", new, "--windows", "40", "--json").data
    assert found["task"] == "classify"
    assert found["classes"] == ["run", "walk"]
    assert found["lines"] == list(range(12, 52))
    # a window ends where its line is: from line 35 on all four rows are of a walk
    assert found["answers"][: 31 - 12 + 1] == ["run"] * 20
    assert found["answers"][35 - 12 :] == ["walk"] * 17
    assert sum(found["counts"].values()) == 40
    early = bitformer("predict", model, "--data", new, "--at", "20", "--json").data
    assert (early["answers"], early["lines"]) == (["run"], [20])
    hardware = bitformer("predict", model, "--data", new, "--engine", "python", "--json").data
    assert hardware["answers"] == ["walk"]
    csv = tmp_path / "c.csv"
    assert bitformer("predict", model, "--data", new, "--csv", csv, "--windows", "2").code == 0
    assert csv.read_text() == "class,number,line\nwalk,1,50\nwalk,1,51\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "p.png"], "--plot must be left out with a classifier, whose answers are clas"),
        (["--interval", "80"], "--interval must be left out with a classifier"),
        (["--target", "x"], "--target must be left out with a classifier"),
    ],
)
def test_classes_are_no_forecasts(bitformer, run, tmp_path, options, message):
    new = table_of(tmp_path / "new.csv", walk(30, 0.0).tolist(), "x,y")
    said = bitformer("predict", run[0] / "model.safetensors", "--data", new, *options)
    assert said.code == 2
    assert message in said.err


def test_simulate_is_exact_to_the_answer(bitformer, run):
    said = bitformer("simulate", run[0] / "model.safetensors", "--samples", "3", "--json")
    assert said.code == 0
    assert said.data["bit_exact"]
    assert len(said.data["answers"]) == 3
    assert set(said.data["answers"]) <= {"run", "walk"}
    told = bitformer("simulate", run[0] / "model.safetensors", "--samples", "2").out
    assert "Answers: " in told


def test_the_library_tells_tasks_apart(run, tmp_path):
    model = library.load(run[0] / "model.safetensors")
    new = table_of(tmp_path / "new.csv", walk(30, 10.0).tolist(), "x,y")
    assert model.classify(new, windows=2).answers == ("walk", "walk")
    with pytest.raises(library.UserError, match=r"^task must be forecast to forecast, and model g"):
        model.forecast(new)
    with pytest.raises(library.UserError, match=r"^Noise is told of values, and model gait is"):
        model.noise()
    assert "2 classes" in repr(model)


def test_info_names_the_classes(bitformer, run, tmp_path):
    said = bitformer("info", run[0] / "model.safetensors")
    assert "2 classes; width" in said.out
    assert "answers with a class: run, walk\n" in said.out
    bitformer("export", run[0], "-o", tmp_path / "m.safetensors", "--reject", "0.3")
    margin = load_model(tmp_path / "m.safetensors").decision.margin
    told = f"run, walk, or rejected below a lead of {margin} steps of a score"
    assert told in bitformer("info", tmp_path / "m.safetensors").out


def test_a_classifier_is_compared(bitformer, run, folder, tmp_path):
    config = run[0].parent / "c.json"
    asked = ["--data", folder, *FILES, "--config", config, "-o", tmp_path / "s"]
    fast = ["--epochs", "1", "--qat-epochs", "1", "--workers", "1"]
    said = bitformer("compare", *asked, *fast, "--widths", "4", "--method", "ptq", "--seeds", "1")
    assert said.code == 0
    words = (said.out + said.err).split()  # a heading may take several lines
    assert {"cross", "entropy"} <= {*words}
    assert "MSE" not in said.out + said.err


def test_a_classifier_has_no_hold(bitformer, run, tmp_path):
    said = bitformer("export", run[0], "-o", tmp_path / "m.safetensors", "--hold", "3")
    assert said.code == 2
    assert "which trained no detector, not be 3: leave --hold out" in said.err


def test_a_config_of_forecasts_tells_classes(bitformer, folder, tmp_path):
    """Its calendar is left out, its horizon is the number of classes."""
    asked = ["train", "--data", folder, *FILES, "--config", "taxi-48-12", "--window", "12"]
    said = bitformer(*asked, *QUICK, "-o", tmp_path / "r", "--json")
    assert said.code in (0, 1)  # so little training may cost too much
    config = said.data["config"]
    assert (config["task"], config["horizon"], config.get("calendar")) == ("classify", 2, None)
    assert "has a score for each of 2 classes here" in said.err


def test_a_classifier_wants_classes(bitformer, tmp_path):
    data = table_of(tmp_path / "p.csv", walk(60, 0.0).tolist(), "x,y")
    asked = ["train", "--data", data, "--target", "x", "--config", "strike-25"]
    said = bitformer(*asked, "-o", tmp_path / "r")
    assert said.code == 2
    assert "task must be forecast for p.csv, whose rows have no classes, and config" in said.err
