"""The model file: what is saved is loaded, and what is wrong is refused by name."""

import json
from dataclasses import fields

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from bitformer.model import ir
from bitformer.model.checkpoint import FORMAT, VERSION, load_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.reference import run

SMALL = {"name": "small", "window": 4, "horizon": 3, "d_model": 4, "heads": 2, "ffn": 5}
KINDS = [
    {"norm": "layer", "subtract_last": True},
    {"norm": "batch", "pooling": "mean", "precision": {"FFN": Precision(weights=2, activations=4)}},
    {"layers": 2, "patch": 2, "inputs": 3},
]


def make(**changes):
    return initialize(TransformerConfig(**SMALL | changes), samples=8)


@pytest.fixture(scope="module")
def model():
    return make(subtract_last=True, pooling="mean")


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
    x = np.random.default_rng(0).integers(-128, 128, (3, *model.input.shape))
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


@pytest.fixture
def edited(tmp_path, model):
    """Save with the header and the arrays changed by a function; load that."""

    def load(change):
        path = tmp_path / "m.safetensors"
        save_model(model, path)
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["bitformer"])
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
        header = change(header, arrays) or header
        text = header if isinstance(header, str) else json.dumps(header)
        save_file(arrays, path, metadata={"bitformer": text})
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


WRONG = {
    "format": (put("format", value="onnx"), rf"format must be '{FORMAT}'$"),
    "version": (put("version", value=2), rf"version must be {VERSION}, not 2$"),
    "no version": (drop("version"), rf"version must be {VERSION}, not None$"),
    "unknown field": (
        put("extra", value=1),
        r"header must have the fields .*, differs in \['extra",
    ),
    "no tensors": (drop("tensors"), r"header must have the fields .*, differs in \['tensors'\]$"),
    "tensors": (put("tensors", value={}), r"tensors must be a list, not \{\}$"),
    "operations": (put("operations", value=3), r"operations must be a list, not 3$"),
    "meta": (put("meta", value=None), r"meta must be a dict, not None$"),
    "a tensor": (put("tensors", 0, value=7), r"tensor 0 must be an object, not 7$"),
    "a tensor's field": (
        put("tensors", 1, "colour", value=1),
        r"tensor 1 has an unknown field 'colour'$",
    ),
    "a tensor's type": (
        put("tensors", 1, "bits", value="8"),
        r"tensor 1: bits must be of type int, not '8'$",
    ),
    "a tensor's bool": (
        put("tensors", 1, "rows", value=True),
        r"tensor 1: rows must be of type int, not True$",
    ),
    "NaN": (
        put("tensors", 0, "exponent", value=float("nan")),
        r"tensor 0: exponent must be of type int, not nan$",
    ),
    "half a tensor": (drop("tensors", 0, "bits"), r"tensor 0 is incomplete: .*'bits'$"),
    "bits": (put("tensors", 1, "bits", value=40), r"tensor delta: bits must be 2 to 16, not 40$"),
    "kind": (
        put("operations", 0, "op", value="Conv"),
        r"operation 0: op must be one of \['Affine', .*\], not 'Conv'$",
    ),
    "an operation": (
        put("operations", 0, value=[]),
        r"operation 0: op must be one of \['Affine', .*\], not \[\]$",
    ),
    "an operation's field": (
        put("operations", 1, "gain", value=1),
        r"operation 1 \(Linear\) has an unknown field 'gain'$",
    ),
    "an operation's type": (
        put("operations", 1, "shift", value=1.5),
        r"operation 1 \(Linear\): shift must be of type int, not 1\.5$",
    ),
    "relu": (
        put("operations", 1, "relu", value=1),
        r"operation 1 \(Linear\): relu must be of type bool, not 1$",
    ),
    "residual": (
        put("operations", 1, "residual", value="position"),
        r"operation 1 residual must be an object, not 'position'$",
    ),
    "residual's field": (
        put("operations", 1, "residual", "gain", value=2),
        r"operation 1 residual has an unknown field 'gain'$",
    ),
    "order": (
        put("operations", 1, "x", value="output"),
        r"operation 1 \(Linear -> embedding\): input must be a tensor written before",
    ),
    "config": (put("config", value=[]), r"config must be an object, not \[\]$"),
    "config's field": (
        put("config", "depth", value=2),
        r"config has an unknown field 'depth'$",
    ),
    "half a config": (drop("config", "window"), r"config must have a field 'window', which"),
    "config's value": (
        put("config", "d_model", value=0),
        r"d_model must be a positive integer, not 0$",
    ),
    "missing array": (
        array("1.weight", lambda _: None),
        r"operation 1 \(Linear\) is incomplete: .*'weight'$",
    ),
    "float array": (
        array("1.weight", lambda a: a.astype(np.float32)),
        r"1\.weight must hold integers, not float32$",
    ),
    "extra array": (
        array("99.weight", lambda _: np.zeros(3, np.int8)),
        r"arrays must belong to an operation, which \['99\.weight'\] do not$",
    ),
    "unknown array": (
        array("1.spare", lambda _: np.zeros(3, np.int8)),
        r"operation 1 \(Linear\) has an unknown field 'spare'$",
    ),
    "shape of an array": (
        array("1.bias", lambda a: a[:-1].copy()),
        r"operation 1 \(Linear -> embedding\): bias must be of shape \(4,\), not \(3,\)$",
    ),
    "missing constant": (
        array("constant.position", lambda _: None),
        r"operation 1 \(Linear -> embedding\): input must be a tensor written before",
    ),
    "JSON": (lambda header, arrays: "{", r"header must be JSON: "),
    "not an object": (lambda header, arrays: "[]", rf"format must be '{FORMAT}'$"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(edited, change, message):
    with pytest.raises(UserError, match=rf"m\.safetensors: .*{message}"):
        edited(change)


def test_nothing_changed_is_fine(edited, model):
    assert edited(lambda header, arrays: None).tensors == model.tensors


def test_float_constant_is_refused(edited):
    with pytest.raises(UserError, match=r"constant\.position must hold integers, not float32$"):
        edited(array("constant.position", lambda a: a + np.float32(0.5)))


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
    assert kinds == {*ir.Operation.__subclasses__()}
