"""All kinds of input, and one case of a kind by its number."""

import contextlib
import importlib
import os
import random
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from fuzz.base_kinds import BASE_KINDS
from fuzz.board_kinds import BOARD_KINDS
from fuzz.case import Case, Kind
from fuzz.data_kinds import DATA_KINDS
from fuzz.judge import Verdict
from fuzz.line_kinds import LINE_KINDS
from fuzz.model_kinds import MODEL_KINDS
from fuzz.run_kinds import RUN_KINDS

# what commands import late, and what a case whose time is over must not leave half imported
with contextlib.suppress(ImportError):
    for _name in ("torch._dynamo", "matplotlib.pyplot"):
        importlib.import_module(_name)

__all__ = ["KINDS", "make", "run_case"]

KINDS: Mapping[str, Kind] = {
    **MODEL_KINDS,
    **DATA_KINDS,
    **BASE_KINDS,
    **RUN_KINDS,
    **BOARD_KINDS,
    **LINE_KINDS,
}


def make(name: str, root: Path) -> Path:
    """The originals of a kind below ``root``, made if they are not there whole.

    They stay where they were made: what a study keeps is of data at that place.
    """
    folder, whole = root / name, root / f"{name} is whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        KINDS[name].make(folder)
        whole.touch()
    return folder


def run_case(
    name: str, number: int, root: Path, *, keep: Path | None = None
) -> tuple[Verdict, list[str]]:
    """Case ``number`` of a kind: how it ended, and what was done.

    ``root`` holds the originals. ``keep`` : a folder that is made and left as the case left it.
    """
    originals = make(name, root)
    folder = keep or Path(tempfile.mkdtemp(prefix="case-", dir=root))
    folder.mkdir(parents=True, exist_ok=True)
    case = Case(random.Random(f"{name} {number}"), originals, folder / "in")
    case.folder.mkdir()
    (folder / "home").mkdir()
    home = {"BITFORMER_KB": str(folder / "home" / "kb.sqlite"), "MPLCONFIGDIR": str(root)}
    try:
        with patch.dict(os.environ, home):
            return KINDS[name].case(case), case.done
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
