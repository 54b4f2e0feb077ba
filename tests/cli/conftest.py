"""Command lines run in this process, and what they said."""

import json
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
