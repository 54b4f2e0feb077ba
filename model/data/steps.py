"""The distance of two rows in time: as it is written, and what a grid of such steps is."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from bitformer.model.errors import UserError

__all__ = ["ROW", "Step", "check_step", "require_step", "rows_of_day", "step_of"]

#: Seconds of a unit of even steps; business days and months are no fixed number of seconds.
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_WRITTEN = re.compile(r"(\d+\.?\d*|\.\d+)\s*(s|min|h|d|w|b|mo|)")
#: What ``--step`` says for rows that follow one another whatever their times.
ROW = "row"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """The distance of neighbouring rows.

    Parameters
    ----------
    length : seconds for dates, else in the unit of the plain numbers; a mean for months.
    unit : ``"even"``; ``"business"`` for days from Monday to Friday; ``"month"`` for calendar
        months; ``"row"`` where a row is one step after the row before, whatever their times.
    dated : whether ``length`` is in seconds.
    """

    #: Seconds of a calendar month, on average.
    MONTH: ClassVar[float] = 365.2425 / 12 * 86400.0

    length: float
    unit: str = "even"
    dated: bool = True

    @property
    def months(self) -> int:
        """Calendar months of a step in months."""
        return max(1, round(self.length / self.MONTH))

    def to_dict(self) -> dict[str, object]:
        """Return plain data, as a model keeps them beside its scales."""
        return {"step": self.length, "step_unit": self.unit, "dated": self.dated}

    def like(self, other: "Step") -> bool:
        """Tell whether steps are the same to a hundredth; so is one of rows to any other."""
        if "row" in (self.unit, other.unit):
            return True
        same = self.unit == other.unit and self.dated == other.dated
        return same and abs(self.length - other.length) <= self.length / 100

    def __str__(self) -> str:
        """Return the step as ``--step`` takes it."""
        if self.unit == "row":
            return ROW
        if self.unit == "business":
            return "1b"
        if self.unit == "month":
            return f"{self.months}mo"
        if not self.dated:
            return f"{self.length:g}"
        if self.length >= 3 * _SECONDS["d"] or not self.length % _SECONDS["d"]:
            return f"{self.length / _SECONDS['d']:.6g}d"
        for unit in ("h", "min"):
            if not self.length % _SECONDS[unit]:
                return f"{self.length / _SECONDS[unit]:.6g}{unit}"
        return f"{self.length:.6g}s"


def step_of(text: str, *, dated: bool = True) -> Step:
    """Return the step that a user writes: ``15min``, ``1h``, ``1b`` (business days), ``row``.

    Parameters
    ----------
    text
        A number with s, min, h, d, w, b or mo; without a unit for plain numbers; or ``row``.
    dated
        Whether the rows have dates.

    Raises
    ------
    UserError
        If it is none of these, or its unit does not suit the times.
    """
    if text == ROW:
        return Step(length=1.0, unit="row", dated=dated)
    found = _WRITTEN.fullmatch(text.strip())
    length = float(found[1]) if found else 0.0
    if found is None or not length:
        raise UserError(
            "step must be a positive number with a unit of s, min, h, d, w, b (business days) or mo"
            f" such as 15min, or row, not {text!r}"
        )
    unit = found[2]
    if dated != bool(unit):
        which, wanted = (
            ("dates", f"have a unit, such as {text}min or {text}h")
            if dated
            else ("plain numbers", f"be a number in their unit, such as {found[1]}")
        )
        raise UserError(f"step must {wanted}, as the times are {which}, not {text!r}")
    if unit in ("b", "mo") and length != (1 if unit == "b" else round(length)):
        raise UserError(f"step must be 1b or a whole number of months, not {text!r}")
    if unit == "b":
        return Step(length=_SECONDS["d"], unit="business")
    if unit == "mo":
        return Step(length=length * Step.MONTH, unit="month")
    return Step(length=length * _SECONDS.get(unit, 1.0), dated=dated)


def check_step(text: str) -> None:
    """Raise :class:`UserError` unless ``text`` is a step, of dates or of plain numbers."""
    step_of(text, dated=not text.strip()[-1:].isdigit() and not text.strip().endswith("."))


def require_step(trained: Mapping[str, Any], found: Step | None, name: str) -> None:
    """Raise UserError if rows do not have the step of those that a model was trained on.

    Parameters
    ----------
    trained
        The data in a model's ``meta``; older models do not know their step.
    found
        The step of the rows; None without times.
    name
        Of the data.
    """
    if found is None or "step" not in trained:
        return
    own = Step(
        length=trained["step"],
        unit=trained.get("step_unit", "even"),
        dated=trained.get("dated", True),
    )
    if own.like(found):
        return
    remedy = f"give rows {own} apart, or train a model on these"
    if own.unit == found.unit == "even" and own.dated == found.dated and found.length > own.length:
        between = math.ceil(found.length / own.length - 0.01) - 1
        remedy += (
            f", or say --step {own} --max-fill {between}, with which each row stands for those"
            " that lack after it"
        )
    raise UserError(
        f"{name} must have a row every {own}, as the data that the model was trained on, not every"
        f" {found}: {remedy}"
    )


def rows_of_day(step: Step | None, dated: bool) -> int | None:
    """Return how many rows a day has; None where that is no whole number, or rows have no dates."""
    if step is None or not dated or step.unit not in ("even", "business"):
        return None
    rows = _SECONDS["d"] / step.length
    return round(rows) if rows >= 1 and abs(rows - round(rows)) < 1e-6 else None
