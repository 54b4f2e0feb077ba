"""Run a command on damaged input, and say whether it went as it must.

It must come to an end, in time and in bounded memory, with exit code 0, or 1 where a check failed,
or 2 and one sentence; and it must write nowhere but in its own folder.
"""

import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from bitformer.cli.main import cli
from bitformer.cli.report import visible
from bitformer.model.errors import UserError

__all__ = ["BAD", "OUTCOMES", "SECONDS", "Verdict", "call", "command", "contents"]

#: What a command may take: seconds of work, so many times longer on a busy machine, and bytes of
#: memory beyond what is in use.
SECONDS, WAITING, BYTES = 10, 5, 3 << 30
#: Letters of a sentence.
LONGEST = 1_000
#: How a case may end, and how it must not.
OUTCOMES = ("exit 0", "check failed", "refused")
BAD = ("traceback", "hang", "crash", "sentence", "outside", "lost", "left", "silent")
#: Python's own words, which tell a user nothing.
_INSIDE = re.compile(
    r"Traceback|__\w+__|<class|object has no|NoneType|unhashable|not subscriptable|not iterable"
    r"|positional argument|keyword argument|not supported between|object is not|torch\.|numpy"
    r"|weights_only|invalid literal|could not convert"
)


@dataclass(frozen=True)
class Verdict:
    """How a case ended, and what was said: the sentence, the traceback or the path."""

    outcome: str
    detail: str = ""

    @property
    def bad(self) -> bool:
        return self.outcome in BAD


class Hang(BaseException):
    """The time is over. No handler of ours or of click's catches it."""


class Outside(BaseException):
    """Something was about to be written where nothing may be."""


class _Watch:
    """Every write of this process, as Python's audit events tell: seen while ``inside`` is set."""

    inside: tuple[str, ...] | None = None
    installed = False
    paths = {
        "os.remove": 1,
        "os.rmdir": 1,
        "os.mkdir": 1,
        "os.truncate": 1,
        "os.chmod": 1,
        "os.symlink": 2,
        "os.link": 2,
        "os.rename": 2,
        "shutil.rmtree": 1,
    }

    @classmethod
    def hook(cls, event: str, arguments: tuple) -> None:
        if cls.inside is None:
            return
        if event == "open":
            path, _, flags = arguments
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if isinstance(path, int) or not (flags or 0) & writes:
                return
            found: tuple = (path,)
        elif event in cls.paths:
            found = arguments[: cls.paths[event]]
        else:
            return
        for path in found:
            cls.check(path)

    @classmethod
    def check(cls, path) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        text = os.path.abspath(os.fsdecode(path))
        if text.startswith("/dev/") or "__pycache__" in text:
            return
        if not any(text == one or text.startswith(one + os.sep) for one in cls.inside or ()):
            cls.inside = None
            raise Outside(text)


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """A block with ``BYTES`` more, where the system says what is in use: Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        yield
        return
    import resource  # not on Windows

    used = re.search(r"VmData:\s+(\d+)", status.read_text())
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if used is not None:
        resource.setrlimit(resource.RLIMIT_DATA, ((int(used[1]) << 10) + BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextlib.contextmanager
def guarded(folders: tuple[Path, ...], seconds: float = SECONDS) -> Iterator[None]:
    """A block of which time, memory and writes are bounded."""

    def stop(_number, _frame):
        raise Hang

    if not _Watch.installed:
        sys.addaudithook(_Watch.hook)
        _Watch.installed = True
    signals = signal.SIGALRM, signal.SIGPROF
    before = [signal.signal(one, stop) for one in signals]
    signal.setitimer(signal.ITIMER_REAL, WAITING * seconds)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    _Watch.inside = tuple(os.path.abspath(one) for one in folders)
    try:
        with _bounded_memory():
            yield
    finally:
        _Watch.inside = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def _ended(run: Callable[[], Verdict], folder: Path) -> Verdict:
    try:
        with guarded((folder, folder.parent / "home", Path(tempfile.gettempdir()))):
            return run()
    except Hang:
        return Verdict("hang", traceback.format_exc(limit=-3))
    except Outside as error:
        return Verdict("outside", str(error))
    except UserError as error:
        # the command line spells out and shortens what is in it
        return _sentence(visible(str(error))[:LONGEST])
    except Exception:
        return Verdict("traceback", traceback.format_exc())


def call(function: Callable[[], object], folder: Path) -> Verdict:
    """A function that may raise a :class:`UserError`, and writes in ``folder`` only."""

    def run() -> Verdict:
        function()
        return Verdict("exit 0")

    return _ended(run, folder)


def command(arguments: list[str], folder: Path) -> Verdict:
    """A command line of ours, run in ``folder``, where alone it may write."""

    def run() -> Verdict:
        result = CliRunner().invoke(cli, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return _said(result.exit_code, result.stdout, result.stderr, "--json" in arguments)

    with contextlib.chdir(folder):
        return _ended(run, folder)


def _said(code: int, out: str, err: str, as_json: bool) -> Verdict:
    errors = [line for line in err.splitlines() if line.startswith(("Error: ", "Usage: "))]
    if code == 2:
        if len(errors) != 1 or not err.rstrip("\n").endswith(errors[0]):
            return Verdict("sentence", f"not one sentence at the end: {err}")
        return _sentence(errors[0].removeprefix("Error: "))
    if code not in (0, 1) or errors:
        return Verdict("sentence", f"exit code {code}: {err}")
    seen = err if as_json else err + out
    if not seen.replace("\n", "").isprintable():
        return Verdict("sentence", f"letters that are no text: {seen!a}")
    if as_json:
        try:
            json.loads(out)
        except ValueError as error:
            return Verdict("traceback", f"--json printed what is no JSON: {error}: {out[:200]}")
    return Verdict("check failed" if code else "exit 0", err)


def _sentence(text: str) -> Verdict:
    if not text or len(text) > LONGEST:
        return Verdict("sentence", f"{len(text)} letters: {text[:300]!a}")
    if not text.isprintable():
        return Verdict("sentence", f"letters that are no text: {text!a}")
    if found := _INSIDE.search(text):
        return Verdict("sentence", f"speaks of Python's inside ({found[0]}): {text}")
    return Verdict("refused", text)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file of a folder, by its path from there; None for what is no file."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        plain = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = path.read_bytes() if plain else None
    return found
