"""The published accelerator for the same models and part, in figures.

Its design: one encoder layer, one head, FFN width 4·d, BatchNorm, mean over time, 7 inputs and one
output, on an XC7S15 (arXiv 2410.03294 and its public generator). Cycles were measured by running
that generator's VHDL, or follow from the cycles of its layers, which it runs one after another; the
formula is within 1 % of what was measured. Resources are Yosys' for its network, (6, 64, 8) by an
older Yosys.
"""

from dataclasses import dataclass

__all__ = ["CYCLES", "RESOURCES", "TARGETS", "Resources", "cycles"]

INPUTS = 7
#: Measured cycles of an inference by (window, d_model, bits).
CYCLES = {(6, 64, 8): 284_027, (12, 64, 6): 577_871, (12, 32, 4): 167_620}
#: Cycles that we want to stay below.
TARGETS = {
    "grid-12-32-4": 6_000,
    "grid-12-64-6": 21_500,
    "grid-6-64-8": 20_500,
    "grid-24-64-4": 43_000,
    "grid-24-64-6": 43_000,
    "grid-24-64-8": 84_000,
    "etth1-96-24": 2_500,
}


@dataclass(frozen=True, kw_only=True)
class Resources:
    """LUTs, the ones of them that are memory, RAMB18 (a RAMB36 is two), and DSPs."""

    luts: int
    luts_as_memory: int
    ffs: int
    ramb18: int
    dsps: int


#: Of the published network by (window, d_model, bits). The XC7S15 has 20 RAMB18 and 20 DSPs.
RESOURCES = {
    (12, 32, 4): Resources(luts=4_901, luts_as_memory=1_104, ffs=1_536, ramb18=2, dsps=31),
    (12, 64, 6): Resources(luts=5_088, luts_as_memory=1_368, ffs=1_781, ramb18=26, dsps=31),
    (6, 64, 8): Resources(luts=4_335, luts_as_memory=1_020, ffs=2_364, ramb18=30, dsps=56),
}


def cycles(window: int, d_model: int, bits: int) -> int:
    """Cycles of an inference: measured, or the sum over the layers in order."""
    n, d, b, m = window, d_model, bits, INPUTS
    layers = (
        n * d * (m + 5),
        7 * n * d,
        n * d * (d + 5),
        n * n * (d + 5),
        8 * n * n,
        n * n * (3 * b + 7),
        n * d * (n + 5),
        n * d * (d + 5),
        12 * n * d,
        4 * n * d * (d + 5),
        n * d * (4 * d + 5),
        12 * n * d,
        d * (n + 5),
        d + 5,
    )
    return CYCLES.get((window, d_model, bits), sum(layers))
