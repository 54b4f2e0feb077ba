"""What commands say: JSON for programs, the same for people, and command lines to be copied."""

import json
import subprocess
from pathlib import Path

import pytest

from bitformer.cli.report import Report, command_line, program

EVERY = {
    "boards": ["boards"],
    "init": ["init", "tiny", "-o", "{out}/m.safetensors"],
    "info": ["info", "{model}"],
    "estimate": ["estimate", "{model}"],
    "evaluate": ["evaluate", "{model}", "--data", "synthetic"],
    "noise": ["noise", "{model}", "--data", "synthetic", "--samples", "4"],
    "simulate": ["simulate", "{model}", "--samples", "1"],
    "elaborate": ["elaborate", "{model}", "-o", "{out}/verilog"],
    "build": ["build", "{model}", "--board", "sea", "--plan-only", "-o", "{out}/plan"],
}


@pytest.mark.parametrize("args", EVERY.values(), ids=EVERY)
def test_json_is_all_that_the_standard_output_holds(args, bitformer, tiny, tmp_path):
    args = [arg.format(model=tiny, out=tmp_path) for arg in args]
    said = bitformer(*args, "--json")
    assert said.code == 0
    assert isinstance(said.data, dict)
    people = bitformer(*args)
    assert people.code == 0
    assert people.out.strip()
    assert people.out.strip() in said.err


def test_what_is_not_finite_is_null(capsys):
    Report(as_json=True).data({"error": float("nan"), "bounds": [float("inf"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"error": None, "bounds": [None, 1.5]}


@pytest.mark.parametrize(
    ("called", "on_path", "named"),
    [
        ("/x/.venv/bin/bitformer", None, "/x/.venv/bin/bitformer"),
        ("/x/.venv/bin/bitformer", "/usr/bin/bitformer", "bitformer"),
        ("/x/.venv/bin/pytest", None, "bitformer"),
    ],
)
def test_hints_name_the_program_as_it_was_called(monkeypatch, called, on_path, named):
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    assert program() == named


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    "path", ["m", "a b", "it's", 'a"b', "$HOME", "`id`", "a;b", "a\\b", "*", "~", "#a", "-x/m", "ü"]
)
def test_command_lines_are_to_be_copied(path, as_a_shell_reads, monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    words = as_a_shell_reads(command_line("build", Path(path), "--name", "x y"))
    assert words == ["build", f"./{path}" if path[0] == "-" else path, "--name", "x y"]


@pytest.mark.needs("posix")
def test_command_lines_name_a_program_that_is_not_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "my venv's" / "bitformer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s' \"$0 $*\"\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = subprocess.run(["sh", "-c", command_line("boards")], capture_output=True, text=True)
    assert done.stdout == f"{program} boards"
