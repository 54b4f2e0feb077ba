"""The build of a design: its board's project, named after the model."""

import os
from pathlib import Path
from typing import Any

from bitformer.boards.board import Board
from bitformer.boards.build.project import build_plan
from bitformer.hw.design import Design
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError
from bitformer.model.names import as_design_name

__all__ = ["build_design"]


def build_design(
    design: Design,
    board: Board,
    *,
    directory: str | os.PathLike,
    name: str | None = None,
    **options: Any,
) -> Path:
    """Write the project of a design for ``board`` and return its directory.

    Parameters
    ----------
    design : Design
        Lowered for the board's part.
    board : Board
        Where it is to run.
    directory : path
        Where to; a build that is there is replaced.
    name : str or None
        The top module and the stem of the files; by default the configuration's name.
    **options
        Others of :func:`bitformer.boards.build.project.build_plan`.

    Raises
    ------
    UserError
        If the board has another part; and as `build_plan`.
    """
    if board.part != design.part:
        raise UserError(
            f"Board {board.name} must have the design's part, {design.part}, not {board.part}:"
            " lower the model for it"
        )
    return build_plan(
        board,
        lambda: Accelerator(design=design),
        name=as_design_name(design.model.config.name) if name is None else name,
        directory=directory,
        **options,
    )
