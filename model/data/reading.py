"""How a CSV file is read, and what data a model is trained on: what a user says of either."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bitformer.model.data.labelling import check_labelling
from bitformer.model.data.name_lists import split_texts
from bitformer.model.data.reading_checks import check_encoding, check_format, check_zone
from bitformer.model.data.steps import check_step
from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["REPEATS", "DataSource", "Reading", "reading_fields", "without_reading"]

#: Which of several rows of one time may count.
REPEATS = ("first", "last", "mean")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the rows of a CSV file are read.

    Parameters
    ----------
    time : the column of times, or several that make one (date and clock; year, month, day, hour);
        of the API, also a list of names. None where rows count as evenly spaced and in order.
    max_fill : longest run of missing rows or cells, in rows, that takes the value before it.
    step : distance of neighbouring rows, as :func:`bitformer.model.data.steps.step_of` takes it; by
        default what most rows have.
    series : the column that names each row's series, where a file holds several.
    reverse : whether the file has its newest row first.
    repeats : which of several rows of one time counts, after rows are sorted by time: ``"first"``,
        ``"last"`` or their ``"mean"``; by default, both repeats and disorder are refused.
    time_format : how times are written, as directives of ``strptime``; ``"epoch"``, ``"epoch-ms"``,
        ``"epoch-us"`` or ``"epoch-ns"`` for numbers since 1970; by default the file says it.
    time_zone : where clocks without an offset stand, such as ``Europe/Berlin``: the hour that is
        shown twice in autumn is read by the order of the rows.
    decimal : the decimal mark, ``"."`` or ``","``; the other one parts thousands then. By default
        a point, or what cells say that have no other meaning.
    missing : texts and numbers that stand for a missing value, beside the usual ones; as
        ``temp=0``, a number in one column alone.
    strip : texts that are taken off the ends of cells, such as units.
    encoding : of the text; by default UTF-8, or what its byte order mark says.
    skip : lines above the header that are left out.
    header : the columns' names, where the file has no line of them.
    every : of the rows of each series the first, and each ``every``-th after it, count.
    label : the column with the class of each row, for a classifier.
    files : the names of the files of a folder, from which their rows' classes and groups are read:
        ``{group}_{label}.csv``; ``*`` stands for anything.
    group : the column that names whom or what a row is of, such as a person or a device.
    stride : rows between the beginnings of a classifier's windows.
    test_groups, val_groups : groups of which all rows are test rows, and validation rows.
    anomaly : the column that marks the rows of anomalies, by which a detector is scored.
    """

    time: str | tuple[str, ...] | None = None
    max_fill: int = 3
    step: str | None = None
    series: str | None = None
    reverse: bool = False
    repeats: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    encoding: str | None = None
    skip: int = 0
    header: tuple[str, ...] | None = None
    every: int = 1
    label: str | None = None
    files: str | None = None
    group: str | None = None
    stride: int = 1
    test_groups: tuple[str, ...] = ()
    val_groups: tuple[str, ...] = ()
    anomaly: str | None = None

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Return one with the options that are given; None stands for the default."""
        return cls(**{name: value for name, value in options.items() if value is not None})

    def __post_init__(self):
        for name in ("missing", "strip", "header", "test_groups", "val_groups"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _texts(value))
        if self.time is not None and not isinstance(self.time, str):
            object.__setattr__(self, "time", tuple(self.time))
        if self.max_fill < 0:
            raise UserError(f"max_fill must be 0 or more rows, not {self.max_fill}")
        if self.step is not None:
            check_step(self.step)
        if self.repeats not in (None, *REPEATS):
            raise UserError(f"repeats must be {', '.join(REPEATS)}, not {shown(self.repeats)}")
        if self.skip < 0:
            raise UserError(f"skip must be 0 or more lines, not {self.skip}")
        if self.decimal not in (None, ".", ","):
            raise UserError(f"decimal must be . or , not {shown(self.decimal)}")
        if self.time_format is not None:
            check_format(self.time_format)
        if self.time_zone is not None:
            check_zone(self.time_zone)
        if self.encoding is not None:
            check_encoding(self.encoding)
        check_labelling(
            files=self.files,
            label=self.label,
            group=self.group,
            counts={"every": self.every, "stride": self.stride},
            test_groups=self.test_groups,
            val_groups=self.val_groups,
        )

    @property
    def labelled(self) -> bool:
        """Whether rows have classes."""
        return self.label is not None or self.files is not None


@dataclass(frozen=True, kw_only=True)
class DataSource(Reading):
    """Data for training as a user names them, and how they are read.

    Parameters
    ----------
    data : a data set's name or the path of a CSV file.
    target : the column to forecast, or several.
    inputs : the columns that a model sees.
    ahead : rows from a window's last to its first target.
    """

    data: str
    target: str | tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    ahead: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: names and columns, and what of the rest is not as by default."""
        found = {name: getattr(self, name) for name in ("data", "target", "inputs", "time")}
        for one in dataclasses.fields(self):
            if one.name not in ("data", *found) and getattr(self, one.name) != one.default:
                found[one.name] = getattr(self, one.name)
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}


def _texts(value: Any) -> tuple[str, ...]:
    """Return texts of a list of texts and numbers, or of one text that holds a list."""
    if isinstance(value, str):
        return split_texts(value)
    return tuple(str(one) for one in (value if isinstance(value, list | tuple) else [value]))


def reading_fields() -> frozenset[str]:
    """Return the names of the fields of :class:`Reading`."""
    return frozenset(one.name for one in dataclasses.fields(Reading))


def without_reading(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of :class:`Reading` among ``options``, and the others."""
    own = reading_fields()
    reading = {name: value for name, value in options.items() if name in own}
    return reading, {name: value for name, value in options.items() if name not in own}
