"""Command lines run in this process, and what they said."""

import json
import os
import subprocess
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from bitformer.cli.main import cli
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


@dataclass(frozen=True, kw_only=True)
class Said:
    """Exit code and both outputs of a command line."""

    code: int
    out: str
    err: str

    @property
    def data(self):
        """The standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def bitformer():
    """``bitformer("info", path) -> Said``; an exception that is no exit fails the test."""

    def run(*args):
        result = CliRunner(catch_exceptions=False).invoke(cli, [str(arg) for arg in args])
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An untrained model file."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_model(initialize(named_config("tiny")), path)
    return path


@pytest.fixture(autouse=True)
def own_knowledge(monkeypatch, tmp_path):
    """A knowledge base of the test's own: nothing is left in the user's data folder."""
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "knowledge" / "kb.sqlite"))


@pytest.fixture
def no_vivado(monkeypatch):
    """A machine without Vivado."""
    monkeypatch.setenv("VIVADO", "vivado-that-is-not-here")
    monkeypatch.delenv("AMARANTH_ENV_VIVADO", raising=False)


@pytest.fixture
def as_a_shell_reads(tmp_path, monkeypatch):
    """The arguments that a printed command line comes to in ``sh``, where it is run."""
    own = tmp_path / "a bin"
    own.mkdir()
    stand_in = own / "bitformer"
    stand_in.write_text("#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n")
    stand_in.chmod(0o755)

    def read(line):
        monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.defpath}")
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split("\0")[:-1]

    return read
