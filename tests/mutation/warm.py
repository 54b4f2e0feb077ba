"""One process in a copy of the repository: it forks for each mutant, and the fork runs tests.

What tests import from others is imported here once; nothing of the project is, so each fork sees
the files as they are then. It reads a request of JSON from each line of its input and answers in
one line of its output.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import pytest
from hypothesis import Phase, settings

__all__ = ["main"]

_OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
# assertions of plugins that are imported by now stay as they are
_OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
#: What takes long to import.
_OTHERS = (
    "amaranth.back.rtlil",
    "amaranth.back.verilog",
    "amaranth.lib.memory",
    "amaranth.lib.stream",
    "amaranth.sim",
    "numpy",
    "torch",
    "yaml",
)
#: Seconds for all tests of a turn, however busy the machine is.
_PATIENCE = 1800
#: A test that takes the processor for so many seconds hangs.
_HANGS = 60


class Verdicts:
    """Runs tests by their names, or the first of whole files, and keeps what fails first.

    ``tests`` has how many of each; after ``limit`` seconds of the processor no more begin.
    """

    def __init__(self, answer: Path, tests: dict[str, int], limit: float):
        self.failed, self.ended = "", False
        self._answer, self._tests, self._limit = answer, tests, limit

    @pytest.hookimpl(trylast=True)  # behind the choice by marks
    def pytest_collection_modifyitems(self, items):
        left, kept = dict(self._tests), []
        for item in items:
            name = item.nodeid if item.nodeid in left else item.nodeid.split("::")[0]
            if left.get(name, 0) > 0:
                left[name] -= 1
                kept.append(item)
        items[:] = kept

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed = self.failed or f"import of {report.nodeid}"

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed = self.failed or report.nodeid

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        def hangs(*_):
            self.failed = f"{item.nodeid} hangs"
            self.write()
            os._exit(1)

        if sum(os.times()[:4]) > self._limit:
            self.ended = True
            item.session.shouldstop = "no time is left"
        # of the processor: others may have it meanwhile
        signal.signal(signal.SIGPROF, hangs)
        signal.setitimer(signal.ITIMER_PROF, _HANGS)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def write(self) -> None:
        """Say what was found so far."""
        self._answer.write_text(json.dumps({"failed": self.failed, "ended": self.ended}))


def _fork(request: dict, answer: Path) -> None:
    """Run what is asked for, in a process of its own."""
    os.setsid()
    output = os.open(answer.with_suffix(".txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    # an example that fails is enough, and the next run tries the same ones
    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
    )
    settings.load_profile("mutants")
    verdicts = Verdicts(answer, request["tests"], request["limit"])
    files = dict.fromkeys(name.split("::")[0] for name in request["tests"])
    code = pytest.main([*_OPTIONS, "-m", "not slow", *files], plugins=[verdicts])
    usual = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if code not in usual and not verdicts.ended:
        verdicts.failed = verdicts.failed or f"pytest ends with {code}"
    verdicts.write()


def _answer(request: dict, answer: Path) -> dict:
    """Fork and wait; return what the fork wrote, or that it ended otherwise."""
    answer.unlink(missing_ok=True)
    start, child = time.monotonic(), os.fork()
    if child == 0:
        try:
            _fork(request, answer)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(0)
    late = False
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() - start > _PATIENCE:
            late = True
            break
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and what the tests have left behind
    if late:
        os.waitpid(child, 0)
        return {"late": True}
    if not answer.exists():
        return {"failed": "the tests' process died"}
    return json.loads(answer.read_text())


def main() -> None:
    """Answer until the input ends."""
    for name in _OTHERS:
        importlib.import_module(name)
    output, sys.stdout = sys.stdout, sys.stderr
    answer = Path("build/answer.json").resolve()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), answer)), file=output, flush=True)


if __name__ == "__main__":
    main()
