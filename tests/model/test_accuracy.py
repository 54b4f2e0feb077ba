"""The published task: oil temperature, 96 hours to 24, with 4-bit weights."""

import numpy as np
import pytest

from bitformer.model.config import named_config
from bitformer.model.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.export import export_run
from bitformer.model.precision import Precision
from bitformer.model.reference import predict
from bitformer.model.train import train


@pytest.mark.slow
def test_etth1_96_24(tmp_path):
    """The integer model beats the linear baseline (test MSE 0.0276) with the default seed."""
    config = named_config("etth1-96-24")
    assert config.default == Precision(weights=4, activations=8)
    assert not config.precision
    try:
        dataset = load_dataset("etth1", window=config.window, horizon=config.horizon)
    except UserError as error:
        pytest.skip(f"needs ETTh1: {error}")
    result = train(config, dataset, run_dir=tmp_path, device="cpu", progress=False)
    forecast = predict(export_run(tmp_path), dataset.test.x)
    error = np.square(forecast - dataset.test.y).mean()
    assert error == result.quantized_test
    assert error <= 0.0275
