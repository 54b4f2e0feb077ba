"""A generated hourly series, for tests and trials without a network. It measures nothing."""

from datetime import UTC, datetime

import numpy as np

from bitformer.model.data.csv_source import Series

COLUMNS = ("synthetic", *(f"synthetic_{i}" for i in range(1, 7)))
START = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = 3600.0


def synthetic_series(*, rows: int = 6000, seed: int = 0) -> Series:
    """Generate daily and weekly cycles, drift and noise, in seven columns that lag one another.

    ``rows`` : hours. The same ``seed`` gives the same series.
    """
    rng = np.random.default_rng(seed)
    hours = np.arange(rows)[:, np.newaxis]
    lag = np.arange(len(COLUMNS)) * 2
    daily = np.sin(2 * np.pi * (hours - lag) / 24)
    half_day = 0.4 * np.sin(2 * np.pi * (hours - lag) / 12 + 1)
    weekly = 0.6 * np.sin(2 * np.pi * (hours - lag) / (7 * 24))
    drift = np.cumsum(rng.normal(0, 0.02, (rows, len(COLUMNS))), axis=0)
    noise = _autoregressive(rng.normal(0, 0.15, (rows, len(COLUMNS))), 0.7)
    level = rng.uniform(5, 30, len(COLUMNS))
    spread = rng.uniform(1, 6, len(COLUMNS))
    return Series(
        columns=COLUMNS,
        values=level + spread * (daily + half_day + weekly + drift + noise),
        lines=np.arange(rows) + 2,  # as if in a file with a header
        times=START.timestamp() + HOUR * np.arange(rows),
        dated=True,
        naive=True,
    )


def _autoregressive(noise: np.ndarray, keep: float) -> np.ndarray:
    """Noise in which each row keeps a part of the row before."""
    out = noise.copy()
    for row in range(1, len(out)):
        out[row] += keep * out[row - 1]
    return out
