"""Where a series is cut into training, validation and test rows: always in the order of time."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from bitformer.model.data.csv_source import Series

MONTH = 30 * 24  # rows of the ETT files, which are hourly


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """Row numbers before which the training, validation and test rows end, and why there."""

    train: int
    val: int
    test: int
    rule: str

    @property
    def ranges(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Row ranges (start, stop) of training, validation and test."""
        return (0, self.train), (self.train, self.val), (self.val, self.test)


Splitter = Callable[[Series], Split]


def by_fractions(series: Series) -> Split:
    """Split into the first 60 % of the rows, the next 20 %, and the last 20 %."""
    return fractions(len(series.values))


def fractions(rows: int) -> Split:
    """Split a number of rows as `by_fractions` does."""
    train, val = rows * 3 // 5, rows * 4 // 5
    return Split(train=train, val=val, test=rows, rule="the first 60 %, 20 % and 20 % of the rows")


def first_part(series: Series) -> Split:
    """Split off the first 15 % of the rows, which train (four fifths) and select a detector."""
    rows = len(series.values)
    val = rows * 15 // 100
    return Split(
        train=val * 4 // 5,
        val=val,
        test=rows,
        rule="the first 12 %, 3 % and 85 % of the rows, as no label is used for a detector",
    )


def by_ett_months(_: Series) -> Split:
    """Split into 12, 4 and 4 months of 30 days, as in the literature; later rows are unused."""
    return Split(
        train=12 * MONTH, val=16 * MONTH, test=20 * MONTH, rule="12, 4 and 4 months of 30 days"
    )


def before(year: int, month: int, day: int) -> Splitter:
    """Return a split that trains before a date; the later rows are halved."""

    def split(series: Series) -> Split:
        if series.times is None:
            raise ValueError("A split by date must be given a series with times, not one without")
        date = datetime(year, month, day, tzinfo=UTC)
        train, rows = int(np.searchsorted(series.times, date.timestamp())), len(series.values)
        return Split(
            train=train,
            val=train + (rows - train) // 2,
            test=rows,
            rule=f"training before {date:%Y-%m-%d}, the rest in halves",
        )

    return split
