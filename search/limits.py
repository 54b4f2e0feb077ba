"""What fits, and what is best of it: limits, scores and Pareto sets over a space's outcomes."""

from dataclasses import dataclass

import numpy as np

from bitformer.estimate.power import inference_j, power_w
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.errors import UserError
from bitformer.search.space.components import Outcomes

__all__ = ["RESOURCES", "Limits", "energy_of", "excesses", "within"]

#: What a part has, by the names of limits and outcomes.
RESOURCES = ("luts", "lutram", "ffs", "ramb18", "dsps")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds; None of a resource is all that the part has, None else is no bound.

    ``latency_us`` microseconds, ``energy_j`` joules of an inference at ``clock_hz``.
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
        if self.part not in PARTS:
            raise UserError(f"part must be one of {', '.join(PARTS)}, not {self.part!r}")
        for name in (*RESOURCES, "latency_us", "energy_j"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UserError(f"limit of {name} must not be negative, not {value!r}")
        if not self.clock_hz > 0:
            raise UserError(f"clock must be a positive number of hertz, not {self.clock_hz!r}")

    def of(self, resource: str) -> int:
        """The bound on a resource."""
        own = getattr(self, resource)
        name = {"lutram": "lutram_luts"}.get(resource, resource)
        return getattr(PARTS[self.part], name) if own is None else own

    @property
    def cycles(self) -> float | None:
        """The bound on latency in cycles."""
        if self.latency_us is None:
            return None
        return round(self.latency_us * 1e-6 * self.clock_hz, 6)


def energy_of(outcomes: Outcomes, limits: Limits) -> np.ndarray:
    """Joules of an inference of each combination, by the power model."""
    power = power_w(
        limits.part,
        luts=outcomes.luts,
        ffs=outcomes.ffs,
        ramb18=outcomes.ramb18,
        dsps=outcomes.dsps,
        clock_hz=limits.clock_hz,
    )
    return inference_j(power, outcomes.latency, clock_hz=limits.clock_hz)


def excesses(outcomes: Outcomes, limits: Limits) -> dict[str, np.ndarray]:
    """How far each combination is over each limit, relative to it; at most 0 where it is kept."""
    bounds: dict[str, tuple[np.ndarray, float | None]] = {
        name: (getattr(outcomes, name), limits.of(name)) for name in RESOURCES
    }
    bounds["latency"] = outcomes.latency, limits.cycles
    bounds["energy"] = energy_of(outcomes, limits), limits.energy_j
    return {
        name: (values - bound) / max(bound, 1e-12)
        for name, (values, bound) in bounds.items()
        if bound is not None
    }


def within(outcomes: Outcomes, limits: Limits) -> np.ndarray:
    """Which combinations keep every limit."""
    over = excesses(outcomes, limits).values()
    return np.logical_and.reduce([outcomes.possible, *(one <= 0 for one in over)])
