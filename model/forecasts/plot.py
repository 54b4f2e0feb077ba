"""A picture of forecasts: history, forecasts with their intervals, and the truth."""

from pathlib import Path

import numpy as np

from bitformer.model.forecasts.times import moment
from bitformer.model.picture import picture

__all__ = ["draw"]

#: How much history is drawn before the first forecast, in horizons.
_BEFORE = 3


def draw(
    path: str | Path,
    *,
    target: str,
    places: np.ndarray,
    values: np.ndarray,
    limits: tuple[str, np.ndarray, np.ndarray] | None,
    past: tuple[np.ndarray, np.ndarray] | None,
    unit: str,
    dated: bool,
    zone: str | None = None,
) -> None:
    """Write a picture; the suffix of ``path`` (.png, .svg, .pdf) chooses the format.

    Parameters
    ----------
    path
        The file.
    target
        The column that is forecast.
    places
        Where on the x axis the steps of each forecast are [N, horizon].
    values
        The forecasts [N, horizon], the newest last. Those are drawn that do not overlap.
    limits
        What they are called, and the interval's lower and upper limits [N, horizon].
    past
        Where the rows of the file are on the x axis, and their values.
    unit
        What the x axis is called.
    dated
        Whether places are seconds since 1970.
    zone
        Where the clock of dates stands, if that is known.

    Raises
    ------
    UserError
        Without matplotlib, or for a format or a file that cannot be written.
    """

    def axis(where: np.ndarray) -> list:
        return (
            [moment(one, zone).replace(tzinfo=None) for one in where] if dated else where.tolist()
        )

    horizon = values.shape[1]
    shown = list(range(len(values) - 1, -1, -horizon))[::-1]
    with picture(path, figsize=(9, 4)) as (_figure, axes):
        if past is not None:
            where, known = past
            start = int(np.searchsorted(where, places[shown[0], 0])) - _BEFORE * horizon
            where, known = where[max(0, start) :], known[max(0, start) :]
            axes.plot(axis(where), known, color="0.35", label="in the file")
        for window in shown:
            x, first = axis(places[window]), window == shown[0]
            axes.axvline(x[0], color="0.85", lw=0.8, zorder=0)
            axes.plot(
                x,
                values[window],
                color="C0",
                marker="." if horizon == 1 else None,
                label="forecast" if first else None,
            )
            if limits is not None:
                name, low, high = limits
                label = name if first else None
                axes.fill_between(
                    x, low[window], high[window], color="C0", alpha=0.2, lw=0, label=label
                )
        axes.set_ylabel(target)
        axes.set_xlabel(unit)
        axes.legend(loc="best")
        if dated:
            axes.tick_params(axis="x", rotation=30)
