"""The batched reference against loops over plain integers, tensor by tensor."""

import math
from fractions import Fraction

import numpy as np
import pytest

from bitformer.model import ir, numerics
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.gelu import gelu_exponent
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision, keep_precise
from bitformer.model.reference import predict, run

STREAM = {"causal": True, "stream": True, "position": "relative"}
SMALL = {"name": "small", "window": 4, "horizon": 3, "d_model": 4, "ffn": 5}


def make(**changes):
    return initialize(TransformerConfig(**SMALL | changes), seed=1, samples=8)


def requantize(u, multiplier, addend, shift, spec, low):
    y = math.floor(Fraction(u * multiplier + addend, 1 << shift) + Fraction(1, 2)) + spec.zero
    return min(max(y, low), spec.high)


def activated(u, multiplier, addend, shift, spec):
    """GELU of a whole step, rounded; what it takes from a rectifier is rounded half up."""
    q = math.floor(Fraction(u * multiplier + addend, 1 << shift) + Fraction(1, 2))
    size = 2.0 ** gelu_exponent(spec.bits)
    lost = math.floor(abs(q) * math.erfc(abs(q) * size / math.sqrt(2)) / 2 + 0.5)
    return min(max(q, 0) - lost + spec.zero, spec.high)


def exponential(distance):
    return numerics.EXP_TABLE[distance % 8] // 2 ** (distance // 8)


def reciprocal(total, keys):
    headroom = max(0, (255 * keys).bit_length() - 9)
    exponent = total.bit_length() - 9
    mantissa = total * 2 if exponent < 0 else total >> exponent
    return numerics.RECIPROCAL_TABLE[mantissa - 256] << (headroom - exponent)


def root(variance, width):
    exponent = 0
    if not variance:
        return 0, 0
    while variance << 2 * exponent < 1 << (width - 2):
        exponent += 1
    return exponent, numerics.RSQRT_TABLE[(variance << 2 * exponent >> width - 8) - 64]


def element(op, model, values, i, j):
    """(u, multiplier, addend) of one element of an operation's result."""
    x = values[op.reads[0]]
    if isinstance(op, ir.SubtractPreceding):
        first = i // op.patch * op.patch
        return x[i][j] - x[first - 1 if first else op.patch - 1][j], 1, 0
    if isinstance(op, ir.SubtractLast):
        return x[i][j] - x[-1][j], 1, 0
    if isinstance(op, ir.Linear):
        rows = zip(*x, strict=True) if op.transposed else x
        flat = [value for row in rows for value in row]
        inputs = flat[op.start + i * (op.step or op.weight.shape[1]) :]
        u = sum(int(w) * v for w, v in zip(op.weight[j], inputs, strict=False)) + int(op.bias[j])
        addend = 0
        if op.residual:
            source = values[op.residual.source]
            channel = op.residual.channel
            r = source[i][j] if channel is None else source[-1][channel]
            addend = r << op.residual.shift
        return u, int(op.multiplier[j]), addend
    if isinstance(op, ir.Scores):
        token, head = divmod(i, op.heads)
        if op.causal and j > token:
            return None
        size = len(x[0]) // op.heads
        part = range(head * size, (head + 1) * size)
        u = sum(x[token][f] * values[op.k][j][f] for f in part)
        if isinstance(op, ir.SlidingScores):
            if token - j >= len(op.bias[head]):
                return None
            u += int(op.bias[head][token - j])
        return u, op.multiplier, 0
    if isinstance(op, ir.Attend):
        v = values[op.v]
        head = j // (len(v[0]) // op.heads)
        first, most = 0, len(v)
        if isinstance(op, ir.SlidingAttend):
            first, most = max(0, i + 1 - op.reach), op.reach
        row = x[i * op.heads + head][first : i + 1 if op.causal else None]
        e = [exponential(max(row) - score) for score in row]
        u = sum(weight * v[k][j] for k, weight in enumerate(e, first))
        return u, reciprocal(sum(e), most), 0
    if isinstance(op, ir.Affine):
        return x[i][j], int(op.multiplier[j]), int(op.offset[j]) << op.offset_shift
    if isinstance(op, ir.LayerNorm):
        row, spec = x[i], model.tensors[op.x]
        variance = len(row) * sum(v * v for v in row) - sum(row) ** 2
        exponent, factor = root(variance, numerics.norm_width(len(row), spec.bits))
        u = (len(row) * row[j] - sum(row)) << exponent
        return u, int(op.gamma[j]) * factor, int(op.beta[j]) << op.beta_shift
    return sum(row[j] for row in x[-op.newest :]), op.multiplier, 0


def slowly(model, window):
    """Every tensor of one window, an element at a time."""
    values = {"input": window.tolist()}
    values |= {name: constant.tolist() for name, constant in model.constants.items()}
    for op in model.operations:
        spec = model.tensors[op.y]
        x, y = spec.shape
        low = max(spec.low, spec.zero) if getattr(op, "relu", False) else spec.low
        rows = [[element(op, model, values, i, j) for j in range(y)] for i in range(x)]
        if getattr(op, "gelu", False):
            values[op.y] = [[activated(*e, op.shift, spec) for e in row] for row in rows]
            continue
        values[op.y] = [
            [spec.low if e is None else requantize(*e, op.shift, spec, low) for e in row]
            for row in rows
        ]
    return values


def windows(model, count=3, seed=0):
    spec = model.input
    x = np.random.default_rng(seed).integers(spec.low, spec.high + 1, (count, *spec.shape))
    return np.concatenate([x, np.full_like(x[:1], spec.low), np.full_like(x[:1], spec.high)])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "batch", "pooling": "mean"},
        {"heads": 2, "layers": 2, "subtract_last": True, "inputs": 3, "target_channel": 1},
        {"heads": 4, "pooling": "mean", "patch": 2},
        {"inputs": 7, "norm": "batch", "default": Precision(weights=2, activations=4)},
        {"window": 1, "default": Precision(weights=4, activations=8)},
        {"window": 5, "default": Precision(weights=1, activations=2), "weight_scales": "tensor"},
        {"norm": "batch", "default": Precision(weights=16, activations=16), "input_bits": 16},
        {"default": Precision(weights=16, activations=16), "pooling": "mean", "heads": 2},
        {"decoder_layers": 1, "heads": 2},
        {
            "window": 8,
            "horizon": 6,
            "patch": 2,
            "inputs": 2,
            "layers": 2,
            "norm": "batch",
            "decoder_layers": 2,
            "subtract_last": True,
            "precision": keep_precise({}, 16),
            "default": Precision(weights=2, activations=8),
        },
        {"activation": "gelu", "pre_norm": True, "layers": 2},
        {"activation": "gelu", "default": Precision(weights=4, activations=4), "ffn": 30},
        {"window": 9, "input_bits": 12, "output_bits": 12, "subtract_last": True},
        {"block": "mixer", "window": 6, "patch": 2, "mixing": 5, "layers": 2},
        {"block": "mlp", "patch": 4, "pooling": "mean"},
        {"window": 13, "patch": 4, "patch_stride": 2, "inputs": 2, "pooling": "last"},
        {"pre_norm": True, "final_norm": True, "patch": 2},
        {"causal": True, "heads": 2, "pooling": "last"},
        {**STREAM, "heads": 2, "layers": 2, "patch": 2, "subtract_last": True, "inputs": 2},
        {**STREAM, "pooling": "mean", "norm": "batch"},
        {**STREAM, "window": 3, "linear_path": True, "subtract_last": True, "pooling": "last"},
    ],
    ids=str,
)
def test_every_tensor_is_equal(changes):
    model = make(**changes)
    x = windows(model)
    fast = run(model, x)
    assert {*fast} == {*model.tensors}
    for number, window in enumerate(x):
        for name, value in slowly(model, window).items():
            assert fast[name][number].tolist() == value, name


def test_a_batch_is_its_windows_one_by_one():
    model = make(heads=2)
    x = windows(model, 5)
    together = run(model, x)["output"]
    assert np.array_equal(together, np.concatenate([run(model, w[None])["output"] for w in x]))


def test_results_are_int64_within_their_tensor():
    model = make()
    for name, value in run(model, windows(model)).items():
        spec = model.tensors[name]
        assert value.dtype == np.int64
        assert value.shape[1:] == spec.shape
        assert spec.low <= value.min() <= value.max() <= spec.high


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("batch", [1, 2, 512])
def test_forecasts_in_batches(count, batch):
    model = make()
    x = np.random.default_rng(0).normal(size=(count, 4, 1))
    y = predict(model, x, batch=batch)
    assert y.shape == (count, 3)
    for window, row in zip(x, y, strict=True):
        q = run(model, model.quantize_input(window[None]))["output"][0, 0]
        assert np.array_equal(row, model.dequantize_output(q))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 1), dtype=int), r"^input must have shape \(batch, 4, 1\), not \(4, 1\)$"),
        (np.zeros((1, 4, 2), dtype=int), r"^input must have shape \(batch, 4, 1\), not \(1, 4, 2"),
        (np.zeros((1, 4, 1)), r"^input must be integers, not float64$"),
        (np.full((1, 4, 1), -129), r"^input must be within -128\.\.127, not -129\.\.-129$"),
    ],
)
def test_input_must_match(x, message):
    with pytest.raises(UserError, match=message):
        run(make(), x)
