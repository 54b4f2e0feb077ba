"""Forecasts in a file's units, with their times, intervals and what is known of the truth."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from bitformer.model.clipping import Clipped
from bitformer.model.forecasts.plot import draw
from bitformer.model.forecasts.rows import rows_as_csv
from bitformer.model.forecasts.times import in_words, iso
from bitformer.model.intervals import ForecastInterval

__all__ = ["Forecast"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Forecast:
    """Forecasts of windows a row apart, the newest last, in the target's units.

    Parameters
    ----------
    target : the column that is forecast.
    lines : the file's line of the last row that each forecast knows.
    values : float64 [N, horizon].
    times : float64 [N, horizon]; seconds since 1970, or plain numbers; None without times.
    dated : whether times are seconds.
    zone : where the clock of the times stands; None where the file does not say.
    truth : float64 [N, horizon]; NaN where the file has none; None if it lacks the column.
    interval : how far values were off in validation; None for a model that does not know.
    engine : what computed.
    notes : sentences for people.
    past : times, or lines, and values of the target in the file, of the last series, for pictures.
    clipped : numbers of the windows and of the forecasts beyond what words hold.
    series : the series of each forecast; empty where the file holds one.
    ahead : rows from the last that a forecast knows to its first: 0 where it is for that row.
    """

    target: str
    lines: tuple[int, ...]
    values: np.ndarray
    times: np.ndarray | None
    dated: bool
    truth: np.ndarray | None
    interval: ForecastInterval | None
    engine: str
    notes: tuple[str, ...] = ()
    past: tuple[np.ndarray, np.ndarray] | None = field(default=None)
    clipped: tuple[Clipped, ...] = ()
    series: tuple[str, ...] = ()
    zone: str | None = None
    ahead: int = 1

    def __len__(self) -> int:
        return len(self.values)

    @property
    def horizon(self) -> int:
        """Steps of a forecast."""
        return self.values.shape[1]

    @property
    def low(self) -> np.ndarray | None:
        """The interval's lower limits [N, horizon]."""
        return None if self.interval is None else self.values + np.array(self.interval.low)

    @property
    def high(self) -> np.ndarray | None:
        """The interval's upper limits [N, horizon]."""
        return None if self.interval is None else self.values + np.array(self.interval.high)

    @property
    def error(self) -> dict[str, float] | None:
        """Errors where the truth is known, in the target's units: ``mae``, ``mse`` and ``rmse``.

        ``values`` counts them; ``inside`` is the share within the interval. None without any.
        """
        if self.truth is None:
            return None
        known = np.isfinite(self.truth)
        if not known.any():
            return None
        off = (self.truth - self.values)[known]
        mse = float(np.mean(off**2))
        found = {
            "values": int(known.sum()),
            "mae": float(np.mean(np.abs(off))),
            "mse": mse,
            "rmse": mse**0.5,
        }
        if self.low is not None and self.high is not None:
            truth = self.truth[known]
            inside = (self.low[known] <= truth) & (truth <= self.high[known])
            found["inside"] = float(inside.mean())
        return found

    @cached_property
    def _days(self) -> bool:
        """Whether all forecasts are of whole days."""
        if self.times is None or not self.dated or self.zone is not None:
            return False
        return bool((self.times % 86400 == 0).all())

    def time(self, window: int, step: int) -> str:
        """Return a time for people; empty without times."""
        if self.times is None:
            return ""
        return in_words(self.times[window, step], dated=self.dated, zone=self.zone, days=self._days)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row for each step of each forecast, as :meth:`to_csv` writes them."""
        low, high = self.low, self.high
        for window, line in enumerate(self.lines):
            for step in range(self.horizon):
                row: dict[str, object] = {"series": self.series[window]} if self.series else {}
                if self.times is not None:
                    row["time"] = self.time(window, step)
                row |= {"step": step + self.ahead, "forecast": float(self.values[window, step])}
                if low is not None and high is not None:
                    row |= {"low": float(low[window, step]), "high": float(high[window, step])}
                if self.truth is not None:
                    truth = float(self.truth[window, step])
                    row["truth"] = truth if np.isfinite(truth) else None
                yield row | {"line": line}

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the forecasts as CSV, a row for each step of each; also write a file, if named.

        Columns are ``series`` if the file holds several, ``time`` if it has times, ``step``,
        ``forecast``, ``low`` and ``high`` if the model knows intervals, ``truth`` if the file has
        the target, and ``line``, the last line that the forecast knows.
        """
        return rows_as_csv(self.rows(), path)

    def plot(self, path: str | Path) -> None:
        """Draw history, forecasts with their interval, and truth; needs matplotlib.

        Of several windows, as many are drawn as do not overlap; of several series, the last. The
        suffix of ``path`` (.png, .svg, .pdf) chooses the format.
        """
        own = np.array([name == self.series[-1] for name in self.series] or [True] * len(self))
        interval, low, high = self.interval, self.low, self.high
        limits = None
        if interval is not None and low is not None and high is not None:
            limits = f"{interval.percent} % interval", low[own], high[own]
        if self.times is None:
            steps = self.ahead + np.arange(self.horizon)
            places, unit = np.array(self.lines)[:, None] + steps, "line of the file"
        else:
            places, unit = self.times, "" if self.dated else "time"
        draw(
            path,
            target=", ".join([self.target, *self.series[-1:]]),
            places=places[own],
            values=self.values[own],
            limits=limits,
            past=self.past,
            unit=unit,
            dated=self.dated and self.times is not None,
            zone=self.zone,
        )

    def to_dict(self) -> dict[str, object]:
        """Return the forecasts as plain data; times as ISO 8601."""
        low, high, interval = self.low, self.high, self.interval
        return {
            "target": self.target,
            "engine": self.engine,
            "ahead": self.ahead,
            "series": list(self.series),
            "lines": list(self.lines),
            "times": None
            if self.times is None
            else [
                [iso(time, dated=self.dated, zone=self.zone) for time in row] for row in self.times
            ],
            "forecast": self.values.tolist(),
            "low": None if low is None else low.tolist(),
            "high": None if high is None else high.tolist(),
            "truth": None
            if self.truth is None
            else [[None if np.isnan(one) else float(one) for one in row] for row in self.truth],
            "interval": None
            if interval is None
            else {"percent": interval.percent, "test_coverage": interval.coverage},
            "error": self.error,
            "notes": list(self.notes),
            "clipped": [one.to_dict() for one in self.clipped],
        }

    def __repr__(self) -> str:
        first = self.values[-1]
        when = "" if self.times is None else f" from {self.time(len(self) - 1, 0)} on"
        shown = ", ".join(f"{value:.5g}" for value in first[:3])
        more = ", …" if len(first) > 3 else ""
        count = "" if len(self) == 1 else f"{len(self)} windows, the newest "
        return f"<Forecast of {self.target}: {count}{self.horizon} steps{when}: {shown}{more}>"
