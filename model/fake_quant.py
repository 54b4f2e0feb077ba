"""Quantizers for training, which round in the forward pass as the integer model does.

Everything is on the real scale: a quantized tensor holds ``2**exponent * q`` with integers ``q``.
Scales are powers of two, so in float64 these values, their sums and their products are exact.

Gradients: a rounding lets them pass (the straight-through estimator, Bengio et al. 2013); a scale
learns by LSQ's rule (Esser et al. 2020, equation 3) in log2, as in TQT (Jain et al. 2020); an
offset as in LSQ+ (Bhalgat et al. 2020, equation 5).
"""

import functools
import math

import numpy as np
import torch
from torch import Tensor

from bitformer.model import power_of_two as powers
from bitformer.model import quantize

__all__ = [
    "LARGEST_EXPONENT",
    "binarize",
    "dyadic_factor",
    "dyadic_number",
    "fake_quantize",
    "fake_quantize_to_powers",
    "nearest_power",
    "power_of_two",
    "quantize_to",
    "round_half_up",
    "round_scaled",
    "straight_through",
    "to_numpy",
    "weight_scales",
]

#: Scales stay within 2**-24 to 2**24, whatever training does.
LARGEST_EXPONENT = 24


def round_half_up(x: Tensor) -> Tensor:
    """Return ``floor(x + 0.5)``."""
    return torch.floor(x + 0.5)


def power_of_two(exponent: Tensor) -> Tensor:
    """Return ``2**exponent`` of whole numbers -1022 to 1023, float64.

    The bits are composed: ``torch.exp2`` need not be exact on every device.
    """
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


def to_numpy(x: Tensor) -> np.ndarray:
    """Return a parameter's values, float64."""
    return x.detach().to("cpu", torch.float64).numpy()


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, smooth, exact):
        return exact.to(smooth.dtype)

    @staticmethod
    def backward(_ctx, *gradients):
        return gradients[0], None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Return ``exact``, and let the gradient pass to ``smooth``, which has its shape."""
    return _StraightThrough.apply(smooth, exact)


@functools.cache
def _powers(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return ``2**-LARGEST_EXPONENT`` to ``2**LARGEST_EXPONENT``."""
    exponents = torch.arange(-LARGEST_EXPONENT, LARGEST_EXPONENT + 1, device=device)
    return power_of_two(exponents).to(dtype)


def weight_scales(exponents: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return ``2**exponents`` and ``2**-exponents`` of whole numbers up to LARGEST_EXPONENT."""
    powers = _powers(dtype, exponents.device)
    return powers[LARGEST_EXPONENT + exponents], powers[LARGEST_EXPONENT - exponents]


def round_scaled(x: Tensor, inverse: Tensor | float) -> Tensor:
    """Return ``floor(x * inverse + 0.5)`` for an ``inverse`` that is a power of two."""
    if isinstance(inverse, Tensor):
        return (x * inverse).add_(0.5).floor_()
    half = torch.tensor(0.5, dtype=x.dtype, device=x.device)
    return torch.add(half, x, alpha=inverse).floor_()


def _several(x: Tensor, log2_scale: Tensor) -> bool:
    """Return whether the first axis is that of several models.

    Those of one have a scale for a tensor, without an axis, or for the rows of a matrix of weights.
    """
    return (x.dim(), log2_scale.dim()) in ((4, 1), (3, 3))


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale, offset, scale, inverse, low, high):
        steps = round_scaled(x, inverse)
        y = steps.clamp(low, high).mul_(scale)
        ctx.save_for_backward(x, steps, y)
        ctx.several = _several(x, log2_scale)
        ctx.limits, ctx.shape, ctx.shift = (low, high), log2_scale.shape, None
        if offset is not None:
            # at a clamp y moves with the offset, and only the rest of it with the scale
            ctx.shift = -math.floor(float(offset.detach()) * inverse + 0.5) * scale
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        x, steps, y = ctx.saved_tensors
        low, high = ctx.limits
        # steps are whole: strictly between these limits is inside
        passed = torch.ops.aten.hardtanh_backward(gradient, steps, low - 0.5, high + 0.5)
        if not ctx.needs_input_grad[1]:
            return passed, None, None, None, None, None, None
        # d y / d log2(s) = s ln2 (q - x / s) where x is inside, s ln2 q where it is clamped
        scales, values = _counts(x, ctx.shape, ctx.several)
        if scales > 1:
            slope = _summed((gradient * y).sub_(passed * x), ctx.shape, ctx.several)
        elif ctx.several:
            models = zip(gradient, y, passed, x, strict=True)
            slope = torch.stack([_dot(g, q) - _dot(p, r) for g, q, p, r in models])
        else:
            slope = _dot(gradient, y) - _dot(passed, x)
        moved = None
        if ctx.shift is not None:
            moved = gradient.sum() - passed.sum()
            slope = slope + ctx.shift * moved
        weight = math.log(2.0) * (scales / (values * max(high, 1))) ** 0.5
        return passed, (weight * slope).view(ctx.shape), moved, None, None, None, None


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.reshape(-1), b.reshape(-1))


def _counts(x: Tensor, scales: torch.Size, several: bool) -> tuple[int, int]:
    """Return how many scales and values a model has, of one or several in ``x``."""
    models = len(x) if several else 1
    return math.prod(scales) // models, x.numel() // models


def _summed(products: Tensor, scales: torch.Size, several: bool) -> Tensor:
    """Sum over the values of each scale: of several models, each by itself as if it were alone."""
    if not several:
        return products.sum_to_size(scales)
    return torch.stack([one.sum_to_size(scales[1:]) for one in products.contiguous()])


def fake_quantize(
    x: Tensor,
    log2_scale: Tensor,
    low: int,
    high: int,
    scale: Tensor | float,
    inverse: Tensor | float,
    offset: Tensor | None = None,
) -> Tensor:
    """Return ``scale * clamp(round_half_up(x * inverse), low, high)``.

    ``scale`` is a power of two and ``inverse`` one over it: numbers, or tensors that broadcast
    against ``x``. ``log2_scale`` has that shape and gets the gradient. ``offset`` (with numbers) is
    the real value from which ``low`` and ``high`` were moved by a zero point; it gets the gradient
    of the clamped values.
    """
    return _FakeQuantize.apply(x, log2_scale, offset, scale, inverse, low, high)


@functools.cache
def _steps_of_powers(bits: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the powers of two of ``bits`` bits and the thresholds between them."""
    found = (powers.levels(bits), powers.thresholds(bits))
    levels, thresholds = (torch.tensor(one, dtype=dtype, device=device) for one in found)
    return levels, thresholds


def nearest_power(steps: Tensor, bits: int) -> Tensor:
    """Round as :func:`bitformer.model.power_of_two.nearest` does."""
    levels, thresholds = _steps_of_powers(bits, steps.dtype, steps.device)
    return levels[torch.bucketize(steps.contiguous(), thresholds, right=True)]


class _ToPowers(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale, scale, inverse, bits):
        steps = x * inverse
        y = nearest_power(steps, bits).mul_(scale)
        ctx.save_for_backward(x, y, steps.abs() <= powers.edge(bits))
        ctx.bits, ctx.shape, ctx.several = bits, log2_scale.shape, _several(x, log2_scale)
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        x, y, inside = ctx.saved_tensors
        passed = gradient * inside
        if not ctx.needs_input_grad[1]:
            return passed, None, None, None, None
        scales, values = _counts(x, ctx.shape, ctx.several)
        weight = (scales / (values * powers.top(ctx.bits))) ** 0.5
        slope = _summed((gradient * y).sub_(passed * x), ctx.shape, ctx.several)
        return passed, math.log(2.0) * weight * slope, None, None, None


def fake_quantize_to_powers(
    x: Tensor, log2_scale: Tensor, bits: int, scale: Tensor, inverse: Tensor
) -> Tensor:
    """Return ``scale`` times the power of two nearest to ``x * inverse``: weights of ``bits`` bits.

    Arguments and gradients are those of :func:`fake_quantize`.
    """
    return _ToPowers.apply(x, log2_scale, scale, inverse, bits)


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, log2_scale, scale):
        y = torch.where(x < 0, -scale, scale)
        ctx.save_for_backward(y)
        ctx.shape, ctx.several = log2_scale.shape, _several(x, log2_scale)
        return y

    @staticmethod
    def backward(ctx, *gradients):
        (gradient,) = gradients
        (y,) = ctx.saved_tensors
        if not ctx.needs_input_grad[1]:
            return gradient, None, None
        scales, values = _counts(y, ctx.shape, ctx.several)
        weight = math.log(2.0) * (scales / values) ** 0.5
        return gradient, weight * _summed(gradient * y, ctx.shape, ctx.several), None


def binarize(x: Tensor, log2_scale: Tensor, scale: Tensor) -> Tensor:
    """Return ``scale`` where ``x`` is at least 0, else ``-scale``: a weight of one bit.

    The gradient passes to all of ``x``; that of ``log2_scale`` is exact.
    """
    return _Binarize.apply(x, log2_scale, scale)


def quantize_to(
    x: Tensor,
    scale: Tensor | float,
    inverse: Tensor | float,
    low: int,
    high: int,
    centre: Tensor | None = None,
) -> Tensor:
    """Round ``x`` to whole numbers of units of ``scale``, from ``low`` to ``high``.

    With ``centre``, the limits hold for the distance to these whole numbers. The scale does not
    learn.
    """
    q = round_scaled(x.detach(), inverse)
    q = q.clamp(low, high) if centre is None else (q - centre).clamp_(low, high).add_(centre)
    return straight_through(x, q.mul_(scale))


def dyadic_number(factor: float) -> float:
    """Return ``factor`` as the integer requantizer has it, ``m * 2**-shift``."""
    multiplier, shift = quantize.dyadic(factor)
    return math.ldexp(float(multiplier), -shift)


def dyadic_factor(factor: Tensor) -> tuple[Tensor, int]:
    """Return factors [n] as the requantizer has them, ``m * 2**-shift``, and their ``shift``."""
    multiplier, shift = quantize.dyadic(to_numpy(factor))
    exact = torch.from_numpy(np.ldexp(multiplier, -shift)).to(factor.device)
    return straight_through(factor, exact), shift
