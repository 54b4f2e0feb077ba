"""Flags of the windows of a file, with the lines and times of the rows that are judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.clipping import Clipped
from bitformer.model.data.parts import first_targets
from bitformer.model.data.windows import Windows
from bitformer.model.errors import UserError
from bitformer.model.forecasts.forecasting import line_of, zone_of
from bitformer.model.forecasts.new_rows import NewRows, read_new_rows
from bitformer.model.forecasts.rows import rows_as_csv
from bitformer.model.forecasts.times import in_words, iso
from bitformer.model.ir import IntegerModel
from bitformer.model.own_data import own_name, rows_ahead

__all__ = ["FlagQuestion", "Flags", "asked_flags"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Flags:
    """Flags of windows in the order of time, the first after a reset, the newest last.

    Parameters
    ----------
    target : what is judged.
    numbers : int64 [N]; 1 where the flag is up, else 0.
    lines : the file's line of the last row that is judged of each window.
    times : float64 [N]; of these rows, seconds since 1970 or plain numbers; None without times.
    dated : whether times are seconds.
    zone : where the clock of the times stands; None where the file does not say.
    engine : what computed.
    notes : sentences for people.
    clipped : numbers of the windows beyond what words hold.
    """

    target: str
    numbers: np.ndarray
    lines: tuple[int, ...]
    times: np.ndarray | None
    dated: bool
    engine: str
    zone: str | None = None
    notes: tuple[str, ...] = ()
    clipped: tuple[Clipped, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def share(self) -> float:
        """Share of windows with the flag up."""
        return float(self.numbers.mean())

    @property
    def alarms(self) -> tuple[tuple[int, int], ...]:
        """Windows of each alarm, from its first to behind its last: the flag goes up and down."""
        edges = np.flatnonzero(np.diff(self.numbers, prepend=0, append=0))
        return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

    def when(self, window: int) -> str | None:
        """Return the time of a window's last judged row, in words; None without times."""
        if self.times is None:
            return None
        return in_words(self.times[window], dated=self.dated, zone=self.zone, days=False)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row for each window, as :meth:`to_csv` writes them."""
        for window, (line, flag) in enumerate(zip(self.lines, self.numbers, strict=True)):
            when = self.when(window)
            row: dict[str, object] = {} if when is None else {"time": when}
            yield row | {"flag": int(flag), "line": line}

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the flags as CSV, a row for each window; also write a file, if named.

        Columns are ``time`` if the file has times, ``flag``, and ``line``, of the last row that is
        judged.
        """
        return rows_as_csv(self.rows(), path)

    def to_dict(self) -> dict[str, object]:
        """Return the flags as plain data; times as ISO 8601."""
        when = None
        if self.times is not None:
            when = [iso(time, dated=self.dated, zone=self.zone) for time in self.times]
        return {
            "task": "detect",
            "target": self.target,
            "engine": self.engine,
            "lines": list(self.lines),
            "times": when,
            "flags": self.numbers.tolist(),
            "flagged": self.share,
            "alarms": [list(one) for one in self.alarms],
            "notes": list(self.notes),
            "clipped": [one.to_dict() for one in self.clipped],
        }

    def __repr__(self) -> str:
        return f"<Flags: {self.share:.2%} of {len(self)} windows, in {len(self.alarms)} alarms>"


@dataclass(frozen=True, kw_only=True)
class FlagQuestion:
    """Windows to judge, and all that is known of them before."""

    rows: NewRows
    windows: Windows
    notes: tuple[str, ...]

    def answered(
        self, numbers: np.ndarray, *, engine: str, clipped: tuple[Clipped, ...] = ()
    ) -> Flags:
        """Return flags [N, 1], with the rest."""
        series, windows = self.rows.cleaned.rows, self.windows
        judged = windows.first + windows.horizon - 1
        return Flags(
            target=self.rows.scales.target,
            numbers=np.asarray(numbers).reshape(-1).astype(np.int64),
            lines=tuple(series.lines[judged].tolist()),
            times=None if series.times is None else series.times[judged],
            dated=series.dated,
            zone=zone_of(self.rows),
            engine=engine,
            notes=self.notes,
            clipped=clipped,
        )


def asked_flags(
    model: IntegerModel,
    data: str | None,
    *,
    windows: int | None,
    at: int | str | None,
    target: str | Sequence[str] | None,
    inputs: str | Sequence[str] | None,
    reading: Mapping[str, Any],
) -> FlagQuestion:
    """Read what :meth:`bitformer.Model.detect` is to judge.

    Raises
    ------
    UserError
        As that does.
    """
    if windows is not None and windows < 1:
        raise UserError(f"Windows must be 1 or more, not {windows}")
    name, config = data or own_name(model), model.config
    rows = read_new_rows(
        model, name, target=target, inputs=inputs, reading=reading, with_target=True
    )
    cleaned, ahead = rows.cleaned, rows_ahead(model)
    if len(cleaned.blocks) > 1:
        raise UserError(
            f"{name} must hold one series for a detector, whose windows follow one another, not"
            f" {len(cleaned.blocks)}: give each series by itself"
        )
    parts = [(block.start, block.stop) for block in cleaned.blocks]
    first = first_targets(cleaned, parts, config.window, config.horizon, ahead)
    if at is not None:
        line = line_of(rows, at)
        first = first[cleaned.rows.lines[first + config.horizon - 1] <= line]
    notes = [*rows.notes]
    if windows is not None and len(first) < windows:
        notes.append(f"{name} has {len(first)} windows to judge, not {windows}")
    first = first if windows is None else first[-windows:]
    if not len(first):
        longest = max((stop - start for start, stop in cleaned.segments), default=0)
        upto = "" if at is None else f" up to {at}"
        raise UserError(
            f"{name} must have {config.window + ahead - 1 + config.horizon} rows without a"
            f" gap{upto} for a window and what is judged of it, and its longest"
            f" stretch is {longest}"
        )
    found = Windows(
        inputs=rows.values,
        target=rows.scaled_targets,
        first=first,
        window=config.window,
        horizon=config.horizon,
        ahead=ahead,
        calendar=config.calendar,
        times=rows.times(config.calendar),
    )
    return FlagQuestion(rows=rows, windows=found, notes=tuple(notes))
