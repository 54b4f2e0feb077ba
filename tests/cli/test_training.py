"""``bitformer train`` on one's own data and others, and what it leaves: runs, models, exports."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.config import named_config

FAST = ("--config", "tiny", "--epochs", "1", "--qat-epochs", "1")


@pytest.fixture(scope="module")
def trained(bitformer, tmp_path_factory):
    """A run on a CSV file of one's own, and what the command said."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(3)
    hours = np.arange(400)
    power = 20 + 5 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 0.5, 400)
    lines = ["when,power,note"]
    for hour, value in zip(hours, power, strict=True):
        cell = "" if hour % 97 == 96 else f"{value:.3f}"
        lines.append(f"2024-01-{hour // 24 + 1:02d} {hour % 24:02d}:00,{cell},x")
    data = folder / "my.csv"
    data.write_text("\n".join(lines[: 24 * 16 + 1]) + "\n")
    run = folder / "run"
    config = folder / "tiny.json"  # what a linear path begins with is hard to be worse than
    config.write_text(json.dumps(named_config("tiny").replace(linear_path=False).to_dict()))
    fast = ("--config", config, *FAST[2:])
    options = ["--data", data, "--target", "power", "--time", "when", *fast, "-o", run]
    return run, bitformer("train", *options, "--json"), options


def test_own_data_go_the_whole_way(trained, bitformer, tmp_path):
    run, said, _ = trained
    assert said.code == 0
    assert said.data["data"]["name"] == "my.csv"
    errors = said.data["test_mse"]
    assert errors["integer"] == pytest.approx(errors["quantized (QAT)"], rel=1e-12)
    model = run / "model.safetensors"
    simulated = bitformer("simulate", model, "--samples", "2", "--json")
    assert simulated.code == 0
    assert simulated.data["source"] == "my.csv, test windows"
    assert simulated.data["bit_exact"] is True
    built = bitformer("build", model, "--board", "sea", "--plan-only", "-o", tmp_path / "b")
    assert built.code == 0
    again = bitformer("evaluate", model, "--json").data
    assert again["test_mse"]["my-power-24-6 (integer)"] == errors["integer"]
    assert again["data"]["target"] == "power"
    # what is kept in the model, counted again, and said
    assert set(again["interval_coverage"]) == {"50", "80", "95"}
    assert again["interval_coverage"] == said.data["interval_coverage"]
    kept = load_model(model).meta["intervals"]
    assert [one["coverage"] for one in kept] == list(again["interval_coverage"].values())
    sentence = f"80 % interval covers {100 * again['interval_coverage']['80']:.3g} % of test values"
    assert sentence in " ".join(said.err.split())


def test_a_file_as_it_comes_is_read_the_same_way_again(bitformer, tmp_path):
    """By the model that was trained on it, without being told how again."""
    lines = ["Logger 7", "Tag;Uhrzeit;Last, kW;Außen;Außen;"]
    for hour in range(24 * 14):
        cell = "?" if hour % 97 == 96 else f"1.{hour % 24:03d},5 kW"
        lines.append(f"{hour // 24 + 1}/1/2024;{hour % 24}:00;{cell};x;;;")
    data, run = tmp_path / "my.csv", tmp_path / "run"
    data.write_bytes("\n".join(lines).encode("cp1252"))
    how = ["--time", "Tag,Uhrzeit", "--decimal", ",", "--missing", "?", "--strip", "kW"]
    how += ["--encoding", "cp1252", "--skip", "1", "--time-zone", "Europe/Berlin"]
    columns = ["--target", "Last, kW", "--inputs", '"Last, kW"']
    said = bitformer("train", "--data", data, *columns, *how, *FAST, "-o", run, "--json")
    assert said.code in (0, 1), said.err
    source = json.loads((run / "source.json").read_text())
    assert source["inputs"] == ["Last, kW"]
    assert (source["decimal"], source["missing"], source["skip"]) == (",", ["?"], 1)
    meta = load_model(run / "model.safetensors").meta["dataset"]
    cells = [1000.5 + hour % 24 for hour in range(24 * 14 * 3 // 5)]
    cells[96], cells[193] = cells[95], cells[192]  # what is missing takes the value before it
    assert meta["target_mean"] == pytest.approx(np.mean(cells))
    again = bitformer("evaluate", run / "model.safetensors", "--json")
    assert again.code == 0
    errors = list(again.data["test_mse"].values())
    assert said.data["test_mse"]["integer"] == pytest.approx(errors[0])
    predicted = bitformer("predict", run / "model.safetensors", "--data", data, "--json")
    assert predicted.code == 0, predicted.err


def test_how_it_compares_with_the_best_baseline_is_said_first(trained, bitformer):
    run, said, options = trained
    verdict = said.data["verdict"]
    assert verdict["outcome"] == "loses"
    assert verdict["mse"] == pytest.approx(said.data["test_mse"]["integer"], rel=1e-12)
    errors = [error for error in said.data["baseline_mse"].values() if error is not None]
    assert verdict["baseline_mse"] == min(errors)
    assert said.data["baseline_mse"][verdict["baseline"]] == min(errors)
    assert "--epochs 2" in verdict["remedies"][0]
    again = bitformer("train", *options)
    assert again.code == 0
    lines = again.out.splitlines()
    assert lines[0] == verdict["sentence"]
    assert [line for line in lines if f"{verdict['baseline']} (best) " in line]
    evaluated = bitformer("evaluate", run / "model.safetensors")
    first = evaluated.out.splitlines()[0]
    assert first.startswith("my-power-24-6 (integer) loses to the best baseline (")
    assert first.endswith(verdict["sentence"].partition(": ")[2])


def test_the_name_of_the_data_goes_all_the_way(trained, bitformer, tmp_path):
    run, said, options = trained
    assert said.data["config"]["name"] == "my-power-24-6"
    assert (
        bitformer("info", run / "model.safetensors").out.splitlines()[0].endswith(": my-power-24-6")
    )
    built = bitformer(
        *("build", run / "model.safetensors", "--board", "sea", "--plan-only", "-o", tmp_path),
        "--json",
    )
    assert built.code == 0
    assert (tmp_path / "my_power_24_6.xdc").exists()
    assert (tmp_path / "build_my_power_24_6.sh").exists()
    other = bitformer("train", *options[:-1], tmp_path / "r", "--name", "pump", "--json")
    assert other.data["config"]["name"] == "pump"
    assert load_model(tmp_path / "r" / "model.safetensors").config.name == "pump"
    refused = bitformer("train", *options[:-1], tmp_path / "n", "--name", "a pump")
    assert (refused.code, refused.err) == (
        2,
        "Error: name must be up to 128 letters, digits, '.', '_' and '-', the first and last a"
        " letter or digit, not 'a pump'\n",
    )


def test_loss_curve_and_history(trained, bitformer, tmp_path):
    run, said, options = trained
    assert said.data["plot"] is None
    assert said.data["history_file"] == str(run / "history.csv")
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], int(row["epoch"])) for row in rows] == [
        ("float", 1),
        ("qat", 0),
        ("qat", 1),
    ]
    assert [float(row["val"]) for row in rows] == [one["val"] for one in said.data["history"]]
    picture = tmp_path / "new" / "curve.svg"
    drawn = bitformer("train", *options, "--plot", picture)
    assert f"Epochs: {run / 'history.csv'}, drawn in {picture}" in drawn.out
    text = picture.read_text()
    for label in ("training loss", "validation error", "float", "qat", "best baseline: "):
        assert f"<!-- {label}" in text or f"<!--  {label}" in text, label
    # without a file's name it is in the run's folder
    assert bitformer("train", *options, "--plot", "--json").data["plot"] == str(run / "history.png")
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".doc", ".csv"])
def test_a_picture_that_cannot_be_is_refused_before_training(bitformer, tmp_path, suffix):
    options = ("--data", "synthetic", *FAST, "-o", tmp_path / "run")
    said = bitformer("train", *options, "--plot", f"curve{suffix}")
    assert said.code == 2
    assert said.err == f"Error: a picture must be .png, .svg or .pdf, not 'curve{suffix}'\n"
    assert not (tmp_path / "run").exists()


def test_a_folder_is_no_picture(bitformer, tmp_path):
    options = ("--data", "synthetic", *FAST, "-o", tmp_path / "run", "--plot", tmp_path)
    said = bitformer("train", *options)
    assert (said.code, said.err) == (
        2,
        f"Error: Output {tmp_path} must be a file, not a directory\n",
    )
    assert not (tmp_path / "run").exists()
    assert "Missing option '-o'" in bitformer("train", *options[:2], "--plot").err


def test_without_matplotlib_training_does_not_begin(bitformer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    options = ("--data", "synthetic", *FAST, "-o", tmp_path / "run")
    said = bitformer("train", *options, "--plot")
    assert said.code == 2
    assert said.err == "Error: a picture needs matplotlib: pip install 'bitformer[plot]'\n"
    assert not (tmp_path / "run").exists()


def test_more_epochs_go_on_and_fewer_are_another_run(trained, bitformer, tmp_path):
    run, said, options = trained
    shutil.copytree(run, tmp_path / "run")
    options = [*options[: options.index("--epochs")], "-o", tmp_path / "run"]
    more = bitformer("train", *options, "--epochs", "2", "--qat-epochs", "1", "--json")
    assert more.code == 0
    assert more.data["history"][:3] == said.data["history"]
    assert [one["stage"] for one in more.data["history"][3:]] == ["float (2)", "qat (2)", "qat (2)"]
    (before,) = more.data["continued"]
    assert (before["epochs"], before["qat_epochs"]) == (1, 1)
    assert "The run had 1 epochs without and 1 with rounding, and went on from there" in more.err
    assert before["results"]["quantized_val"] == said.data["validation_mse"]["quantized"]
    assert more.data["validation_mse"]["quantized"] <= said.data["validation_mse"]["quantized"]
    evaluated = bitformer("evaluate", tmp_path / "run" / "model.safetensors", "--json").data
    assert evaluated["verdict"]["mse"] == more.data["verdict"]["mse"]
    fewer = bitformer("train", *options, "--epochs", "1", "--qat-epochs", "1")
    assert fewer.code == 2
    assert "(epochs: 2 there, 1 here): choose another folder (-o), or start anew (--restart)" in (
        fewer.err
    )
    anew = bitformer("train", *options, "--epochs", "1", "--qat-epochs", "1", "--restart", "--json")
    assert anew.data["history"] == said.data["history"]


def test_what_is_said_to_try_can_be_tried(trained, bitformer, tmp_path):
    _, said, options = trained
    (place,) = (n for n, option in enumerate(options) if option == "-o")
    base = [*options[:place], "-o", tmp_path / "new"]
    tried = [one.split(" and a new -o")[0].split() for one in said.data["verdict"]["remedies"]]
    assert [one[0] for one in tried] == ["--epochs", "--calendar", "--window", "--inputs"]
    for option, value in tried[1:]:
        again = bitformer("train", *base, option, value, "--restart", "--json")
        assert again.code in (0, 1), again.err  # 1: rounding costs much after an epoch
        assert again.data["verdict"]["outcome"]


def test_finished_run_is_read_not_repeated(trained, bitformer):
    _, said, options = trained
    again = bitformer("train", *options, "--json")
    assert again.data["test_mse"] == said.data["test_mse"]
    assert again.data["seconds"] == said.data["seconds"]


def test_export_writes_the_same_model(trained, bitformer, tmp_path):
    run = trained[0]
    assert bitformer("export", run, "-o", tmp_path / "m.safetensors").code == 0
    same = (run / "model.safetensors").read_bytes()
    assert (tmp_path / "m.safetensors").read_bytes() == same


def test_noise_of_a_run_and_of_its_model(trained, bitformer, tmp_path):
    """Its float model beside; the picture; the truth is that of evaluate's windows."""
    run, said, _ = trained
    picture = tmp_path / "noise.svg"
    found = bitformer("noise", run, "--samples", "9999", "--plot", picture, "--json")
    assert found.code == 0
    names = [one["name"] for one in found.data["tensors"]]
    assert (names[0], names[-1]) == ("input", "output")
    assert f"{found.data['worst']} costs most" in picture.read_text()
    assert found.data["integer_mse"] == pytest.approx(said.data["test_mse"]["integer"], rel=1e-9)
    meta = load_model(run / "model.safetensors").meta
    assert found.data["windows"] == meta["dataset"]["windows"]["test"]
    shares = {one["name"]: one["share"] for one in found.data["tensors"]}
    assert max(shares, key=lambda name: shares[name]) == found.data["worst"]
    assert sum(shares.values()) == pytest.approx(1)
    for one in found.data["tensors"]:
        assert 0 < one["trained"] < one["total"] + 3
    shutil.copy(run / "model.safetensors", tmp_path)  # a folder that is no run
    alone = bitformer("noise", tmp_path, "--samples", "9999", "--json").data
    assert {one["trained"] for one in alone["tensors"]} == {None}
    assert alone["float_mse"] == found.data["float_mse"]
    shown = bitformer("noise", run, "--samples", "10")
    assert "trained" in shown.out
    assert " costs most: " in " ".join(shown.out.split())


def test_rounding_alone_from_the_float_model_of_another_run(trained, bitformer, tmp_path):
    run, said, options = trained
    options = [*options[:8], "--method", "ptq", "--weights", "2", "--from", run, "-o", tmp_path]
    rounded = bitformer("train", *options, "--json")
    assert rounded.code == 0
    assert rounded.data["method"] == "ptq"
    errors = rounded.data["test_mse"]
    assert errors["float Transformer"] == said.data["test_mse"]["float Transformer"]
    assert errors["integer"] == pytest.approx(errors["quantized (PTQ)"], rel=1e-12)
    assert load_model(tmp_path / "model.safetensors").config.default.weights == 2


def test_dead_ranges_are_noted(bitformer, tmp_path, monkeypatch):
    monkeypatch.setattr("bitformer.model.trainer.ailments", lambda *_: ["layers.0.q is always 0"])
    said = bitformer("train", "--data", "synthetic", *FAST, "-o", tmp_path, "--json")
    assert said.data["warnings"] == ["layers.0.q is always 0"]
    assert "Dead range: layers.0.q is always 0" in said.err


def test_more_inputs_than_the_config_has(bitformer, tmp_path):
    options = ["--data", "synthetic", "--inputs", "synthetic_1,synthetic", *FAST]
    said = bitformer("train", *options, "-o", tmp_path / "run", "--json")
    assert said.code == 0
    assert "Config tiny takes 2 input(s) here: synthetic_1, synthetic" in said.err
    config = said.data["config"]
    assert (config["inputs"], config["target_channel"], config["subtract_last"]) == (2, 1, True)


def epochs_of(run):
    """What ``run`` says of its epochs; it is written whole."""
    record = run / "run.json"
    return json.loads(record.read_text()).get("history", []) if record.exists() else []


@pytest.mark.needs("posix")
def test_ctrl_c_ends_training_which_is_resumed(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "bitformer.cli.main", "train", "--data", "synthetic"]
    command += ["--config", "tiny", "--epochs", "3", "--qat-epochs", "1", "-o", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not epochs_of(run) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Interrupted"
    assert "Traceback" not in err
    before = epochs_of(run)
    assert before
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert epochs_of(run)[: len(before)] == before


def test_all_baselines_are_trained_once_for_train_and_evaluate(
    trained, bitformer, tmp_path, monkeypatch
):
    from bitformer.model import lightgbm_baseline, mlp_baseline

    monkeypatch.setattr(mlp_baseline, "SEEDS", (0,))
    monkeypatch.setattr(mlp_baseline, "_EPOCHS", (2, 2))
    monkeypatch.setattr(lightgbm_baseline, "missing_lightgbm", lambda: "it is not here")
    run, simple, options = trained
    assert "MLP" not in simple.data["baseline_mse"]
    assert simple.data["trained_baselines"] == {}
    said = bitformer("train", *options, "--baselines", "all", "--json")
    assert said.code == 0
    names = ["MLP", "MLP, last value subtracted"]
    errors = said.data["baseline_mse"]
    assert list(errors) == [*simple.data["baseline_mse"], *names]
    assert said.data["test_mse"] == simple.data["test_mse"]
    assert list(said.data["verdict"]["against"]) == list(errors)
    for name in names:
        facts = said.data["trained_baselines"][name]
        assert facts["test_mse"] == [errors[name]]
        macs = load_model(run / "model.safetensors").config.macs
        assert 0.9 * macs < facts["macs"] <= macs
    assert "MLP: 24 - " in said.err
    assert "LightGBM is not scored, as it is not here" in said.err
    # its own windows, by the model in the run's folder
    monkeypatch.setattr(mlp_baseline, "mlp_forecasts", lambda *_, **__: pytest.fail("trained"))
    model = run / "model.safetensors"
    again = bitformer("evaluate", model, "--baselines", "all", "--json")
    assert again.code == 0
    assert again.data["baseline_mse"] == errors
    assert again.data["trained_baselines"] == said.data["trained_baselines"]
    # some of the windows
    some = bitformer("evaluate", model, "--baselines", "all", "--samples", "3", "--json")
    assert some.data["test_windows"] == 3
    assert some.data["baseline_mse"]["MLP"] != errors["MLP"]
    assert bitformer("evaluate", model, "--baselines", "most").code == 2


def test_windows_that_change(trained, bitformer, tmp_path):
    """What is asked is in the run; what is no augmentation of a forecast is refused before it."""
    options = [*trained[2][:-1], tmp_path / "run"]
    plain = json.loads((trained[0] / "run.json").read_text())
    assert plain["settings"]["augment"] is None
    said = bitformer("train", *options, "--augment", "noise=0.1,scale=0.05", "--json")
    assert said.code == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["settings"]["augment"] == "noise=0.1,scale=0.05"
    assert run["history"][0]["loss"] != plain["history"][0]["loss"]
    for asked, words in (
        ("blur=1", "augment must name noise, scale, offset, shift, not blur"),
        ("shift=1", "augment must not have shift with task forecast"),
    ):
        options[-1] = tmp_path / "none"
        refused = bitformer("train", *options, "--augment", asked)
        assert refused.code == 2
        assert words in " ".join(refused.err.split())
        assert "Traceback" not in refused.err
        assert not (tmp_path / "none").exists()
