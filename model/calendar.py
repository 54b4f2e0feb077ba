"""The calendar that a model knows: numbers of the time that select rows of tables.

A row is added to a linear layer's bias, by the time of the window's last step: no multiplication is
made. The numbers stand behind a window's samples, in rows of their own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

from bitformer.model.errors import UserError

__all__ = ["ROWS", "calendar_of", "check_clock", "clock_at", "clock_rows", "early", "with_clock"]

#: Rows of a table, by the number that selects one: the hour of the day, and the day of the week,
#: Monday first.
ROWS = {"hour": 24, "weekday": 7}
#: A clock that jitters may show a row a little before its hour: so many seconds count as in it, or
#: so much of a shorter step.
_EARLY, _OF_STEP = 30.0, 0.25


def calendar_of(asked: str | Sequence[str]) -> tuple[str, ...]:
    """Return the numbers that are asked for, as a text ``hour,weekday`` or a list, in their order.

    ``none`` stands for no number. Raises :class:`UserError` for what is none of them.
    """
    names = asked.split(",") if isinstance(asked, str) else asked
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"calendar must be a text, such as {','.join(ROWS)}, or a list, not {asked!r}"
        )
    names = [name.strip() for name in names]
    if names in (["none"], []):
        return ()
    wrong = [name for name in names if name not in ROWS]
    if wrong or len(set(names)) < len(names):
        raise UserError(
            f"calendar must be {', '.join(ROWS)} or {','.join(ROWS)}, or none, not"
            f" {','.join(names)!r}"
        )
    return tuple(name for name in ROWS if name in names)


def early(step: float | None) -> float:
    """Return the seconds before an hour that count as in it, as a clock may jitter.

    ``step`` : seconds from a row to the next, if they are known.
    """
    return _EARLY if step is None else min(_EARLY, _OF_STEP * step)


def clock_at(
    calendar: Sequence[str], times: "datetime | Sequence[datetime]", step: float | None = None
) -> np.ndarray:
    """Return the numbers of ``calendar`` at times, int64 [times, numbers], as rows have them.

    ``times`` are what the clock shows at the last step of each window, or of one: a time with a
    zone counts as it is written. ``step`` : seconds from a row to the next, if they are known.
    """
    shown = [times] if isinstance(times, datetime) else list(times)
    for time in shown:
        if not isinstance(time, datetime):
            raise UserError(f"time must be a datetime for each window, not {time!r}")
    moved = [time + timedelta(seconds=early(step)) for time in shown]
    numbers = {"hour": [t.hour for t in moved], "weekday": [t.weekday() for t in moved]}
    found = [numbers[name] for name in calendar]
    return np.array(found, dtype=np.int64).reshape(len(calendar), len(shown)).T


def clock_rows(calendar: Sequence[str], inputs: int) -> int:
    """Return the rows of ``inputs`` numbers that the time of a window takes."""
    return -(-len(calendar) // inputs)


def check_clock(calendar: Sequence[str], clock: ArrayLike | None, count: int) -> np.ndarray:
    """Return the numbers of ``count`` windows, integers [count, len(calendar)], of ``clock``.

    Raises :class:`UserError` for another shape, and for what is no row of a number's table.
    """
    shape = (count, len(calendar))
    if clock is None:
        numbers = ", ".join(f"{name} (0 to {ROWS[name] - 1})" for name in calendar)
        raise UserError(
            f"clock must be given to a model with a calendar of {tuple(calendar)}: integers of"
            f" shape {shape}, {numbers}"
        )
    try:
        found = np.asarray(clock)
    except ValueError:
        raise UserError(f"clock must have shape {shape}, not rows of several lengths") from None
    if not calendar and found.size:
        raise UserError("clock must be left out, as the model has no calendar")
    if found.shape != shape:
        raise UserError(f"clock must have shape {shape}, not {found.shape}")
    if found.dtype.kind not in "iu":
        raise UserError(f"clock must be integers, not {found.dtype}")
    for name, numbers in zip(calendar, found.T, strict=True):
        wrong = numbers[(numbers < 0) | (numbers >= ROWS[name])]
        if len(wrong):
            raise UserError(f"{name} must be 0 to {ROWS[name] - 1}, not {wrong[0]}")
    return found


def with_clock(x: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Return windows [N, steps, inputs] with numbers [N, n] behind, in rows filled up with 0.

    They are the time, and behind that what a detector judges.
    """
    inputs = x.shape[-1]
    rows = -(-clock.shape[-1] // inputs)
    padded = np.zeros((len(x), rows * inputs), dtype=x.dtype)
    padded[:, : clock.shape[-1]] = clock
    return np.concatenate([x, padded.reshape(len(x), rows, inputs)], axis=1)
