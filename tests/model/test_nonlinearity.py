"""A nonlinearity is one function in every form; its results have the zero point that it says."""

import numpy as np
import pytest
import torch

from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.nonlinearity import RELU
from bitformer.model.precision import Precision
from bitformer.model.structure import free_zero_points, graph


def test_all_forms_are_the_same_function():
    x = np.array([-3.0, -0.0, 0.0, 0.25, 7.5])
    expected = [0.0, 0.0, 0.0, 0.25, 7.5]
    assert RELU.numpy(x).tolist() == RELU.torch(torch.from_numpy(x)).tolist() == expected


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
