"""A model of power, for ranking before anything was placed: static + clock x energy of a cycle.

Static power is what Vivado reported of the part (:mod:`bitformer.hw.parts`). The energies of a
cycle are ASSUMED: orders of magnitude for 28 nm logic at moderate activity, not fitted on any
report of ours. They rank designs of a kind; a report's figure replaces them where there is one.
"""

from typing import Any

from bitformer.hw.parts import PARTS

__all__ = ["ENERGY_PJ", "STATIC_W", "inference_j", "power_w"]

#: Picojoules of a clock cycle for each LUT, flip-flop with its share of the clock, RAMB18 and DSP
#: block. Assumed.
ENERGY_PJ = {"luts": 0.03, "ffs": 0.02, "ramb18": 7.0, "dsps": 5.0}
#: Assumed where no report of the part was read: what the XC7S25 and larger ones show.
STATIC_W = 0.07


def power_w(
    part: str, *, luts: Any, ffs: Any, ramb18: Any, dsps: Any, clock_hz: float = 100e6
) -> Any:
    """Watts while it works: numbers, or arrays for a space. A model, not a measurement."""
    static = PARTS[part].static_w
    cycle = (
        ENERGY_PJ["luts"] * luts
        + ENERGY_PJ["ffs"] * ffs
        + ENERGY_PJ["ramb18"] * ramb18
        + ENERGY_PJ["dsps"] * dsps
    )
    return (STATIC_W if static is None else static) + cycle * 1e-12 * clock_hz


def inference_j(power: Any, cycles: Any, *, clock_hz: float = 100e6) -> Any:
    """Joules of one inference: watts, a model's or a report's, x its cycles."""
    return power * cycles / clock_hz
