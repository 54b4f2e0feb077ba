"""Times of rows that a file does not have yet, and times in words.

A step of a month or a year is counted by the calendar: the rows of such a file all stand on one day
of the month. Times are seconds since 1970, or plain numbers where a file has those.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

__all__ = ["following", "in_words", "iso", "moment"]

DAY = 86400.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def following(last: float, count: int, *, step: float, times: np.ndarray | None) -> np.ndarray:
    """Return the times of ``count`` rows after the time ``last``.

    Parameters
    ----------
    last
        A time.
    count
        How many.
    step
        Distance of two rows.
    times
        The times of a file's rows, if they are dates, which tell whether months are counted.
    """
    months = 0 if times is None else _months(times, step)
    if not months:
        return last + step * np.arange(1, count + 1)
    first = moment(last)
    found = []
    for number in range(1, count + 1):
        year, month = divmod(first.year * 12 + first.month - 1 + months * number, 12)
        found.append(first.replace(year=year, month=month + 1).timestamp())
    return np.array(found)


def _months(times: np.ndarray, step: float) -> int:
    """Return how many months a step has, if dates are on one day of the month; else 0."""
    months = round(step / (DAY * 365.2425 / 12))
    if step < 28 * DAY or len(times) < 3:
        return 0
    moments = [moment(time) for time in times[-24:]]
    if any(one.day > 28 or one.replace(year=2000, month=1) != _like(moments[0]) for one in moments):
        return 0
    return months


def _like(one: datetime) -> datetime:
    return one.replace(year=2000, month=1)


def moment(time: float) -> datetime:
    """Return the date of seconds since 1970, by clocks that show UTC."""
    return _EPOCH + timedelta(seconds=float(time))


def iso(time: float, *, dated: bool) -> str | float:
    """Return a date as ISO 8601 has it, without a zone; a plain number as it is."""
    if not dated:
        return float(time)
    return moment(time).replace(tzinfo=None).isoformat()


def in_words(time: float, *, dated: bool) -> str:
    """Return a time for people: a date without what is zero in it."""
    if not dated:
        return f"{time:.10g}"
    one = moment(time)
    if one.second or one.microsecond:
        return one.replace(tzinfo=None).isoformat(sep=" ")
    return f"{one:%Y-%m-%d %H:%M}"
