"""What would make a design fit a part that it does not fit: the cheapest changes, tried out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bitformer.hw.design import Design
from bitformer.hw.lowering.exact import Estimate, estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent

__all__ = ["Remedy", "remedies"]


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A change with which the design fits, and the estimate it then has."""

    change: str
    estimate: Estimate

    def __str__(self) -> str:
        used = ", ".join(f"{use.used} {use.resource}" for use in self.estimate.uses)
        return f"{self.change}: {self.estimate.latency} cycles, {used}"


def _trials(
    design: Design, lanes: int | None, pack: bool, placement: Mapping[str, str]
) -> Iterator[tuple[str, dict]]:
    """Changes worth trying, each with the arguments of ``lower`` it stands for."""
    part, geometry = design.part, design.geometry
    kept = {"part": part, "lanes": lanes, "pack": pack, "placement": placement}
    for store, place in placement.items():
        if place != "auto":
            freed = {name: other for name, other in placement.items() if name != store}
            yield f"leave the placement of {store} to the solver", {**kept, "placement": freed}
    if placement:
        yield "leave all placements to the solver", {**kept, "placement": {}}
    if geometry.ways > 1:
        yield "no packing", {**kept, "pack": False}
    fewer = (lanes or 2 * geometry.columns) // 2
    while fewer:
        yield f"{fewer} lanes", {**kept, "lanes": fewer}
        fewer //= 2
    for name, other in PARTS.items():
        if other.luts > PARTS[part].luts:
            yield f"part {name}", {**kept, "part": name}
            change = f"part {name}, placements left to the solver"
            yield change, {**kept, "part": name, "placement": {}}


def remedies(
    model: IntegerModel,
    *,
    part: str,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    clock_hz: float = 100e6,
    most: int = 3,
    beside: Sequence[StoreSpec] = (),
    progress: Progress = silent,
) -> list[Remedy]:
    """Up to ``most`` changes with which ``model`` fits, the fastest first; none if it fits already.

    Tried, one at a time: placements given to the solver, no packing, fewer lanes, larger parts.
    ``beside`` are memories that share the part. ``progress`` is told how many were tried, and what
    is tried next.
    """
    placement = dict(placement or {})
    design = lower(model, part=part, lanes=lanes, pack=pack, placement=placement)
    if not estimate(design, clock_hz=clock_hz, beside=beside).over:
        return []
    found, larger = [], False
    for number, (change, arguments) in enumerate(_trials(design, lanes, pack, placement)):
        progress(number, None, f"trying {change}")
        another = arguments["part"] != part
        if another and larger:
            continue
        try:
            trial = estimate(lower(model, **arguments), clock_hz=clock_hz, beside=beside)
        except UserError:
            continue
        if not trial.over:
            found.append(Remedy(change=change, estimate=trial))
            larger = larger or another
    here = [remedy for remedy in found if remedy.estimate.part == part]
    here.sort(key=lambda remedy: remedy.estimate.latency)
    return [*here, *(r for r in found if r.estimate.part != part)][:most]
