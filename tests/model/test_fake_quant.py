"""Quantizers: what they round to, what they learn."""

import math

import numpy as np
import pytest
import torch

from bitformer.model import numerics
from bitformer.model.exact import attention_weights, normalized
from bitformer.model.fake_quant import (
    binarize,
    dyadic_factor,
    fake_quantize,
    power_of_two,
    quantize_to,
    round_half_up,
    straight_through,
)
from bitformer.model.layers import QatLinear
from bitformer.model.quantize import dyadic
from bitformer.model.ranges import best_exponent, best_offset, covering_exponent, weight_exponent

torch.set_num_threads(1)  # many workers, tiny tensors


def quantized(x, log2_scale, low, high):
    """At the power of two nearest to ``2**log2_scale``."""
    exponent = round_half_up(log2_scale.detach())
    return fake_quantize(x, log2_scale, low, high, 2**exponent, 2**-exponent)


def test_rounding_is_half_up():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5, -2.5])
    assert round_half_up(x).tolist() == [-1, 0, 1, 2, 3, -2]


def test_power_of_two_is_exact():
    exponents = torch.arange(-60, 61)
    assert power_of_two(exponents).tolist() == [2.0**e for e in range(-60, 61)]


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8])
def test_values_are_those_of_numpy(bits):
    limit = (1 << (bits - 1)) - 1
    x = torch.linspace(-3, 3, 977, dtype=torch.float64)
    log2_scale = torch.tensor(-1.3, dtype=torch.float64)
    y = quantized(x, log2_scale, -limit, limit)
    q = np.clip(numerics.round_half_up(x.numpy() * 2), -limit, limit)
    assert np.array_equal(y.numpy(), q / 2)


def test_scale_exponent_is_rounded_half_up():
    layer = QatLinear(1, 4, 8)
    layer.log2_scale.data = torch.tensor([[-0.5], [-0.51], [0.49], [0.5]])
    assert layer.exponents().tolist() == [0, -1, 0, 1]


def test_scales_of_a_layer_stay_together():
    """They share a shift: the finest are as far as the integer model can follow."""
    layer = QatLinear(1, 3, 8)
    layer.log2_scale.data = torch.tensor([[-30.0], [3.0], [99.0]])
    assert layer.exponents().tolist() == [16, 16, 24]


def test_an_offset_learns_from_what_is_clamped():
    """And the scale from the rest: at the clamp y = s * low + offset."""
    x = torch.tensor([-9.0, 0.3, 4.0, 20.0])
    log2_scale = torch.tensor(1.0, requires_grad=True)
    offset = torch.tensor(6.0, requires_grad=True)
    y = fake_quantize(x, log2_scale, -4 + 3, 3 + 3, 2.0, 0.5, offset)
    assert y.tolist() == [-2, 0, 4, 12]
    y.sum().backward()
    assert offset.grad is not None
    assert offset.grad.item() == 2
    slopes = [-4, 0 - 0.15, 2 - 2, 3]
    assert log2_scale.grad is not None
    expected = 2 * math.log(2) * sum(slopes) / math.sqrt(4 * 6)
    assert log2_scale.grad.item() == pytest.approx(expected)


def test_one_bit_is_the_sign():
    x = torch.tensor([[-0.1, 0.0, 3.0], [-1.0, -2.0, 1.0]], requires_grad=True)
    log2_scale = torch.tensor([[0.0], [1.0]], requires_grad=True)
    y = binarize(x, log2_scale, torch.tensor([[1.0], [2.0]]))
    assert y.tolist() == [[-1, 1, 1], [-2, -2, 2]]
    (y * torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 2, 3], [1, 1, 1]]
    assert log2_scale.grad is not None
    expected = [[math.log(2) * total / math.sqrt(3)] for total in (4.0, -2.0)]
    assert torch.allclose(log2_scale.grad, torch.tensor(expected))


def test_gradient_passes_inside_and_stops_at_the_clamp():
    x = torch.tensor([-9.0, -8.4, -0.3, 7.4, 7.6], requires_grad=True)
    quantized(x, torch.tensor(0.0), -8, 7).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_scale_gradient_is_lsq():
    x = torch.tensor([-11.0, 0.3, 1.75, 20.0])
    log2_scale = torch.tensor(1.0, requires_grad=True)
    quantized(x, log2_scale, -4, 3).sum().backward()
    slopes = [-4, 0 - 0.15, 1 - 0.875, 3]
    expected = 2 * math.log(2) * sum(slopes) / math.sqrt(4 * 3)
    assert log2_scale.grad is not None
    assert log2_scale.grad.item() == pytest.approx(expected)


def test_a_scale_per_channel_learns_alone():
    x = torch.tensor([[0.2, 0.4], [100.0, 100.0]])
    log2_scale = torch.zeros(2, 1, requires_grad=True)
    quantized(x, log2_scale, -7, 7).sum().backward()
    assert log2_scale.grad is not None
    assert log2_scale.grad.shape == (2, 1)
    expected = [[math.log(2) * total / math.sqrt(2 * 7)] for total in (-0.6, 14.0)]
    assert torch.allclose(log2_scale.grad, torch.tensor(expected))


def test_a_learned_scale_finds_the_data():
    """From a scale 16 times too coarse, gradient steps come within an octave of the best."""
    x = torch.randn(4096, generator=torch.Generator().manual_seed(0))
    log2_scale = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.Adam([log2_scale], 0.05)
    for _ in range(200):
        loss = (quantized(x, log2_scale, -8, 7) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    best = best_exponent(x[None], -8, 7).item()
    assert abs(round(log2_scale.item()) - best) <= 1


def test_straight_through_has_the_exact_value_and_the_smooth_gradient():
    smooth = torch.tensor([0.1, 1e8], requires_grad=True)
    y = straight_through(smooth, torch.tensor([3.0, -7.0]))
    (y * torch.tensor([2.0, 5.0])).sum().backward()
    assert y.tolist() == [3, -7]
    assert smooth.grad is not None
    assert smooth.grad.tolist() == [2, 5]


def test_quantize_to_clamps_in_units_of_the_exponent():
    x = torch.tensor([0.126, -0.125, 99.0], dtype=torch.float64)
    y = quantize_to(x, 0.25, 4.0, -8, 8)
    assert y.tolist() == [0.25, 0.0, 2.0]


def test_dyadic_factor_is_the_integer_one():
    factor = torch.tensor([0.3, -0.001, 1.7], dtype=torch.float64)
    exact, shift = dyadic_factor(factor)
    multiplier, expected = dyadic(factor.numpy())
    assert shift == expected
    assert np.array_equal(exact.numpy() * 2.0**shift, multiplier)


@pytest.mark.parametrize(("low", "high"), [(-7, 7), (-128, 127), (0, 255), (-1, 1)])
def test_best_exponent_is_the_best(low, high):
    x = torch.randn(3, 500, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = x * torch.tensor([[0.01], [1.0], [30.0]])
    x = x.clamp(min=0) if low == 0 else x

    def error(exponent):
        return (quantized(x, exponent, low, high) - x).square().mean(dim=1)

    candidates = torch.stack([error(torch.tensor(float(e))) for e in range(-20, 20)])
    expected = candidates.argmin(dim=0) - 20
    assert best_exponent(x, low, high).tolist() == expected.tolist()


def test_covering_exponent_is_the_smallest_that_clamps_nothing():
    x = torch.tensor([[-4.0, 3.0], [0.0, 0.0], [1.0, 127.4], [1.0, 127.5], [-128.5, 0.0]])
    exponents = covering_exponent(x, -128, 127)
    assert exponents.tolist()[2:] == [0, 1, 0]
    for step in (0, -1):
        scale = power_of_two(exponents + step)[:, None]
        clamped = (round_half_up(x / scale).clamp(-128, 127) != round_half_up(x / scale)).any(dim=1)
        assert clamped.tolist() == ([False] * 5 if step == 0 else [True, False, True, True, True])


@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_a_learned_weight_scale_starts_at_the_best(bits, per_tensor):
    generator = torch.Generator().manual_seed(bits)
    weight = torch.randn(3, 40, generator=generator, dtype=torch.float64)
    weight = weight * torch.tensor([[0.01], [1.0], [30.0]])
    rows = weight.reshape(1, -1) if per_tensor else weight
    found = weight_exponent(weight, bits, ranges="learned", per_tensor=per_tensor)
    limit = max(1, (1 << (bits - 1)) - 1)

    def error(exponent):
        q = rows.sign() if bits == 1 else round_half_up(rows / 2**exponent).clamp(-limit, limit)
        return (q * 2**exponent - rows).square().mean(dim=1)

    candidates = torch.stack([error(exponent) for exponent in range(-15, 15)])
    assert found.tolist() == (candidates.argmin(dim=0) - 15).tolist()


@pytest.mark.parametrize("cover", [False, True])
def test_an_offset_helps_what_is_not_around_zero(cover):
    x = torch.rand(1, 999, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.7
    exponent, offset = best_offset(x, -8, 7, cover=cover)
    zero = math.floor(-offset / 2**exponent + 0.5)
    assert -8 <= zero <= 7
    low, high = -8 - zero, 7 - zero
    q = round_half_up(x / 2.0**exponent)
    if cover:
        assert torch.equal(q, q.clamp(low, high))
    error = (q.clamp(low, high) * 2.0**exponent - x).square().mean()
    symmetric = best_exponent(x, -8, 7)
    plain = (round_half_up(x / 2.0**symmetric).clamp(-8, 7) * 2.0**symmetric - x).square().mean()
    assert error < 0.6 * plain


@pytest.mark.parametrize("keys", [1, 2, 12, 24, 96, 256])
def test_attention_weights_are_those_of_numerics(keys):
    rng = np.random.default_rng(keys)
    scores = rng.integers(-128, 128, (64, keys))
    scores[0], scores[1], scores[2, 1:] = 127, -128, -128
    e = numerics.exp2_weights(scores)
    reciprocal = numerics.reciprocal(e.sum(axis=-1, keepdims=True), keys)
    expected = e * reciprocal / 2.0 ** (17 + numerics.reciprocal_headroom(keys))
    assert np.array_equal(attention_weights(torch.from_numpy(scores)).numpy(), expected)


@pytest.mark.parametrize(("features", "bits"), [(1, 8), (8, 4), (16, 8), (24, 6), (256, 8)])
def test_normalized_is_that_of_numerics(features, bits):
    rng = np.random.default_rng(features)
    half = 1 << (bits - 1)
    x = rng.integers(-half, half, (64, features))
    x[0], x[1], x[2] = 3, -half, np.where(np.arange(features) % 2, half - 1, -half)
    total = x.sum(axis=-1, keepdims=True)
    variance = features * (x * x).sum(axis=-1, keepdims=True) - total * total
    width = numerics.norm_width(features, bits)
    exponent, root = numerics.rsqrt(variance, width)
    expected = ((features * x - total) << exponent) * root * 2.0 ** -(12 + (width - 8) // 2)
    assert np.array_equal(normalized(torch.from_numpy(x), bits).numpy(), expected)
