"""From a plan to a bitstream on this machine: Yosys, nextpnr with several seeds, the packer."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitformer.boards.board import Board
from bitformer.boards.build.manifest import Manifest
from bitformer.boards.build.platforms import platform_for
from bitformer.boards.catalog import find_board
from bitformer.model.cache import Cache
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent
from bitformer.synth.cache import default_cache
from bitformer.synth.netlist import output_names, read_netlist
from bitformer.synth.output_registers import with_output_registers
from bitformer.synth.route import Placed, pack, place_and_route
from bitformer.synth.router import Chip, router_of
from bitformer.synth.routing import NetNames, Routing, read_report
from bitformer.synth.yosys import find_tool, run_yosys

__all__ = ["is_routed_here", "run_routed"]

#: What a build's netlist is kept as.
_SUFFIX = ".board.gz"
#: What stands around the units of an accelerator on a board.
_INSIDE = "shell.accelerator."


def is_routed_here(manifest: Manifest) -> bool:
    """Return True if a build's tools are run here, with several seeds."""
    return manifest.toolchain == "open" and router_of(_board(manifest).part) is not None


def _board(manifest: Manifest) -> Board:
    return find_board(manifest.board)


def run_routed(
    directory: Path,
    manifest: Manifest,
    *,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> Path:
    """Build the plan in a folder and return the bitstream of the best seed.

    Beside it, the folder then has the netlist's routing (``NAME_route.json``) and nextpnr's log. A
    bitstream is written although a clock is missed: the reports say so.

    Raises
    ------
    UserError
        If a tool is not here, or fails.
    """
    name, board = manifest.name, _board(manifest)
    _, platform = platform_for(board, manifest.toolchain, clock_hz=manifest.clock_hz)
    pins = Path(platform.target.router.constraints[1]).suffix
    texts = {suffix: _text(directory / f"{name}{suffix}") for suffix in (".il", ".ys", pins)}
    data = with_output_registers(json.loads(_synthesized(name, texts, progress)), board.family)
    netlist = json.dumps(data)
    placed, failed = place_and_route(
        netlist,
        platform.target,
        clock_hz=manifest.clock_hz,
        pins=texts[pins],
        seeds=seeds,
        progress=progress,
    )
    names = _names(data, board, name, texts[".il"])
    found = [
        read_report(
            one.report,
            names,
            seed=one.seed,
            asked_hz=manifest.clock_hz,
            seconds=one.seconds,
            again=one.again,
            crossing_most_ns=5e8 / manifest.clock_hz - platform.skew_ns,
        )
        for one in placed
    ]
    routing = Routing.of(platform.target, placed[0].tool, manifest.clock_hz, found, failed)
    best = next(one for one in placed if one.seed == routing.best.seed)
    return _write(directory, manifest, platform.target, platform.packer_options, routing, best)


def _write(
    directory: Path,
    manifest: Manifest,
    target: Chip,
    options: Sequence[str],
    routing: Routing,
    best: Placed,
) -> Path:
    bitstream = directory / manifest.bitstream
    packed = pack(best.result, target, options)
    routing_text = json.dumps(routing.to_dict(), indent=1) + "\n"
    (directory / f"{manifest.name}_route.json").write_text(routing_text, encoding="utf-8")
    (directory / f"{manifest.name}_nextpnr.log").write_text(best.log, encoding="utf-8")
    bitstream.write_bytes(packed)
    return bitstream


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be a file that 'bitformer build' wrote: {error}") from None


def _synthesized(name: str, texts: dict[str, str], progress: Progress) -> str:
    """Return the netlist of the plan in Yosys' JSON: by its own script, or kept."""
    tool, cache = find_tool(), Cache(default_cache())
    key = hashlib.sha256("\0".join([tool.version, texts[".ys"], texts[".il"]]).encode()).hexdigest()
    kept = cache.read(key, _SUFFIX)
    if kept is not None:
        return gzip.decompress(kept).decode()
    progress(0, None, "synthesizing (a minute or so, once)")
    netlist = run_yosys(tool, texts[".ys"], {f"{name}.il": texts[".il"]}, f"{name}.json")
    cache.keep(key, _SUFFIX, gzip.compress(netlist.encode(), mtime=0))
    return netlist


def _names(data: Any, board: Board, name: str, rtlil: str) -> NetNames:
    """Return the names of units and signals behind those of the netlist."""
    netlist = read_netlist(
        data, family=board.family, module=name, aliases=output_names(rtlil, top=name)
    )
    return NetNames(netlist, data["modules"][name]["netnames"], inside=_INSIDE)
