"""What each kind of layer reads, in what order, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.model import ir, reference
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.model.structure import free_zero_points, graph, linear_shapes

SMALL = {"name": "small", "window": 4, "horizon": 2, "d_model": 4, "ffn": 6}


def make(**changes):
    return TransformerConfig(**SMALL | changes)


def reads(config):
    """(result, tensors read, tensor added) of each layer but the tables."""
    layers = [layer for layer in graph(config) if layer.kind != "position"]
    return [(layer.y, *layer.x, layer.residual) for layer in layers]


SUMS_BEFORE_NORMS = [
    ("embedding", "input", "position"),
    ("layers.0.k", "embedding", None),
    ("layers.0.v", "embedding", None),
    ("layers.0.q", "embedding", None),
    ("layers.0.scores", "layers.0.q", "layers.0.k", None),
    ("layers.0.context", "layers.0.scores", "layers.0.v", None),
    ("layers.0.add1", "layers.0.context", "embedding"),
    ("layers.0.norm1", "layers.0.add1", None),
    ("layers.0.hidden", "layers.0.norm1", None),
    ("layers.0.add2", "layers.0.hidden", "layers.0.norm1"),
    ("layers.0.norm2", "layers.0.add2", None),
    ("output", "layers.0.norm2", None),
]
NORMS_BEFORE_SUMS = [
    ("embedding", "input", "position"),
    ("layers.0.norm1", "embedding", None),
    ("layers.0.k", "layers.0.norm1", None),
    ("layers.0.v", "layers.0.norm1", None),
    ("layers.0.q", "layers.0.norm1", None),
    ("layers.0.scores", "layers.0.q", "layers.0.k", None),
    ("layers.0.context", "layers.0.scores", "layers.0.v", None),
    ("layers.0.add1", "layers.0.context", "embedding"),
    ("layers.0.norm2", "layers.0.add1", None),
    ("layers.0.hidden", "layers.0.norm2", None),
    ("layers.0.add2", "layers.0.hidden", "layers.0.add1"),
    ("output", "layers.0.add2", None),
]


@pytest.mark.parametrize(
    ("pre_norm", "expected"), [(False, SUMS_BEFORE_NORMS), (True, NORMS_BEFORE_SUMS)]
)
def test_where_rows_are_normalised(pre_norm, expected):
    config = make(pre_norm=pre_norm)
    assert reads(config) == expected
    assert config.macs == make().macs


@pytest.mark.parametrize(("pre_norm", "read"), [(False, "embedding"), (True, "layers.0.norm1")])
def test_fused_keys_are_the_rows_themselves(pre_norm, read):
    config, other = make(fused=True, pre_norm=pre_norm), make(pre_norm=pre_norm)
    assert reads(config) == reads(other)
    kinds = {layer.y: layer.kind for layer in graph(config)}
    assert kinds == {layer.y: layer.kind for layer in graph(other)} | {"layers.0.k": "copy"}
    assert ("layers.0.k", read, None) in reads(config)
    assert linear_shapes(config) == {
        name: size for name, size in linear_shapes(other).items() if name != "layers.0.k"
    }
    # four rows of four features: what is read as keys has its middle at 0
    assert config.macs == other.macs - 4 * 4 * 4
    free = free_zero_points(config.replace(asymmetric=True))
    assert read not in free


def test_a_decoders_keys_are_the_encoders_rows():
    config = make(fused=True, decoder_layers=1)
    copies = [(one.y, *one.x) for one in graph(config) if one.kind == "copy"]
    assert copies == [
        ("layers.0.k", "embedding"),
        ("decoder.layers.0.k", "decoder.embedding"),
        ("decoder.layers.0.cross.k", "layers.0.norm2"),
    ]
    # 4 rows of the encoder twice, 2 of the decoder: 4 x 4 products less for each
    assert config.macs == make(decoder_layers=1).macs - 10 * 16


def test_a_key_has_a_scale_of_its_own_by_hand():
    """Rows of 8 bits in units of 1/32, keys of 4 in units of 1/2: rounded, clamped, narrow."""
    config = make(fused=True, tensors={"layers.0.k": 4}, norm="batch")
    model = initialize(config, samples=8)
    op = model.writers["layers.0.k"]
    assert isinstance(op, ir.Affine)
    x, k = model.tensors["embedding"], model.tensors["layers.0.k"]
    assert (k.bits, k.narrow, k.component) == (4, True, "MHA")
    power = k.exponent - x.exponent
    assert (op.multiplier.tolist(), op.offset.tolist()) == ([1] * 4, [0] * 4)
    assert (op.shift, op.offset_shift) == (power, 0)
    half, one = 1 << power - 1, 1 << power
    row = np.array([[[half - 1, half, -half - 1, 20 * one], [0, -half, one, -20 * one]]])
    assert op.run({"embedding": row}, model.tensors)[0].tolist() == [[0, 1, -1, 7], [0, 0, 1, -7]]


def test_a_decoder_attends_to_the_sum_of_the_encoder():
    """Nothing normalises that sum: the decoder's own rows are, before each of its sublayers."""
    config = make(decoder_layers=1, pre_norm=True)
    assert [one for one in reads(config) if one[0].startswith("decoder.")] == [
        ("decoder.embedding", "input", "decoder.position"),
        ("decoder.layers.0.norm1", "decoder.embedding", None),
        ("decoder.layers.0.k", "decoder.layers.0.norm1", None),
        ("decoder.layers.0.v", "decoder.layers.0.norm1", None),
        ("decoder.layers.0.q", "decoder.layers.0.norm1", None),
        ("decoder.layers.0.scores", "decoder.layers.0.q", "decoder.layers.0.k", None),
        ("decoder.layers.0.context", "decoder.layers.0.scores", "decoder.layers.0.v", None),
        ("decoder.layers.0.add1", "decoder.layers.0.context", "decoder.embedding"),
        ("decoder.layers.0.norm2", "decoder.layers.0.add1", None),
        ("decoder.layers.0.cross.k", "layers.0.add2", None),
        ("decoder.layers.0.cross.v", "layers.0.add2", None),
        ("decoder.layers.0.cross.q", "decoder.layers.0.norm2", None),
        (
            "decoder.layers.0.cross.scores",
            "decoder.layers.0.cross.q",
            "decoder.layers.0.cross.k",
            None,
        ),
        (
            "decoder.layers.0.cross.context",
            "decoder.layers.0.cross.scores",
            "decoder.layers.0.cross.v",
            None,
        ),
        ("decoder.layers.0.add2", "decoder.layers.0.cross.context", "decoder.layers.0.add1"),
        ("decoder.layers.0.norm3", "decoder.layers.0.add2", None),
        ("decoder.layers.0.hidden", "decoder.layers.0.norm3", None),
        ("decoder.layers.0.add3", "decoder.layers.0.hidden", "decoder.layers.0.add2"),
    ]


def test_components_are_those_of_the_sum_and_of_its_norm():
    of_tensor = {layer.y: layer.component for layer in graph(make(pre_norm=True))}
    of_other = {layer.y: layer.component for layer in graph(make())}
    assert of_tensor == of_other
    assert [of_tensor[f"layers.0.{name}"] for name in ("norm1", "add1", "norm2", "add2")] == [
        *("BNMHA", "AddMHA", "BNFFN", "AddFFN")
    ]


@pytest.mark.parametrize(
    ("pre_norm", "free"),
    [
        # a sum that a norm or another sum takes has its middle at 0
        (True, {"layers.0.norm1", "layers.0.norm2", "layers.0.add2"}),
        (False, {"layers.0.norm2"}),
    ],
)
def test_only_what_linear_layers_alone_read_has_a_zero_point(pre_norm, free):
    config = make(pre_norm=pre_norm, asymmetric=True)
    assert free_zero_points(config) - {"layers.0.context"} == free


def by_hand(pre_norm, x):
    """One row of one feature, attention of one key: all weights 1, all scales 1, no biases.

    With one feature, a BatchNorm of factor 2 and offset 1 is ``2 x + 1``.
    """

    def norm(value):
        return 2 * value + 1

    def ffn(value):
        return max(value, 0)

    if pre_norm:
        first = x + norm(x)
        return first + ffn(norm(first))
    first = norm(x + x)
    return norm(first + ffn(first))


@pytest.mark.parametrize(
    ("pre_norm", "window", "forecast"), [(True, 3, 31), (False, 3, 53), (True, -2, -5)]
)
def test_values_by_hand(pre_norm, window, forecast):
    config = TransformerConfig(
        name="one",
        window=1,
        d_model=1,
        ffn=1,
        norm="batch",
        pre_norm=pre_norm,
        output_bits=16,
        input_bits=16,
    )
    model = initialize(config, samples=8)

    def plain(op):
        one = np.ones(1, dtype=np.int64)
        if isinstance(op, ir.Linear):
            zero = model.tensors[op.x].zero
            residual = op.residual and ir.Residual(source=op.residual.source, shift=0)
            fields = {"weight": np.ones((1, 1), dtype=np.int64), "bias": -zero * one}
            return replace(op, **fields, multiplier=one, shift=0, residual=residual)
        if isinstance(op, ir.Affine):
            return replace(op, multiplier=2 * one, offset=one, offset_shift=0, shift=0)
        if isinstance(op, ir.Attend):  # the softmax of one key is 1: 255 of 255
            return replace(op, shift=17)
        return op

    model = replace(
        model,
        operations=tuple(map(plain, model.operations)),
        constants={"position": np.zeros((1, 1), dtype=np.int64)},
    )
    found = reference.run(model, np.array([[[window]]]))["output"]
    assert found.item() == by_hand(pre_norm, window) == forecast
