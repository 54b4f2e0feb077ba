"""Windows that are scaled one by one: by torch, by the integers, and by firmware, all the same."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from firmware_harness import micro_of, written

from bitformer.boards.build.firmware import header
from bitformer.hw.scaling import scaling_data
from bitformer.model.calibrate import calibrate
from bitformer.model.config import TransformerConfig
from bitformer.model.coverage import described
from bitformer.model.errors import UserError
from bitformer.model.export import export
from bitformer.model.forecasts.scaling import scaling_of
from bitformer.model.reference import predict
from bitformer.model.torch_predict import predict as in_torch
from bitformer.model.transformer import Transformer

torch.set_num_threads(1)
FLOOR = 1e-3
CONFIG = TransformerConfig(
    name="scaled",
    window=12,
    horizon=3,
    patch=3,
    d_model=8,
    heads=2,
    ffn=12,
    input_bits=12,
    output_bits=12,
    window_scaling=FLOOR,
)
MEAN, STD = 20.0, 4.0
DATA = {
    "inputs": ["power"],
    "target": "power",
    "mean": [MEAN],
    "std": [STD],
    "target_mean": MEAN,
    "target_std": STD,
}


def walks(count=40):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(count, 12, 1)) * rng.uniform(0.01, 3, (count, 1, 1))).cumsum(axis=1)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    found = Transformer(CONFIG)
    x = torch.tensor(walks(), dtype=torch.float32)
    calibrate(found, x, x[:, -3:, 0])
    return found.eval()


@pytest.fixture(scope="module")
def model(net):
    return dataclasses.replace(export(net), meta={"dataset": DATA})


def test_a_forecast_moves_with_its_window(net):
    """The network sees the same of windows that differ by a level and a factor."""
    floats = Transformer(CONFIG.replace(window_scaling=1e-12)).eval()
    floats.load_state_dict(net.state_dict())
    x = walks(4) + 1
    y = in_torch(floats, x)
    assert np.abs(in_torch(floats, 3 * x - 7) - (3 * y - 7)).max() < 1e-4


def test_scaling_is_by_mean_and_variance(net):
    plain = Transformer(CONFIG.replace(window_scaling=0.0)).eval()
    plain.load_state_dict(net.state_dict())
    floats = Transformer(CONFIG).eval()
    floats.load_state_dict(net.state_dict())
    for x in walks(3):
        mean, scale = x.mean(), np.sqrt(x.var() + FLOOR)
        expected = in_torch(plain, (x[None] - mean) / scale) * scale + mean
        assert in_torch(floats, x[None]) == pytest.approx(expected, abs=1e-5)


def test_the_integer_model_forecasts_what_torch_does(net, model):
    x = walks()
    assert np.array_equal(predict(model, x), in_torch(net, x))


def test_words_hold_scaled_windows(model):
    """A window far off takes the same integers, and its forecast is as far off."""
    x = walks()
    q = model.quantize_input(x)
    assert q.min() > model.input.low
    assert q.max() < model.input.high
    assert np.abs(model.quantize_input(x + 1e4) - q).max() <= 1
    with pytest.raises(UserError, match=r"^windows must be given with results of scaled, whose "):
        model.dequantize_output(np.zeros((1, 3)))


def test_words_are_fitted_to_scaled_windows(net):
    """Whatever level a series has, words cover deviations of windows from their mean."""
    far = Transformer(CONFIG)
    far.load_state_dict(net.state_dict())
    x = torch.tensor(walks() + 1000, dtype=torch.float32)
    calibrate(far, x, x[:, -3:, 0])
    ours, theirs = far.activations.exponents(), net.activations.exponents()
    assert {n: ours[n] for n in ("input", "output")} == {n: theirs[n] for n in ("input", "output")}


def test_what_words_cover_is_said_in_deviations(model):
    assert ", in deviations of a window from its mean" in described(model, scaling_of(model))


def test_firmware_in_micropython_makes_the_same_words(model, tmp_path):
    written(model, tmp_path)
    micro, data = micro_of(tmp_path), json.loads((tmp_path / "scaling.json").read_text())
    assert data["window_scaling"] == pytest.approx(FLOOR * STD**2)
    scales = micro.Scales(data)
    with pytest.raises(micro.ScalesError, match=r"^results are those of a window, which has to be"):
        scales.units([1, 2, 3])
    for x in walks(5):
        units = (x[:, 0] * STD + MEAN).tolist()
        words = scales.window([[one] for one in units])
        assert words == model.quantize_input(x[None]).ravel().tolist()
        found = scales.units([100, -5, 7])
        z = model.dequantize_output(np.array([[100, -5, 7]]), x[None])
        assert found == pytest.approx((z[0] * STD + MEAN).tolist(), rel=1e-12)


def test_firmware_in_c_is_told(model):
    text = header(scaling_data(model))
    found = re.search(r"^#define BITFORMER_MODEL_WINDOW_SCALING (\S+)$", text, re.MULTILINE)
    assert found is not None
    assert float(found[1]) == pytest.approx(FLOOR * STD**2)
    plain = dataclasses.replace(model, config=CONFIG.replace(window_scaling=0.0))
    assert "WINDOW_SCALING" not in header(scaling_data(plain))
    assert "window_scaling" not in scaling_data(plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 2}, r"^inputs must be 1 with window_scaling, not 2$"),
        ({"targets": 2}, r"^targets must be 1 with window_scaling, not 2$"),
        ({"subtract_last": True}, r"^subtract_last must be False with window_scaling, not True$"),
        ({"task": "detect"}, r"^task must be forecast or classify with window_scaling, not detec"),
        ({"window_scaling": -1.0}, r"^window_scaling must be a number from 0 on, not -1.0$"),
        ({"window_scaling": True}, r"^window_scaling must be a number from 0 on, not True$"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        CONFIG.replace(**changes)
