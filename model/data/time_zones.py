"""Clocks of a place, with and without summer time, as seconds since 1970.

In autumn an hour is shown twice: which of the two a row means follows from the order of the rows.
In spring an hour is never shown.
"""

import functools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from bitformer.model.data.cells import UnreadableCellError
from bitformer.model.data.time_formats import DAY

__all__ = ["offsets_at", "repeated_hour", "universal"]

_HOUR = 3600.0


def universal(local: np.ndarray, zone: str, *, labels: Sequence | np.ndarray | None = None):
    """Return seconds since 1970 of what clocks in a time zone show.

    Parameters
    ----------
    local
        float64 [rows]; seconds since 1970 if the clocks showed UTC.
    zone
        The zone's name.
    labels
        [rows]; names of series whose rows are in order each by itself; None for one series.

    Raises
    ------
    UnreadableCellError
        For the first row of a time that no clock there shows.
    """
    place = ZoneInfo(zone)
    early, late = _offsets(local, place)
    # where summer time begins, the clock skips what has the smaller offset first
    skipped = np.flatnonzero(late > early)
    if len(skipped):
        raise UnreadableCellError(int(skipped[0]))
    offsets = early.copy()
    twice = late != early
    if twice.any():
        groups = [np.arange(len(local))]
        if labels is not None:
            _, group = np.unique(np.asarray(labels), return_inverse=True)
            groups = [np.flatnonzero(group == number) for number in np.unique(group)]
        for rows in groups:
            own = (values[rows] for values in (local, twice, early, late))
            second = rows[_second(*own)]
            offsets[second] = late[second]
    return local - offsets


def _second(
    local: np.ndarray, twice: np.ndarray, early: np.ndarray, late: np.ndarray
) -> np.ndarray:
    """Return which rows of one series are in the second showing of an hour."""
    steps = np.diff(local)
    usual = float(np.median(steps)) if len(steps) else 0.0
    if usual < 0:  # the newest row is first
        return _second(*(values[::-1] for values in (local, twice, early, late)))[::-1]
    found = np.zeros(len(local), bool)
    edges = np.flatnonzero(np.diff(np.r_[False, twice, False]))
    for start, stop in edges.reshape(-1, 2):
        back = np.flatnonzero(steps[start : stop - 1] <= 0)
        if len(back):
            found[start + back[0] + 1 : stop] = True
            continue
        # it is shown once in the file: before or after the change, by what gives the usual steps
        shown = [
            [
                *(local[start:stop] - offsets[start:stop]),
                *(local[stop : stop + 1] - late[stop : stop + 1]),
            ]
            for offsets in (early, late)
        ]
        before = local[max(0, start - 1) : start] - early[max(0, start - 1) : start]
        even = [np.count_nonzero(np.diff([*before, *times]) == usual) for times in shown]
        found[start:stop] = even[1] > even[0]
    return found


def _offsets(local: np.ndarray, place: ZoneInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's seconds before UTC, in the first and in the second showing of an hour."""

    def of(seconds: float) -> tuple[float, float]:
        time = datetime(1970, 1, 1) + timedelta(seconds=seconds)
        both = (time.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1))
        first, second = (0.0 if one is None else one.total_seconds() for one in both)
        return first, second

    of_time = functools.cache(of)
    days, day_of = np.unique(np.floor(local / DAY), return_inverse=True)
    early, late = np.empty(len(local)), np.empty(len(local))
    # a day that begins and ends with one offset has it throughout
    begins = [of_time(day * DAY) for day in days]
    ends = [of_time((day + 1) * DAY) for day in days]
    even = np.array([len({*a, *b}) == 1 for a, b in zip(begins, ends, strict=True)], bool)
    early[:] = late[:] = np.array([one[0] for one in begins])[day_of]
    for row in np.flatnonzero(~even[day_of]):
        early[row], late[row] = of_time(math.floor(local[row]))
    return early, late


def offsets_at(seconds: np.ndarray, zone: str) -> np.ndarray:
    """Return by how many seconds clocks in a zone are ahead of UTC at ``seconds`` since 1970."""
    place = ZoneInfo(zone)

    @functools.cache
    def at(time: float) -> float:
        offset = (datetime.fromtimestamp(0, UTC) + timedelta(seconds=time)).astimezone(place)
        return (offset.utcoffset() or timedelta()).total_seconds()

    days, day_of = np.unique(np.floor(seconds / DAY), return_inverse=True)
    begins = np.array([at(day * DAY) for day in days])
    ends = np.array([at((day + 1) * DAY) for day in days])
    found = begins[day_of]
    for row in np.flatnonzero((begins != ends)[day_of]):
        found[row] = at(float(seconds[row]))
    return found


def repeated_hour(times: np.ndarray, row: int) -> bool:
    """Tell whether clocks may have been set back by an hour between two rows.

    Parameters
    ----------
    times
        float64 [rows]; seconds as clocks show them, in order but for what is told.
    row
        The second of the rows.
    """
    distance = np.diff(times)
    rising = distance[distance > 0]
    if not len(rising):
        return False
    step = float(np.median(rising))
    back = distance[row - 1] - step
    hour = datetime.fromtimestamp(times[row], UTC).hour
    return step <= _HOUR and abs(back + _HOUR) < min(1.0, step / 2) and hour <= 3
