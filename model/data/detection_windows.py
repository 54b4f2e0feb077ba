"""Windows of series with labelled anomalies: to train a detector on, and in the order of time.

Each series is scaled by its own first, clean rows, as a device is where it is set up. A series to
train on is cut into stretches, each scaled by its own first rows: a network then sees what it will.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bitformer.model.data.detection import DetectionSeries
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.errors import UserError

__all__ = ["Stretches", "detection_dataset", "series_windows"]

#: Parts of the stretches that train and select a network; the rest tests it.
_TRAIN, _VAL = 0.6, 0.8


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """How a series is cut into stretches, which may overlap.

    Parameters
    ----------
    rows : of a stretch.
    apart : rows from a stretch's start to the next one's.
    clean : the first rows of each, which scale it.
    """

    rows: int
    apart: int
    clean: int


def _scaled(values: np.ndarray, clean: int) -> np.ndarray:
    """Return rows [rows, m] less the mean of the first ``clean``, in their deviations."""
    first = values[:clean]
    mean, std = np.nanmean(first, axis=0), np.nanstd(first, axis=0)
    std[np.nanmin(first, axis=0) == np.nanmax(first, axis=0)] = 1.0
    return (values - mean) / std


def series_windows(series: DetectionSeries, *, window: int, ahead: int = 1) -> Windows:
    """Return all windows of a series in the order of time, scaled by its clean rows.

    Each judges the row that is ``ahead`` rows behind its last, in all channels; 0 is the last row
    itself. The first row of targets is the row that is judged.
    """
    values = _scaled(series.values, series.clean)
    first = series.first(window, 1, ahead)
    return Windows(inputs=values, target=values, first=first, window=window, horizon=1, ahead=ahead)


def detection_dataset(
    series: DetectionSeries, *, window: int, ahead: int = 1, stretches: Stretches
) -> Dataset:
    """Return windows of a series without a fault, whose targets are a row of all channels.

    The first 60 % of its stretches train, the next 20 % select, the last 20 % test; none of the
    later parts shares a row with an earlier one.

    Raises
    ------
    UserError
        If the series is too short for a stretch of each part.
    """
    starts = [
        start
        for begin, stop in series.segments
        for start in range(begin, stop - stretches.rows + 1, stretches.apart)
    ]
    parts = _parts(starts, stretches.rows)
    if not all(parts):
        raise UserError(
            f"{series.name} must have rows for stretches of {stretches.rows} in each part, not"
            f" {len(series.values)} rows: give a longer series, or shorter stretches"
        )
    lead = window + ahead - 1
    rows, firsts, at = [], [], 0
    for part in parts:
        first = []
        for start in part:
            rows.append(_scaled(series.values[start : start + stretches.rows], stretches.clean))
            first.append(np.arange(at + lead, at + stretches.rows))
            at += stretches.rows
        firsts.append(np.concatenate(first))
    values = np.concatenate(rows)
    train, val, test = (
        Windows(inputs=values, target=values, first=first, window=window, horizon=1, ahead=ahead)
        for first in firsts
    )
    width = len(series.columns)
    return Dataset(
        name=series.name,
        inputs=series.columns,
        target=f"all {width} channels",
        mean=np.nanmean(series.values, axis=0),
        std=np.nanstd(series.values, axis=0),
        target_mean=0.0,
        target_std=1.0,
        target_channel=None,
        train=train,
        val=val,
        test=test,
        notes=(
            f"{len(parts[0])} training, {len(parts[1])} validation and {len(parts[2])} test"
            f" stretches of {stretches.rows} rows, each scaled by its first {stretches.clean}",
        ),
        period=None,
        task="detect",
    )


def _parts(starts: Sequence[int], rows: int) -> list[list[int]]:
    """Return the stretches of each part, by their first rows, without any that reach into two."""
    edges = [round(len(starts) * part) for part in (_TRAIN, _VAL)]
    cut = [list(starts[low:high]) for low, high in pairwise([0, *edges, len(starts)])]
    for before, part in pairwise(cut):
        end = before[-1] + rows if before else 0
        part[:] = [start for start in part if start >= end]
    return cut
