"""What ``train`` says of four files is what a script of its own finds (``recompute.py``)."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import recompute as own

import bitformer

FILES = {
    "taxi": ("nab/nyc_taxi.csv", {"target": "value", "time": "timestamp"}),
    "gaps": (
        "nab/ambient_temperature_system_failure.csv",
        {"target": "value", "time": "timestamp"},
    ),
    "lost rows": (
        "awkward_csv/lostrows.csv",
        {"target": "load", "time": "time", "inputs": ["temp", "load"]},
    ),
    "seven columns": (
        "etth/ETTh1.csv",
        {"target": "OT", "time": "date", "inputs": ["HUFL", "MUFL", "LULL", "OT"]},
    ),
}
#: Of the published family's kinds: BatchNorm, the mean of all rows, 16-bit samples.
OTHER = {
    "name": "other",
    "window": 24,
    "horizon": 6,
    "patch": 4,
    "d_model": 8,
    "ffn": 8,
    "norm": "batch",
    "pooling": "mean",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recomputed")


@pytest.mark.needs("data")
@pytest.mark.parametrize("name", FILES)
def test_errors_are_those_of_the_raw_file(folder, name):
    path, columns = FILES[name]
    data = Path(os.environ["BITFORMER_DATA"]) / path
    config = "tiny"
    if name == "seven columns":
        (folder / "other.json").write_text(json.dumps(OTHER))
        config = str(folder / "other.json")
    training = bitformer.Training.run(
        str(data), config=config, to=folder / name, epochs=1, qat_epochs=1, batch=128, **columns
    )
    said, model = training.evaluation, training.model
    assert model is not None
    assert model.path is not None
    found = own.recompute(model.path, data, target=columns["target"], time=columns["time"])
    windows = said.dataset
    assert found["windows"] == [len(windows.train), len(windows.val), len(windows.test)]
    assert found["mean"] == pytest.approx(windows.target_mean, rel=1e-12)
    assert found["std"] == pytest.approx(windows.target_std, rel=1e-12)
    assert found["mse"] == pytest.approx(said.models["integer"], rel=1e-12)
    assert found["rmse"] == pytest.approx(said.rmse(said.models["integer"]), rel=1e-12)
    for baseline in ("repeat last value", "linear", "linear, last value subtracted"):
        assert found[baseline] == pytest.approx(said.baselines[baseline], rel=1e-7), baseline


def test_a_rule_that_is_broken_is_seen():
    """The script's own filling and cutting, by hand."""
    nan = math.nan
    hours = [0, 1, 2, 5, 6, 11, 12, 13]
    rows = np.array([[1.0], [2.0], [3.0], [4.0], [nan], [6.0], [7.0], [8.0]])
    values, stretches = own.regular([3600.0 * hour for hour in hours], rows, max_fill=3)
    assert values.ravel().tolist() == [1, 2, 3, 3, 3, 4, 4, 6, 7, 8]
    assert stretches == [(0, 7), (7, 10)]
    assert own.cut(values, stretches, (4, 10), 2, 1) == [4, 5, 6, 9]
