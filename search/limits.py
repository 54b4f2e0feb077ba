"""Limits of what a design may take, and how far designs are over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.estimate.power import inference_j
from bitformer.hw.parts import DEFAULT_PART, PARTS, find_part
from bitformer.model.errors import UserError
from bitformer.search.space.outcomes import Outcomes

__all__ = ["RESOURCES", "Limits", "energy_of", "excesses", "within"]

#: What a part has, by the names of limits and outcomes.
RESOURCES = ("luts", "lutram", "ffs", "ramb18", "dsps")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds of a design: None of a resource is all that the part has, None else is no bound.

    Parameters
    ----------
    part : the FPGA.
    luts, lutram, ffs, ramb18, dsps : numbers of each resource.
    latency_us : microseconds of an inference.
    energy_j : joules of an inference, by the model of power.
    clock_hz : the clock of both, in hertz.

    Raises
    ------
    UserError
        If the part is unknown, a limit negative, or the clock not positive.
    """

    part: str = DEFAULT_PART
    luts: int | None = None
    lutram: int | None = None
    ffs: int | None = None
    ramb18: int | None = None
    dsps: int | None = None
    latency_us: float | None = None
    energy_j: float | None = None
    clock_hz: float = 100e6

    def __post_init__(self):
        find_part(self.part)
        for name in (*RESOURCES, "latency_us", "energy_j"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UserError(f"limit of {name} must not be negative, not {value!r}")
        if not self.clock_hz > 0:
            raise UserError(f"clock must be a positive number of hertz, not {self.clock_hz!r}")

    def of(self, resource: str) -> int:
        """Return the bound on a resource."""
        own = getattr(self, resource)
        name = {"lutram": "lutram_luts"}.get(resource, resource)
        return getattr(PARTS[self.part], name) if own is None else own

    @property
    def cycles(self) -> float | None:
        """The bound on latency in cycles."""
        if self.latency_us is None:
            return None
        return round(self.latency_us * 1e-6 * self.clock_hz, 6)


def energy_of(taken: Mapping[str, Any], limits: Limits) -> Any:
    """Return the joules of an inference, by the power model.

    ``taken`` : resources, ``latency`` and ``interval`` in cycles, numbers or arrays.
    """
    return inference_j(limits.part, taken, clock_hz=limits.clock_hz)


def excesses(taken: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Return how far designs are over each limit, relative to it; at most 0 where it is kept.

    ``taken`` : as of :func:`energy_of`.
    """
    bounds: dict[str, tuple[Any, float | None]] = {
        name: (taken[name], limits.of(name)) for name in RESOURCES
    }
    bounds["latency"] = taken["latency"], limits.cycles
    bounds["energy"] = energy_of(taken, limits), limits.energy_j
    return {
        name: (values - bound) / max(bound, 1e-12)
        for name, (values, bound) in bounds.items()
        if bound is not None
    }


def within(outcomes: Outcomes, limits: Limits) -> np.ndarray:
    """Return which combinations keep every limit."""
    over = excesses(vars(outcomes), limits).values()
    return np.logical_and.reduce([outcomes.possible, *(one <= 0 for one in over)])
