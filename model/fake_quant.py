"""Quantizers for training: what the integer model rounds is rounded in the forward pass.

Everything is on the real scale: a quantized tensor holds ``2**exponent * q`` with integers ``q``.
Scales are powers of two, so in float64 these values, their sums and their products are exact.

Gradients: a rounding lets them pass (the straight-through estimator, Bengio et al. 2013); a scale
learns by LSQ's rule (Esser et al. 2020, equation 3) in log2, as in TQT (Jain et al. 2020); an
offset as in LSQ+ (Bhalgat et al. 2020, equation 5).
"""

import math

import numpy as np
import torch
from torch import Tensor

from . import quantize

__all__ = [
    "binarize",
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


def _scale(log2_scale: Tensor, exponent: int | None, dtype: torch.dtype):
    """A scale and its inverse: numbers where there is one scale with a known exponent."""
    if exponent is not None:
        return 2.0**exponent, 2.0**-exponent
    rounded = round_half_up(log2_scale.to(torch.float64)).to(torch.int64)
    return power_of_two(rounded).to(dtype), power_of_two(-rounded).to(dtype)


def _sum_to(product: Tensor, scale: Tensor) -> Tensor:
    return product.sum().view_as(scale) if scale.numel() == 1 else product.sum_to_size(scale.shape)


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale, offset, low, high, exponent):
        scale, inverse = _scale(log2_scale, exponent, x.dtype)
        steps = round_half_up(x * inverse)
        q = steps.clamp(low, high)
        inside = q == steps
        y = q.mul_(scale)
        ctx.save_for_backward(x, y, log2_scale, inside)
        ctx.reach, ctx.has_offset = max(high, 1), offset is not None
        # at a clamp y moves with the offset, and only the rest of it with the scale
        ctx.shift = -_rounded_offset(offset, exponent) if ctx.has_offset else 0.0
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        x, y, log2_scale, inside = ctx.saved_tensors
        passed = gradient * inside
        if not ctx.needs_input_grad[1]:
            return passed, None, None, None, None, None
        # d y / d log2(s) = s ln2 (q - x / s) where x is inside, s ln2 q where it is clamped
        slope = _sum_to(gradient * y - passed * x, log2_scale)
        weight = (log2_scale.numel() / (x.numel() * ctx.reach)) ** 0.5
        moved = None
        if ctx.has_offset:
            moved = gradient.sum() - passed.sum()
            slope = slope + ctx.shift * moved
        return passed, weight * math.log(2.0) * slope, moved, None, None, None


def _rounded_offset(offset: Tensor, exponent: int) -> float:
    return math.floor(float(offset.detach()) * 2.0**-exponent + 0.5) * 2.0**exponent


def fake_quantize(
    x: Tensor,
    log2_scale: Tensor,
    low: int,
    high: int,
    exponent: int | None = None,
    offset: Tensor | None = None,
) -> Tensor:
    """``s * clamp(round_half_up(x / s), low, high)`` with ``s = 2**round_half_up(log2_scale)``.

    ``log2_scale`` broadcasts against ``x`` and has ``x``'s dtype. For a caller that has a single
    scale's rounded logarithm at hand, ``exponent`` saves time. ``offset`` (with ``exponent``) is
    the real value from which ``low`` and ``high`` were moved by a zero point; it gets the gradient
    of the clamped values.
    """
    return _FakeQuantize.apply(x, log2_scale, offset, low, high, exponent)


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale):
        scale, _ = _scale(log2_scale, None, x.dtype)
        y = torch.where(x < 0, -scale, scale)
        ctx.save_for_backward(y, log2_scale)
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        y, log2_scale = ctx.saved_tensors
        if not ctx.needs_input_grad[1]:
            return gradient, None
        weight = (log2_scale.numel() / y.numel()) ** 0.5
        return gradient, weight * math.log(2.0) * _sum_to(gradient * y, log2_scale)


def binarize(x: Tensor, log2_scale: Tensor) -> Tensor:
    """``s`` where ``x`` is at least 0, else ``-s``: a weight of one bit.

    The gradient passes to all of ``x``; the scale's is exact.
    """
    return _Binarize.apply(x, log2_scale)


def quantize_to(x: Tensor, exponent: Tensor, low: Tensor | int, high: Tensor | int) -> Tensor:
    """``x`` in units of ``2**exponent``, rounded and clamped; the scale learns nothing."""
    q = round_half_up(x.detach() * power_of_two(-exponent).to(x.dtype))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        bounds = (torch.as_tensor(bound, dtype=x.dtype, device=x.device) for bound in (low, high))
        q = q.clamp(*bounds)
    else:
        q = q.clamp(low, high)
    return straight_through(x, q * power_of_two(exponent).to(x.dtype))


def dyadic_number(factor: float) -> float:
    """``factor`` as the integer requantizer has it, ``m * 2**-shift``."""
    multiplier, shift = quantize.dyadic(factor)
    return math.ldexp(float(multiplier), -shift)


def dyadic_factor(factor: Tensor) -> tuple[Tensor, int]:
    """Factors of a vector as the requantizer has them, ``m * 2**-shift``, and their ``shift``."""
    multiplier, shift = quantize.dyadic(to_numpy(factor))
    exact = torch.from_numpy(np.ldexp(multiplier, -shift)).to(factor.device)
    return straight_through(factor, exact), shift
