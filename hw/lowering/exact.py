"""What a design needs before anyone simulates or synthesises it: cycles, and memory by the store.

Cycles are exact: they are the program's own timetable. Memories are counted by shape and placement
(:mod:`.place`). The units' own logic is not modelled yet, so LUTs are those of the stores alone: a
design that is over the budget here does not fit, but one within it still may not.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bitformer.hw.design import Design
from bitformer.hw.families.family import Family
from bitformer.hw.lowering.place import Cost, cost
from bitformer.hw.memory import StorePart, StoreSpec
from bitformer.hw.parts import PARTS, Part, Use, known_uses

__all__ = ["DEFAULT_CLOCK_HZ", "Estimate", "PartEstimate", "StoreEstimate", "estimate"]

DEFAULT_CLOCK_HZ = 100e6


@dataclass(frozen=True, kw_only=True)
class StoreEstimate(Cost):
    """A store of ``depth`` words of ``width`` bits, and what its placement takes."""

    name: str
    depth: int
    width: int
    bits: int
    rom: bool
    placement: str
    parts: tuple["PartEstimate", ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return it as plain data; ``parts`` where the store is split."""
        found = dataclasses.asdict(self)
        return found if self.parts else {n: v for n, v in found.items() if n != "parts"}


@dataclass(frozen=True, kw_only=True)
class PartEstimate(Cost):
    """A part of a split store: ``depth`` words, for rows of these ``tensors``.

    ``engine``, ``post`` : whether the engine reads it, and the post-processor.
    """

    depth: int
    bits: int
    placement: str
    tensors: tuple[str, ...]
    engine: bool
    post: bool


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A design on a part at a clock.

    Parameters
    ----------
    latency, interval : cycles from the first input accepted to the last output taken, and from one
        inference to the next, back to back.
    macs : multiply-accumulates of an inference.
    peak : multiply-accumulates that the engine can make in a cycle.
    stores : every memory.
    uses : the part's resources: block RAMs, LUTs as memory, LUTs (of the stores only), DSPs.
    """

    part: str
    clock_hz: float
    latency: int
    interval: int
    macs: int
    peak: int
    stores: tuple[StoreEstimate, ...]
    uses: tuple[Use, ...]

    @property
    def latency_us(self) -> float:
        """Microseconds from the first input to the last output."""
        return self.latency / self.clock_hz * 1e6

    @property
    def interval_us(self) -> float:
        """Microseconds from one inference to the next."""
        return self.interval / self.clock_hz * 1e6

    @property
    def macs_per_cycle(self) -> float:
        """Multiply-accumulates a cycle, back to back."""
        return self.macs / self.interval

    @property
    def utilisation(self) -> float:
        """Share of the engine's peak that is used, back to back."""
        return self.macs_per_cycle / self.peak

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which the part has too few."""
        return tuple(use for use in self.uses if use.over)

    def to_dict(self) -> dict[str, object]:
        """Return the estimate as plain data."""
        return {
            "part": self.part,
            "clock_hz": self.clock_hz,
            "latency_cycles": self.latency,
            "interval_cycles": self.interval,
            "latency_us": self.latency_us,
            "interval_us": self.interval_us,
            "macs": self.macs,
            "macs_per_cycle": self.macs_per_cycle,
            "peak_macs_per_cycle": self.peak,
            "utilisation": self.utilisation,
            "stores": [store.to_dict() for store in self.stores],
            "resources": [{**dataclasses.asdict(use), "over": use.over} for use in self.uses],
            "within_budget": not self.over,
            "luts_are": "stores only",
        }


def _store(spec: StoreSpec, family: Family) -> StoreEstimate:
    return StoreEstimate(
        name=spec.name,
        depth=spec.depth,
        width=spec.width,
        bits=spec.bits,
        rom=spec.rom,
        placement=spec.placement,
        parts=tuple(_part(part, family) for part in spec.parts),
        **vars(cost(spec, spec.placement, family)),
    )


def _part(part: StorePart, family: Family) -> PartEstimate:
    spec = part.spec
    return PartEstimate(
        depth=spec.depth,
        bits=spec.bits,
        placement=spec.placement,
        tensors=part.tensors,
        engine=0 in part.ports,
        post=1 in part.ports,
        **vars(cost(spec, spec.placement, family)),
    )


def _uses(design: Design, stores: tuple[StoreEstimate, ...], part: Part) -> Iterator[Use]:
    lutram = sum(store.lutram for store in stores)
    luts = lutram + sum(store.luts for store in stores)
    yield Use(resource="DSP", used=design.geometry.dsps, available=part.dsps)
    ramb18 = sum(store.ramb18 for store in stores)
    yield Use(resource=part.family.block_ram.name, used=ramb18, available=part.ramb18)
    yield Use(resource="LUT as memory", used=lutram, available=part.lutram_luts)
    yield Use(resource="LUT (stores only)", used=luts, available=part.luts)
    ffs = sum(store.ffs for store in stores)
    if ffs:
        yield Use(resource="FF (stores only)", used=ffs, available=part.ffs)


def estimate(
    design: Design,
    *,
    clock_hz: float = DEFAULT_CLOCK_HZ,
    part: str | None = None,
    beside: Iterable[StoreSpec] = (),
) -> Estimate:
    """Predict ``design`` on a part, by default the one that it was lowered for.

    Parameters
    ----------
    design :
        The lowered model.
    clock_hz :
        The clock that it will run at.
    part :
        The part's name.
    beside :
        Placed memories that share the part, such as a shell's: counted, not listed.

    Raises
    ------
    ValueError
        If ``clock_hz`` is not positive.
    """
    if not clock_hz > 0:
        raise ValueError(f"Clock must be a positive number of hertz, not {clock_hz!r}")
    there = PARTS[part or design.part]
    stores = tuple(_store(spec, there.family) for spec in design.stores.values())
    others = tuple(_store(spec, there.family) for spec in beside)
    return Estimate(
        part=there.name,
        clock_hz=clock_hz,
        latency=design.latency,
        interval=design.interval,
        macs=design.model.config.macs,
        peak=design.geometry.columns * (2 if any(design.packed.values()) else 1),
        stores=stores,
        uses=known_uses(*_uses(design, stores + others, there)),
    )
