"""A model that knows scales, intervals and a source, rows for it, and its forecasts in units."""

import dataclasses
from datetime import datetime, timedelta

import numpy as np
import pytest

from bitformer.model import reference
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROWS, BEGIN = 60, datetime(2024, 2, 27, 22)
HORIZON, WINDOW = 6, 24
INTERVALS = [
    {"percent": 50, "low": [-1.0] * 6, "high": [0.5] * 6, "coverage": 0.47},
    {"percent": 80, "low": [-2.0, -3.0] * 3, "high": [2.0] * 6, "coverage": 0.785},
]


def made(**changes):
    """An untrained model of two inputs that knows scales, a source and intervals."""
    model = initialize(named_config("tiny").replace(inputs=2, target_channel=0))
    dataset = {
        "name": "old.csv",
        "inputs": ["power", "wind"],
        "target": "power",
        "mean": [10.0, 3.0],
        "std": [2.0, 1.5],
        "target_mean": 10.0,
        "target_std": 2.0,
        "target_channel": 0,
    }
    source = {"data": "old.csv", "target": "power", "inputs": ["power", "wind"], "time": "when"}
    meta = {"dataset": dataset, "source": source, "intervals": INTERVALS}
    return dataclasses.replace(model, meta=meta | changes)


@pytest.fixture(scope="module")
def numbers():
    """Power and wind of every hour."""
    rng = np.random.default_rng(1)
    hours = np.arange(ROWS)
    power = 10 + 2 * np.sin(hours / 4) + 0.2 * rng.normal(size=ROWS)
    return np.stack([power.round(3), rng.uniform(0, 6, ROWS).round(2)], axis=1)


@pytest.fixture
def model(tmp_path):
    save_model(made(), tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def write(path, rows, names="wind,note,when,power"):
    path.write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def moments(count=ROWS, step=timedelta(hours=1)):
    return [f"{BEGIN + step * k:%Y-%m-%d %H:%M}" for k in range(count)]


@pytest.fixture
def data(tmp_path, numbers):
    """Columns in another order, and one more that no model asked for."""
    rows = [(w, "dull, or not", t, p) for t, (p, w) in zip(moments(), numbers, strict=True)]
    return write(tmp_path / "my.csv", [(w, f'"{n}"', t, p) for w, n, t, p in rows])


def naive(numbers, end):
    """What the integer model says after ``end`` rows, in units, from the raw numbers."""
    x = (numbers[end - WINDOW : end] - [10.0, 3.0]) / [2.0, 1.5]
    return reference.predict(made(), x[None])[0] * 2.0 + 10.0
