"""From a file to windows that a model forecasts, and from its answers to forecasts in units."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from bitformer.model.clipping import Clipped, clipped_sentences
from bitformer.model.data.targets import in_parts
from bitformer.model.errors import UserError
from bitformer.model.forecasts.new_rows import NewRows, read_new_rows
from bitformer.model.forecasts.recent import RecentWindows, recent_windows
from bitformer.model.forecasts.result import Forecast
from bitformer.model.forecasts.several import Forecasts
from bitformer.model.forecasts.times import offset_name, place_of
from bitformer.model.intervals import ForecastInterval, named_interval
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.own_data import own_name, rows_ahead

__all__ = ["Question", "line_of", "prepared", "zone_of"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """Windows to forecast, and all that is known of them before."""

    rows: NewRows
    recent: RecentWindows
    interval: ForecastInterval | None
    ahead: int

    @property
    def x(self) -> np.ndarray:
        """Standardised windows [N, steps, inputs]."""
        return self.recent.x

    @property
    def clock(self) -> np.ndarray:
        """The time of each window, int64 [N, numbers]."""
        return self.recent.clock

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people."""
        return (*self.rows.notes, *self.recent.notes)

    @property
    def _drawn(self) -> slice:
        """The rows of the series of the last window, which is what a picture shows."""
        if not self.recent.series:
            return slice(None)
        blocks = self.rows.cleaned.blocks
        own = next(block for block in blocks if block.name == self.recent.series[-1])
        return slice(own.start, own.stop)

    def answered(
        self, forecasts: np.ndarray, *, engine: str, clipped: tuple[Clipped, ...]
    ) -> Forecast | Forecasts:
        """Return standardised forecasts [N, outputs] in their targets' units, with the rest.

        ``clipped`` : numbers of the windows and the forecasts that words do not hold.
        """
        count = len(self.rows.scaling.target_scales)
        parts = in_parts(self.rows.scaling.in_units(forecasts), count)
        said = clipped_sentences(clipped, self.rows.scales)
        more: dict[str, Any] = {"engine": engine, "clipped": clipped, "notes": (*self.notes, *said)}
        each = [self._of_target(number, own, **more) for number, own in enumerate(parts)]
        return each[0] if count == 1 else Forecasts(by_target=tuple(each))

    def _of_target(self, number: int, values: np.ndarray, **more: Any) -> Forecast:
        """Return the forecasts [N, horizon] of a target, in its units, with the rest."""
        series, truth = self.rows.cleaned.rows, self.rows.truths[number]
        when = series.times if self.recent.times is not None else series.lines.astype(float)
        assert when is not None
        scales, interval = self.rows.scales.target_scales, self.interval
        return Forecast(
            target=scales[number].name,
            lines=tuple(self.recent.lines.tolist()),
            values=values,
            times=self.recent.times,
            dated=series.dated,
            truth=self.recent.truths[number],
            interval=None if interval is None else interval.of_target(number, len(scales)),
            past=None if truth is None else (when[self._drawn], truth[self._drawn]),
            series=self.recent.series,
            zone=zone_of(self.rows),
            ahead=self.ahead,
            **more,
        )


def prepared(
    model: IntegerModel,
    data: str | None,
    *,
    windows: int,
    at: int | str | None,
    target: str | Sequence[str] | None,
    inputs: str | Sequence[str] | None,
    interval: int | None,
    reading: Mapping[str, Any],
) -> Question:
    """Read what :meth:`bitformer.Model.forecast` is to forecast.

    Raises
    ------
    UserError
        As that does.
    """
    if windows < 1:
        raise UserError(f"Windows must be 1 or more, not {windows}")
    chosen = named_interval(known(model.meta).get("intervals", ()), interval)
    rows = read_new_rows(
        model,
        data or own_name(model),
        target=target,
        inputs=inputs,
        reading=reading,
        with_target=False,
    )
    ahead = rows_ahead(model)
    recent = recent_windows(
        rows,
        window=model.config.rows_seen,
        horizon=model.config.horizon,
        ahead=ahead,
        count=windows,
        line=None if at is None else line_of(rows, at),
        calendar=model.config.calendar,
    )
    return Question(rows=rows, recent=recent, interval=chosen, ahead=ahead)


def zone_of(rows: NewRows) -> str | None:
    """Return where the clock of the rows stands; None where nobody knows, or there is none.

    It is the zone that is named, else the offset that the file writes, of several that of its
    newest row.
    """
    series = rows.series
    if series.times is None or not series.dated or series.naive:
        return None
    if rows.reading.time_zone is not None or series.offsets is None:
        return rows.reading.time_zone or "UTC"
    return offset_name(float(series.offsets[int(np.argmax(series.times))]))


def line_of(rows: NewRows, at: int | str) -> int:
    """Return the line of a row that is named by it, or by its time or one right after."""
    series = rows.cleaned.rows
    try:
        return int(at)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(str(at))
    except ValueError:
        time = None
    if time is None or series.times is None or not series.dated:
        where = "or one of its times as ISO 8601" if series.dated else "as its rows have no dates"
        raise UserError(f"--at must be a line of {rows.name}, {where}, not {at!r}")
    if len(rows.cleaned.blocks) > 1:
        raise UserError(f"--at must be a line of {rows.name}, as it holds several series")
    place = place_of(zone_of(rows) or "UTC")
    seconds = (time if time.tzinfo else time.replace(tzinfo=place)).timestamp()
    before = int(np.searchsorted(series.times, seconds, "right"))
    if not before:
        raise UserError(f"--at must be a time that {rows.name} has, and {at} is before its first")
    return int(series.lines[before - 1])
