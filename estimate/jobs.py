"""Designs to measure: which model, and how it is lowered."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bitformer.hw.design import Design
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.soft_columns import soft_of
from bitformer.hw.parts import DEFAULT_PART, find_part
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.synth.router import target_of

__all__ = ["Job"]

#: What a job is besides how its design is made.
_MEASURING = ("units", "seeds", "clock_hz")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A design to measure: an untrained model of ``config``, lowered for ``part``.

    ``lanes``, ``pack``, ``rows``, ``posts``, ``lut_lanes`` and ``broad`` are as
    :func:`bitformer.hw.lowering.lower.lower` has them, ``lut_lanes`` products a cycle of columns of
    LUTs, two for each of them in each token row. ``family`` : of shapes that it is drawn from.
    With ``units`` each of the design's units by itself, too. With ``seeds`` it is placed and routed
    as well, so many times, at ``clock_hz``.
    """

    config: TransformerConfig
    part: str = DEFAULT_PART
    lanes: int | None = None
    pack: bool = True
    rows: int = 1
    posts: int = 1
    lut_lanes: int | None = None
    broad: int | None = None
    family: str = ""
    units: bool = False
    seeds: int = 0
    clock_hz: float | None = None

    def __post_init__(self):
        find_part(self.part)
        if self.lut_lanes is not None:
            soft_of(self.lut_lanes, self.rows)
        if self.seeds:
            target_of(self.part)

    @property
    def name(self) -> str:
        """What it is called in messages, and by a pool."""
        found = f"{self.config.name}-{self.part}"
        found += "" if self.lanes is None else f"-{self.lanes}"
        found += "" if self.pack else "-unpacked"
        if (self.rows, self.posts) != (1, 1):
            found += f"-{self.rows}x{self.posts}"
        found += "" if self.lut_lanes is None else f"-lut{self.lut_lanes}"
        return found + ("" if self.broad is None else f"-broad{self.broad}")

    @property
    def described(self) -> dict[str, Any]:
        """What its design is made from, as plain data: what differs from the defaults."""
        found = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _MEASURING and getattr(self, field.name) != field.default
        }
        return {**found, "config": self.config.to_dict()}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Job":
        """Return the job of :attr:`described`: it measures the whole design alone."""
        return cls(**{**described, "config": TransformerConfig.from_dict(described["config"])})

    def lowered(self) -> Design:
        """Return its design. Raises :class:`UserError` where the units cannot run the model."""
        soft = None if self.lut_lanes is None else soft_of(self.lut_lanes, self.rows)
        return lower(
            initialize(self.config),
            part=self.part,
            lanes=self.lanes,
            pack=self.pack,
            rows=self.rows,
            posts=self.posts,
            soft=soft,
            broad=self.broad,
        )
