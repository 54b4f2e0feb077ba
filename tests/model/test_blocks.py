"""A mixer by hand, in integers; what a layer of each kind consists of."""

import numpy as np
import pytest

from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.operations import Linear, Residual
from bitformer.model.structure import graph, linear_shapes
from bitformer.model.tensor import Tensor

SMALL = {"name": "small", "window": 12, "patch": 4, "d_model": 2, "ffn": 7}


def linear(x, y, weight, bias, **fields):
    weight = np.array(weight)
    return Linear(
        x=x,
        y=y,
        weight=weight,
        weight_bits=8,
        bias=np.array(bias),
        multiplier=np.ones(len(weight), dtype=np.int64),
        shift=0,
        **fields,
    )


#: Three tokens of two features.
X = [[1, 2], [3, -1], [0, 4]]
MIXER = [
    # of both features, the tokens' 1, 3, 0 and 2, -1, 4: a - c and 2 a + b + 1, not below 0
    linear("x", "mix1", [[1, 0, -1], [2, 1, 0]], [0, 1], relu=True, transposed=True),
    linear("mix1", "mix2", [[1, 1], [0, 1], [-1, 2]], [0, 0, 1]),
    # of each token, its two features again: a - b and 2 b + 1, and the token
    linear(
        "mix2",
        "add1",
        [[1, -1], [0, 2]],
        [0, 1],
        residual=Residual(source="x", shift=0),
        transposed=True,
    ),
]
BY_HAND = {
    "mix1": [[1, 6], [0, 4]],
    "mix2": [[7, 6, 12], [4, 4, 9]],
    "add1": [[3 + 1, 9 + 2], [2 + 3, 9 - 1], [3 + 0, 19 + 4]],
}


def run(operations):
    shapes = {"x": (3, 2)} | {name: np.shape(rows) for name, rows in BY_HAND.items()}
    tensors = {
        name: Tensor(name=name, rows=rows, features=features, bits=8, exponent=0)
        for name, (rows, features) in shapes.items()
    }
    values = {"x": np.array([X, X])}
    written = {"x"}
    for op in operations:
        op.check("by hand", tensors, written)
        values[op.y] = op.run(values, tensors)
        written.add(op.y)
    return {name: values[name] for name in BY_HAND}


def test_a_mixer_by_hand():
    found = run(MIXER)
    for window in range(2):
        assert {name: rows[window].tolist() for name, rows in found.items()} == BY_HAND


def test_a_mixer_has_a_network_over_tokens():
    """Weights are of tokens, and of the output layer between features."""
    config = TransformerConfig(**SMALL, block="mixer", mixing=5)
    shapes = {n: s for n, s in linear_shapes(config).items() if n.startswith("layers")}
    assert shapes == {
        "layers.0.mix1": (5, 3),
        "layers.0.mix2": (3, 5),
        "layers.0.o": (2, 2),
        "layers.0.ffn1": (7, 2),
        "layers.0.ffn2": (2, 7),
    }
    layers = {layer.y: layer for layer in graph(config)}
    assert [y for y, layer in layers.items() if layer.transposed] == [
        "layers.0.mix1",
        "layers.0.add1",
    ]
    assert {layers[y].component for y in ("layers.0.mix1", "layers.0.mix2")} == {"MHA"}
    assert layers["layers.0.add1"].residual == "embedding"
    # its hidden layer is as wide as the FFN's, unless it is said
    assert config.replace(mixing=0).token_ffn == 7
    macs = 3 * 4 * 2 + 2 * (3 * 5 + 5 * 3) + 3 * 2 * 2 + 2 * 3 * 2 * 7 + 6
    assert config.macs == macs


@pytest.mark.parametrize("block", ["attention", "mixer", "mlp"])
def test_macs_are_those_of_the_operations(block):
    config = TransformerConfig(**SMALL, layers=2, block=block, horizon=3)
    model = initialize(config, samples=8)
    assert sum(op.macs(model.tensors) for op in model.operations) == config.macs
    components = {spec.component for spec in model.tensors.values()}
    assert components <= set(config.components)
    assert ("MHA" in components) == (block != "mlp")
