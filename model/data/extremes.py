"""Values that are no measurements: one far out that swallows a column's scale, one that repeats.

A scale is swallowed where the deviation is many times what it is without the few values furthest
from the median. A value that repeats at the very end of a column, with nothing near it, stands for
a missing one. Heavy tails are neither: their values are many, and near to one another.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from bitformer.model.data.name_lists import quoted
from bitformer.model.errors import UserError

__all__ = ["Extreme", "extremes", "require_scale", "warnings"]

#: How many times the deviation may be that without the furthest values: to be silent, to be taken.
_NOTABLE, _ABSURD = 5.0, 100.0
#: Part of the values that may be far out, and how many there may be in any case.
_FEW, _FEWEST = 1e-3, 3
#: A value that stands for a missing one: how often it stands there at least, and its part at most.
_REPEATED, _MOST = 3, 0.4
Where = Callable[[int], str]
#: Values without which nothing is said about a column, and how many different ones.
_ENOUGH, _DIFFERENT = 30, 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extreme:
    """A value that is no measurement.

    Parameters
    ----------
    value : it, or the furthest of several.
    count : how many there are.
    line : of the first.
    times : deviation of the column in deviations without it; 0 for a value that repeats.
    low, high : the range of all other values.
    """

    value: float
    count: int
    line: int
    times: float
    low: float
    high: float


def extremes(values: np.ndarray, lines: np.ndarray) -> list[Extreme]:
    """Return what is far out in a column, float64 [rows] with NaN for missing cells."""
    known = ~np.isnan(values)
    values, lines = values[known], lines[known]
    found = []
    for _ in range(3):  # the two ends of a column, and what was hidden by one of them
        one = _repeated(values, lines) or _far(values, lines)
        if one is None:
            break
        found.append(one)
        kept = (values >= one.low) & (values <= one.high)
        values, lines = values[kept], lines[kept]
    return found


def warnings(
    columns: Sequence[str], values: np.ndarray, lines: np.ndarray, where: Where | None = None
) -> list[str]:
    """Return a sentence, with what to do, on what is far out in each of some columns.

    Parameters
    ----------
    columns
        Names of the m columns.
    values, lines
        float64 [rows, m] with NaN for missing cells, and int64 [rows].
    where
        What a line is called, where ``lines`` are other numbers of rows.
    """
    found = {name: extremes(values[:, i], lines) for i, name in enumerate(columns)}
    said = []
    for name, own in found.items():
        for one in own:
            usual = any(
                (values[:, i] == one.value).any()
                and one.value not in [another.value for another in found[other]]
                for i, other in enumerate(columns)
                if other != name
            )
            text = _text(one.value)
            said.append(
                _warning(name, one, quoted([f"{name}={text}"]) if usual else text, where or _line)
            )
    return said


def _warning(column: str, one: Extreme, missing: str, where: Where) -> str:
    if not one.times:
        return (
            f"{column} is {_text(one.value)} in {one.count} rows, the first in {where(one.line)},"
            f" and {one.low:g} to {one.high:g} in all others: if it stands for a missing value,"
            f" --missing {missing} reads it as one"
        )
    many, times = _many(column, one, where), _factor(one.times)
    return (
        f"{many}, and makes the deviation {times} times as large: if it"
        f" is no measurement, --missing {missing} reads it as missing"
    )


def _line(number: int) -> str:
    return f"line {number}"


def require_scale(
    name: str, column: str, values: np.ndarray, lines: np.ndarray, where: Where | None = None
) -> None:
    """Raise UserError if few of a column's training values swallow its scale.

    Parameters
    ----------
    name, column
        Of the data, and of the column.
    values, lines
        Of the training rows, float64 and int64 [rows].
    where
        What a line is called, where ``lines`` are other numbers of rows.
    """
    called = where or _line
    one = _far(values, lines)
    if one is not None and one.times >= _ABSURD:
        raise UserError(
            f"{_many(column, one, called)}, and makes the deviation of the training rows of {name}"
            f" {_factor(one.times)} times as large, so that all others would be one number:"
            f" --missing {_text(one.value)} reads it as missing, or delete {called(one.line)}"
        )


def _text(value: float) -> str:
    """Return a number as people write it, and no other number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _many(column: str, one: Extreme, where: Where) -> str:
    others = f" and {one.count - 1} more far out" if one.count > 1 else ""
    return (
        f"{column} is {_text(one.value)} in {where(one.line)}{others}, and {one.low:g} to"
        f" {one.high:g} elsewhere"
    )


def _factor(times: float) -> str:
    return f"{times:.0f}" if times < 1e5 else f"{times:.0e}"


def _repeated(values: np.ndarray, lines: np.ndarray) -> Extreme | None:
    """Return the lowest or highest value if it repeats and nothing is near it."""
    if len(values) < _ENOUGH:
        return None
    for value in (values.min(), values.max()):
        same = values == value
        count = int(same.sum())
        rest = values[~same]
        if not _REPEATED <= count <= _MOST * len(values) or len(rest) < _ENOUGH:
            continue
        low, high = float(rest.min()), float(rest.max())
        gap = low - value if value < low else value - high
        # halves, as the difference of two floats may be beyond any float
        if gap / 2 > (high / 2 - low / 2) / 2 and len(np.unique(rest[:1000])) >= _DIFFERENT:
            first = int(lines[np.argmax(same)])
            return Extreme(
                value=float(value), count=count, line=first, times=0.0, low=low, high=high
            )
    return None


def _far(values: np.ndarray, lines: np.ndarray) -> Extreme | None:
    """Return the few values without which the deviation is far smaller."""
    busy = _busy(values)
    own = values[busy]
    if len(own) < _ENOUGH:
        return None
    most = max(_FEWEST, int(_FEW * len(own)))
    with np.errstate(over="ignore"):
        distance = np.minimum(np.abs(values - np.median(own)), np.finfo(float).max)
    inner = np.argpartition(distance[busy], -most)[:-most]
    small, large = _deviation(own[inner]), _deviation(own)
    if small == 0 or large < _NOTABLE * small:
        return None
    out = busy & (distance > 20 * small)
    if not 0 < out.sum() <= most:
        return None
    furthest = int(np.argmax(np.where(out, distance, -1.0)))
    rest = values[~out]
    with np.errstate(over="ignore"):
        times = min(large / _deviation(own[~out[busy]]), np.finfo(float).max)
    return Extreme(
        value=float(values[furthest]),
        count=int(out.sum()),
        line=int(lines[furthest]),
        times=times,
        low=float(rest.min()),
        high=float(rest.max()),
    )


def _busy(values: np.ndarray) -> np.ndarray:
    """Return which values are not the one that most are, as rain is 0: what it does is rare."""
    away = values != (np.median(values) if len(values) else 0.0)
    return np.ones(len(values), bool) if 2 * away.sum() > len(values) else away


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation, of any floats."""
    largest = float(np.abs(values).max())
    if not largest:
        return 0.0
    return float((values / largest).std()) * largest
