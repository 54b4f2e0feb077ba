"""Running Vivado on a build plan."""

import json
import os
import re
import shutil
from pathlib import Path

from bitformer.boards.child import run_child
from bitformer.boards.plan_directory import PLAN_FILE
from bitformer.model.errors import UserError

__all__ = ["run_vivado", "vivado_found"]

#: What the build script printed, Vivado's messages included.
_LOG = "build.log"


def vivado_found() -> bool:
    """Whether a build plan can be run here.

    ``vivado`` must be on the PATH, or ``VIVADO`` name the program, or ``AMARANTH_ENV_VIVADO`` a
    script that puts it there, as Vivado's ``settings64.sh`` does.
    """
    if os.environ.get("AMARANTH_ENV_VIVADO"):
        return True
    return shutil.which(os.environ.get("VIVADO") or "vivado") is not None


def run_vivado(plan_dir: str | os.PathLike) -> Path:
    """Build the plan in `plan_dir` and return the path of the bitstream.

    What the build prints goes to ``build.log`` in that directory, as it comes. On Ctrl-C, Vivado
    and what it started are ended.

    Whether the design meets its timing is for the reports to say: Vivado writes a bitstream all
    the same.

    Raises
    ------
    UserError
        If `plan_dir` holds no plan, Vivado is not found or fails, or there is no bitstream.
    """
    directory = Path(plan_dir).resolve()
    name, bitstream = _read_plan(directory)
    if not vivado_found():
        raise UserError(
            f"Vivado is not on the PATH; the plan in {directory} builds elsewhere with "
            f"'sh build_{name}.sh'"
        )
    log = directory / _LOG
    # An earlier run's bitstream must not pass for this one's.
    bitstream.unlink(missing_ok=True)
    with log.open("wb") as output:
        status = run_child(_command(name), cwd=directory, output=output)
    if status != 0:
        raise UserError(f"Vivado failed with exit status {status}{_first_error(log)}; see {log}")
    if not bitstream.is_file():
        raise UserError(f"Vivado ended without an error but wrote no {bitstream.name}; see {log}")
    return bitstream


def _read_plan(directory: Path) -> tuple[str, Path]:
    try:
        facts = json.loads((directory / PLAN_FILE).read_text(encoding="utf-8"))
        return facts["name"], directory / facts["bitstream"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"Directory {directory} holds no bitformer build") from None


def _command(name: str) -> list[str]:
    if os.name == "nt":
        return ["cmd", "/c", f"call build_{name}.bat"]
    return ["sh", f"build_{name}.sh"]


def _first_error(log: Path) -> str:
    match = re.search(r"^ERROR: .*$", log.read_text(encoding="utf-8", errors="replace"), re.M)
    return f" ({match[0].strip()})" if match else ""
