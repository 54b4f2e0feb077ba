"""Bytes of a model file: damage, digests, versions, and containers that lie are refused."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from model_damage import assembled, damaged, forged, taken_apart
from model_file_harness import META, drop, put

from bitformer.hw.lowering.lower import lower
from bitformer.model import checkpoint
from bitformer.model.checkpoint import load_model, read_model, save_model
from bitformer.model.errors import UserError
from bitformer.model.identity import digest_of, signed
from bitformer.model.reference import run


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
