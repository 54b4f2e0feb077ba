"""Training: reproducible, resumable, and clear about what is wrong."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch

from bitformer.model import trainer
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.export import load_run
from bitformer.model.run_store import RunStore
from bitformer.model.train import train
from bitformer.model.trainer import Trainer, predict

TINY = named_config("tiny")
SHORT = {"epochs": 3, "qat_epochs": 2, "lr": 5e-3, "progress": False, "device": "cpu"}


def weights(run_dir):
    return load_run(run_dir)[0].state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def comparable(result):
    return dataclasses.replace(result, run_dir=None, seconds=0.0)


def interrupt_after(monkeypatch, epochs):
    """A run is interrupted in the middle of the epoch after ``epochs``."""
    original, count = trainer.nn.utils.clip_grad_norm_, {"epochs": -1}
    run_epoch = Trainer.run_epoch

    def counted(self):
        count["epochs"] += 1
        return run_epoch(self)

    def clip(*args, **kwargs):
        if count["epochs"] == epochs:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(Trainer, "run_epoch", counted)
    monkeypatch.setattr(trainer.nn.utils, "clip_grad_norm_", clip)


def test_it_learns(small_dataset, tmp_path):
    dataset = small_dataset()
    settings = SHORT | {"epochs": 12, "qat_epochs": 6, "patience": 12}
    result = train(TINY, dataset, run_dir=tmp_path, **settings)
    last = np.square(dataset.val.x[:, -1:, 0] - dataset.val.y).mean()
    assert result.float_val < 0.5 * last
    assert result.quantized_val < 0.5 * last
    assert [h["stage"] for h in result.history] == ["float"] * 12 + ["qat"] * 7


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("epochs", [1, 3, 4])
def test_resumed_equals_uninterrupted(small_dataset, tmp_path, monkeypatch, epochs, dropout):
    dataset, settings = small_dataset(), SHORT | {"dropout": dropout}
    whole = train(TINY, dataset, run_dir=tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, dataset, run_dir=tmp_path / "parts", **settings)
    record = RunStore(tmp_path / "parts").read_record()
    assert len([h for h in record["history"] if h["epoch"]]) == epochs
    torch.rand(1)
    parts = train(TINY, dataset, run_dir=tmp_path / "parts", **settings)
    assert comparable(parts) == comparable(whole)
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_seed_decides_and_nothing_else(small_dataset, tmp_path):
    dataset = small_dataset()
    train(TINY, dataset, run_dir=tmp_path / "a", **SHORT)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    train(TINY, dataset, run_dir=tmp_path / "b", **SHORT)
    assert torch.equal(torch.random.get_rng_state(), before)
    train(TINY, dataset, run_dir=tmp_path / "c", seed=1, **SHORT)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_a_finished_run_is_read_and_not_trained(small_dataset, tmp_path, monkeypatch):
    first = train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    monkeypatch.setattr(Trainer, "run_epoch", lambda _self: pytest.fail("trained again"))
    monkeypatch.setattr(Trainer, "results", lambda _self: pytest.fail("tested again"))
    assert train(TINY, small_dataset(), run_dir=tmp_path, **SHORT) == first


def test_without_resume_it_starts_again(small_dataset, tmp_path):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    result = train(TINY, small_dataset(), run_dir=tmp_path, **SHORT, seed=3, resume=False)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["settings"]["seed"] == 3
    assert record["results"]["quantized_test"] == result.quantized_test


def test_the_best_epochs_are_kept(small_dataset, tmp_path):
    dataset = small_dataset()
    result = train(TINY, dataset, run_dir=tmp_path, **SHORT)
    errors = {
        stage: [h["val"] for h in result.history if h["stage"] == stage]
        for stage in ("float", "qat")
    }
    assert result.float_val == min(errors["float"])
    assert result.quantized_val == min(errors["qat"])
    forecast = predict(load_run(tmp_path)[0], dataset.val.x)
    assert np.square(forecast - dataset.val.y).mean() == result.quantized_val


def test_test_windows_change_nothing_but_the_test_error(small_dataset, tmp_path):
    dataset = small_dataset()
    other = dataclasses.replace(dataset, test=dataset.test.take(slice(0, 5)))
    a = train(TINY, dataset, run_dir=tmp_path / "a", **SHORT)
    b = train(TINY, other, run_dir=tmp_path / "b", **SHORT)
    assert a.history == b.history
    assert a.quantized_test != b.quantized_test


def test_patience_ends_a_stage(small_dataset, tmp_path, monkeypatch):
    errors = iter([5.0, 4.0, 4.5, 4.2, 9.0, 3.0, 3.5, 3.1, 1.0, 1.0])
    monkeypatch.setattr(trainer, "_error", lambda *_: next(errors))
    settings = SHORT | {"epochs": 9, "qat_epochs": 9, "patience": 2}
    result = train(TINY, small_dataset(), run_dir=tmp_path, **settings)
    assert [(h["stage"], h["val"]) for h in result.history] == [
        *(("float", error) for error in (5.0, 4.0, 4.5, 4.2)),
        *(("qat", error) for error in (9.0, 3.0, 3.5, 3.1)),
    ]
    assert (result.float_val, result.quantized_val) == (4.0, 3.0)


@pytest.mark.parametrize("settings", [{"lr": 1e30}, {"qat_lr": 1e30}])
def test_divergence_is_told(small_dataset, tmp_path, settings):
    name = next(iter(settings))
    dataset = small_dataset()
    if name == "lr":
        pattern = r"Training diverged in epoch \d of stage float: try lr below 1e\+30, and look"
        with pytest.raises(UserError, match=pattern):
            train(TINY, dataset, run_dir=tmp_path, **SHORT | settings)
    else:  # quantizers clamp: rounding keeps the forecast finite whatever the rate
        result = train(TINY, dataset, run_dir=tmp_path, **SHORT | settings)
        assert np.isfinite(result.quantized_val)


def test_nan_in_the_data_is_told(small_dataset, tmp_path):
    dataset = small_dataset()
    dataset.train.inputs[50] = np.nan
    with pytest.raises(UserError, match="Training diverged in epoch 1 of stage float"):
        train(TINY, dataset, run_dir=tmp_path, **SHORT)
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
    ],
)
def test_settings_are_checked(small_dataset, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | settings)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "run.json").write_text("{"), "run.json must be JSON"),
        (lambda run: (run / "run.json").write_text("[1]"), "must be a bitformer-run of version 1"),
        (
            lambda run: (run / "state.pt").write_bytes(b"PK broken"),
            "must be a saved state",
        ),
        (
            lambda run: torch.save({"stage": 0}, run / "state.pt"),
            "must belong to run.json",
        ),
    ],
)
def test_a_damaged_run_is_refused(small_dataset, tmp_path, damage, message):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["results"]  # as if it had been interrupted
    (tmp_path / "run.json").write_text(json.dumps(record))
    damage(tmp_path)
    with pytest.raises(UserError, match=message):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT)


@pytest.mark.parametrize("device", ["tpu!", "meta", "cuda:99"])
def test_an_unusable_device_is_refused(small_dataset, tmp_path, device):
    with pytest.raises(UserError, match=f"device must be .*, not '{device}'"):
        train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {"device": device})


def test_a_file_in_place_of_the_folder_is_refused(small_dataset, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match=re.escape(f"Run folder {file} cannot be made")):
        train(TINY, small_dataset(), run_dir=file, **SHORT)


def test_progress_says_where_training_is(small_dataset, tmp_path, capsys):
    train(TINY, small_dataset(), run_dir=tmp_path, **SHORT | {"progress": True})
    assert "qat: validation error" in capsys.readouterr().err
