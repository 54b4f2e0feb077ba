"""Whatever a name, a path or a file holds: what is printed is text, of a bounded length."""

import json
import os

import pytest

from bitformer.cli.main import LONGEST


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("a\x1b[31mred", r"a\x1b[31mred"),
        ("turned\u202e", r"turned\u202e"),
        (os.fsdecode(b"half\xff"), r"half\udcff"),
        ("näher—µ", "näher—µ"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(bitformer, tmp_path, name, seen):
    refused = bitformer("info", tmp_path / name)
    assert refused.err == f"Error: model file must exist, which {tmp_path}/{seen} does not\n"
    path = tmp_path / f"{name}.safetensors"
    assert f"{seen}.safetensors: tiny" in bitformer("init", "tiny", "-o", path).out
    said = bitformer("init", "tiny", "-o", path, "--json")
    said.out.encode()
    assert json.loads(said.out)["model"] == str(path)


def test_a_sentence_is_no_book(bitformer, tmp_path):
    said = bitformer("init", "x" * 10_000, "-o", tmp_path / "m")
    assert said.code == 2
    assert len(said.err) < LONGEST + 20
    assert said.err.startswith("Error: config must be one of tiny, ")
    assert said.err.endswith("x'\n")


@pytest.mark.parametrize(
    "line",
    ["info {}", "init tiny -o {}", "report {}", "evaluate {m} --data {}", "kb show --kb {}"],
)
@pytest.mark.parametrize("name", ["x" * 3000, "loop"])
def test_a_path_that_cannot_be_looked_up(bitformer, tiny, tmp_path, line, name):
    (tmp_path / "loop").symlink_to("loop")
    said = bitformer(*(word.format(tmp_path / name, m=tiny) for word in line.split()))
    assert (said.code, said.out) == (2, "")
    assert "File name too long" in said.err or "Too many levels of symbolic links" in said.err


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    "line",
    [
        "init {p}.json -o {d}/m",
        "evaluate {m} --data {p}.csv --target power",
        "train --data {p}.csv --target power -o {d}/r",
        "kb show --kb {p}.sqlite",
        "kb merge {p}.json",
        "doctor {m} --sensitivity {p}.json",
        "info {p}.safetensors",
        "build {m} --board sea --plan-only --saif {p}.saif -o {d}/b",
    ],
)
def test_a_pipe_is_not_waited_for(bitformer, tiny, tmp_path, line):
    path = str(tmp_path / "pipe")
    for suffix in ("json", "csv", "sqlite", "safetensors", "saif"):
        os.mkfifo(f"{path}.{suffix}")
    said = bitformer(*(word.format(p=path, d=tmp_path, m=tiny) for word in line.split()))
    assert (said.code, said.out) == (2, "")
    assert f"{path}." in said.err
