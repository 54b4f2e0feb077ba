"""The published tasks: oil temperature, 96 or 48 hours to 24, with few bits."""

import numpy as np
import pytest

from bitformer.model.compression import published_ratio
from bitformer.model.config import named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.export import export_run
from bitformer.model.precision import Precision, keep_precise
from bitformer.model.reference import predict
from bitformer.model.train import train

pytestmark = pytest.mark.needs("etth1")


def integer_error(config, run_dir):
    """Test MSE of the integer model of the default seed, and the run's result."""
    dataset = load_dataset("etth1", window=config.window, horizon=config.horizon)
    result = train(config, dataset, run_dir=run_dir, device="cpu", progress=False)
    forecast = predict(export_run(run_dir), dataset.test.x)
    error = np.square(forecast - dataset.test.y).mean()
    assert error == result.quantized_test
    return error, result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weights", "activations", "limit"),
    [("", 4, 8, 0.0272), ("-w2a8", 2, 8, 0.0272), ("-w2a4", 2, 4, 0.0285)],
)
def test_etth1_96_24(tmp_path, name, weights, activations, limit):
    """The integer model beats the linear baseline (test MSE 0.0276), unless activations are coarse.

    The limits leave room for other arithmetic than that of the machine they were measured on.
    """
    config = named_config("etth1-96-24" + name)
    assert config.default == Precision(weights=weights, activations=activations)
    error, _ = integer_error(config, tmp_path)
    assert error <= limit


@pytest.mark.slow
def test_two_bit_encoder_decoder(tmp_path):
    """Below the published 10 % more error than float32, and smaller; float32 beats a linear map."""
    config = named_config("etth1-48-24-ed")
    error, result = integer_error(config, tmp_path)
    assert result.float_test <= 0.0300
    assert error < 1.05 * result.float_test
    assert published_ratio(config) >= 10
    floats = keep_precise(config.precision, 32)
    assert published_ratio(config.replace(precision=floats)) >= 7.46545
