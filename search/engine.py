"""The matrix engine that a candidate is lowered with: products a cycle, packed or one by one."""

from dataclasses import dataclass
from typing import Any

from bitformer.model.errors import UserError

__all__ = ["Engine"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What :func:`bitformer.hw.lowering.lower.lower` is told of the engine.

    ``lanes`` : products a cycle, None for what the part's DSP blocks allow. ``pack`` : two of them
    in a DSP block, where that is safe: more LUTs, fewer cycles.
    """

    lanes: int | None = None
    pack: bool = True

    def __post_init__(self):
        if self.lanes is not None and self.lanes < 1:
            raise UserError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def options(self) -> dict[str, Any]:
        """As arguments of ``lower``."""
        return {"lanes": self.lanes, "pack": self.pack}

    @property
    def arguments(self) -> str:
        """As options of the command line, empty for the part's own engine."""
        lanes = "" if self.lanes is None else f"--lanes {self.lanes}"
        return " ".join(filter(None, (lanes, "" if self.pack else "--no-pack")))

    def __str__(self) -> str:
        lanes = "" if self.lanes is None else f"{self.lanes}lanes"
        return "-".join(filter(None, (lanes, "" if self.pack else "unpacked")))
