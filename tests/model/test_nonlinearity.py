"""A nonlinearity is one function in every form; its results have the zero point that it says."""

import numpy as np
import pytest
import torch

from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.nonlinearity import GELU, NONLINEARITIES, RELU
from bitformer.model.precision import Precision
from bitformer.model.structure import free_zero_points, graph


def test_all_forms_are_the_same_function():
    x = np.array([-3.0, -0.0, 0.0, 0.25, 7.5])
    expected = [0.0, 0.0, 0.0, 0.25, 7.5]
    assert RELU.numpy(x).tolist() == RELU.torch(torch.from_numpy(x)).tolist() == expected


def test_gelu_is_the_same_function_in_all_forms():
    x = np.linspace(-9, 9, 181)
    smooth = GELU.numpy(x)
    np.testing.assert_allclose(GELU.torch(torch.from_numpy(x)).numpy(), smooth, atol=1e-14)
    steps = GELU.steps(np.round(x[np.abs(x) < 7] * 32).astype(int), 8)
    assert np.abs(steps / 32 - smooth[np.abs(x) < 7]).max() < 1.1 / 32
    assert NONLINEARITIES == {"relu": RELU, "gelu": GELU}


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_the_zero_point_is_the_lowest_number(bits):
    assert RELU.zero(bits) == -(2 ** (bits - 1))


def test_it_is_where_the_layers_say():
    config = TransformerConfig(
        name="t",
        window=4,
        d_model=4,
        ffn=6,
        asymmetric=True,
        default=Precision(weights=4, activations=6),
    )
    hidden = {layer.y for layer in graph(config) if layer.nonlinearity}
    assert hidden == {"layers.0.hidden"}
    assert not hidden & free_zero_points(config)
    model = initialize(config, samples=8)
    assert {op.y for op in model.linears if op.relu} == hidden
    assert model.tensors["layers.0.hidden"].zero == RELU.zero(6) == -32
