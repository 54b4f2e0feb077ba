"""The package as others get it: a wheel in an environment of its own, far from the source tree."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from test_packaging import MAY_IMPORT, ROOT, built

import bitformer as front
from bitformer.bundle.archive import unpacked, write_archive
from bitformer.bundle.make import make_bundle

pytestmark = pytest.mark.slow


def run(*command, cwd):
    """What a program prints, in an environment that knows nothing of this one."""
    own = {name: one for name, one in os.environ.items() if not name.startswith(("PYTHON", "BITF"))}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=cwd, env=own
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The command of a wheel that was made of an sdist, and a folder to work in."""
    place = tmp_path_factory.mktemp("installed")
    for folder in MAY_IMPORT:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, place / "tree" / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / "tree")
    with tarfile.open(built(place / "tree", "sdist")) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (source,) = (place / "unpacked").iterdir()
    wheel = shutil.move(built(source, "wheel"), place)
    shutil.rmtree(place / "tree")
    shutil.rmtree(place / "unpacked")
    folder = place / "elsewhere"
    folder.mkdir()
    run(sys.executable, "-m", "venv", place / "env", cwd=folder)
    scripts = place / "env" / ("Scripts" if os.name == "nt" else "bin")
    pip = (scripts / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt")
    run(*pip, f"{wheel}[train]", cwd=folder)
    return scripts / "bitformer", folder


def test_the_demo_runs_from_a_wheel(installed):
    """The whole way, on the data that ship; two epochs, and no tools for a bitstream."""
    bitformer, folder = installed
    said = json.loads(run(bitformer, "demo", "--quick", "--no-bitstream", "--json", cwd=folder))
    assert said["simulation"]["bit_exact"] is True
    assert Path(folder, said["plan"], "bitformer.json").is_file()
    where = run(
        bitformer.with_name("python"), "-c", "import bitformer as b; print(b.__file__)", cwd=folder
    )
    assert str(ROOT) not in where


@pytest.mark.needs("compiler")
def test_all_that_is_read_beside_modules_is_there(installed):
    """Models with cards, the knowledge base, C++ sources, templates, drivers, a version."""
    bitformer, folder = installed
    assert run(bitformer, "--version", cwd=folder).startswith("bitformer ")
    cards = json.loads(run(bitformer, "models", "--json", cwd=folder))["models"]
    assert len(cards) == 5
    for card in cards:
        found = json.loads(run(bitformer, "estimate", card["name"], "--json", cwd=folder))
        assert found["latency_cycles"] == card["cycles"]
        assert found["prediction"]["luts"]["value"] > 500
    taxi = ("evaluate", "nyc-taxi-w4a8", "--engine", "native", "--samples", "64", "--json")
    assert json.loads(run(bitformer, *taxi, cwd=folder))["test_windows"] == 64
    run(bitformer, "build", "nyc-taxi-w4a8", "--board", "sea", "--plan-only", "-o", "b", cwd=folder)
    run(bitformer, "host", "nyc-taxi-w4a8", "--c", "--micropython", "-o", "f", cwd=folder)
    assert {"bitformer.h", "bitformer_micro.py", "scaling.json", "bitformer_model.h"} <= {
        path.name for path in Path(folder, "f").iterdir()
    }


def test_a_bundle_of_here_is_the_same_there(installed, tmp_path, monkeypatch):
    """Verilog, project and page too, to the byte; and what was changed is named."""
    bitformer, folder = installed
    version = run(bitformer, "--version", cwd=folder).split()[-1]
    monkeypatch.setattr(front, "__version__", version, raising=False)
    path = tmp_path / "x.zip"
    make_bundle(front.load("nyc-taxi-w4a8"), "sea", path, samples=1, noise=0)
    said = json.loads(run(bitformer, "verify", path, "--json", cwd=folder))
    assert (said["same"], said["skipped"]) == (True, [])
    assert "design and Verilog" in said["done"]
    files = unpacked(path)
    files["build/nyc_taxi_w4a8.xdc"] += b"# changed"
    write_archive(path, files)
    done = subprocess.run([bitformer, "verify", path], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ("Not the same: build/nyc_taxi_w4a8.xdc is not what the model gives\n")
