"""Running the tools on a build plan: Vivado, or the open ones."""

import os
import re
from pathlib import Path

from bitformer.boards.build.manifest import Manifest
from bitformer.boards.build.routed import is_routed_here, run_routed
from bitformer.model.errors import UserError
from bitformer.model.process import missing, run_child
from bitformer.model.progress import Progress, silent
from bitformer.synth.route import SEEDS

__all__ = ["TOOLCHAINS", "missing_tools", "run_plan"]

#: What the build script printed, the tools' messages included.
_LOG = "build.log"

#: The name of each toolchain, the programs it needs, and the variable that names a script which
#: puts them on the PATH, as Vivado's ``settings64.sh`` does.
TOOLCHAINS = {
    "vivado": ("Vivado", ("vivado",), "AMARANTH_ENV_VIVADO"),
    "open": (
        "The open toolchain",
        ("yosys", "nextpnr-xilinx", "fpga-as"),
        "AMARANTH_ENV_XRAY",
    ),
}


def missing_tools(toolchain: str) -> tuple[str, ...]:
    """Return a sentence for each program of a toolchain that is not found here.

    Each program must be on the PATH, or be named by a variable called like it (``VIVADO``,
    ``NEXTPNR_XILINX``); or the toolchain's own variable names a script that puts them there.
    """
    _, tools, script = TOOLCHAINS[toolchain]
    if named := os.environ.get(script):
        there = os.path.isfile(named)
        return () if there else (f"{script} must name a script, and {named!r} was not found",)
    reasons = (missing(tool, tool.upper().replace("-", "_")) for tool in tools)
    return tuple(reason for reason in reasons if reason is not None)


def run_plan(
    plan_dir: str | os.PathLike, *, seeds: int | None = None, progress: Progress = silent
) -> Path:
    """Build the plan in `plan_dir` and return the path of the bitstream.

    What a script prints goes to ``build.log`` in that directory, as it comes; of a part that is
    routed here, see :mod:`.routed`. On Ctrl-C, the tools and what they started are ended.

    Whether the design meets its timing is for the reports to say: the tools write a bitstream all
    the same.

    Parameters
    ----------
    plan_dir : path
        The folder of the plan.
    seeds : int or None
        How many seeds place and route, where that is done here; 3 by default.
    progress : callable
        Called with what is done, of how much, and what goes on.

    Raises
    ------
    UserError
        If `plan_dir` holds no plan, a tool is not found or fails, or there is no bitstream; or if
        ``seeds`` are asked of tools that know none.
    """
    directory = Path(plan_dir).resolve()
    manifest = Manifest.read(directory)
    bitstream, title = directory / manifest.bitstream, TOOLCHAINS[manifest.toolchain][0]
    if is_routed_here(manifest):
        bitstream.unlink(missing_ok=True)
        count = SEEDS if seeds is None else seeds
        numbers = range(1, count + 1)
        return run_routed(directory, manifest, seeds=numbers, progress=progress)
    if seeds is not None:
        raise UserError(f"{title} takes no seeds: leave --seeds out")
    if reasons := missing_tools(manifest.toolchain):
        raise UserError(
            f"{' and '.join(reasons)}; the plan in {directory} builds elsewhere with"
            f" 'sh build_{manifest.name}.sh'"
        )
    log = directory / _LOG
    # An earlier run's bitstream must not pass for this one's.
    bitstream.unlink(missing_ok=True)
    log.unlink(missing_ok=True)  # a link would lead elsewhere
    with log.open("wb") as output:
        status = run_child(_command(manifest.name), cwd=directory, output=output)
    if status != 0:
        bitstream.unlink(missing_ok=True)  # a part of one
        raise UserError(f"{title} failed with exit status {status}{_first_error(log)}; see {log}")
    if not bitstream.is_file():
        raise UserError(f"{title} ended without an error but wrote no {bitstream.name}; see {log}")
    return bitstream


def _command(name: str) -> list[str]:
    if os.name == "nt":
        return ["cmd", "/c", f"call build_{name}.bat"]
    return ["sh", f"build_{name}.sh"]


def _first_error(log: Path) -> str:
    match = re.search(r"^ERROR: .*$", log.read_text(encoding="utf-8", errors="replace"), re.M)
    return f" ({match[0].strip()})" if match else ""
