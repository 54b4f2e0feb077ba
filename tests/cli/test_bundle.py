"""``bitformer bundle`` and ``verify``: what is the same, and each way in which it is not."""

import json
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from nextpnr_harness import stand_ins
from safetensors.numpy import load, save

from bitformer.bundle.archive import packed, sums_of, unpacked
from bitformer.bundle.check import verify_bundle
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.report.page import rendered
from bitformer.synth import route

SUMS = "SHA256SUMS"


@pytest.fixture(scope="module")
def made(bitformer, tiny, tmp_path_factory):
    """A bundle with the bitstream of a build, by stand-ins of its tools."""
    place = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route, "default_cache", lambda: place / "routed")
        empty = {"ports": {}, "cells": {}, "netnames": {}}
        patch.setattr(
            "bitformer.boards.build.routed._synthesized",
            lambda name, *_: json.dumps({"modules": {name: empty}}),
        )
        stand_ins(place / "tools", patch).does(s1=70.0)
        built = ["build", tiny, "--board", "ulx3s-25f", "--clock", "60", "--seeds", "1"]
        assert bitformer(*built, "-o", place / "build").code == 0
    asked = ["bundle", tiny, "--board", "ulx3s-25f", "--build", place / "build", "--samples", "2"]
    said = bitformer(*asked, "-o", place / "x.zip", "--json")
    assert said.code == 0
    assert said.data["outputs"] == [
        "build/tiny.bit",
        "build/tiny_nextpnr.log",
        "build/tiny_route.json",
    ]
    return place / "x.zip"


def test_it_is_the_same_here(made, bitformer, tiny):
    said = bitformer("verify", made, "--json")
    assert said.code == 0
    found = said.data
    assert found["same"] is True
    assert found["skipped"] == []
    assert found["model_hash"] == model_hash(load_model(tiny)).hex()
    line = said.err.splitlines()[0]
    assert line.startswith("The same, to the bit: digests of")
    for done in ("reference of 2 windows", "design and Verilog", "simulation in", "report"):
        assert done in line
    names = set(unpacked(made))
    assert {"model.safetensors", "golden.safetensors", "report.html", "bundle.json"} <= names
    assert {"design/bitformer_accelerator.v", "build/tiny.bit", "build/tiny.lpf"} <= names
    data = json.loads(unpacked(made)["environment.json"])
    assert data["installed"]["numpy"] == data["releases"]["numpy"]


def test_sums_are_those_of_coreutils(made, tmp_path):
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    rows = (tmp_path / SUMS).read_text().splitlines()
    assert len(rows) == len(unpacked(made)) - 1
    assert all(re.fullmatch("[0-9a-f]{64}  [A-Za-z0-9_./-]+", row) for row in rows)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def other_golden(data):
    arrays = load(data)
    changed = {name: np.array(one) for name, one in arrays.items()}
    changed["output"][1, 0] += 1
    return save(changed)


def other_model(_data):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "m.safetensors"
        save_model(initialize(named_config("tiny"), seed=9), path)
        return path.read_bytes()


def replaced(was, by):
    def change(data):
        assert was in data
        return data.replace(was, by, 1)

    return change


def other_cycles(data):
    facts = json.loads(data)
    facts["golden"]["latency"] += 1
    return (json.dumps(facts, indent=1) + "\n").encode()


def other_facts(data):
    """The page's facts changed, and the page made of them anew: it agrees with itself."""
    facts = json.loads(re.search(rb'id="facts">(.*?)</script>', data, re.S)[1])
    facts["parts"]["timetable"]["latency"] -= 100
    return rendered(facts).encode()


def other_options(data):
    facts = json.loads(data)
    facts["build"]["saif"] = "/etc/passwd"
    return (json.dumps(facts, indent=1) + "\n").encode()


#: The file that is changed, how, and whether the list of digests is written anew.
TAMPERED = {
    "a weight": ("model.safetensors", lambda data: flipped(data, len(data) - 3), False),
    "a weight, signed": ("model.safetensors", lambda data: flipped(data, len(data) - 3), True),
    "another model, signed": ("model.safetensors", other_model, True),
    "a golden value": ("golden.safetensors", other_golden, True),
    "Verilog": (
        "design/bitformer_accelerator.v",
        replaced(b"assign ", b"assign  "),
        True,
    ),
    "the design": ("design/bitformer.json", replaced(b'"cycle": ', b'"cycle":  '), True),
    "constraints": ("build/tiny.lpf", replaced(b"LOCATE", b"LOCALE"), True),
    "the bitstream": ("build/tiny.bit", lambda data: flipped(data, 5), False),
    "cycles": ("bundle.json", other_cycles, True),
    "options": ("bundle.json", other_options, True),
    "the page": ("report.html", replaced(b"<h1>", b"<h1>Best "), True),
    "the page's facts": ("report.html", other_facts, True),
    "the environment": ("environment.json", replaced(b"numpy", b"numpi"), False),
    "what is read first": ("README.txt", replaced(b"verify", b"rm -rf"), False),
}


def written(path, files, *, signed):
    kept = dict(files)
    if signed:
        kept[SUMS] = sums_of(kept)
    path.write_bytes(packed(kept))
    return path


@pytest.mark.parametrize("change", TAMPERED)
def test_a_changed_file_is_named(change, made, bitformer, tmp_path):
    name, alter, signed = TAMPERED[change]
    files = unpacked(made)
    other = {**files, name: alter(files[name])}
    assert other[name] != files[name]
    found = verify_bundle(written(tmp_path / "t.zip", other, signed=signed))
    assert not found.same
    assert found.file == name
    assert str(found).startswith(f"Not the same: {name} ")


def test_the_command_says_so_and_exits_with_one(made, bitformer, tmp_path):
    files = unpacked(made)
    files["README.txt"] += b"\n"
    said = bitformer("verify", written(tmp_path / "t.zip", files, signed=False))
    assert (said.code, said.err) == (1, "")
    assert said.out == "Not the same: README.txt has another SHA-256 than SHA256SUMS says\n"


def test_files_more_or_fewer(made, tmp_path):
    files = unpacked(made)
    for signed in (False, True):
        more = {**files, "build/evil.tcl": b"exec rm"}
        found = verify_bundle(written(tmp_path / "m.zip", more, signed=signed))
        assert found.file == "build/evil.tcl"
        fewer = {name: data for name, data in files.items() if name != "build/tiny.lpf"}
        found = verify_bundle(written(tmp_path / "f.zip", fewer, signed=signed))
        assert (found.file, found.why) == ("build/tiny.lpf", "is missing")
    less = {name: data for name, data in files.items() if name != "golden.safetensors"}
    assert (
        verify_bundle(written(tmp_path / "l.zip", less, signed=True)).file == "golden.safetensors"
    )


@pytest.mark.parametrize(
    "name", ["../up.txt", "/root.txt", "a/../../b", "C:evil", ".hidden", "a//b"]
)
def test_names_that_lead_elsewhere(name, made, bitformer, tmp_path):
    path = tmp_path / "t.zip"
    path.write_bytes(packed({**unpacked(made), name: b"x"}))
    said = bitformer("verify", path)
    assert said.code == 2
    assert "must hold plain files, not one called" in said.err


def test_what_is_no_bundle(made, bitformer, tmp_path):
    path, whole = tmp_path / "t.zip", made.read_bytes()
    for data in (b"", b"PK", whole[: len(whole) // 2], b"x" * 1000):
        path.write_bytes(data)
        said = bitformer("verify", path)
        assert said.code == 2
        assert "must be a bundle, a zip that is whole" in said.err
    said = bitformer("verify", tmp_path / "no.zip")
    assert said.code == 2
    assert "cannot be read" in said.err
    path.write_bytes(packed({"a.txt": b"x"}))
    said = bitformer("verify", path)
    assert said.code == 1
    assert "model.safetensors is missing" in said.out


def test_other_releases_are_said(made, tmp_path, monkeypatch):
    """Verilog of another Amaranth is not compared, and everything else is."""
    files = unpacked(made)
    facts = json.loads(files["bundle.json"])
    facts["releases"]["amaranth"] = "0.5.9"
    files["bundle.json"] = (json.dumps(facts, indent=1) + "\n").encode()
    files["design/bitformer_accelerator.v"] += b"// another writer\n"
    found = verify_bundle(written(tmp_path / "t.zip", files, signed=True))
    assert found.same
    assert found.skipped == ["Verilog, project and page, made by amaranth 0.5.9, here 0.5.10"]
    assert "not compared: Verilog, project and page" in str(found)
    assert "project" not in found.done


def test_what_is_wrong_is_one_sentence(bitformer, tiny, made, tmp_path):
    plan = tmp_path / "plan"
    other = tmp_path / "other.safetensors"
    save_model(initialize(named_config("tiny"), seed=9), other)
    assert bitformer("build", other, "--board", "sea", "--plan-only", "-o", plan).code == 0
    for options, sentence in (
        (("--board", "nonesuch"), "nonesuch"),
        (("--board", "sea", "--build", plan), "--build must be a build of the model"),
        (("--board", "sea", "--build", tmp_path), "holds no bitformer build"),
        (("--board", "sea", "--build", plan, "--clock", "50"), "--clock must be left out"),
    ):
        said = bitformer("bundle", tiny, *options, "-o", tmp_path / "x.zip")
        assert said.code == 2
        assert sentence in said.err
        assert not (tmp_path / "x.zip").exists()
    said = bitformer("bundle", other, "--board", "ulx3s-25f", "--build", plan, "-o", tmp_path / "x")
    assert "--build must be for the board ulx3s-25f" in said.err
    (plan / "tiny.xdc").write_text("")
    said = bitformer("bundle", other, "--board", "sea", "--build", plan, "-o", tmp_path / "x.zip")
    assert "build/tiny.xdc differs: build it again" in said.err
