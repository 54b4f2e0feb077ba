"""The numbers of the calendar that rows have: what a clock beside the sensor shows at each of them.

It is the file's own clock: times without a zone as they stand there, those with an offset as they
are written, and all of them in the zone that a user names.
"""

from collections.abc import Sequence

import numpy as np

from bitformer.model.calendar import early
from bitformer.model.data.csv_source import Series
from bitformer.model.data.steps import Step
from bitformer.model.errors import UserError

__all__ = ["clock_of", "lost", "numbers_known", "numbers_of", "require_calendar"]

_HOUR, _DAY = 3600.0, 86400.0
#: 1 January 1970 was a Thursday.
_FIRST_WEEKDAY = 3
_NO_TIMES = "name the column of times with --time"
#: What helps where the column of times is of plain numbers.
_NUMBERS = (
    "its times are plain numbers; if they count seconds since 1970, say --time-format epoch, else"
    " name a column of dates with --time"
)


def numbers_known(series: Series, step: Step | None) -> tuple[str, ...]:
    """Return which numbers of the calendar rows of such a step have: none without dates.

    Rows a day or more apart have no hour of the day, and those a week or more apart no weekday.
    """
    return numbers_of(step) if series.times is not None and series.dated else ()


def numbers_of(step: Step | None) -> tuple[str, ...]:
    """Return which numbers of the calendar dated rows of such a step have."""
    length = 0.0 if step is None else step.length
    return tuple(name for name, above in (("hour", _DAY), ("weekday", 7 * _DAY)) if length < above)


def clock_of(series: Series, step: Step | None, calendar: Sequence[str]) -> np.ndarray:
    """Return the numbers of ``calendar`` of each row, int64 [rows, numbers].

    They are those of :func:`numbers_known`.
    """
    if not calendar or series.times is None:
        return np.zeros((len(series.values), 0), np.int64)
    local = series.times + early(None if step is None else step.length)
    if series.offsets is not None:
        local = local + series.offsets
    numbers = {
        "hour": np.floor(local % _DAY / _HOUR),
        "weekday": (np.floor(local / _DAY) + _FIRST_WEEKDAY) % 7,
    }
    return np.stack([numbers[name] for name in calendar], axis=1).astype(np.int64)


def lost(series: Series, step: Step | None, calendar: Sequence[str]) -> str | None:
    """Say, in a sentence, what of ``calendar`` rows do not have; None where they have it all."""
    lacking = [name for name in calendar if name not in numbers_known(series, step)]
    if not lacking:
        return None
    tables = f"no table of the {' and of the '.join(lacking)}"
    if series.times is None or not series.dated:
        remedy = _NO_TIMES if series.times is None else _NUMBERS
        return (
            f"Rows have no dates, so the model has {tables}, and what follows from the clock alone"
            f" is lost: {remedy}"
        )
    return f"Rows are {step} apart, so the model has {tables}"


def require_calendar(
    calendar: Sequence[str], known: Sequence[str], step: Step | None, name: str
) -> None:
    """Raise UserError unless the rows of ``name`` have all numbers of a model's calendar.

    ``known`` are those that they have; ``step`` is their distance.
    """
    lacking = " and ".join(one for one in calendar if one not in known)
    if not lacking:
        return
    if step is None or not step.dated:
        raise UserError(
            f"{name} must have dates, as the model takes the {lacking} with each window:"
            f" {_NO_TIMES if step is None else _NUMBERS}"
        )
    raise UserError(
        f"{name} must have rows less than a {'day' if 'hour' in lacking else 'week'} apart, as the"
        f" model takes the {lacking} with each window, not every {step}: give rows closer together"
    )
