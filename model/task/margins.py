"""How far a score must lead for its class to be the answer: from a share that may be rejected."""

import math
from collections.abc import Sequence

import numpy as np

from bitformer.model.errors import UserError

__all__ = ["check_reject", "leads_by_percent", "margin_for"]

#: Percents of windows that leads are kept for: 0 to one less.
_PERCENTS = 100


def leads_by_percent(scores: np.ndarray) -> list[int]:
    """Return, for 0 to 99 percent, the largest margin that rejects at most so many of the windows.

    ``scores`` [N, classes] are integers; a window is rejected whose largest score leads by less
    than the margin.
    """
    second, first = np.sort(scores, axis=1)[:, -2:].T
    leads = np.sort(first - second)
    return [int(leads[len(leads) * percent // _PERCENTS]) for percent in range(_PERCENTS)]


def check_reject(share: float) -> float:
    """Return a share of windows that may be rejected, if it is one."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise UserError(
            f"reject must be a share of windows from 0 to below 1, not {share}: say --reject 0.05"
            " for five percent"
        )
    return float(share)


def margin_for(share: float, leads: Sequence[int]) -> int:
    """Return the margin that rejects at most ``share`` of validation windows; 0 rejects none.

    ``leads`` are those of :func:`leads_by_percent`; what is finer than a percent is rounded down.
    """
    percent = math.floor(check_reject(share) * _PERCENTS + 1e-9)
    return leads[percent] if percent else 0
