"""A small model's file, changed in its contents, for tests of what reads it."""

from dataclasses import replace

import pytest
from model_damage import assembled, taken_apart

from bitformer.model.checkpoint import load_model, read_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize

__all__ = ["META", "array", "drop", "edited", "make", "model", "put", "written"]

SMALL = {"name": "small", "window": 4, "horizon": 3, "d_model": 4, "heads": 2, "ffn": 5}
#: As a trained model's.
META = {
    "dataset": {
        "name": "power.csv",
        "inputs": ["kW"],
        "target": "kW",
        "mean": [1.5],
        "std": [2.0],
        "target_mean": 1.5,
        "target_std": 2.0,
        "target_channel": 0,
        "windows": {"train": 7, "val": 3, "test": 2},
        "checksum": 4000000000,
    },
    "source": {"data": "power.csv", "target": "kW", "inputs": None, "time": None},
    "settings": {"seed": 0, "lr": 0.001, "lowering": [8, 4]},
    "results": {"float_val": 0.1, "quantized_test": 0.2},
    "mine": [{"free": "JSON"}],
}


def make(**changes):
    return initialize(TransformerConfig(**SMALL | changes), samples=8)


@pytest.fixture(scope="module")
def model():
    return make(subtract_last=True, pooling="mean")


@pytest.fixture
def edited(tmp_path, model):
    """Save, changed in header and arrays by a function, with a right digest; load that."""

    def load(change):
        path = tmp_path / "m.safetensors"
        save_model(model, path)
        header, arrays = taken_apart(path.read_bytes())
        header = change(header, arrays) or header
        path.write_bytes(assembled(header, arrays))
        return load_model(path)

    return load


def put(*place, value):
    """Set a field of the header, by its path."""

    def change(header, _):
        for key in place[:-1]:
            header = header[key]
        header[place[-1]] = value

    return change


def drop(*place):
    def change(header, _):
        for key in place[:-1]:
            header = header[key]
        del header[place[-1]]

    return change


def array(name, make):
    """Replace an array by what `make` makes of it; None takes it away."""

    def change(_, arrays):
        value = make(arrays.get(name))
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value

    return change


@pytest.fixture(scope="module")
def written(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("file") / "m.safetensors"
    described = replace(model, meta=META)
    digest = save_model(described, path)
    assert read_model(path)[1] == digest
    return path.read_bytes()
