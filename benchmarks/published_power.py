"""Powers that others published, beside which the model of power is held.

Of the XC7S15: milliseconds and millijoules of an inference of the published accelerator (arXiv
2410.03294), whose resources and cycles are in :mod:`published`. Of the iCE40UP5K: currents of each
supply that tinyVision.ai measured (github.com/tinyvision-ai-inc/ice40_power) with small designs,
whose cells they count; they are partly what the model's energies follow from.
"""

from dataclasses import dataclass

from published import CYCLES, RESOURCES

from bitformer.estimate.power import inference_j, power_w
from bitformer.hw.parts import PARTS

__all__ = ["MEASURED", "REPORTED", "Currents", "off_by", "off_by_of_currents"]

#: By (window, d_model, bits): milliseconds and millijoules of an inference.
REPORTED = {(6, 64, 8): (2.82, 0.212), (12, 64, 6): (4.61, 0.364), (12, 32, 4): (1.33, 0.084)}
#: Volts of the supplies of the core and its PLL, and of three banks of pins.
_CORE_V, _BANK_V = 1.219, 3.283
#: Microamperes of the PLL's supply and of the banks, in all designs alike.
_PLL_UA, _BANKS_UA = 4.1, 3.76 + 3.4 + 1.5


@dataclass(frozen=True, kw_only=True)
class Currents:
    """A design that was measured: its cells, multipliers, clock, and microamperes of the core."""

    cells: int
    multipliers: int
    clock_hz: float
    core_ua: float

    @property
    def power_w(self) -> float:
        """Watts of all supplies."""
        return ((self.core_ua + _PLL_UA) * _CORE_V + _BANKS_UA * _BANK_V) * 1e-6


#: By what it does.
MEASURED = {
    "a counter, clock halted": Currents(cells=28, multipliers=0, clock_hz=0.0, core_ua=92.1),
    "a counter of 24 bits": Currents(cells=28, multipliers=0, clock_hz=12e6, core_ua=645),
    "the same, faster": Currents(cells=28, multipliers=0, clock_hz=48e6, core_ua=2184),
    "eight counters of 28 bits": Currents(cells=228, multipliers=0, clock_hz=12e6, core_ua=641.3),
    "8 × 8 bits in LUTs, each cycle": Currents(
        cells=208, multipliers=0, clock_hz=12e6, core_ua=996
    ),
    "8 × 8 bits in a multiplier": Currents(cells=72, multipliers=1, clock_hz=12e6, core_ua=882),
}


def off_by(shape: tuple[int, int, int], part: str) -> float:
    """By how much the model differs from the published energy, relative to it.

    Yosys knows no part: what is over would be in LUTs.
    """
    milliseconds, millijoules = REPORTED[shape]
    taken, there = RESOURCES[shape], PARTS[part]
    counts = {
        "luts": taken.luts,
        "ffs": taken.ffs,
        "ramb18": min(taken.ramb18, there.ramb18),
        "dsps": min(taken.dsps, there.dsps),
        "latency": CYCLES[shape],
        "interval": CYCLES[shape],
    }
    clock_hz = CYCLES[shape] / milliseconds * 1e3
    return inference_j(part, counts, clock_hz=clock_hz) * 1e3 / millijoules - 1


def off_by_of_currents(one: Currents, part: str) -> float:
    """By how much the model differs from the measured power; a cell is a LUT and a flip-flop."""
    taken = {"luts": one.cells, "ffs": one.cells, "ramb18": 0, "dsps": one.multipliers}
    return power_w(part, taken, clock_hz=one.clock_hz) / one.power_w - 1
