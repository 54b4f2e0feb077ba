"""Classes of the newest windows of a file, with their lines and times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.clipping import Clipped
from bitformer.model.errors import UserError
from bitformer.model.forecasts.forecasting import line_of, zone_of
from bitformer.model.forecasts.new_rows import NewRows, read_new_rows
from bitformer.model.forecasts.recent import RecentWindows, recent_windows
from bitformer.model.forecasts.rows import rows_as_csv
from bitformer.model.forecasts.times import in_words, iso
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.own_data import own_name

__all__ = [
    "FLAGS",
    "REJECTED",
    "ClassQuestion",
    "Classes",
    "answered",
    "asked_classes",
    "class_names",
]

#: What a detector's 0 and 1 are called.
FLAGS = ("no flag", "flag")
#: What a window is called whose scores are too close to each other.
REJECTED = "rejected"


def class_names(model: IntegerModel) -> tuple[str, ...]:
    """Return the names of a classifier's classes; their numbers, where it has none."""
    return tuple(known(model.meta).get("classes", map(str, range(model.config.horizon))))


def answered(model: IntegerModel, numbers: np.ndarray) -> tuple[str, ...] | None:
    """Return the names of classes' numbers, or of flags, of whatever shape; None of forecasts."""
    if model.config.task == "forecast":
        return None
    every = (*class_names(model), REJECTED) if model.config.task == "classify" else FLAGS
    return tuple(every[int(number)] for number in np.ravel(numbers))


@dataclass(frozen=True, kw_only=True, repr=False)
class Classes:
    """Classes of windows a row apart, the newest last.

    Parameters
    ----------
    names : of the classes, in the order of their numbers.
    numbers : int64 [N]; of each window's class, the number of all classes where it is rejected.
    lines : the file's line of each window's last row.
    times : float64 [N]; of these rows, seconds since 1970 or plain numbers; None without times.
    dated : whether times are seconds.
    zone : where the clock of the times stands; None where the file does not say.
    engine : what computed.
    notes : sentences for people.
    clipped : numbers of the windows beyond what words hold.
    series : the series of each window; empty where the file holds one.
    """

    names: tuple[str, ...]
    numbers: np.ndarray
    lines: tuple[int, ...]
    times: np.ndarray | None
    dated: bool
    engine: str
    zone: str | None = None
    notes: tuple[str, ...] = ()
    clipped: tuple[Clipped, ...] = ()
    series: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def answers(self) -> tuple[str, ...]:
        """The name of each window's class, or ``"rejected"``."""
        every = (*self.names, REJECTED)
        return tuple(every[number] for number in self.numbers)

    def counts(self) -> dict[str, int]:
        """Return how many windows are of each class, and how many rejected, if any are."""
        every = np.bincount(self.numbers, minlength=len(self.names) + 1).tolist()
        found = dict(zip((*self.names, REJECTED), every, strict=True))
        return found if found[REJECTED] else {n: c for n, c in found.items() if n != REJECTED}

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row for each window, as :meth:`to_csv` writes them."""
        for window, (line, answer) in enumerate(zip(self.lines, self.answers, strict=True)):
            row: dict[str, object] = {"series": self.series[window]} if self.series else {}
            if self.times is not None:
                row["time"] = in_words(
                    self.times[window], dated=self.dated, zone=self.zone, days=False
                )
            yield row | {"class": answer, "number": int(self.numbers[window]), "line": line}

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the classes as CSV, a row for each window; also write a file, if named.

        Columns are ``series`` if the file holds several, ``time`` if it has times, ``class``,
        ``number``, and ``line``, the window's last.
        """
        return rows_as_csv(self.rows(), path)

    def to_dict(self) -> dict[str, object]:
        """Return the classes as plain data; times as ISO 8601."""
        when = None
        if self.times is not None:
            when = [iso(time, dated=self.dated, zone=self.zone) for time in self.times]
        return {
            "task": "classify",
            "classes": list(self.names),
            "engine": self.engine,
            "series": list(self.series),
            "lines": list(self.lines),
            "times": when,
            "answers": list(self.answers),
            "numbers": self.numbers.tolist(),
            "counts": self.counts(),
            "notes": list(self.notes),
            "clipped": [one.to_dict() for one in self.clipped],
        }

    def __repr__(self) -> str:
        count = "" if len(self) == 1 else f"{len(self)} windows, the newest "
        return f"<Classes: {count}{self.answers[-1]}>"


@dataclass(frozen=True, kw_only=True)
class ClassQuestion:
    """Windows to classify, and all that is known of them before."""

    names: tuple[str, ...]
    rows: NewRows
    recent: RecentWindows

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people."""
        return (*self.rows.notes, *self.recent.notes)

    def answered(
        self, numbers: np.ndarray, *, engine: str, clipped: tuple[Clipped, ...] = ()
    ) -> Classes:
        """Return classes' numbers [N, 1], with the rest."""
        recent = self.recent
        return Classes(
            names=self.names,
            numbers=np.asarray(numbers).reshape(-1).astype(np.int64),
            lines=tuple(recent.lines.tolist()),
            times=None if recent.times is None else recent.times[:, 0],
            dated=self.rows.cleaned.rows.dated,
            zone=zone_of(self.rows),
            engine=engine,
            notes=self.notes,
            clipped=clipped,
            series=recent.series,
        )


def asked_classes(
    model: IntegerModel,
    data: str | None,
    *,
    windows: int,
    at: int | str | None,
    inputs: str | Sequence[str] | None,
    reading: Mapping[str, Any],
) -> ClassQuestion:
    """Read what :meth:`bitformer.Model.classify` is to classify.

    Raises
    ------
    UserError
        As that does.
    """
    if windows < 1:
        raise UserError(f"Windows must be 1 or more, not {windows}")
    rows = read_new_rows(
        model, data or own_name(model), inputs=inputs, reading=reading, with_target=False
    )
    recent = recent_windows(
        rows,
        window=model.config.window,
        horizon=1,
        ahead=0,
        count=windows,
        line=None if at is None else line_of(rows, at),
        calendar=model.config.calendar,
    )
    return ClassQuestion(names=class_names(model), rows=rows, recent=recent)
