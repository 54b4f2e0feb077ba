"""The parts of a bundle that are made of its model alone, when it is made and when checked."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bitformer
from bitformer.boards.catalog import find_board
from bitformer.bundle.manifest import BUILD, DESIGN

__all__ = ["design_of", "files_in", "made_build", "made_design"]


def design_of(
    model: "bitformer.Model", board: str, hardware: Mapping[str, Any]
) -> "bitformer.AcceleratorDesign":
    """Lower a model for a board's part. ``hardware`` : other arguments of :func:`lower`."""
    return bitformer.lower(model, part=find_board(board).part, **hardware)


def files_in(folder: Path, prefix: str) -> dict[str, bytes]:
    """Return the files of a folder by their names behind ``prefix``."""
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def made_design(design: "bitformer.AcceleratorDesign") -> dict[str, bytes]:
    """Return the accelerator's Verilog, what it consists of as JSON, and what firmware needs."""
    with tempfile.TemporaryDirectory() as folder:
        design.elaborate(Path(folder) / "design")
        return files_in(Path(folder) / "design", DESIGN)


def made_build(
    design: "bitformer.AcceleratorDesign", board: str, options: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the project for a board. ``options`` : of :meth:`AcceleratorDesign.build`."""
    with tempfile.TemporaryDirectory() as folder:
        design.build(board, to=Path(folder) / "build", **options)
        return files_in(Path(folder) / "build", BUILD)
