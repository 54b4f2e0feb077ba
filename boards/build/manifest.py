"""What a build's ``bitformer.json`` says: every field that is used, checked where it is read."""

import re
from pathlib import Path
from typing import Literal, TypedDict, cast

from bitformer.boards.build.directory import PLAN_FILE
from bitformer.model.errors import UserError
from bitformer.model.names import check_design_name
from bitformer.model.plain import partly, shown
from bitformer.model.strict_json import read_json

__all__ = ["PlanFacts", "read_facts"]

_BITSTREAM = re.compile(r"[A-Za-z][A-Za-z0-9_]*\.bit")
_POSITIVE = ("clock_hz", "latency_cycles", "interval_cycles")


class PlanFacts(TypedDict, total=False):
    """Of a build: what it is of and for, and the file that the tools make in its folder.

    Other fields are left as they are.
    """

    format: Literal[1]
    name: str
    board: str
    part: str
    toolchain: Literal["vivado", "open"]
    bitstream: str
    model: str
    clock_hz: int
    latency_cycles: int
    interval_cycles: int


def read_facts(directory: Path, *needed: str) -> PlanFacts:
    """The facts of the build in a folder; none where there is no such file.

    Raises
    ------
    UserError
        If the file is damaged, names a file outside the folder, or lacks a field that is
        ``needed``.
    """
    path = directory / PLAN_FILE
    data = read_json(path) if path.is_symlink() or path.exists() else {}
    known = partly(PlanFacts, data, str(path))
    if not all(name in known for name in needed):
        raise UserError(f"Directory {directory} holds no bitformer build")
    for name in _POSITIVE:
        if not 0 < known.get(name, 1) < 2**53:
            raise UserError(f"{path}: {name} must be a positive number, not {known[name]}")
    if not re.fullmatch("[0-9a-f]{16}", known.get("model", "0" * 16)):
        raise UserError(f"{path}: model must be 16 hexadecimal digits, not {shown(known['model'])}")
    check_design_name(known.get("name", "top"), f"{path}: name")
    if not _BITSTREAM.fullmatch(known.get("bitstream", "top.bit")):
        raise UserError(
            f"{path}: bitstream must be the name of a .bit file in that folder, not"
            f" {shown(known['bitstream'])}"
        )
    return cast(PlanFacts, known)
