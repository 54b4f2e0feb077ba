"""Ctrl-C at any moment: exit code 130, one line, no process and no half of a file left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from disk_harness import contents
from measurement_harness import drawn, invented

from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.model.files import PART

pytestmark = pytest.mark.needs("posix")

CONFIG = {"name": "small", "window": 8, "horizon": 2, "patch": 4, "d_model": 4, "ffn": 4}


def interrupted(arguments, begun, *, after=0.0):
    """Send SIGINT to a command and all its processes, ``after`` seconds after ``begun()``."""
    command = [sys.executable, "-m", "bitformer.cli.entry", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not begun():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"it goes on: {process.communicate()}")
    assert (process.returncode, out) == (130, ""), (arguments, out, err)
    assert err.splitlines()[-1] == "Interrupted", err
    for word in ("Traceback", "ignored", "Error", "WARNING", "Warning"):
        assert word not in err, err
    deadline = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)  # Python's own, which ends when it notices that all others have
    assert alive(process.pid) == []


def alive(session):
    """The processes of a session."""
    done = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(session)], stdout=subprocess.PIPE)
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("after", [0.25, 0.6, 1.0])
def test_while_it_starts(tiny, tmp_path, after):
    waves = tmp_path / "waves.vcd"
    options = ("--samples", 10_000, "--vcd", waves)
    interrupted(("simulate", tiny, *options), lambda: True, after=after)
    assert list(tmp_path.iterdir()) == []


def test_in_a_simulation(tiny, tmp_path):
    waves = tmp_path / "waves.vcd"
    waves.write_text("as it was")
    options = ("--samples", 10_000, "--vcd", waves)

    def begun():
        return any(part.stat().st_size > 100_000 for part in tmp_path.glob(f"{PART}*"))

    interrupted(("simulate", tiny, *options), begun)
    assert contents(tmp_path) == {"waves.vcd": b"as it was"}


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The arguments of a search on two processes, but for its folder."""
    root = tmp_path_factory.mktemp("search")
    (root / "small.json").write_text(json.dumps(CONFIG))
    KnowledgeBase(root / "kb.sqlite").add(
        invented(design, key=f"k{n}") for n, design in enumerate(drawn(12, 7))
    )
    config = ["--config", root / "small.json", "--data", "synthetic", "--kb", root / "kb.sqlite"]
    return ["search", *config, "--workers", "2", "--synthesis", "none"]


def test_in_a_search_on_two_processes(search, tmp_path):
    def begun():
        return any((tmp_path / "run" / "runs").glob("*/state.pt"))

    interrupted([*search, "-o", tmp_path / "run"], begun)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_in_a_search_whenever(search, tmp_path, number):
    after = random.Random(number).uniform(0, 12)  # of these, processes take the most to start
    lock = tmp_path / "run" / ".bitformer-process"
    more = ["--epochs", "100", "--qat-epochs", "100", "-o", tmp_path / "run"]
    interrupted([*search, *more], lock.exists, after=after)
