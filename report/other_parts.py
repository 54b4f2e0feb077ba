"""The same model on a part of each other family, at a clock that it is known to reach."""

from collections.abc import Iterator

import bitformer
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.errors import UserError

__all__ = ["clock_of", "on_other_families"]


def on_other_families(
    design: "bitformer.AcceleratorDesign",
) -> "Iterator[bitformer.AcceleratorDesign]":
    """Lower the model for the usual or the smallest part of each other family that has enough."""
    family = PARTS[design.part].family
    names = dict.fromkeys(part.family for part in PARTS.values() if part.family is not family)
    for other in names:
        own = [part.name for part in PARTS.values() if part.family is other]
        for name in sorted(own, key=lambda name: name != DEFAULT_PART):
            try:
                found = bitformer.lower(design.model, part=name)
            except UserError:
                continue
            if not found.exact().over:
                yield found
                break


def clock_of(
    design: "bitformer.AcceleratorDesign", found: "bitformer.DesignEstimate", clock_hz: float
) -> float:
    """Return the hertz that a design runs at: no more than it reaches, as far as that is known."""
    from bitformer.synth.router import router_of

    if found.clock is not None:
        return min(clock_hz, found.clock.mhz * 1e6)
    router = router_of(design.part)
    return clock_hz if router is None else min(clock_hz, router.asked_hz)
