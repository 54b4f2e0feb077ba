"""A clock calibrated on a few designs that were routed elsewhere, until the vendor's tool reports.

Of what synthesis counts, the loads of the widest net told them apart, and so the period is a line
over these. Other paths that are shorter today than in those designs get no credit.
"""

from dataclasses import dataclass

import numpy as np

from bitformer.hw.families.family import RoutedElsewhere

__all__ = ["Calibrated", "calibrated"]

#: Standard deviations of the error bar: 95 of 100 designs, if the errors are normal.
_DEVIATIONS = 1.96


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """Megahertz, and between what 95 of 100 designs lie."""

    mhz: float
    low: float
    high: float


def calibrated(routed: RoutedElsewhere, loads: int | None) -> Calibrated:
    """Return the clock of a design by the ``loads`` of its widest net; None if they are unknown.

    Then it is that of the routed designs, with all of their spread.
    """
    runs = [(own, 1e3 / mhz) for own, all_mhz in routed.designs.values() for mhz in all_mhz]
    each, periods = np.array(runs).T
    if loads is None:
        period, deviation = float(np.mean(periods)), float(np.std(periods, ddof=1))
    else:
        slope, start = np.polyfit(each, periods, 1)
        period = float(start + slope * loads)
        deviation = float(np.sqrt(np.sum((periods - start - slope * each) ** 2) / (len(runs) - 2)))
    margin = _DEVIATIONS * deviation
    return Calibrated(
        mhz=1e3 / period,
        low=1e3 / (period + margin),
        high=1e3 / (period - margin),
    )
