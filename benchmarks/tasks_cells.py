"""What docs/tasks.md is made of: cells that are computed once and kept, by section of the page."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitformer.model.files import write_whole

__all__ = ["SEEDS", "Cell", "Section"]

SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A record of its own: ``compute`` returns plain data, given the folder of all cells."""

    key: str
    compute: Callable[[Path], dict[str, Any]]

    def record(self, folder: Path, *, compute: bool = False) -> dict[str, Any] | None:
        """What is known, or is computed; None for neither."""
        path = folder / "cells" / f"{self.key}.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        if not compute:
            return None
        found = self.compute(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(found) + "\n")
        return found


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of the page: its cells, and its lines by what is known of them in a folder."""

    key: str
    cells: Sequence[Cell]
    lines: Callable[[Path], list[str]]
