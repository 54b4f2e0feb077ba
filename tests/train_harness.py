"""Short trainings, and whether two of them came to the same."""

import dataclasses
import json

import torch

from bitformer.model import trainer
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.export import export_run, load_run
from bitformer.model.precision import Precision
from bitformer.model.trainer import Trainer

__all__ = [
    "SHORT",
    "TERNARY",
    "TINY",
    "WITH_PATH",
    "comparable",
    "files",
    "from_float",
    "interrupt_after",
    "same",
    "weights",
]

WITH_PATH = named_config("tiny")
TINY = WITH_PATH.replace(linear_path=False)
SHORT = {"epochs": 3, "qat_epochs": 2, "lr": 5e-3, "batch": 32, "progress": False, "device": "cpu"}
TERNARY = TINY.replace(default=Precision(weights=2, activations=8))


def from_float(settings):
    """Settings for a run that takes another's float model."""
    return {k: v for k, v in settings.items() if k not in ("epochs", "lr", "dropout")}


def weights(run_dir):
    return load_run(run_dir)[0].state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def files(run_dir):
    """All that equal runs must have equal, byte for byte: the integer model, too."""
    save_model(export_run(run_dir), run_dir / "model.safetensors")
    found = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert found.pop(".bitformer-lock") == b""
    assert json.loads(found.pop("seconds.json"))["seconds"] > 0
    assert set(found) == {"run.json", "state.pt", "history.csv", "model.safetensors"}
    assert b"seconds" not in b"".join(found.values())
    return found


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
