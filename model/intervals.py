"""Intervals of forecasts: how far off a model was, step by step, in windows it was not trained on.

Their limits are order statistics of the errors in the validation windows. Of n errors and one
more that comes from the same source, the one more lies between the k-th smallest and the k-th
largest with a probability of at least ``percent`` %, for k = (n + 1) (100 - percent) / 200, rounded
down. How many test values do lie inside is measured and kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from bitformer.model.errors import UserError

__all__ = [
    "PERCENTS",
    "ForecastInterval",
    "coverage_sentence",
    "intervals_of",
    "measured",
    "named_interval",
]

#: The intervals that a model keeps, in percent of values inside.
PERCENTS = (50, 80, 95)


@dataclass(frozen=True, kw_only=True)
class ForecastInterval:
    """What is to be added to a forecast so that ``percent`` % of values lie between.

    Parameters
    ----------
    percent : share of values that should lie inside.
    low, high : an offset for each step of the horizon, in the target's units; of several targets,
        for each step of one after those of another.
    coverage : share of test values inside, 0 to 1; None where it was not measured.
    """

    percent: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    coverage: float | None = None

    def __post_init__(self):
        if not 1 <= self.percent <= 99:
            raise UserError(f"percent must be from 1 to 99, not {self.percent}")
        limits = np.array([self.low, self.high]) if len(self.low) == len(self.high) else None
        if limits is None or not np.isfinite(limits).all() or (limits[0] > limits[1]).any():
            raise UserError("low and high must be finite, as many, and low not above high")
        if self.coverage is not None and not 0 <= self.coverage <= 1:
            raise UserError(f"coverage must be from 0 to 1, not {self.coverage}")

    def of_target(self, number: int, targets: int) -> "ForecastInterval":
        """Return the interval of one of several targets, whose own coverage nobody has measured."""
        if targets == 1:
            return self
        count = len(self.low) // targets
        own = slice(number * count, (number + 1) * count)
        return replace(self, low=self.low[own], high=self.high[own], coverage=None)

    def inside(self, errors: np.ndarray) -> float:
        """Return the share of errors [N, horizon], value minus forecast, that lie inside."""
        return float(((errors >= self.low) & (errors <= self.high)).mean())

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self) | {"low": list(self.low), "high": list(self.high)}


def intervals_of(
    errors: np.ndarray, percents: Iterable[int] = PERCENTS
) -> tuple[ForecastInterval, ...]:
    """Return the intervals of errors [N, horizon], value minus forecast, in the target's units.

    An interval for which there are too few errors is left out (80 % need 9, 95 % need 39), and
    one whose limits are no finite numbers.
    """
    ordered, count = np.sort(errors, axis=0), len(errors)
    found = []
    for percent in percents:
        rank = (count + 1) * (100 - percent) // 200
        if rank < 1:
            continue
        low, high = ordered[rank - 1], ordered[count - rank]
        if np.isfinite([low, high]).all():
            found.append(
                ForecastInterval(
                    percent=percent, low=tuple(low.tolist()), high=tuple(high.tolist())
                )
            )
    return tuple(found)


def measured(
    intervals: Iterable[ForecastInterval], errors: np.ndarray
) -> tuple[ForecastInterval, ...]:
    """Return the intervals with their coverage of errors [N, horizon] of test windows."""
    return tuple(replace(one, coverage=one.inside(errors)) for one in intervals)


def coverage_sentence(coverage: Mapping[int, float]) -> str:
    """Say how many test values lie inside the intervals; ``coverage`` has shares by percent."""
    first = min(coverage, key=lambda percent: abs(percent - 80))
    said = f"{first} % interval covers {100 * coverage[first]:.3g} % of test values"
    others = [f"{p} %: {100 * share:.3g} %" for p, share in coverage.items() if p != first]
    return f"{said} ({', '.join(others)})" if others else said


def named_interval(
    intervals: Sequence[ForecastInterval], percent: int | None
) -> ForecastInterval | None:
    """Return the interval of ``percent`` %; by default of 80 % or the nearest that there is.

    None stands for a model without intervals, of which none was asked for.

    Raises
    ------
    UserError
        If there is none of ``percent`` %.
    """
    if percent is None:
        return min(intervals, key=lambda one: abs(one.percent - 80), default=None)
    for one in intervals:
        if one.percent == percent:
            return one
    if not intervals:
        raise UserError(
            "This model has no intervals, as it was made without validation windows or by an"
            " earlier bitformer: leave --interval out, or train it again"
        )
    have = ", ".join(str(one.percent) for one in intervals)
    raise UserError(f"--interval must be one that this model has, {have}, not {percent}")
