"""Kill -9 at any moment: the same command goes on, and comes to the same files, byte for byte."""

import contextlib
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
from study_harness import INVENTED

from bitformer.estimate.knowledge import KnowledgeBase, read_entries
from bitformer.model.files import PART

pytestmark = pytest.mark.needs("posix")

CONFIG = {"name": "small", "window": 8, "horizon": 2, "patch": 4, "d_model": 4, "ffn": 4}
SHAPE = ["--config", "{r}/small.json", "--data", "synthetic", "--batch", "512"]
LINES = {
    "train": ["train", *SHAPE, "--epochs", "2", "--qat-epochs", "2", "-o", "{d}/run"],
    "more": ["train", *SHAPE, "--epochs", "3", "--qat-epochs", "2", "-o", "{d}/run"],
    "search": [
        *("search", *SHAPE, "--epochs", "1", "--qat-epochs", "1", "--bits", "4,8", "--top", "1"),
        *("--sensitivity", "{r}/added.json", "--kb", "{r}/kb.sqlite", "--windows", "1"),
        *("--baselines", "4", "--synthesis", "none", "--workers", "1", "-o", "{d}/run"),
    ],
    "profile": [
        *("profile", "--windows", "6,12", "--widths", "8,16", "--bits", "4,6,8"),
        *("--workers", "1", "--kb", "{d}/kb.sqlite"),
    ],
}
#: What has been run in the folder before: a run that is given more epochs.
BEFORE = {"more": "train"}
#: Told arguments, a process with everything imported forks another that runs the command; it says
#: whose number that has, and with what it ended. Yosys is not asked.
STARTER = """
import json, os, sys
import bitformer.synth.synthesize, bitformer.estimate.profile as profiling
from measurement_harness import invented
from bitformer.cli.main import cli
from bitformer.estimate.jobs import Job
from bitformer.model import export, train
import bitformer.search.run, bitformer.search.plot, bitformer.sim.run

def measure(described, units, known):
    design = Job.of(described).lowered()
    entry = invented(design, key=design.model.config.name)
    return [] if entry.key in known else [entry.to_dict()]

profiling.measure = measure
for line in sys.stdin:
    process = os.fork()
    if not process:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            cli(json.loads(line))
        except SystemExit as end:
            os._exit(end.code or 0)
        finally:
            os._exit(70)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Runs:
    """Commands on files of their own, whole and killed."""

    def __init__(self, root, process):
        self.root, self._process = root, process
        self._whole = {}

    def run(self, name, folder, *, kill_after=None):
        """Run a command, or kill it after some seconds; gives its exit code and its seconds."""
        line = [word.format(r=self.root, d=folder) for word in LINES[name]]
        started = time.monotonic()
        print(json.dumps(line), file=self._process.stdin, flush=True)
        number = int(self._process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with contextlib.suppress(ProcessLookupError):  # it was quicker this time
                os.kill(number, signal.SIGKILL)
        return int(self._process.stdout.readline()), time.monotonic() - started

    def before(self, name, folder):
        """Run what is there before a command."""
        if name in BEFORE:
            assert self.run(BEFORE[name], folder)[0] == 0

    def whole(self, name):
        """What is there in the end, and the seconds it takes: of a run that nobody killed."""
        if name not in self._whole:
            folder = self.root / f"whole-{name}"
            self.before(name, folder)
            code, seconds = self.run(name, folder)
            assert code == 0
            self._whole[name] = made(folder), seconds
        return self._whole[name]


def made(folder):
    """All that is in a folder but for seconds; of a knowledge base the entries, in their order."""
    found = {
        name: content
        for name, content in contents(folder).items()
        if not name.endswith((".sqlite-wal", ".sqlite-shm", "seconds.json"))
    }
    if "kb.sqlite" in found:
        found["kb.sqlite"] = read_entries(folder / "kb.sqlite")
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("kill")
    (root / "small.json").write_text(json.dumps(CONFIG))
    (root / "added.json").write_text(json.dumps(INVENTED))
    KnowledgeBase(root / "kb.sqlite").add(
        invented(design, key=f"k{n}") for n, design in enumerate(drawn(12, 7))
    )
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        yield Runs(root, process)
        process.stdin.close()


FEW, MANY = {"train": 3, "more": 0, "search": 1, "profile": 3}, 20
CASES = [
    pytest.param(name, number, marks=[] if number < FEW[name] else [pytest.mark.slow])
    for name in LINES
    for number in range(MANY)
]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_killed_it_comes_to_the_same(runs, tmp_path, name, number):
    expected, seconds = runs.whole(name)
    runs.before(name, tmp_path)
    moment = random.Random(f"{name} {number}").uniform(0, seconds)
    code, _ = runs.run(name, tmp_path, kill_after=moment)
    assert code in (-signal.SIGKILL, 0)
    assert runs.run(name, tmp_path)[0] == 0
    got = made(tmp_path)
    assert got.keys() == expected.keys()
    assert [file for file in got if got[file] != expected[file]] == []
    assert not [file for file in got if PART in file]
