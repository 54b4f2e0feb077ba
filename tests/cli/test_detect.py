"""``bitformer train``, ``evaluate`` and the other commands with a detector."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.scored_data import scored_data
from bitformer.model.task.thresholds import Rule, learn, residuals_of

CONFIG = {"name": "wave", "window": 8, "d_model": 4, "ffn": 8, "patch": 4, "linear_path": True}
QUICK = ["--epochs", "3", "--qat-epochs", "1", "--device", "cpu", "--batch", "32"]


def wave(path, fault=range(0), seed=0):
    """An hourly wave that is thrice as fast in the rows ``fault``."""
    at = np.arange(800)
    rows = np.sin(np.where(np.isin(at, list(fault)), 3 * at, at) / 4)
    rows += np.random.default_rng(seed).normal(size=800) * 0.05
    lines = [
        f"2024-01-{1 + row // 24:02d} {row % 24:02d}:00,{one:.4f}"
        for row, one in enumerate(rows[:744])
    ]
    path.write_text("t,v\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(bitformer, tmp_path_factory):
    """A trained detector: its folder, and what was said."""
    place = tmp_path_factory.mktemp("run")
    config = place / "c.json"
    config.write_text(json.dumps(CONFIG))
    data = wave(place / "wave.csv", fault=range(660, 690))
    asked = ["train", "--data", data, "--target", "v", "--task", "detect", "--config", config]
    asked += ["--time", "t", "--horizon", "1", *QUICK, "-o", place / "r"]
    return place / "r", bitformer(*asked, "--json"), asked


def test_train_says_flags(run):
    place, said, _ = run
    assert said.code == 0
    found = said.data
    assert found["task"] == "detect"
    assert found["config"]["task"] == "detect"
    assert found["test_windows"] == 149
    assert 0 < found["flagged"] < 0.6
    assert found["alarms"] >= 1
    assert found["events"] is None
    assert found["days"] == pytest.approx(149 / 24)
    assert set(found["network_mse"]) == {"float", "quantized (QAT)"}
    model = load_model(place / "model.safetensors")
    record = json.loads((place / "run.json").read_text())
    assert model.detector.threshold == record["judge"]["threshold"] > 0


def test_tables_say_flags(bitformer, run):
    said = bitformer(*run[2])  # it is there: read again
    assert said.code == 0
    assert " alarm" in said.out
    # 30 rows of a fault are in windows of 8 rows each
    assert "so a shorter --window lets the flag down sooner" in said.out
    assert "which rows are anomalies is not known" in said.out
    assert "quantized (QAT)" in said.out


def test_evaluate_judges_another_file(bitformer, run, tmp_path):
    model = run[0] / "model.safetensors"
    own = bitformer("evaluate", model, "--json").data
    assert own["flagged"] == run[1].data["flagged"]
    calm = bitformer("evaluate", model, "--data", wave(tmp_path / "calm.csv", seed=1), "--json")
    assert calm.code == 0
    assert calm.data["flagged"] == 0
    rough = wave(tmp_path / "rough.csv", fault=range(300, 400), seed=1)
    found = bitformer("evaluate", model, "--data", rough, "--json").data
    assert found["flagged"] > 0.05
    assert found["test_windows"] == 736


def test_the_first_windows_are_judged_of_some(bitformer, run):
    said = bitformer("evaluate", run[0] / "model.safetensors", "--samples", "20", "--json")
    assert said.data["test_windows"] == 20


def test_export_sets_the_threshold_and_the_hold(bitformer, run, tmp_path):
    largest = json.loads((run[0] / "run.json").read_text())["judge"]["largest"]
    own = load_model(run[0] / "model.safetensors").detector
    assert own.threshold == int(1.5 * largest)
    found = {}
    for factor in ("1", "3"):
        path = tmp_path / f"{factor}.safetensors"
        said = bitformer("export", run[0], "-o", path, "--factor", factor, "--hold", "9")
        assert said.code == 0
        judge = load_model(path).detector
        assert (judge.threshold, judge.hold) == (int(factor) * largest, 9)
        assert judge.weight.tolist() == own.weight.tolist()
        found[factor] = bitformer("evaluate", path, "--json").data["flagged"]
    assert found["1"] > found["3"]
    plain = bitformer("export", run[0], "-o", tmp_path / "m.safetensors")
    assert plain.code == 0
    assert load_model(tmp_path / "m.safetensors").detector.threshold == own.threshold


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--factor", "0"], "--factor must be a number from 0.001 to 1000000, not '0'"),
        (["--hold", "-1"], "'--hold': -1 is not in the range 0<=x<=65535"),
        (["--hold", "70000"], "'--hold': 70000 is not in the range 0<=x<=65535"),
    ],
)
def test_mistakes_in_what_export_sets(bitformer, run, tmp_path, asked, message):
    said = bitformer("export", run[0], "-o", tmp_path / "m.safetensors", *asked)
    assert said.code == 2
    assert message in said.err
    assert not (tmp_path / "m.safetensors").exists()


def test_a_file_has_no_clean_rows(bitformer, run, tmp_path):
    model = run[0] / "model.safetensors"
    said = bitformer("export", model, "-o", tmp_path / "m.safetensors", "--hold", "3")
    assert said.code == 2
    assert "--hold must come with the folder of a run" in said.err


def test_info_names_the_judge(bitformer, run):
    said = bitformer("info", run[0] / "model.safetensors")
    assert said.code == 0
    assert "Judge" in said.out


def test_predict_tells_the_flags(bitformer, run):
    """Of all windows from a reset on, of which evaluate judges the last ones from another."""
    said = bitformer("predict", run[0] / "model.safetensors", "--json")
    assert said.code == 0
    assert said.data["task"] == "detect"
    assert len(said.data["flags"]) == 736
    faulty = [
        line for line, flag in zip(said.data["lines"], said.data["flags"], strict=True) if flag
    ]
    assert 662 <= min(faulty) < 692  # the fault begins in line 662
    other = bitformer("predict", run[0] / "model.safetensors", "--plot", "p.png")
    assert other.code == 2
    assert "--plot must be left out with a detector" in other.err


def test_horizon_is_1_unless_it_is_given(bitformer, run, tmp_path):
    """With more, a window is judged by rows long after its own, and alarms come before a fault."""
    asked = run[2]
    at = asked.index("--horizon")
    plain = [*asked[:at], *asked[at + 2 : -1], tmp_path / "r"]
    said = bitformer(*plain, "--json")
    assert said.data["config"]["horizon"] == 1
    assert said.data["flagged"] == run[1].data["flagged"]
    plain[plain.index("--config") + 1] = "etth1-48-24"
    named = bitformer(*[*plain[:-1], tmp_path / "n"], "--json").data["config"]
    assert (named["horizon"], named["window"], named["task"]) == (1, 48, "detect")
    given = bitformer(*[*plain[:-1], tmp_path / "g"], "--horizon", "3", "--json").data["config"]
    assert given["horizon"] == 3
    own = tmp_path / "five.json"
    own.write_text(json.dumps(CONFIG | {"horizon": 5}))
    plain[plain.index("--config") + 1] = own
    assert bitformer(*[*plain[:-1], tmp_path / "f"], "--json").data["config"]["horizon"] == 5


def test_a_config_of_a_detector_makes_one(bitformer, run, tmp_path):
    """Of a file that says so, nobody has to say --task again."""
    own = tmp_path / "c.json"
    own.write_text(json.dumps(CONFIG | {"task": "detect"}))
    asked = [one for one in run[2] if one not in ("--task", "detect")]
    asked[asked.index("--config") + 1] = own
    found = bitformer(*[*asked[:-1], tmp_path / "r"], "--json").data
    assert (found["task"], found["config"]["task"]) == ("detect", "detect")
    assert found["flagged"] == run[1].data["flagged"]


def test_smoothing_is_set_by_the_rows_of_the_run(bitformer, run, tmp_path):
    """Each smoothing has weights and a threshold of its own, as if it had been trained so."""
    noted = json.loads((run[0] / "run.json").read_text())["judge"]
    assert noted["smoothing"] == 4
    for smoothing in (0, 2, 4):
        path = tmp_path / f"{smoothing}.safetensors"
        said = bitformer("export", run[0], "-o", path, "--smoothing", smoothing)
        assert said.code == 0
        judge, model = load_model(path).detector, load_model(path)
        dataset = scored_data(model, data=None)
        clean = dataclasses.replace(
            dataset.train, first=np.r_[dataset.train.first, dataset.val.first]
        )
        expected = learn(model, [residuals_of(model, clean)], Rule(smoothing=smoothing))
        assert judge.smoothing == smoothing
        assert judge.threshold == pytest.approx(expected.threshold, abs=1)
        assert judge.weight.tolist() == expected.weight.tolist()
    # a level settles within 4 · 2^7 of the 595 clean windows, and not within 4 · 2^8
    assert len(noted["smoothings"]) == 8
    assert len({one["largest"] for one in noted["smoothings"]}) > 5


def test_train_takes_what_export_takes(bitformer, run, tmp_path):
    judge = ["--smoothing", "2", "--factor", "1.25", "--hold", "7"]
    exported = tmp_path / "m.safetensors"
    assert bitformer("export", run[0], "-o", exported, *judge).code == 0
    said = bitformer(*[*run[2][:-1], tmp_path / "r"], *judge, "--json")
    own = load_model(tmp_path / "r" / "model.safetensors").detector
    assert (own.smoothing, own.hold) == (2, 7)
    assert own.threshold == load_model(exported).detector.threshold
    assert said.data["flagged"] != run[1].data["flagged"]


@pytest.mark.parametrize(
    ("task", "asked", "message"),
    [
        ("detect", ["--smoothing", "9"], r"smoothing must be 0 to \d with this run's clean rows"),
        ("detect", ["--smoothing", "16"], r"'--smoothing': 16 is not in the range 0<=x<=15"),
        ("detect", ["--reject", "0.1"], r"reject must be left out to detect, as it is of a classi"),
        ("forecast", ["--hold", "3"], r"hold must be left out to forecast, as it is of a detector"),
        ("forecast", ["--reject", "0.1"], r"leave --reject out, or say --task classify"),
    ],
)
def test_mistakes_in_what_is_set(bitformer, run, tmp_path, task, asked, message):
    """They are refused before a training, but for what its rows do not suffice for."""
    asked = [*run[2][:-1], tmp_path / "r", *asked, "--task", task]
    said = bitformer(*asked)
    assert said.code == 2
    assert re.search(message, said.err)
    trained = (tmp_path / "r" / "run.json").exists()
    assert trained == ("clean rows" in message)


def test_an_older_run_has_one_smoothing(bitformer, run, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(run[0], folder)
    record = json.loads((folder / "run.json").read_text())
    del record["judge"]["smoothings"]
    (folder / "run.json").write_text(json.dumps(record))
    path = tmp_path / "m.safetensors"
    assert bitformer("export", folder, "-o", path, "--smoothing", "4", "--hold", "2").code == 0
    said = bitformer("export", folder, "-o", path, "--smoothing", "3")
    assert said.code == 2
    assert "smoothing must be left out for a run that has noted one alone, not be 3" in said.err


def test_simulate_takes_the_first_windows(bitformer, run):
    """Windows of a detector follow one another, and what is clipped is counted of those."""
    said = bitformer("simulate", run[0] / "model.safetensors", "--samples", "3", "--json")
    assert said.code == 0
    assert said.data["bit_exact"]
    assert "test windows" in said.data["source"]


def test_a_column_to_judge_is_asked_for(bitformer, run, tmp_path):
    asked = [one for one in run[2] if one not in ("--target", "v")]
    said = bitformer(*[*asked[:-1], tmp_path / "r"])
    assert said.code == 2
    assert "Target must name the column of" in said.err
    assert "to judge, one of t, v: say --target v" in said.err
