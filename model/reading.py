"""How a CSV file is read, and what data a model is trained on: what a user says of either."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bitformer.model.errors import UserError
from bitformer.model.plain import shown
from bitformer.model.steps import check_step

__all__ = ["REPEATS", "DataSource", "Reading", "reading_fields", "without_reading"]

#: Which of several rows of one time may count.
REPEATS = ("first", "last", "mean")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the rows of a CSV file are read.

    Parameters
    ----------
    time : the column of times; None where rows count as evenly spaced and in order.
    max_fill : longest run of missing rows or cells, in rows, that takes the value before it.
    step : distance of neighbouring rows, as :func:`bitformer.model.steps.step_of` takes it; by
        default what most rows have.
    series : the column that names each row's series, where a file holds several.
    reverse : whether the file has its newest row first.
    repeats : which of several rows of one time counts: ``"first"``, ``"last"`` or their ``"mean"``;
        by default they are refused.
    """

    time: str | None = None
    max_fill: int = 3
    step: str | None = None
    series: str | None = None
    reverse: bool = False
    repeats: str | None = None

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Return one with the options that are given; None stands for the default."""
        return cls(**{name: value for name, value in options.items() if value is not None})

    def __post_init__(self):
        if self.max_fill < 0:
            raise UserError(f"max_fill must be 0 or more rows, not {self.max_fill}")
        if self.step is not None:
            check_step(self.step)
        if self.repeats not in (None, *REPEATS):
            raise UserError(f"repeats must be {', '.join(REPEATS)}, not {shown(self.repeats)}")


@dataclass(frozen=True, kw_only=True)
class DataSource(Reading):
    """Data for training as a user names them, and how they are read.

    Parameters
    ----------
    data : a data set's name or the path of a CSV file.
    target : the column to forecast.
    inputs : the columns that a model sees.
    """

    data: str
    target: str | None = None
    inputs: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: names and columns, and what of the reading is not as by default."""
        found = {name: getattr(self, name) for name in ("data", "target", "inputs", "time")}
        if self.inputs is not None:
            found["inputs"] = list(self.inputs)
        for one in dataclasses.fields(Reading):
            if getattr(self, one.name) != one.default:
                found[one.name] = getattr(self, one.name)
        return found


def reading_fields() -> frozenset[str]:
    """Return the names of the fields of :class:`Reading`."""
    return frozenset(one.name for one in dataclasses.fields(Reading))


def without_reading(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of :class:`Reading` among ``options``, and the others."""
    own = reading_fields()
    reading = {name: value for name, value in options.items() if name in own}
    return reading, {name: value for name, value in options.items() if name not in own}
