"""The clock of a Spartan-7 as calibrated on a few routed designs, until Vivado reports one.

Three designs of an earlier day's hardware were placed and routed by nextpnr-xilinx with public
delays of speed grade -1, on a whole XC7S50 and, two of them, in a window of it as large as an
XC7S15, where 150 MHz were asked. Of what synthesis counts of them, LUT levels (5), carry chains (1)
and steps of paths that begin late (5) were the same, and the loads of the widest net were not; so
the period is a line over these. Shorter late paths, as today's hardware has, get no credit.
It is neither Vivado's word nor a measurement on a part.
"""

import functools
from dataclasses import dataclass

import numpy as np

__all__ = ["ROUTED", "Calibrated", "calibrated"]


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """Megahertz, and between what 95 of 100 designs lie if errors are normal."""

    mhz: float
    low: float
    high: float


#: By design: loads of the widest net but clocks and resets, and megahertz of each run.
ROUTED = {
    "etth1-96-24": (96, (135.2, 142.0, 143.9, 141.0, 143.9, 127.3)),
    "grid-12-32-4": (192, (141.5, 147.1, 128.4, 120.7, 133.3, 127.1)),
    "grid-12-64-6": (659, (106.9, 105.2)),
}
#: Standard deviations of the error bar.
_DEVIATIONS = 1.96


@functools.cache
def _line() -> tuple[float, float, float]:
    """Return nanoseconds without a load, for each load, and the deviation of single runs."""
    points = [(loads, 1e3 / mhz) for loads, all_mhz in ROUTED.values() for mhz in all_mhz]
    loads, periods = np.array(points).T
    slope, start = np.polyfit(loads, periods, 1)
    rest = periods - (start + slope * loads)
    return float(start), float(slope), float(np.sqrt((rest**2).sum() / (len(points) - 2)))


def calibrated(loads: int | None) -> Calibrated:
    """Return the clock of a design by the ``loads`` of its widest net; None if they are unknown.

    Then it is that of the three designs, with all of their spread.
    """
    if loads is None:
        periods = [1e3 / mhz for _, all_mhz in ROUTED.values() for mhz in all_mhz]
        period, deviation = float(np.mean(periods)), float(np.std(periods, ddof=1))
    else:
        start, slope, deviation = _line()
        period = start + slope * loads
    margin = _DEVIATIONS * deviation
    return Calibrated(
        mhz=1e3 / period,
        low=1e3 / (period + margin),
        high=1e3 / (period - margin),
    )
