"""Quantizers for training: what the integer model rounds is rounded in the forward pass.

Everything is on the real scale: a quantized tensor holds ``2**exponent * q`` with integers ``q``.
Scales are powers of two, so in float64 these values, their sums and their products are exact.

Gradients: a rounding lets them pass (the straight-through estimator, Bengio et al. 2013); a scale
learns by LSQ's rule (Esser et al. 2020, equation 3) in log2, as in TQT (Jain et al. 2020).
"""

import math

import numpy as np
import torch
from torch import Tensor

from . import quantize

__all__ = [
    "best_exponent",
    "dyadic_factor",
    "dyadic_number",
    "fake_quantize",
    "power_of_two",
    "quantize_to",
    "round_half_up",
    "straight_through",
    "to_numpy",
]


def round_half_up(x: Tensor) -> Tensor:
    """``floor(x + 0.5)``."""
    return torch.floor(x + 0.5)


def power_of_two(exponent: Tensor) -> Tensor:
    """``2**exponent`` of whole numbers -1022 to 1023, float64.

    The bits are put together: ``torch.exp2`` need not be exact on every device.
    """
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


def to_numpy(x: Tensor) -> np.ndarray:
    """A parameter's values, float64."""
    return x.detach().to("cpu", torch.float64).numpy()


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, smooth, exact):
        return exact.to(smooth.dtype)

    @staticmethod
    def backward(_ctx, *gradients):
        return gradients[0], None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """``exact``, with the gradient going to ``smooth``; equal shapes."""
    return _StraightThrough.apply(smooth, exact)


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale, low, high, exponent):
        if exponent is None:
            rounded = round_half_up(log2_scale.to(torch.float64))
            scale, inverse = (power_of_two(e).to(x.dtype) for e in (rounded, -rounded))
        else:
            scale, inverse = 2.0**exponent, 2.0**-exponent
        steps = round_half_up(x * inverse)
        q = steps.clamp(low, high)
        y = q * scale
        ctx.save_for_backward(x, y, log2_scale, q == steps)
        ctx.high = high
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        x, y, log2_scale, inside = ctx.saved_tensors
        passed = gradient * inside
        # d y / d log2(s) = s ln2 (q - x / s) where x is inside, s ln2 q where it is clamped
        slope = math.log(2.0) * (gradient * y - passed * x)
        weight = (log2_scale.numel() / (x.numel() * ctx.high)) ** 0.5
        return passed, weight * slope.sum_to_size(log2_scale.shape), None, None, None


def fake_quantize(
    x: Tensor, log2_scale: Tensor, low: int, high: int, exponent: int | None = None
) -> Tensor:
    """``s * clamp(round_half_up(x / s), low, high)`` with ``s = 2**round_half_up(log2_scale)``.

    ``log2_scale`` broadcasts against ``x`` and has ``x``'s dtype. For a caller that has a single
    scale's rounded logarithm at hand, ``exponent`` saves time.
    """
    return _FakeQuantize.apply(x, log2_scale, low, high, exponent)


def quantize_to(x: Tensor, exponent: Tensor, low: Tensor | int, high: Tensor | int) -> Tensor:
    """``x`` in units of ``2**exponent``, rounded and clamped; the scale learns nothing."""
    q = round_half_up(x.detach() * power_of_two(-exponent).to(x.dtype))
    bounds = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in (low, high))
    return straight_through(x, q.clamp(*bounds) * power_of_two(exponent).to(x.dtype))


def dyadic_number(factor: float) -> float:
    """``factor`` as the integer requantizer has it, ``m * 2**-shift``."""
    multiplier, shift = quantize.dyadic(factor)
    return math.ldexp(float(multiplier), -shift)


def dyadic_factor(factor: Tensor) -> tuple[Tensor, int]:
    """Factors of a vector as the requantizer has them, ``m * 2**-shift``, and their ``shift``."""
    multiplier, shift = quantize.dyadic(to_numpy(factor))
    exact = torch.from_numpy(np.ldexp(multiplier, -shift)).to(factor.device)
    return straight_through(factor, exact), shift


def best_exponent(x: Tensor, low: int, high: int, *, span: int = 8) -> Tensor:
    """Exponent of each row of ``x`` [rows, values] with the least mean squared error, int64 [rows].

    Tries the smallest exponent that clamps nothing and the ``span`` below it.
    """
    x = x.detach().to(torch.float64)
    reach = torch.maximum(x.amax(dim=1) / max(high, 1), (x / min(low, -1)).amax(dim=1))
    largest = torch.frexp(reach.clamp(min=2.0**-20)).exponent.to(torch.int64)
    best, least = largest, torch.full_like(reach, torch.inf)
    for step in range(span + 1):
        exponent = largest - step
        scale = power_of_two(exponent)[:, None]
        error = (scale * round_half_up(x / scale).clamp(low, high) - x).square().mean(dim=1)
        best = torch.where(error < least, exponent, best)
        least = torch.minimum(error, least)
    return best
