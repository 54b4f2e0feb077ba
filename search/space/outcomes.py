"""What is predicted of each combination of a space, as arrays."""

from dataclasses import dataclass

import numpy as np

__all__ = ["NEVER", "Outcomes"]

#: Resources and cycles of a combination that has no design.
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Arrays with a number for each combination; ``latency`` and ``interval`` in cycles.

    A combination that is not ``possible`` (a sum too wide for a DSP block, say) needs ``NEVER`` of
    everything.
    """

    possible: np.ndarray
    latency: np.ndarray
    interval: np.ndarray
    luts: np.ndarray
    lutram: np.ndarray
    ffs: np.ndarray
    ramb18: np.ndarray
    dsps: np.ndarray
