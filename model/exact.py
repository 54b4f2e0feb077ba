"""The table-driven functions of integers in torch: softmax, layer normalisation, nonlinearities.

They take whole numbers, as int64 or as floats, and return reals: exact ones in float64, which
integers become. They have no gradient.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bitformer.model import numerics
from bitformer.model.fake_quant import power_of_two

__all__ = ["attention_weights", "normalized", "stepped"]


def _bit_length(x: Tensor) -> Tensor:
    """Return the bits of each positive integer below 2**53; 0 for 0."""
    return torch.frexp(x.to(torch.float64)).exponent.to(torch.int64)


def _real(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.to(torch.float64)


@functools.cache
def _numerators(entries: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the softmax numerators of all distances to a row's maximum."""
    distance = torch.arange(1 << numerics.SCORE_BITS)
    fraction = distance & ((1 << numerics.SCORE_FRACTION_BITS) - 1)
    e = torch.tensor(entries)[fraction] >> (distance >> numerics.SCORE_FRACTION_BITS)
    return e.to(device, dtype)


@functools.cache
def _reciprocals(
    entries: tuple[int, ...], keys: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the factor of a row's numerators for each of their sums; none is below 255."""
    total = torch.arange(255, 255 * keys + 1)
    exponent = _bit_length(total) - 9
    mantissa = torch.where(exponent < 0, total << 1, total >> exponent.clamp(min=0))
    factor = torch.tensor(entries)[mantissa - 256] * power_of_two(-17 - exponent)
    return torch.cat([torch.zeros(255, dtype=torch.float64), factor]).to(device, dtype)


def attention_weights(scores: Tensor, used: Tensor | None = None) -> Tensor:
    """Return the softmax of logits in 1/8 octaves over the last axis; rows sum to nearly 1.

    ``used`` (bool, broadcast) : keys that take part; the others must hold the smallest logit.
    See :func:`bitformer.model.numerics.exp2_weights` and :func:`~.numerics.reciprocal`.
    """
    scores = _real(scores)
    kind = scores.dtype, scores.device
    distance = (scores.amax(dim=-1, keepdim=True) - scores).to(torch.int64)
    e = _numerators(tuple(numerics.EXP_TABLE), *kind)[distance]
    if used is not None:
        e = e * used
    total = e.sum(dim=-1, keepdim=True).to(torch.int64)
    return e * _reciprocals(tuple(numerics.RECIPROCAL_TABLE), scores.shape[-1], *kind)[total]


def normalized(x: Tensor, bits: int) -> Tensor:
    """Return ``(x - mean) / std`` over the last axis, for features of ``bits`` bits.

    See :func:`bitformer.model.numerics.rsqrt`; 0 where all features are equal.
    """
    x = _real(x)
    features = x.shape[-1]
    width = numerics.norm_width(features, bits)
    total = x.sum(dim=-1, keepdim=True).to(torch.float64)
    squares = (x * x).sum(dim=-1, keepdim=True).to(torch.float64)
    variance = (features * squares - total * total).clamp(min=0)
    exponent = torch.where(variance > 0, (width - _bit_length(variance)) >> 1, 0)
    index = (variance * power_of_two(2 * exponent - (width - 8))).to(torch.int64) - 64
    entries = torch.tensor(numerics.RSQRT_TABLE, dtype=torch.float64, device=x.device)
    root = torch.where(variance > 0, entries[index.clamp(0, len(entries) - 1)], 0)
    root = root * power_of_two(exponent - 12 - (width - 8) // 2)
    return (features * x - total.to(x.dtype)) * root.to(x.dtype)


@functools.cache
def _all_steps(
    function: Callable[[np.ndarray, int], np.ndarray],
    bits: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Return a function of all whole steps from ``-2**bits`` to ``2**bits``."""
    steps = function(np.arange(-(1 << bits), (1 << bits) + 1), bits)
    return torch.from_numpy(steps).to(device, dtype)


def stepped(function: Callable[[np.ndarray, int], np.ndarray], x: Tensor, bits: int) -> Tensor:
    """Return a function of whole steps for results of ``bits`` bits; beyond them it is a line."""
    x, end = _real(x), 1 << bits
    table = _all_steps(function, bits, x.dtype, x.device)
    near = table[(x.clamp(-end, end) + end).to(torch.int64)]
    return torch.where(x > end, x, near)
