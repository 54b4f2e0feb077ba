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
from amaranth.sim import Simulator
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
    "numpy",
    "torch",
    "yaml",
)
#: Where lines are watched.
_FOLDERS = ("hw/", "boards/shell/", "model/")
#: A test that takes this many seconds and so many times what it took before hangs.
_LEAST, _TIMES = 30, 20


class Verdicts:
    """Runs tests by their names, or whole files, and keeps what fails first.

    ``known`` has their seconds: one that takes far longer hangs, and the mutant is noticed.
    """

    def __init__(self, answer: Path, known: dict[str, float]):
        self.known = known
        self.failed = ""
        self._answer = answer

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if self._seconds(item) is not None]

    def _seconds(self, item) -> float | None:
        return self.known.get(item.nodeid, self.known.get(item.nodeid.split("::")[0]))

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

        # of the processor: others may have it meanwhile
        signal.signal(signal.SIGPROF, hangs)
        signal.setitimer(signal.ITIMER_PROF, _LEAST + _TIMES * (self._seconds(item) or 0))
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def write(self) -> None:
        """Say what was found so far."""
        self._answer.write_text(json.dumps({"failed": self.failed}))


class Watch:
    """Measures each test's seconds, and which of the project's lines it runs.

    What a test's fixtures run may serve other tests of the file: it counts for all of them.
    """

    def __init__(self, answer: Path, root: str):
        self._answer, self._root = answer, root + "/"
        self._watched_folders = tuple(self._root + name for name in _FOLDERS)
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[str, list[int]]] = {}
        self.shared: dict[str, set[int]] = {}
        self.bad: list[str] = []
        self._found: dict[str, set[int]] = {}

    def _trace(self, frame, event, _):
        name = frame.f_code.co_filename
        if not name.startswith(self._watched_folders):
            return None
        lines = self._found.setdefault(name, set())

        def local(frame, event, _):
            lines.add(frame.f_lineno)
            return local

        return local(frame, event, None)

    def skip(self, owner: type, name: str) -> None:
        """Look away while a method runs that calls a lot and is of no interest."""
        method = getattr(owner, name)

        def unwatched(*arguments, **options):
            before = sys.gettrace()
            sys.settrace(None)
            try:
                return method(*arguments, **options)
            finally:
                sys.settrace(before)

        setattr(owner, name, unwatched)

    def _watched(self, take):
        self._found = {}
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(before)
            for name, lines in self._found.items():
                take(name[len(self._root) :], lines)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item):
        def take(name, lines):
            self.shared.setdefault(name, set()).update(lines)

        return (yield from self._watched(take))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        own = self.lines.setdefault(item.nodeid, {})
        return (yield from self._watched(lambda name, lines: own.update({name: sorted(lines)})))

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self.bad.append(report.nodeid)

    def pytest_collectreport(self, report):
        if not report.passed:
            self.bad.append(report.nodeid)

    def write(self) -> None:
        """Say what was measured."""
        tests = {
            name: (round(seconds, 3), self.lines.get(name, {}))
            for name, seconds in self.seconds.items()
            if name not in self.bad
        }
        shared = {name: sorted(lines) for name, lines in self.shared.items()}
        self._answer.write_text(json.dumps({"tests": tests, "shared": shared, "bad": self.bad}))


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
    if "watch" in request:
        watch = Watch(answer, request["root"])
        watch.skip(Simulator, "run")
        options = [option for option in _OPTIONS if option != "-x"]
        pytest.main([*options, "-m", "not slow", request["watch"]], plugins=[watch])
        watch.write()
        return
    verdicts = Verdicts(answer, request["tests"])
    files = dict.fromkeys(name.split("::")[0] for name in verdicts.known)
    code = pytest.main([*_OPTIONS, "-m", "not slow", *files], plugins=[verdicts])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
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
        if time.monotonic() - start > request["limit"]:
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
