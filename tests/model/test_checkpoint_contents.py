"""Contents of a model file that are wrong under a right digest: each is refused by name."""

from dataclasses import replace

import numpy as np
import pytest
from model_file_harness import array, drop, put

from bitformer.model.checkpoint import FORMAT, VERSION, save_model
from bitformer.model.errors import UserError

WRONG = {
    "format": (put("format", value="onnx"), rf"format must be '{FORMAT}'$"),
    "version": (put("version", value=3), rf"version must be {VERSION}, not 3$"),
    "no version": (drop("version"), rf"version must be {VERSION}, not None$"),
    "unknown field": (
        put("extra", value=1),
        r"header has an unknown field 'extra'$",
    ),
    "no tensors": (drop("tensors"), r"header must have a field 'tensors', which is missing$"),
    "tensors": (put("tensors", value={}), r"tensors must be a list, not \{\}$"),
    "operations": (put("operations", value=3), r"operations must be a list, not 3$"),
    "meta": (put("meta", value=None), r"header: meta must be an object, not None$"),
    "a tensor": (put("tensors", 0, value=7), r"tensor 0 must be an object, not 7$"),
    "a tensor's field": (
        put("tensors", 1, "colour", value=1),
        r"tensor 1 has an unknown field 'colour'$",
    ),
    "a tensor's type": (
        put("tensors", 1, "bits", value="8"),
        r"tensor 1: bits must be an integer, not '8'$",
    ),
    "a tensor's bool": (
        put("tensors", 1, "rows", value=True),
        r"tensor 1: rows must be an integer, not True$",
    ),
    "NaN": (
        put("tensors", 0, "exponent", value=float("nan")),
        r"header must be JSON, which it is not: NaN is no number$",
    ),
    "half a tensor": (
        drop("tensors", 0, "bits"),
        r"tensor 0 must have a field 'bits', which is missing$",
    ),
    "bits": (put("tensors", 1, "bits", value=40), r"tensor delta: bits must be 2 to 16, not 40$"),
    "kind": (
        put("operations", 0, "op", value="Conv"),
        r"operation 0: op must be one of \['Affine', .*\], not 'Conv'$",
    ),
    "an operation": (
        put("operations", 0, value=[]),
        r"operation 0 must be an object, not \[\]$",
    ),
    "an operation's field": (
        put("operations", 1, "gain", value=1),
        r"operation 1 \(Linear\) has an unknown field 'gain'$",
    ),
    "an operation's type": (
        put("operations", 1, "shift", value=1.5),
        r"operation 1 \(Linear\): shift must be an integer, not 1\.5$",
    ),
    "relu": (
        put("operations", 1, "relu", value=1),
        r"operation 1 \(Linear\): relu must be true or false, not 1$",
    ),
    "residual": (
        put("operations", 1, "residual", value="position"),
        r"operation 1 \(Linear\): residual must be an object, not 'position'$",
    ),
    "residual's field": (
        put("operations", 1, "residual", "gain", value=2),
        r"operation 1 \(Linear\): residual has an unknown field 'gain'$",
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
        r"operation 1 \(Linear\) must have a field 'weight', which is missing$",
    ),
    "float array": (
        array("1.weight", lambda a: a.astype(np.float32)),
        r"1\.weight must hold integers, of I8, I16, I32, I64, not F32$",
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
    "JSON": (lambda header, arrays: "{", r"header must be JSON, which it is not: Expecting "),
    "not an object": (lambda header, arrays: "[]", rf"format must be '{FORMAT}'$"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(edited, change, message):
    with pytest.raises(UserError, match=rf"m\.safetensors: .*{message}"):
        edited(change)


def test_nothing_changed_is_fine(edited, model):
    assert edited(lambda header, arrays: None).tensors == model.tensors


def test_float_constant_is_refused(edited):
    with pytest.raises(
        UserError, match=r"constant\.position must hold integers, of I8, I16, I32, I64, not F32$"
    ):
        edited(array("constant.position", lambda a: a + np.float32(0.5)))


TWICE = {
    "a tensor": (
        lambda header, _: header["tensors"].append(header["tensors"][2]),
        "tensor position must be there once, not twice",
    ),
    "a field": (
        put("operations", 1, "bias", value=3),
        r"operation 1 \(Linear\): bias must be given once, not twice",
    ),
    "a kind": (put("operations", 1, "op", value={}), r"op must be one of \[.*, not \{\}$"),
    "an array": (put("operations", 0, "x", value=["input"]), "x must be text, not"),
}


@pytest.mark.parametrize(("change", "message"), TWICE.values(), ids=TWICE)
def test_nothing_is_there_twice(edited, change, message):
    with pytest.raises(UserError, match=message):
        edited(change)


WRONG_META = {
    "a section": ({"dataset": 3}, "dataset must be an object, not 3"),
    "a name": ({"dataset": {"name": 3}}, "dataset: name must be text, not 3"),
    "an unknown field": ({"dataset": {"stds": [1]}}, "dataset has an unknown field 'stds'"),
    "a mean": ({"dataset": {"mean": ["1"]}}, r"dataset: mean \[0\] must be a number, not '1'"),
    "means": (
        {"dataset": {"mean": [1, 2]}},
        "dataset: mean must be 1, one for each input .*, not 2",
    ),
    "names": ({"dataset": {"inputs": []}}, "dataset: inputs must be 1, .* not 0"),
    "no deviation": ({"dataset": {"std": [0]}}, "dataset: deviations must be positive, not 0"),
    "below 0": (
        {"dataset": {"target_std": -1.0}},
        r"dataset: deviations must be positive, not -1\.0",
    ),
    "a channel": (
        {"dataset": {"target_channel": 1}},
        "dataset: target_channel must be below 1, not 1",
    ),
    "rows ahead": ({"dataset": {"ahead": -1}}, "dataset: ahead must be 0 to 65535 rows, not -1"),
    "a truth that is given away": (
        {"dataset": {"ahead": 0, "inputs": ["a"], "target": "a"}},
        "dataset: ahead must not be 0 where the target, 'a', is an input",
    ),
    "a result": ({"results": {"float_val": None}}, "results: float_val must be a number, not None"),
    "a source": ({"source": {"data": None}}, "source: data must be text, not None"),
}


@pytest.mark.parametrize(("meta", "message"), WRONG_META.values(), ids=WRONG_META)
def test_what_is_said_of_data_is_checked(edited, tmp_path, model, meta, message):
    with pytest.raises(UserError, match=rf"m\.safetensors: meta: {message}"):
        edited(put("meta", value=meta))
    with pytest.raises(UserError, match=rf"^meta: {message}"):
        save_model(replace(model, meta=meta), tmp_path / "other")
    assert not (tmp_path / "other").exists()
