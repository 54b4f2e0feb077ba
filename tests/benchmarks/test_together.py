"""Trainings of several seeds together: measured, equal, and faster than one after another."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
def test_seeds_together_are_faster_and_equal(monkeypatch):
    """The script itself compares the weights."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import together

    monkeypatch.setattr(together, "_WINDOWS", 640)
    asked = ["--seeds", "4", "--config", "etth1-96-24", "--rounds", "2", "--json"]
    (found,) = json.loads(CliRunner().invoke(together.main, asked).stdout)
    for kind in ("float", "qat"):
        assert found[kind]["alone"] > 1.2 * found[kind]["together"]
