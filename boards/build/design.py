"""A design's build: the board's project with the cycles and the hash of what it computes."""

import os
from pathlib import Path
from typing import Any

from bitformer.boards.board import Board
from bitformer.boards.build.project import build_plan
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.design import Design
from bitformer.model.identity import model_hash

__all__ = ["build_design"]


def build_design(
    design: Design, board: Board, *, name: str, directory: str | os.PathLike, **options: Any
) -> Path:
    """Write the project of a design for ``board`` and return its directory.

    Parameters
    ----------
    name, directory, options : as of :func:`bitformer.boards.build.project.build_plan`, which refuses what
        will not do.
    """
    return build_plan(
        board,
        lambda: Accelerator(design=design),
        name=name,
        directory=directory,
        facts={
            "latency_cycles": design.latency,
            "interval_cycles": design.interval,
            "model": model_hash(design.model).hex(),
        },
        **options,
    )
