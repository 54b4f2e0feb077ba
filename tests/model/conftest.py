"""Data small enough to train on in a test, and a small model's file."""

import numpy as np
import pytest
from model_file_harness import edited, model, written

from bitformer.model.data.windows import Dataset, Windows

__all__ = ["edited", "model", "written"]


def make_small_dataset(*, window=24, horizon=6, inputs=1, rows=120, seed=0, name="small"):
    """A noisy daily cycle with drift, ``rows`` windows to train on and half of them to test."""
    rng = np.random.default_rng(seed)
    length = 2 * rows + window + horizon
    steps = np.arange(length)
    series = np.sin(2 * np.pi * steps / 24) + 0.1 * rng.normal(size=length).cumsum() ** 2 / 20
    columns = np.stack([series + 0.05 * rng.normal(size=length) for _ in range(inputs)], axis=1)

    def part(first, count):
        return Windows(
            inputs=columns,
            target=columns[:, 0],
            first=window + np.arange(first, first + count),
            window=window,
            horizon=horizon,
        )

    return Dataset(
        name=name,
        inputs=tuple(f"x{channel}" for channel in range(inputs)),
        target="x0",
        mean=np.full(inputs, 3.0),
        std=np.full(inputs, 2.0),
        target_mean=3.0,
        target_std=2.0,
        target_channel=0,
        train=part(0, rows),
        val=part(rows, rows // 2),
        test=part(rows + rows // 2, rows // 2),
        notes=(),
        period=24,
    )


@pytest.fixture(scope="session")
def small_dataset():
    """:func:`make_small_dataset`, to be called with what should be different."""
    return make_small_dataset
