"""What training refuses, and what it says of a run that goes wrong."""

import json
import math
import re
import shutil
import zipfile

import numpy as np
import pytest
import torch

from bitformer.model import trainer
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import load_run
from bitformer.model.health import ailments
from bitformer.model.run_store import ERRORS
from bitformer.model.train import train

TINY = named_config("tiny")
SHORT = {"epochs": 3, "qat_epochs": 2, "lr": 5e-3, "batch": 32, "progress": False, "device": "cpu"}


def test_dead_ranges_are_told(small_dataset, tmp_path):
    dataset = small_dataset()
    train(TINY, dataset, run_dir=tmp_path, **SHORT)
    model, _ = load_run(tmp_path)
    x = torch.tensor(dataset.train.x, dtype=torch.float32)
    assert not [s for s in ailments(model, x) if "always" in s or "clips" in s]
    with torch.no_grad():
        model.linears["layers.0.q"].weight[3:5] = 0
        model.activations.set_scale("layers.0.k", -20)
        model.activations.set_scale("layers.0.v", 20)
    found = ailments(model, x)
    assert "layers.0.v is always 0" in found
    assert "layers.0.q.weight has 2 of 8 rows of one value" in found
    assert any(re.fullmatch(r"layers\.0\.k clips \d+% of its values", s) for s in found)


def test_dead_ranges_are_kept_in_the_record(small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "ailments", lambda *_: ["layers.0.q is always 0"])
    result = train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    assert result.warnings == ("layers.0.q is always 0",)
    assert train(TINY, small_dataset(), run_dir=tmp_path, **SHORT) == result


@pytest.mark.parametrize(("name", "stage"), [("lr", "float, careful"), ("qat_lr", "qat")])
def test_divergence_is_told(small_dataset, tmp_path, name, stage):
    pattern = rf"diverged in epoch \d of stage {stage}: try {name} below 1e\+30, and look"
    with pytest.raises(UserError, match=pattern):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {name: 1e30})


def test_nan_in_the_data_is_told(small_dataset, tmp_path):
    dataset = small_dataset()
    dataset.train.inputs[50] = np.nan
    with pytest.raises(UserError, match="Training diverged in epoch 1 of stage float"):
        train(TINY, dataset, run_dir=tmp_path, **SHORT)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["failure"].startswith("Training diverged in epoch 1 of stage float")
    assert not (tmp_path / "state.pt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": TINY.replace(ffn=8)}, r"difference in config \(ffn: 16 there, 8 here\)"),
        ({"name": "other"}, r"difference in dataset \(name: small there, other here\)"),
        ({"seed_of_data": 5}, r"difference in dataset \(checksum: \d+ there, \d+ here\)"),
        ({"lr": 1.0}, r"difference in settings \(lr: 0.005 there, 1.0 here\)"),
    ],
)
def test_another_run_in_the_folder_is_refused(small_dataset, tmp_path, change, message):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {"epochs": 1, "qat_epochs": 1})
    data = small_dataset(name=change.get("name", "small"), seed=change.get("seed_of_data", 0))
    settings = SHORT | {"epochs": 1, "qat_epochs": 1, "lr": change.get("lr", SHORT["lr"])}
    with pytest.raises(UserError, match=message):
        train(change.get("config", TINY), data, run_dir=tmp_path, **settings)


@pytest.mark.parametrize(
    ("data", "config", "message"),
    [
        ({"window": 12}, {}, "window must be 24 as in config tiny, not 12"),
        ({"horizon": 3}, {}, "horizon must be 6 as in config tiny, not 3"),
        ({"inputs": 2}, {}, "inputs must be 1 as in config tiny, not 2"),
        ({"inputs": 2}, {"inputs": 2, "target_channel": 1}, r"among the inputs \(0\)"),
    ],
)
def test_data_must_fit_the_model(small_dataset, tmp_path, data, config, message):
    with pytest.raises(UserError, match=message):
        train(TINY.replace(**config), small_dataset(**data), run_dir=tmp_path, **SHORT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be a positive integer, not 0"),
        ({"batch": 2.5}, "batch must be a positive integer, not 2.5"),
        ({"lr": float("nan")}, "lr must be a positive number, not nan"),
        ({"seed": -1}, r"seed must be an integer from 0 to 2\*\*32 - 1, not -1"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative, but is -0.1"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1.0"),
        ({"method": "ptx"}, r"method must be one of \('qat', 'ptq'\), not 'ptx'"),
        ({"ranges": "max"}, r"ranges must be one of \('learned', .*, not 'max'"),
        ({"lowering": (4, 8)}, r"lowering must be falling widths .*, not \(4, 8\)"),
        ({"lowering": (5,)}, r"lowering must be falling widths .*, not \(5,\)"),
        ({"lowering_epochs": 0}, "lowering_epochs must be a positive integer, not 0"),
    ],
)
def test_settings_are_checked(small_dataset, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | settings)


@pytest.fixture(scope="module")
def interrupted(small_dataset, tmp_path_factory):
    """A run that was stopped before its results were written."""
    folder = tmp_path_factory.mktemp("interrupted")
    train(TINY, small_dataset(), run_dir=folder, **SHORT)
    record = json.loads((folder / "run.json").read_text())
    del record["results"]
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def rewritten(name, **changes):
    """Damage: a file of a run with other fields."""

    def damage(run):
        path = run / name
        if name == "run.json":
            path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        else:
            torch.save({**torch.load(path, weights_only=True), **changes}, path)

    return damage


def looped(name):
    """Damage: a link to itself in a file's place."""

    def damage(run):
        (run / name).unlink()
        (run / name).symlink_to(name)

    return damage


def _bit_flipped(run):
    """A bit of a weight, in the middle of the largest part."""
    path = run / "state.pt"
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda one: one.file_size)
        content = archive.read(largest)
    data = bytearray(path.read_bytes())
    data[data.index(content) + len(content) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "run.json").write_text("{"), "run.json must be JSON"),
        (
            lambda run: (run / "run.json").write_text("[1]"),
            r"run.json must be an object, not \[1\]",
        ),
        (lambda run: (run / "run.json").write_text("{}"), "must be a bitformer-run of version 1"),
        (
            rewritten("run.json", config={"name": "x"}),
            "run.json: config must have a field 'window'",
        ),
        (
            lambda run: (run / "run.json").write_text(
                '{"format": "bitformer-run", "version": 1, "config": {}, "dataset": {}}'
            ),
            "run.json must have a field 'settings', which is missing",
        ),
        (rewritten("run.json", history=3), "run.json: history must be a list, not 3"),
        (rewritten("run.json", results={}), "run.json: results must have float_test, float_val"),
        (lambda run: (run / "state.pt").write_bytes(b"PK broken"), "must be a saved state"),
        (lambda run: (run / "state.pt").write_bytes(b""), "must be a saved state"),
        (looped("run.json"), "Run folder must hold a run, but .* has no run.json"),
        (looped("state.pt"), "must have finished an epoch, but has no state.pt"),
        (lambda run: torch.save({"stage": 0}, run / "state.pt"), "must have a field 'epoch'"),
        (lambda run: torch.save([], run / "state.pt"), r"state.pt must be an object, not \[\]"),
        (_bit_flipped, "must be a saved state, not damaged: its part .* is not what was written"),
        (rewritten("state.pt", stage=9), "state.pt must belong to run.json"),
        (rewritten("state.pt", stage=-1), "state.pt: stage must not be negative, but is -1"),
        (rewritten("state.pt", epoch="1"), "state.pt: epoch must be an integer, not '1'"),
        (rewritten("state.pt", best={"a": 3}), "state.pt: best: a must be a Tensor, not 3"),
        (
            rewritten("state.pt", best={"a": torch.tensor([math.nan])}),
            "state.pt: best: a must be finite numbers",
        ),
        (rewritten("state.pt", model={}), "state.pt must belong to run.json"),
        (rewritten("state.pt", best={}), "state.pt must belong to run.json"),
        (rewritten("state.pt", float_best={"a": torch.ones(1)}), "state.pt must belong to run"),
        (rewritten("state.pt", moving={"a": 1}), "state.pt must belong to run.json"),
        (rewritten("state.pt", optimizer={"a": 1}), "state.pt must belong to run.json"),
    ],
)
def test_a_damaged_run_is_refused(small_dataset, interrupted, tmp_path, damage, message):
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    damage(tmp_path)
    damaged = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UserError, match=message):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    for name, content in damaged.items():
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(("part", "keep"), [("float_best", False), ("best", True)])
def test_a_state_of_another_shape_is_no_start(small_dataset, interrupted, tmp_path, part, keep):
    run = shutil.copytree(interrupted, tmp_path / "run")
    rewritten("run.json", results=dict.fromkeys(ERRORS, 0.5))(run)
    tensors = torch.load(run / "state.pt", weights_only=True)[part]
    name = next(name for name, tensor in tensors.items() if tensor.dim())
    rewritten("state.pt", **{part: {**tensors, name: tensors[name][:0]}})(run)
    settings = {name: SHORT[name] for name in SHORT if name not in ("epochs", "lr", "dropout")}
    with pytest.raises(UserError, match=r"run/state\.pt must belong to run\.json beside it"):
        train(
            TINY,
            small_dataset(),
            run_dir=tmp_path / "new",
            float_run=run,
            keep_scales=keep,
            **settings,
        )


@pytest.mark.parametrize("device", ["tpu!", "meta", "cuda:99"])
def test_an_unusable_device_is_refused(small_dataset, tmp_path, device):
    with pytest.raises(UserError, match=f"device must be .*, not '{device}'"):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {"device": device})


def test_a_file_in_place_of_the_folder_is_refused(small_dataset, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match=re.escape(f"Folder {file} cannot be made")):
        train(TINY, small_dataset(), run_dir=file, **SHORT)
