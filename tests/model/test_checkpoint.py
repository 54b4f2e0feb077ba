"""The model file: what is saved is loaded, and what is wrong is refused by name."""

import hashlib
import json
from dataclasses import fields, replace

import numpy as np
import pytest
from model_damage import assembled, damaged, forged, taken_apart
from safetensors import safe_open
from safetensors.numpy import save_file

from bitformer.hw.lowering.lower import lower
from bitformer.model import checkpoint
from bitformer.model.checkpoint import FORMAT, VERSION, load_model, read_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.identity import digest_of, signed
from bitformer.model.initialize import initialize
from bitformer.model.operations import OPERATIONS
from bitformer.model.precision import Precision
from bitformer.model.reference import run

SMALL = {"name": "small", "window": 4, "horizon": 3, "d_model": 4, "heads": 2, "ffn": 5}
KINDS = [
    {"norm": "layer", "subtract_last": True},
    {"norm": "batch", "pooling": "mean", "precision": {"FFN": Precision(weights=2, activations=4)}},
    {"layers": 2, "patch": 2, "inputs": 3},
    {"block": "mixer", "mixing": 3},
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


@pytest.fixture(scope="module")
def written(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("file") / "m.safetensors"
    described = replace(model, meta=META)
    digest = save_model(described, path)
    assert read_model(path)[1] == digest
    return path.read_bytes()


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


def test_a_flipped_bit_is_refused_wherever_it_is(tmp_path, written):
    path = tmp_path / "m.safetensors"
    path.write_bytes(written)
    assert load_model(path).meta == META
    rng = np.random.default_rng(0)
    for place in range(0, len(written), 17):  # coprime to what an array or a field is long
        data = bytearray(written)
        data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"m\.safetensors"):
            load_model(path)


@pytest.mark.parametrize("seed", range(2))
def test_no_damage_is_loaded_and_none_ends_in_a_traceback(tmp_path, written, seed):
    for name, data in damaged(written, 200, seed):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UserError, match=rf"^{tmp_path}/{name}"):
            load_model(path)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_forged_is_sound_or_refused(tmp_path, written, seed):
    path, loaded = tmp_path / "m.safetensors", 0
    for _, data in forged(written, 200, seed):
        path.write_bytes(data)
        try:
            found = load_model(path)
            loaded += 1
            run(found, np.full((1, *found.input.shape), found.input.high))
            lower(found)
        except UserError:
            continue
    assert 20 < loaded < 120  # of what can be changed some makes another sound model


def test_the_digest_is_what_refuses(tmp_path, written, monkeypatch):
    """A mean that is another one: nothing else could tell."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(written.replace(b"1.5", b"7.5"))
    with pytest.raises(
        UserError,
        match=r"m\.safetensors: it must be as it was saved, but was damaged or changed since: its"
        r" digest is [0-9a-f]{16}…, that of its bytes [0-9a-f]{16}…$",
    ):
        load_model(path)
    monkeypatch.setattr(checkpoint, "digest_of", lambda data: (digest_of(data)[0],) * 2)
    assert load_model(path).meta["dataset"]["mean"] == [7.5]


def test_the_digest_is_that_of_all_bytes_but_its_own(written):
    stored, found = digest_of(written)
    assert stored == found
    assert written.count(stored.encode()) == 1
    with_none = written.replace(stored.encode(), b"0" * 64)
    assert hashlib.sha256(with_none).hexdigest() == stored


def test_a_digest_elsewhere_is_not_the_files(tmp_path, model):
    said = {"digest": "1" * 64, "text": '\\"digest\\": \\"' + "2" * 64 + '\\"'}
    path = tmp_path / "m.safetensors"
    digest = save_model(replace(model, meta={"mine": said}), path)
    found, stored = read_model(path)
    assert (found.meta, stored) == ({"mine": said}, digest)


DIGESTS = {
    "none": (drop("digest"), r"digest must be 64 hexadecimal digits, not None$"),
    "of another type": (put("digest", value=1), r"digest must be 64 hexadecimal digits, not 1$"),
    "too short": (put("digest", value="0" * 63), r"digest must be 64 hexadecimal digits, not '0"),
    "of version 1": (put("version", value=1), r"version must be 2 with a digest, not 1$"),
    "true": (put("version", value=True), r"version must be 2, not True$"),
}


@pytest.mark.parametrize(("change", "message"), DIGESTS.values(), ids=DIGESTS)
def test_digest_and_version_are_of_their_type(edited, change, message):
    with pytest.raises(UserError, match=message):
        edited(change)


def version_1(written):
    header, arrays = taken_apart(written)
    del header["digest"]
    return assembled(header | {"version": 1}, arrays)


def test_a_file_of_version_1_is_refused_with_a_remedy(tmp_path, written):
    path = tmp_path / "old.safetensors"
    path.write_bytes(version_1(written))
    with pytest.raises(
        UserError,
        match=r"old\.safetensors: version must be 2, not 1, which had no digest and may have"
        r" changed unnoticed: 'bitformer export \S*old\.safetensors -o NEW' writes it with one$",
    ):
        load_model(path)
    found, digest = read_model(path, old=True)
    assert digest == ""
    save_model(found, tmp_path / "new.safetensors")
    assert (tmp_path / "new.safetensors").read_bytes() == written


def raw(written, change):
    """The file with its outer header, plain text, changed."""
    size = int.from_bytes(written[:8], "little")
    text = change(written[8 : 8 + size].decode())
    return len(text.encode()).to_bytes(8, "little") + text.encode() + written[8 + size :]


def entry(name, value):
    """Change the entry of an array in the outer header."""

    def change(text):
        header = json.loads(text)
        header[name] |= value
        return json.dumps(header)

    return change


OUTER = {
    "a name twice": (
        lambda text: (
            text.rstrip()[:-1] + ',"1.bias":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}'
        ),
        "name '1.bias' twice in an object",
    ),
    "nested without end": (lambda _: "[" * 100_000, "its header must be JSON, which it is not"),
    "a list": (lambda _: "[]", "its header is no object"),
    "more metadata": (
        lambda text: text.replace('"bitformer"', '"x":"y","bitformer"'),
        "no such field",
    ),
    "metadata of objects": (
        lambda text: text.replace('"bitformer"', '"x":{},"bitformer"'),
        "__metadata__: x must be text",
    ),
    "an unknown field": (entry("1.bias", {"x": 1}), "1.bias has an unknown field 'x'"),
    "a type": (entry("1.bias", {"dtype": 8}), "1.bias: dtype must be text, not 8"),
    "a gap": (entry("1.bias", {"data_offsets": [1, 2]}), "data_offsets must begin at 0, where"),
    "one offset": (entry("1.bias", {"data_offsets": [0]}), "data_offsets must begin at"),
    "an offset below": (entry("1.bias", {"data_offsets": [0, -1]}), "data_offsets must begin at 0"),
    "an offset beyond": (entry("1.bias", {"data_offsets": [0, 2**63]}), "data_offsets must begin"),
}


@pytest.mark.parametrize(("change", "message"), OUTER.values(), ids=OUTER)
def test_the_outer_header_is_read_strictly(tmp_path, written, change, message):
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw(written, change))
    with pytest.raises(UserError, match=rf"m\.safetensors must be a .*{message}"):
        load_model(path)


SIGNED = {
    "a type of eight bits": (
        entry("1.bias", {"dtype": "F8_E4M3"}),
        "must hold integers, of I8.* not F8_E4M3",
    ),
    "unsigned": (entry("1.bias", {"dtype": "U8"}), "must hold integers, of I8, .*, not U8"),
    "70 dimensions": (
        entry("1.bias", {"shape": [1] * 70}),
        "1.bias must have 1 to 2 positive lengths",
    ),
    "no dimension": (
        entry("1.bias", {"shape": []}),
        "1.bias must have 1 to 2 positive lengths, not",
    ),
    "no length": (entry("1.bias", {"shape": [0]}), r"must have 1 to 2 positive lengths, not \[0\]"),
    "an enormous shape": (
        entry("1.bias", {"shape": [2**40, 2**40]}),
        "1.bias must have .* bytes, not I",
    ),
    "twice the width": (entry("1.bias", {"dtype": "I64"}), "1.bias must have .* bytes, not I64 of"),
}


@pytest.mark.parametrize(("change", "message"), SIGNED.values(), ids=SIGNED)
def test_arrays_are_read_strictly(tmp_path, written, change, message):
    path = tmp_path / "m.safetensors"
    path.write_bytes(signed(raw(written, change))[0])
    with pytest.raises(UserError, match=rf"m\.safetensors: .*{message}"):
        load_model(path)


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
