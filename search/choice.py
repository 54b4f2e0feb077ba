"""What ``--config auto`` has tried, which of it is the best, and why."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bitformer.model.config import TransformerConfig
from bitformer.model.task import task_for

__all__ = ["Choice", "Tried", "best_of", "nothing", "why"]

#: Errors that count as equal, as a part of the least.
_CLOSE = 0.01


def _error_key(config: TransformerConfig) -> str:
    """Return what a configuration's error is called: ``"validation_mse"``."""
    return f"validation_{task_for(config).error_key}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A configuration that was looked at.

    Parameters
    ----------
    config : the configuration.
    what : what is new in it.
    error : validation error of the short training without rounding; None without one.
    taken : ``latency`` in cycles, and resources by their names; empty without a design.
    against : why it is not to be chosen; None where nothing is against it.
    """

    config: TransformerConfig
    what: str
    error: float | None
    taken: Mapping[str, int]
    against: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "config": self.config.to_dict(),
            "what": self.what,
            _error_key(self.config): self.error,
            "taken": dict(self.taken),
            "against": self.against,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Tried":
        """Inverse of :meth:`to_dict`."""
        config = TransformerConfig.from_dict(data["config"])
        return cls(
            config=config,
            what=data["what"],
            error=data[_error_key(config)],
            taken=data["taken"],
            against=data["against"],
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A configuration, and why.

    ``tried`` are in the order in which they were looked at; ``part`` is the FPGA.
    """

    config: TransformerConfig
    part: str
    sentence: str
    tried: tuple[Tried, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "config": self.config.to_dict(),
            "part": self.part,
            "sentence": self.sentence,
            "tried": [one.to_dict() for one in self.tried],
        }


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the cheapest of those whose error is close to the least; None if nothing will do."""
    good = [one for one in tried if one.against is None and one.error is not None]
    good = [one for one in good if math.isfinite(one.error or 0)]
    least = min((one.error or 0 for one in good), default=0.0)
    near = [one for one in good if (one.error or 0) <= least * (1 + _CLOSE)]
    return min(near, key=lambda one: (one.taken["latency"], one.error), default=None)


def _sizes(config: TransformerConfig) -> str:
    return f"window {config.window}, patch {config.patch}, width {config.d_model}"


def why(best: Tried, tried: Sequence[Tried], part: str) -> str:
    """Say what was chosen, and why."""
    trained = [one for one in tried if one.error is not None]
    least = min(trained, key=lambda one: one.error or 0)
    of = f"of {len(trained)} trained shortly" if len(trained) > 1 else "in a short training"
    if best is least:
        because = f"least validation error {of}, {best.error:.4g}"
    else:
        because = (
            f"validation error {best.error:.4g} {of}, within 1 % of the least ({least.error:.4g})"
            f" in {best.taken['latency']} cycles for {least.taken['latency']}"
        )
    return f"Chose {_sizes(best.config)} ({best.what}): {because}; it fits the {part}"


def nothing(tried: Sequence[Tried], part: str, every: int | None = None) -> str:
    """Say that nothing will do, and what is in the way.

    ``every`` : of so many rows one would leave a cycle that a window holds; None where it does.
    """
    if all(one.against == "too few rows" for one in tried):
        shortest, config = min(one.config.window for one in tried), tried[0].config
        beside, shorter = f" and a horizon of {config.horizon}", "--horizon or --window"
        if config.task == "classify":
            beside, shorter = "", "--window"
        return (
            f"--config auto finds too few rows for a window of {shortest}{beside}: say a shorter"
            f" {shorter}, or give it more rows"
        )
    horizon = "" if tried[0].config.task == "classify" else " --horizon or"
    said = "; ".join(f"{_sizes(one.config)}: {one.against}" for one in tried)
    thinner = f", --every {every} to take one row of {every}" if every else ""
    return (
        f"--config auto finds nothing that fits the {part} ({said}): say a shorter"
        f"{horizon} --window, fewer --inputs{thinner}, or a larger --part"
    )
