"""The table-driven functions of numerics.py in torch: softmax weights and layer normalisation.

Both take integers and return reals that float64 holds exactly. They have no gradient.
"""

import torch
from torch import Tensor

from . import numerics
from .fake_quant import power_of_two

__all__ = ["attention_weights", "normalized"]


def _bit_length(x: Tensor) -> Tensor:
    """Bits of each positive integer below 2**53; 0 for 0."""
    return torch.frexp(x.to(torch.float64)).exponent.to(torch.int64)


def _table(values: list[int], index: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=index.device)[index]


def attention_weights(scores: Tensor) -> Tensor:
    """Softmax over the last axis of logits in 1/8 octaves, int64; rows sum to nearly 1.

    See :func:`bitformer.model.numerics.exp2_weights` and :func:`~.numerics.reciprocal`.
    """
    distance = scores.amax(dim=-1, keepdim=True) - scores
    fraction = distance & ((1 << numerics.SCORE_FRACTION_BITS) - 1)
    e = _table(numerics.EXP_TABLE, fraction) >> (distance >> numerics.SCORE_FRACTION_BITS)
    total = e.sum(dim=-1, keepdim=True)
    exponent = _bit_length(total) - 9
    mantissa = torch.where(exponent < 0, total << 1, total >> exponent.clamp(min=0))
    reciprocal = _table(numerics.RECIPROCAL_TABLE, mantissa - 256)
    return (e * reciprocal).to(torch.float64) * power_of_two(-17 - exponent)


def normalized(x: Tensor, bits: int) -> Tensor:
    """``(x - mean) / std`` over the last axis of int64 features of ``bits`` bits.

    See :func:`bitformer.model.numerics.rsqrt`; 0 where all features are equal.
    """
    features = x.shape[-1]
    width = numerics.norm_width(features, bits)
    total = x.sum(dim=-1, keepdim=True)
    variance = features * (x * x).sum(dim=-1, keepdim=True) - total * total
    exponent = torch.where(variance > 0, (width - _bit_length(variance)) >> 1, 0)
    index = ((variance << (2 * exponent)) >> (width - 8)) - 64
    root = torch.where(variance > 0, _table(numerics.RSQRT_TABLE, index.clamp(min=0)), 0)
    scale = power_of_two(exponent - 12 - (width - 8) // 2)
    return ((features * x - total) * root).to(torch.float64) * scale
