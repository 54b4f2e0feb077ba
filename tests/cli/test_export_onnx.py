"""``bitformer export --onnx``: the file, its check, and a reviewer's own script."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qonnx_harness import LEAST, made, mutant

from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "onnx.md"
needs_qonnx = pytest.mark.needs("qonnx")


@pytest.fixture(scope="module")
def least(tmp_path_factory):
    """A small model's file."""
    path = tmp_path_factory.mktemp("least") / "least.safetensors"
    save_model(made(LEAST), path)
    return path


@needs_qonnx
def test_a_reviewer_needs_none_of_our_code(bitformer, least, tmp_path):
    said = bitformer(
        *("export", least, "--onnx", "-o", tmp_path / "mine.onnx"),
        *("--check", 7, "--tensors", tmp_path / "mine.npz", "--json"),
    )
    assert said.code == 0, said.err
    found, model = said.data, load_model(least)
    assert found["witness"]["equal"]
    assert found["witness"]["windows"] == 7
    assert found["source"] == "random"
    assert (found["input"], found["output"], found["opset"]) == ("input", "output", 13)
    assert found["bytes"] == (tmp_path / "mine.onnx").stat().st_size
    assert found["path"] == str(tmp_path / "mine.onnx")
    with np.load(tmp_path / "mine.npz") as file:
        claimed = dict(file)
    wanted = reference.run(model, claimed["input"])
    assert {*claimed} == {*wanted} == {*found["witness"]["tensors"]}
    assert all((claimed[name] == value).all() for name, value in wanted.items())

    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    assert len([line for line in code.splitlines() if line]) == 10
    assert "bitformer" not in code
    own = "\nimport sys; print([m for m in sys.modules if m.startswith('bitformer')])"
    assert reviewed(code + own, tmp_path) == [str(dict.fromkeys(claimed, True)), "[]"]

    wrong = claimed["output"] + (np.arange(7) == 4)[:, None, None]
    np.savez(tmp_path / "mine.npz", **claimed | {"output": wrong})
    (told,) = reviewed(code, tmp_path)
    assert told == str(dict.fromkeys(claimed, True) | {"output": False})


def reviewed(code, folder):
    """The lines that a script prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@needs_qonnx
def test_a_difference_is_told(bitformer, least, tmp_path, monkeypatch):
    from bitformer.model.qonnx import witness

    usual = witness.read_onnx

    def read(path):
        return mutant(usual(path), "output/weight", lambda weight: -weight)

    monkeypatch.setattr(witness, "read_onnx", read)
    said = bitformer("export", least, "--onnx", "-o", tmp_path / "m.onnx", "--check", 2)
    assert said.code == 1
    assert re.search(
        r"^Not equal in QONNX's executor: output of window 0, row 0, feature 0 must be -?\d+, not",
        said.out,
        re.M,
    )


@needs_qonnx
def test_without_a_check_nothing_is_run(bitformer, least, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = bitformer("export", least, "--onnx", "-o", tmp_path / "m.onnx", "--opset", 17, "--json")
    assert said.code == 0
    assert said.data["witness"] is None
    assert said.data["tensors"] is None
    assert said.data["opset"] == 17
    assert re.search(r"m.onnx: least as QONNX, opset 17: \d+ nodes, \d+ bytes", said.err)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--check", 3], "--check must come with --onnx, whose graph it is for"),
        (["--opset", 13], "--opset must come with --onnx, whose graph it is for"),
        (["--onnx", "--seed", 3], "--seed must come with --check, whose windows it is for"),
        (["--onnx", "--tensors", "t.npz"], "--tensors must come with --check, whose windows"),
        (["--onnx", "--reject", 0.1], "--reject must come with the folder of a run"),
    ],
)
def test_options_that_do_not_go_together(bitformer, least, tmp_path, options, told):
    said = bitformer("export", least, "-o", tmp_path / "m", *options)
    assert said.code == 2
    assert said.err.startswith(f"Error: {told}")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "m").exists()


@needs_qonnx
@pytest.mark.parametrize("opset", [5, 1000])
def test_an_opset_that_is_not_known(bitformer, least, tmp_path, opset):
    said = bitformer("export", least, "--onnx", "-o", tmp_path / "m.onnx", "--opset", opset)
    assert said.code == 2
    assert re.match(rf"Error: opset must be 13 to \d+, the newest of .*, not {opset}\n", said.err)


@needs_qonnx
def test_an_opset_that_onnxruntime_does_not_know(bitformer, least, tmp_path, monkeypatch):
    """Whatever it says becomes one sentence."""
    import onnxruntime

    def refuse(*_):
        raise RuntimeError("Opset 27 is under development\nand support for this is limited")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    said = bitformer("export", least, "--onnx", "-o", tmp_path / "m.onnx", "--check", 1)
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        "Error: The executor of QONNX must run the graph, which it does not: Opset 27 is under"
        " development and support for this is limited"
    )


def test_packages_that_are_missing(bitformer, least, tmp_path, monkeypatch):
    from bitformer.model.qonnx import installed

    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: None)
    for more, names in (((), "onnx"), (("--check", 1), "onnx and onnxruntime and qonnx")):
        said = bitformer("export", least, "--onnx", "-o", tmp_path / "m.onnx", *more)
        assert said.code == 2
        assert said.err == (
            f"Error: QONNX needs {names}, not installed: pip install 'bitformer[onnx]'\n"
        )


def test_a_model_that_cannot_be_read(bitformer, least, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(least.read_bytes()[:-9])
    for path in (broken, tmp_path / "none"):
        said = bitformer("export", path, "--onnx", "-o", tmp_path / "m.onnx")
        assert said.code == 2
        assert said.err.count("\n") == 1
        assert str(path) in said.err
    assert (
        "must be a file, not a directory"
        in bitformer("export", least, "--onnx", "-o", tmp_path).err
    )


@needs_qonnx
def test_a_run_is_exported_as_its_model_is(bitformer, tmp_path):
    run = tmp_path / "run"
    options = ["--data", "synthetic", "--config", "tiny", "--epochs", 1, "--qat-epochs", 1]
    assert bitformer("train", *options, "-o", run).code == 0
    first, second = tmp_path / "run.onnx", tmp_path / "file.onnx"
    said = bitformer("export", run, "--onnx", "-o", first, "--check", 3, "--json")
    assert said.code == 0
    assert said.data["source"] == "synthetic, test windows"
    bitformer("export", run / "model.safetensors", "--onnx", "-o", second)
    assert first.read_bytes() == second.read_bytes()
