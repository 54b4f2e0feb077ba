"""What fits, and what is best of it: limits, scores and Pareto sets over a space's outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision

from .power import inference_j, power_w
from .space import ComponentSpace, Outcomes

__all__ = ["RESOURCES", "Limits", "energy_of", "excesses", "pareto", "predicted_loss", "within"]

#: What a part has, by the names of limits and outcomes.
RESOURCES = ("luts", "lutram", "ffs", "ramb18", "dsps")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper bounds; None of a resource is all that the part has, None else is no bound.

    ``latency_us`` microseconds, ``energy_j`` joules of an inference at ``clock_hz``.
    """

    part: str = "xc7s15"
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


def predicted_loss(
    space: ComponentSpace, sensitivity: Mapping[str, Mapping[Precision, float]]
) -> np.ndarray:
    """What the bits of each component add to the validation error, summed.

    ``sensitivity`` gives the added error by component and bits, for all of the space's.
    """
    total = np.zeros(len(space))
    for place, name in enumerate(space.components):
        own = sensitivity.get(name)
        if own is None or any(bits not in own for bits in space.bits):
            wanted = ", ".join(map(str, space.bits))
            raise UserError(f"sensitivity of {name} must be given for bits {wanted}")
        total += np.array([own[bits] for bits in space.bits])[space.codes[:, place]]
    return total


def pareto(costs: np.ndarray) -> np.ndarray:
    """Rows of ``costs`` [points, objectives] that no other is better than, in order of the first.

    All objectives are to be small; of equal rows the first counts. Points are taken in
    lexicographic order, in which nothing that comes later is better than what is kept.
    """
    costs = np.asarray(costs, dtype=np.float64)
    there = _not_dominated_by_their_like(costs) if costs.shape[1] == 3 else np.arange(len(costs))
    kept: list[int] = []
    for number in there[np.lexsort(costs[there].T[::-1])]:
        if not (costs[kept] <= costs[number]).all(axis=1).any():
            kept.append(int(number))
    return np.array(kept, dtype=np.int64)


def _not_dominated_by_their_like(costs: np.ndarray) -> np.ndarray:
    """Rows, in order, that none with the same second objective is better than.

    A large space has few different latencies, so this leaves few points to be compared.
    """
    order = np.lexsort((costs[:, 2], costs[:, 0], costs[:, 1]))
    starts = np.flatnonzero(np.diff(costs[order, 1], prepend=np.nan) != 0)
    kept = []
    for group in np.split(order, starts[1:]):
        third = costs[group, 2]
        least = np.concatenate([[np.inf], np.minimum.accumulate(third)[:-1]])
        kept.append(group[third < least])
    return np.sort(np.concatenate(kept)) if kept else order
