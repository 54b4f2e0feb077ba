"""Regressions of changes: what they shrink to, and what the linear path starts from."""

import numpy as np
import pytest
import torch
from dataset_harness import dataset

from bitformer.model.config import TransformerConfig
from bitformer.model.line import become_line
from bitformer.model.ridge import Moments, features, linear_map, shift_map
from bitformer.model.transformer import Transformer

NOISE = np.random.default_rng(5).normal(size=(400, 2))
BOTH = {"inputs": ("v", "w"), "window": 5, "horizon": 3}


def test_a_tie_is_one_more_observation():
    rng = np.random.default_rng(0)
    x, y, tie = rng.normal(size=(40, 3)), rng.normal(size=(40, 2)), np.array([1.0, 2.0, 0.0, 0.0])
    moments = Moments()
    moments.add(x, y)
    penalty = np.diag([0.1 * 40, 0.1 * 40, 0.1 * 40, 0.0]) ** 0.5
    a = np.vstack([np.column_stack([x, np.ones(40)]), penalty, tie * (0.1 * 40) ** 0.5])
    b = np.vstack([y, np.zeros((4, 2)), np.full((1, 2), 3.0 * (0.1 * 40) ** 0.5)])
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    assert moments.ridge(0.1, [(tie, 3.0)]) == pytest.approx(expected)


def test_noise_is_forecast_by_more_than_the_last_value():
    """The weights of the values add up to 1, and the last one's is no larger than it need be."""
    data = dataset(NOISE, **BOTH)
    last = {}
    for name, weights in (
        ("values", shift_map(data, 0)),
        ("changes", linear_map(data, subtract=0)),
    ):
        last[name] = 1 - weights[:-1].reshape(5, 2, 3)[:-1, 0].sum(axis=0)
    assert (np.abs(last["values"]) < np.abs(last["changes"])).all()


@pytest.mark.parametrize("subtract_last", [True, False])
def test_a_model_becomes_the_line(subtract_last):
    data = dataset(NOISE, **BOTH)
    sizes = {"window": 5, "inputs": 2, "horizon": 3, "d_model": 4, "ffn": 4}
    config = TransformerConfig(name="t", **sizes, subtract_last=subtract_last, linear_path=True)
    model = Transformer(config).eval()
    become_line(model, data)
    weights = shift_map(data, 0) if subtract_last else linear_map(data, subtract=None)
    parts = [
        x @ weights[:-1] + weights[-1] + base
        for x, _, base in features(data.test, 0 if subtract_last else None)
    ]
    with torch.no_grad():
        found = model(torch.tensor(data.test.x, dtype=torch.float32)).numpy()
    assert found == pytest.approx(np.concatenate(parts), abs=1e-5)
