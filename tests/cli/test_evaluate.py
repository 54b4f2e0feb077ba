"""``bitformer evaluate``: the reference's error, whatever engine computes."""

import numpy as np
import pytest

from bitformer.model.checkpoint import load_model
from bitformer.model.data.datasets import load_dataset
from bitformer.model.reference import predict


def test_evaluate_is_the_references_error(bitformer, tiny):
    model = load_model(tiny)
    data = load_dataset("synthetic", window=24, horizon=6)
    expected = np.mean((predict(model, data.test.x) - data.test.y) ** 2)
    said = bitformer("evaluate", tiny, "--data", "synthetic", "--json")
    assert said.data["test_mse"]["tiny (integer)"] == pytest.approx(expected)
    assert said.data["test_windows"] == len(data.test)
    assert "Synthetic data: generated, not measured" in said.err
    root = expected**0.5 * data.target_std
    assert said.data["test_rmse"]["tiny (integer)"] == pytest.approx(root)


def test_evaluate_in_the_simulator_is_the_same(bitformer, tiny):
    some = ["evaluate", tiny, "--data", "synthetic", "--samples", "2", "--json"]
    reference, hardware = bitformer(*some), bitformer(*some, "--engine", "python")
    assert hardware.code == 0
    assert (
        hardware.data["test_mse"]["tiny (python)"] == reference.data["test_mse"]["tiny (integer)"]
    )
    assert hardware.data["baseline_mse"] == reference.data["baseline_mse"]
    assert hardware.data["test_windows"] == 2


@pytest.mark.slow  # compiles the design
@pytest.mark.needs("compiler")
def test_native_engine_is_the_same(bitformer, tiny):
    data = ["--data", "synthetic"]
    reference = bitformer("evaluate", tiny, *data, "--json")
    hardware = bitformer("evaluate", tiny, *data, "--engine", "native", "--json")
    assert hardware.code == 0
    expected = reference.data["test_mse"]["tiny (integer)"]
    assert hardware.data["test_mse"]["tiny (native)"] == expected
    said = bitformer("simulate", tiny, "--samples", "50", "--engine", "native", "--json")
    assert said.code == 0
    assert (said.data["engine"], said.data["bit_exact"]) == ("native", True)
    assert set(said.data["interval_cycles"]) == {said.data["predicted"]["interval_cycles"]}
