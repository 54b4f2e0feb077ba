"""The Python that README and guides show runs as it stands, in an empty folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from docs_harness import blocks as fenced

import bitformer
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROOT = Path(__file__).resolve().parents[2]
GUIDE, README = ROOT / "docs" / "python.md", ROOT / "README.md"


def blocks(path: Path) -> list[str]:
    """The programs of a page that need nothing else."""
    return [b.text for b in fenced(path) if b.language == "python" and b.needs is None]


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_guide_runs_from_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "kb.sqlite"))
    whole, training, own = blocks(GUIDE)
    said = run(whole, tmp_path)
    for name in (
        "<Model tiny",
        "<Evaluation",
        "<AcceleratorDesign tiny",
        "<DesignEstimate",
        "bit exact",
        "<Build",
    ):
        assert name in said
    said = run(training, tmp_path)
    assert "best baseline" in said
    assert "'stage': 'qat'" in said
    table = (tmp_path / "build" / "forecast.csv").read_text().splitlines()
    assert len(table) == 1 + 7 * 6
    assert "(1, 6)" in run(own, tmp_path)


def test_readme_runs_where_its_training_has_run(tmp_path, monkeypatch):
    monkeypatch.setenv("BITFORMER_KB", str(tmp_path / "kb.sqlite"))
    model = bitformer.Model(initialize(named_config("tiny")))
    model.save(tmp_path / "runs" / "mine" / "model.safetensors")
    (code,) = blocks(README)
    said = run(code, tmp_path)
    assert "<DesignEstimate: fits xc7s15" in said
    assert "<Simulation of 2 windows: bit exact" in said


def test_a_broken_example_is_noticed(tmp_path):
    with pytest.raises(AssertionError, match="UserError"):
        run(blocks(GUIDE)[2], tmp_path)  # without the model that the first block trains


def test_gateware_guide_runs_from_an_empty_folder(tmp_path):
    model = bitformer.Model(initialize(named_config("tiny")))
    model.save(tmp_path / "m.safetensors")
    (code,) = blocks(ROOT / "docs" / "gateware.md")
    forecast = json.loads(run(code, tmp_path))
    assert len(forecast) == model.config.horizon
    # the comparison in it is one
    wrong = code.replace(
        "ctx.set(accelerator.i.payload, number)", "ctx.set(accelerator.i.payload, 0)"
    )
    with pytest.raises(AssertionError, match="AssertionError"):
        run(wrong, tmp_path)
