"""What commands say that comes out: values, a class or a flag, as the model's task has it."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from manifest_harness import write_manifest

from bitformer.boards.build.manifest import Manifest
from bitformer.model.checkpoint import save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.forecasts.answer import Answer
from bitformer.model.initialize import initialize

REPORTS = Path(__file__).resolve().parents[1] / "boards" / "reports" / "v2018_2"
SMALL = {"window": 4, "horizon": 2, "d_model": 4, "ffn": 4, "inputs": 2}
DATASET = {
    "name": "m.csv",
    "inputs": ["a", "b"],
    "target": "a",
    "mean": [0.0, 0.0],
    "std": [1.0, 1.0],
    "target_mean": 0.0,
    "target_std": 1.0,
    "ahead": 1,
}


def made(task="forecast", *, margin=0, hold=0, dataset=None, **changes):
    """A small model that knows its data."""
    model = initialize(TransformerConfig(name="m", task=task, **SMALL | changes))
    meta = {"dataset": DATASET | (dataset or {})}
    *before, last = model.operations
    if task == "classify":
        last = dataclasses.replace(last, margin=margin)
        meta["classes"] = ["walk", "run"]
    if task == "detect":
        last = dataclasses.replace(last, smoothing=3, threshold=1234, hold=hold)
    return dataclasses.replace(model, operations=(*before, last), meta=meta)


SENTENCES = {
    "forecast": (made(), ["Forecasts 2 steps of a, from the next row on"]),
    "one": (made(horizon=1), ["Forecasts one step of a, at the next row"]),
    "ahead": (
        made(dataset={"ahead": 5}),
        ["Forecasts 2 steps of a, from 5 rows after a window's last on"],
    ),
    "sensed": (
        made(horizon=1, dataset={"ahead": 0, "target": "c"}),
        ["Senses c at a window's last row"],
    ),
    "classes": (
        made("classify"),
        ["Answers with the number of a window's class: 0 walk, 1 run", "No window is rejected"],
    ),
    "rejecting": (
        made("classify", margin=7),
        [
            "Answers with the number of a window's class: 0 walk, 1 run",
            "2 says rejected: the largest score leads by less than 7 steps",
        ],
    ),
    "detector": (
        made("detect", hold=9),
        [
            "Judges 2 steps of a, from the next row on, against what came, which is sent with the"
            " window",
            "Answers with 1 while its flag is up, which says that something is unusual, else with"
            " 0",
            "The flag is up while the score of smoothed residuals (2^-3) is above 1234, and for 9"
            " windows after",
            "Windows are judged in the order in which they come, from a reset on",
        ],
    ),
}


@pytest.mark.parametrize("which", SENTENCES)
def test_what_comes_out(which):
    model, expected = SENTENCES[which]
    answer = Answer.of(model)
    assert list(answer.sentences) == expected
    json.dumps(answer.to_dict())
    # as plain data and back
    assert Answer(**answer.to_dict() | {"classes": answer.classes}) == answer


def test_an_untrained_model_has_a_target_without_a_name():
    answer = Answer.of(dataclasses.replace(made(), meta={}))
    assert answer.sentences == ("Forecasts 2 steps of its target, from the next row on",)


@pytest.fixture
def built(bitformer, tmp_path):
    """The project of a model's build, and what was said."""

    def run(model, *options):
        path = tmp_path / "m.safetensors"
        save_model(model, path)
        plan = tmp_path / "plan"
        said = bitformer("build", path, "--board", "sea", "--plan-only", *options, "-o", plan)
        assert said.code == 0, said.err
        return plan, said

    return run


def flat(text):
    return " ".join(text.split())


#: Of bitformer_model.h: what is in it, and what is not.
HEADER = {
    "forecast": (
        ["a forecast has BITFORMER_MODEL_HORIZON words", "bitformer_forecast(&bitformer_model"],
        ["bitformer_class(", "bitformer_judge(&"],
    ),
    "rejecting": (
        ["a window has one result, the number of its class", "bitformer_class(&bitformer_model"],
        ["bitformer_forecast", "a forecast has", "flag is up and"],
    ),
    "detector": (
        ["a window has one result, 1 while the flag is up", "bitformer_judge(&bitformer_model"],
        ["bitformer_forecast", "a forecast has", "number of its class,"],
    ),
}


@pytest.mark.parametrize("which", HEADER)
def test_a_build_says_what_comes_out(built, which):
    """On the terminal, in the README, the manifest (and so in its report), and to programs in C."""
    model, expected = SENTENCES[which]
    plan, said = built(model)
    for sentence in expected:
        assert sentence in said.out
    readme = flat((plan / "README.txt").read_text())
    assert f"Answer {'. '.join(expected)}." in readme
    assert Manifest.read(plan).answer == Answer.of(model)
    counted = {
        "forecast": None,
        "rejecting": "The shell counts the windows that it rejects",
        "detector": "The shell counts the windows with the flag up",
    }
    for task, sentence in counted.items():
        if sentence is not None:
            assert (sentence in readme) == (task == which)
    if which != "forecast":
        assert "forecast" not in readme.lower()
    text = flat((plan / "bitformer_model.h").read_text().replace("\n * ", " "))
    there, absent = HEADER[which]
    assert [part for part in there if part not in text] == []
    assert [part for part in absent if part in text] == []


def test_the_nodes_own_link_counts_nothing(built):
    plan, _ = built(made("classify", margin=7), "--board", "elastic-node-v5", "--link", "elastic")
    readme = flat((plan / "README.txt").read_text())
    assert "2 says rejected" in readme
    assert "shell counts" not in readme


@pytest.mark.parametrize(
    ("which", "one", "day"),
    [
        ("forecast", "one forecast", "a day of 96 forecasts, idle in between"),
        ("classes", "one classified window", "a day of 96 classified windows, idle in between"),
        ("detector", "one judged window", "a day of 96 judged windows, idle in between"),
        (None, "one inference", "a day of 96 inferences, idle in between"),
    ],
)
def test_a_report_asks_the_task(bitformer, tmp_path, which, one, day):
    build = shutil.copytree(REPORTS, tmp_path / "build")
    model, expected = SENTENCES[which] if which else (None, [])
    write_manifest(build, answer=None if model is None else Answer.of(model).to_dict())
    said = bitformer("report", build, "--per-day", 96, "--no-kb")
    assert said.code == 0
    for sentence in (one, day, *expected):
        assert sentence in said.out
    data = bitformer("report", build, "--no-kb", "--json").data
    assert data["facts"].get("answer") == (None if model is None else Answer.of(model).to_dict())


def test_info_says_what_a_flag_means(bitformer, tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(made("detect"), path)
    said = bitformer("info", path)
    assert "2 judged number(s); width" in said.out
    assert "  judges 2 steps of a, from the next row on, against what came" in said.out
    assert "is above 1234, and in no window after" in said.out
    assert bitformer("info", path, "--json").data["answer"]["threshold"] == 1234


def test_simulate_names_flags(bitformer, tmp_path):
    path = tmp_path / "m.safetensors"
    model = made("detect", horizon=1)
    *before, judge = model.operations
    save_model(
        dataclasses.replace(model, operations=(*before, dataclasses.replace(judge, threshold=0))),
        path,
    )
    said = bitformer("simulate", path, "--data", "random", "--samples", 3, "--json")
    assert said.code == 0
    assert set(said.data["answers"]) <= {"flag", "no flag"}
    assert "flag" in said.data["answers"]  # a threshold of 0 is above almost nothing
    assert "Answers: flag" in bitformer("simulate", path, "--data", "random", "--samples", 3).out
