"""The calendar that a model knows: numbers of the time that select rows of tables.

A row is added to a linear layer's bias, by the time of the window's last step: no multiplication is
made. The numbers stand behind a window's samples, in rows of their own.
"""

from collections.abc import Sequence

import numpy as np

from bitformer.model.errors import UserError

__all__ = ["ROWS", "calendar_of", "check_clock", "clock_rows", "with_clock"]

#: Rows of a table, by the number that selects one: the hour of the day, and the day of the week,
#: Monday first.
ROWS = {"hour": 24, "weekday": 7}


def calendar_of(asked: str | Sequence[str]) -> tuple[str, ...]:
    """Return the numbers that are asked for, as a text ``hour,weekday`` or a list, in their order.

    ``none`` stands for no number. Raises :class:`UserError` for what is none of them.
    """
    names = asked.split(",") if isinstance(asked, str) else list(asked)
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


def clock_rows(calendar: Sequence[str], inputs: int) -> int:
    """Return the rows of ``inputs`` numbers that the time of a window takes."""
    return -(-len(calendar) // inputs)


def check_clock(calendar: Sequence[str], clock: np.ndarray, count: int) -> None:
    """Raise :class:`UserError` unless ``clock`` holds the numbers of ``count`` windows.

    They are integers [count, len(calendar)], each below the rows of its table.
    """
    if clock.shape != (count, len(calendar)):
        raise UserError(f"clock must have shape ({count}, {len(calendar)}), not {clock.shape}")
    if clock.dtype.kind not in "iu":
        raise UserError(f"clock must be integers, not {clock.dtype}")
    for name, numbers in zip(calendar, clock.T, strict=True):
        wrong = numbers[(numbers < 0) | (numbers >= ROWS[name])]
        if len(wrong):
            raise UserError(f"{name} must be 0 to {ROWS[name] - 1}, not {wrong[0]}")


def with_clock(x: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Return windows [N, steps, inputs] with the time [N, n] behind, in rows filled up with 0."""
    inputs = x.shape[-1]
    rows = -(-clock.shape[-1] // inputs)
    padded = np.zeros((len(x), rows * inputs), dtype=x.dtype)
    padded[:, : clock.shape[-1]] = clock
    return np.concatenate([x, padded.reshape(len(x), rows, inputs)], axis=1)
