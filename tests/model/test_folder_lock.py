"""A folder is one process's at a time, as long as that lives."""

import os
import re
import signal
import subprocess
import sys

import pytest
from disk_harness import contents, read_only, small_disk

from bitformer.model.errors import UserError
from bitformer.model.files import PART
from bitformer.model.folder_lock import held

HOLD = """
import sys, time
from bitformer.model.folder_lock import held
with held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds ``tmp_path / "run"`` until its input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_another_process_is_refused_and_told_whose_it_is(tmp_path, other):
    folder = tmp_path / "run"
    sentence = rf"^Folder {re.escape(str(folder))} is in use by another run, process {other.pid}: "
    for _ in range(2):
        with pytest.raises(UserError, match=sentence), held(folder):
            pytest.fail("it is held by another")
    with held(tmp_path / "else"):
        pass
    other.communicate("", timeout=30)
    with held(folder):
        pass


@pytest.mark.needs("posix")
def test_the_lock_of_a_dead_process_is_none(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    with held(tmp_path / "run"):
        assert (tmp_path / "run" / ".bitformer-process").read_text() == str(os.getpid())


def test_what_a_killed_process_left_half_written_goes(tmp_path):
    for name in ("", "runs/a", "runs/b", "else"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / f"{PART}0123.json").write_text("{")
        (tmp_path / name / "whole.json").write_text("{}")
    with held(tmp_path, inside=["results", "runs/*"]):
        found = {name for name in contents(tmp_path) if PART in name}
    assert found == {f"else/{PART}0123.json"}
    assert len([name for name in contents(tmp_path) if name.endswith("whole.json")]) == 4


def test_it_is_free_again_whatever_the_block_raises(tmp_path):
    for raised in (KeyboardInterrupt, OSError, UserError):
        with pytest.raises(raised), held(tmp_path):
            raise raised
    with held(tmp_path):
        pass


@pytest.mark.needs("mount")
def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "plain").touch()
    with (
        pytest.raises(UserError, match=r"plain cannot be made: File exists$"),
        held(tmp_path / "plain"),
    ):
        pass
    with (
        small_disk(tmp_path / "disk") as disk,
        read_only(disk),
        pytest.raises(UserError, match=r"^Folder .*disk cannot be written: Read-only file system$"),
        held(disk),
    ):
        pass
