"""Programs that are run to their end; an interrupt ends them and all that they started."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["cores", "end_children", "missing", "run_child"]

#: Those that run.
_running: set[subprocess.Popen] = set()


def missing(program: str, variable: str) -> str | None:
    """Return why a program, or the one that ``variable`` names, cannot be run; None if it can."""
    named = os.environ.get(variable)
    if shutil.which(named or program) is not None:
        return None
    if named:
        return f"{variable} must name a program, and {named!r} was not found"
    return f"{program} is not on the PATH"


def run_child(
    command: Sequence[str],
    *,
    cwd: Path,
    output: IO[bytes] | None = None,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run a program in the directory ``cwd`` and return its exit status.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    cwd : Path
        Where it runs.
    output : binary file or None
        Receives standard output and standard error; None leaves them ours. Its input is empty.
    variables : mapping or None
        Of its environment, besides ours.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    process = None
    try:
        with _undisturbed():
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                # so that Ctrl-C reaches us first, and we end the whole family
                start_new_session=True,
            )
            _running.add(process)
        return process.wait()
    except BaseException:
        if process is not None:
            _end(process)
            process.wait()
        raise
    finally:
        if process is not None:
            _running.discard(process)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back in this thread, so that every program that starts is noted."""
    if os.name == "nt":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores() -> int:
    """Return how many cores this process may use, of all where the system does not say."""
    with contextlib.suppress(AttributeError):  # Linux's alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_children() -> None:
    """End what other threads run with :func:`run_child`."""
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """End a program and all that it started."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
