"""The model file: what is saved is loaded; what is no such file is refused."""

from dataclasses import fields, replace

import numpy as np
import pytest
from model_file_harness import make
from safetensors import safe_open
from safetensors.numpy import save_file

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.errors import UserError
from bitformer.model.operations import OPERATIONS
from bitformer.model.precision import Precision
from bitformer.model.reference import run

KINDS = [
    {"norm": "layer", "subtract_last": True},
    {"norm": "batch", "pooling": "mean", "precision": {"FFN": Precision(weights=2, activations=4)}},
    {"layers": 2, "patch": 2, "inputs": 3},
    {"block": "mixer", "mixing": 3},
    {"task": "classify"},
    {"task": "detect"},
    {"causal": True, "stream": True, "position": "relative", "subtract_last": True},
]


def same(a, b):
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b) and a.dtype == b.dtype
    return a == b


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_round_trip(tmp_path, changes):
    model = make(**changes)
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.config == model.config
    assert loaded.tensors == model.tensors
    assert loaded.meta == model.meta
    for a, b in zip(model.operations, loaded.operations, strict=True):
        assert type(a) is type(b)
        assert all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    x = np.random.default_rng(0).integers(-128, 128, (3, *model.window_shape))
    expected, got = run(model, x), run(loaded, x)
    assert all(np.array_equal(expected[name], got[name]) for name in expected)


def test_the_same_model_is_the_same_file(tmp_path, model):
    for name in ("a", "b"):
        save_model(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_arrays_are_as_small_as_their_values(tmp_path, model):
    save_model(model, tmp_path / "m")
    with safe_open(tmp_path / "m", framework="numpy") as file:
        names = file.keys()
        dtypes = {name: file.get_tensor(name).dtype for name in names}
    assert {dtypes[n] for n in dtypes if n.endswith("weight")} == {np.dtype(np.int8)}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_saved(tmp_path, model, number):
    with pytest.raises(UserError, match=r"^meta must hold finite numbers, which it does not$"):
        save_model(replace(model, meta={"mine": number}), tmp_path / "m")


@pytest.mark.parametrize("keep", [0, 7, 40, 2000, -1])
def test_a_truncated_file_is_refused(tmp_path, model, keep):
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"m\.safetensors must be a safetensors file, which it is"):
        load_model(path)


def test_another_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(UserError, match=r"must be a bitformer model, but its header has no such"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^model file must exist, which .*none does not$"):
        load_model(tmp_path / "none")


def test_a_file_that_cannot_be_written_is_named(tmp_path, model):
    (tmp_path / "plain").touch()
    with pytest.raises(UserError, match=r"m cannot be written: Not a directory$"):
        save_model(model, tmp_path / "plain" / "m")
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_kinds_of_operations_are_all_there():
    kinds = {type(op) for changes in KINDS for op in make(**changes).operations}
    assert kinds == {*OPERATIONS.values()}
