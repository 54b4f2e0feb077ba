"""The step that most rows of a series have, and how many steps lie between neighbours.

A clock may jitter by almost half a step and drift without end: rows are told apart by the part of
the step in which the fewest of them fall, looked for anew every `_BLOCK` rows, less what the clock
drifts meanwhile.
"""

from collections.abc import Sequence

import numpy as np

from bitformer.model.data.steps import Step

__all__ = ["found_step", "later", "steps_between"]

DAY = 86400.0
_BLOCK = 64
#: A clock without jitter is less than this part of a step away from a whole number of steps.
_STEADY = 0.25
#: How the step of a clock that jitters is measured: over how many rows, in stretches of how many.
_MEASURED, _STRETCH = 2048, 256
#: Drifts, in steps a step, of which the likeliest is taken before rows are told apart.
_DRIFTS = np.linspace(-4e-3, 4e-3, 321)
#: Steps that clocks are set to, in seconds: one is preferred to another that suits a bit better.
_USUAL = tuple(
    float(number * unit)
    for unit, numbers in (
        (1, (1, 2, 5, 10, 15, 20, 30)),
        (60, (1, 2, 5, 10, 15, 20, 30)),
        (3600, (1, 2, 3, 4, 6, 8, 12, 24)),
    )
    for number in numbers
)
_ENOUGH = 0.5


def found_step(series: Sequence[np.ndarray], *, dated: bool) -> Step | None:
    """Return the step of most rows.

    Parameters
    ----------
    series
        Rising times of each series: seconds since 1970 if ``dated``, else plain numbers.
    dated
        Whether calendars count: months, and business days.

    Returns
    -------
    Step, or None where no series has two rows
    """
    distances = np.concatenate([np.empty(0), *(np.diff(times) for times in series)])
    distances = distances[distances > 0]
    if not len(distances):
        return None
    values, counts = np.unique(distances, return_counts=True)
    most = int(np.argmax(counts))
    times = np.concatenate(list(series))
    if dated and np.median(distances) > 27.5 * DAY and _in_months(times):
        months = np.concatenate([np.diff(_month(one)) for one in series])
        return Step(length=Step.MONTH * float(_mode(months)), unit="month")
    if 2 * counts[most] < len(distances):
        return Step(length=_measured(series, float(np.median(distances)), dated=dated), dated=dated)
    step = float(values[most])
    if dated and step == DAY and _weekdays_only(times):
        return Step(length=step, unit="business")
    return Step(length=step, dated=dated)


def steps_between(times: np.ndarray, step: Step) -> np.ndarray:
    """Return how many steps, int64 [rows - 1], each row lies after the row before; 0 is too close.

    ``times`` rise. A row that comes too late or too early for its own step, but has no other row
    in it, counts as on time.
    """
    if step.unit == "row" or len(times) < 2:
        return np.ones(max(0, len(times) - 1), int)
    if step.unit == "business":
        days = np.floor(times / DAY).astype("datetime64[D]")
        return np.diff(np.busday_count(np.datetime64(0, "D"), days))
    if step.unit == "month":
        return np.rint(np.diff(_month(times)) / step.months).astype(int)
    distance = np.diff(times) / step.length
    count = np.rint(distance)
    if (count > 0).all() and (np.abs(distance - count) <= _STEADY).all():
        return count.astype(int)
    between = np.diff(_slots((times - times[0]) / step.length))
    for before, after in ((between[:-1], between[1:]), (between[1:], between[:-1])):
        late = (before == 0) & (after > 1)
        before[late] += 1
        after[late] -= 1
    return between


def later(times: np.ndarray, step: Step, count: np.ndarray | int) -> np.ndarray:
    """Return ``times``, float64, and ``count`` steps later.

    Calendar months keep the day, or the last day of the month; business days are Monday to Friday.
    """
    times = np.asarray(times, dtype=float)
    if step.unit == "business":
        days = np.floor(times / DAY)
        moved = np.busday_offset(days.astype("datetime64[D]"), count, roll="backward")
        return times + (moved.astype(float) - days) * DAY
    if step.unit == "month":
        return _months_later(times, step.months * np.asarray(count))
    return times + np.asarray(count) * step.length


def _slots(turns: np.ndarray) -> np.ndarray:
    """Return the step, an integer, in which each of ``turns``, times in steps, lies."""
    slots, drift = np.empty(len(turns), int), 0.0
    cut = -0.5 + float(np.angle(np.exp(2j * np.pi * turns[:_BLOCK]).sum())) / (2 * np.pi)
    for start in range(0, len(turns), _BLOCK):
        if start % _STRETCH == 0:
            drift = _drift(turns[max(0, min(start, len(turns) - 2 * _STRETCH)) :][: 2 * _STRETCH])
        begin, inside = turns[start], slice(start, start + _BLOCK)
        near = turns[max(0, min(start, len(turns) - _BLOCK)) :][:_BLOCK]
        # as if the clock had not drifted since the block's first row, if that parts rows better
        found = []
        for slope in (0.0, drift):
            phases = np.sort((near - slope * (near - begin)) % 1.0)
            found.append((slope, phases, np.diff(np.r_[phases, phases[0] + 1.0])))
        slope, phases, empty = max(found, key=lambda one: one[2].max())
        middles = phases + empty / 2
        middles += np.rint(cut - middles)  # the same step as in the block before, drifted
        wide = np.flatnonzero(empty >= empty.max() / 2)
        cut = float(middles[wide[np.argmin(np.abs(middles[wide] - cut))]])
        slots[inside] = np.floor(turns[inside] - slope * (turns[inside] - begin) - cut)
        cut += slope * (turns[min(start + _BLOCK, len(turns) - 1)] - begin)
    return slots


def _drift(turns: np.ndarray) -> float:
    """Return the drift, in steps a step, with which times add up to the longest arrow."""
    arrows = np.exp(2j * np.pi * (turns - turns[0]))
    whole = np.rint(turns - turns[0])
    sums = np.exp(-2j * np.pi * np.outer(_DRIFTS, whole)) @ arrows
    return float(_DRIFTS[np.abs(sums).argmax()])


def _measured(series: Sequence[np.ndarray], step: float, *, dated: bool) -> float:
    """Return the step near ``step`` on whose grid most times lie, a usual one if it nearly is.

    The times of a stretch add up as arrows, a turn for each step: the right step makes the longest.
    """
    times = max(series, key=len)[:_MEASURED]
    times = times - times[0]
    starts = np.arange(0, len(times), _STRETCH)

    def length(candidate: float) -> float:
        arrows = np.exp(2j * np.pi / candidate * times)
        return float(np.abs(np.add.reduceat(arrows, starts)).sum())

    near = step * np.linspace(0.75, 1.25, 2 * _STRETCH + 1)
    best = max(near, key=length)
    usual = [one for one in _USUAL if dated and abs(one - step) <= step / 4]
    for one in (*usual, float(f"{best:.3g}")):
        if length(one) >= _ENOUGH * length(best):
            return one
    return float(best)


def _mode(values: np.ndarray) -> np.generic:
    found, counts = np.unique(values, return_counts=True)
    return found[np.argmax(counts)]


def _month(times: np.ndarray) -> np.ndarray:
    """Return each time's calendar month, counted from 1970 on."""
    return times.astype("datetime64[s]").astype("datetime64[M]").astype(int)


def _in_months(times: np.ndarray) -> bool:
    """Tell whether all times are on one day of their months, or on the last, at one hour."""
    stamps = times.astype("datetime64[s]")
    months = stamps.astype("datetime64[M]")
    first = (stamps - months.astype("datetime64[s]")).astype(int)
    last = ((months + 1).astype("datetime64[s]") - stamps).astype(int)
    return len(np.unique(first)) == 1 or len(np.unique(last)) == 1


def _weekdays_only(times: np.ndarray) -> bool:
    """Tell whether no time is on a Saturday or Sunday although two weekends are spanned."""
    days = np.floor(times / DAY).astype("datetime64[D]")
    return bool(np.is_busday(days).all()) and np.ptp(times) >= 14 * DAY


def _months_later(times: np.ndarray, count: np.ndarray) -> np.ndarray:
    stamps = times.astype("datetime64[s]")
    months = stamps.astype("datetime64[M]")
    inside = stamps - months.astype("datetime64[s]")
    day = np.timedelta64(1, "D")
    left = (months + 1).astype("datetime64[s]") - stamps
    later = months + count
    length = (later + 1).astype("datetime64[s]") - later.astype("datetime64[s]")
    kept = np.where(left <= day, length - left, np.minimum(inside, length - day + inside % day))
    return (later.astype("datetime64[s]") + kept).astype(float)
