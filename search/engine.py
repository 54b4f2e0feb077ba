"""The matrix engine that a candidate is lowered with: its products a cycle, and what makes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import Precision
from bitformer.study.sensitivity import existing

__all__ = ["Engine", "engines_of_rows"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What :func:`bitformer.hw.lowering.lower.lower` is told of the engine.

    ``lanes`` : products a cycle, None for what the part's DSP blocks allow. ``pack`` : two of them
    in a DSP block, where that is safe: more LUTs, fewer cycles. ``rows`` : token rows side by side.
    ``posts`` : post-processors for these. ``soft`` : columns of LUTs of each row, None for those
    that a family has unasked. ``phases`` : of streams, how many take steps in turn.
    """

    lanes: int | None = None
    pack: bool = True
    rows: int = 1
    posts: int = 1
    soft: int | None = None
    phases: int = 1

    def __post_init__(self):
        if self.lanes is not None and self.lanes < 1:
            raise UserError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def plain(self) -> bool:
        """Whether it has one token row, and no columns of LUTs that were asked for."""
        return (self.rows, self.posts, self.soft) == (1, 1, None)

    @property
    def options(self) -> dict[str, Any]:
        """As arguments of ``lower``."""
        own: dict[str, Any] = {"lanes": self.lanes, "pack": self.pack}
        if not self.plain:
            own |= {"rows": self.rows, "posts": self.posts, "soft": self.soft}
        return own | self._of_phases

    @property
    def asked(self) -> dict[str, Any]:
        """As arguments of :func:`bitformer.lower`."""
        own: dict[str, Any] = {"lanes": self.lanes, "pack": self.pack}
        if not self.plain:
            own |= {"rows": self.rows, "posts": self.posts}
        if self.soft is not None:
            own["lut_lanes"] = 2 * self.rows * self.soft
        return own | self._of_phases

    @property
    def _of_phases(self) -> dict[str, int]:
        """The argument that several phases are, under any name."""
        return {"phases": self.phases} if self.phases > 1 else {}

    @property
    def _said(self) -> list[tuple[str, str]]:
        """What is not as usual: an option of the command line, and a word for it in names."""
        found = []
        if self.lanes is not None:
            found.append((f"--lanes {self.lanes}", f"{self.lanes}lanes"))
        if not self.pack:
            found.append(("--no-pack", "unpacked"))
        if self.rows > 1:
            found.append((f"--rows {self.rows}", f"{self.rows}rows"))
        if self.posts > 1:
            found.append((f"--posts {self.posts}", f"{self.posts}posts"))
        if self.soft is not None:
            found.append((f"--lut-lanes {2 * self.rows * self.soft}", f"{self.soft}soft"))
        if self.phases > 1:
            found.append((f"--phases {self.phases}", f"{self.phases}phases"))
        return found

    @property
    def arguments(self) -> str:
        """As options of the command line, empty for the part's own engine."""
        return " ".join(option for option, _ in self._said)

    def __str__(self) -> str:
        return "-".join(word for _, word in self._said)


def engines_of_rows(
    config: TransformerConfig, bits: Sequence[Precision], part: str, lanes: int | None = None
) -> tuple[Engine, ...]:
    """Return the engines of fewest cycles in a part for models that have the same bits everywhere.

    They have as many token rows, post-processors and columns of LUTs as ``lower`` chooses for each
    of ``bits``. Those for which one row is the best, without such columns, have no engine here.
    """
    found: dict[Engine, None] = {}
    for one in bits:
        same = config.replace(precision=dict.fromkeys(existing(config), one), tensors={})
        model = initialize(same)
        try:
            best = lower(model, part=part, lanes=lanes, rows="auto", soft="auto")
        except UserError:
            continue  # these bits have no design
        engine = _asked(model, best, lanes)
        if not engine.plain:
            found[engine] = None
    return tuple(found)


def _asked(model: IntegerModel, best: Design, lanes: int | None) -> Engine:
    """Return the engine that must be asked for to have a design again.

    With as many columns of LUTs as it has, unless its family gives them unasked.
    """
    geometry = best.geometry
    plain = Engine(lanes=lanes, rows=geometry.rows, posts=geometry.posts)
    for engine in (plain, replace(plain, soft=geometry.weights.soft), replace(plain, soft=0)):
        try:
            again = lower(model, part=best.part, **engine.options)
        except UserError:
            continue
        if again.latency == best.latency:
            return engine
    raise AssertionError(f"no engine has the design of {model.config.name} again")
