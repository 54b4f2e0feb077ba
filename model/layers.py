"""The parts of the Transformer that have parameters: linear layers and norms.

Each has two modes: plain floats for pre-training, and what the integer operation of the same name
computes before it rounds. A part between tensors of which one is kept in float32 rounds only what
does not need the other's scale. Of several models in one, parameters and values have these as their
first axis (:mod:`bitformer.model.together`).
"""

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitformer.model import numerics, quantize
from bitformer.model.activations import Activation, Unit
from bitformer.model.exact import normalized
from bitformer.model.fake_quant import (
    LARGEST_EXPONENT,
    binarize,
    dyadic_factor,
    fake_quantize,
    fake_quantize_to_powers,
    quantize_to,
    round_half_up,
    straight_through,
    to_numpy,
    weight_scales,
)
from bitformer.model.precision import FLOAT_BITS, POWER_OF_TWO, UNIFORM
from bitformer.model.products import affine_of_each
from bitformer.model.ranges import weight_exponent

__all__ = ["DistanceBias", "QatBatchNorm", "QatLayerNorm", "QatLinear"]

#: Octaves between the scales of a layer's output channels: they share one requantizing shift.
SCALE_SPREAD = 8
#: What is added to a variance unless a configuration says otherwise.
_EPSILON = 1e-5


class QatLinear(nn.Module):
    """``x @ weight.T + bias``; weights of ``bits`` bits and a ``scheme``, ``quantized`` or not yet.

    They have a learned scale per output channel, or one with ``per_tensor``. Where inputs lie far
    from 0, :meth:`make_centered` keeps it from the optimizer: ``(x - center) @ weight.T + bias`` is
    computed with a bias that holds ``center``. With ``times``, ``calendar`` [times, outputs] is a
    table, of 0 at first, of which the time of a window selects the row that its bias has added.
    """

    calendar: nn.Parameter | None
    center: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bits: int,
        *,
        per_tensor: bool = False,
        scheme: str = UNIFORM,
        times: int = 0,
    ):
        super().__init__()
        bound = inputs**-0.5
        self.bits, self.scheme = bits, scheme
        self.per_tensor, self.quantized = per_tensor, False
        self.limit = max(1, (1 << (bits - 1)) - 1)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.log2_scale = nn.Parameter(torch.zeros(1 if per_tensor else outputs, 1))
        table = nn.Parameter(torch.zeros(times, outputs)) if times else None
        self.register_parameter("calendar", table)
        self.register_buffer("center", None)

    def make_centered(self) -> None:
        """Give it a center, which is 0 until it is set."""
        self.center = torch.zeros_like(self.weight[0])

    def own_bias(self, weight: Tensor) -> Tensor:
        """Return the bias with the center in it, for the weights that are used."""
        bias = self.bias.to(weight.dtype)
        return bias if self.center is None else bias - weight @ self.center.to(weight.dtype)

    def whole_bias(self, weight: Tensor) -> Tensor:
        """Return the same with the table added: [times, outputs], without one [outputs]."""
        bias = self.own_bias(weight)
        if self.calendar is None:
            return bias
        return bias[..., None, :] + self.calendar.to(weight.dtype)

    def clear(self) -> None:
        """Set weights, biases and the table to 0."""
        with torch.no_grad():
            for parameter in (self.weight, self.bias, self.calendar):
                if parameter is not None:
                    parameter.zero_()

    @property
    def stores_integers(self) -> bool:
        """Whether its weights are rounded now."""
        return self.quantized and self.bits != FLOAT_BITS

    def calibrate(self, ranges: str = "learned") -> None:
        """Set the scales by the present weights: see :mod:`bitformer.model.ranges`."""
        exponent = weight_exponent(
            self.weight,
            self.bits,
            ranges=ranges,
            per_tensor=self.per_tensor,
            scheme=self.scheme,
        )
        if self.calendar is not None and self.bits > 1:
            # weights of 0 would take the finest scale, in which the table does not fit
            rows = self.weight.reshape(len(exponent), -1)
            exponent = torch.where(rows.any(dim=1), exponent, 1 - self.bits)
        self.log2_scale.data = exponent[:, None].to(self.log2_scale)

    def exponents(self) -> Tensor:
        """Return the exponents of the scales, int64 [out or 1]."""
        exponents = round_half_up(self.log2_scale.detach()).to(torch.int64)[..., 0]
        exponents.clamp_(-LARGEST_EXPONENT, LARGEST_EXPONENT)
        return torch.maximum(exponents, exponents.amax(dim=-1, keepdim=True) - SCALE_SPREAD)

    def rounded(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights as stored, on the real scale, their scales and the inverse scales."""
        scale, inverse = weight_scales(self.exponents(), dtype)
        weight, units = self.weight.to(dtype), (scale[..., None], inverse[..., None])
        if self.bits == 1:
            return binarize(weight, self.log2_scale, units[0]), scale, inverse
        if self.scheme == POWER_OF_TWO:
            rounded = fake_quantize_to_powers(weight, self.log2_scale, self.bits, *units)
            return rounded, scale, inverse
        limit = self.limit
        return fake_quantize(weight, self.log2_scale, -limit, limit, *units), scale, inverse

    def forward(self, x: Activation, time: Tensor | None = None) -> Tensor:
        """Return [batch, rows, outputs]; ``time``, int64 [batch], selects rows of the table."""
        value, dtype = x.value, x.value.dtype
        if not self.stores_integers:
            weight = self.weight.to(dtype)
            return _affine(value, weight, self.whole_bias(weight), time)
        weight, scale, inverse = self.rounded(dtype)
        if x.unit is None:
            return _affine(value, weight, self.whole_bias(weight), time)
        limit = quantize.bias_limit(self.bits, x.bits)
        # the integer bias absorbs the zero point, and it is that sum which has a limit
        absorbed = x.zero * (weight.detach().sum(dim=-1) * inverse) if x.zero else None
        units = scale * _for_rows(x.unit.scale), inverse * _for_rows(x.unit.inverse)
        if self.calendar is not None:  # of all times alike
            units = units[0][..., None, :], units[1][..., None, :]
            absorbed = None if absorbed is None else absorbed[..., None, :]
        bias = quantize_to(self.whole_bias(weight), *units, -limit, limit, absorbed)
        return _affine(value, weight, bias, time)


def _for_rows(unit: float | Tensor) -> float | Tensor:
    """Return a unit against scales [out]: of several models, [models, 1]."""
    return unit.flatten(1) if isinstance(unit, Tensor) else unit


def _affine(x: Tensor, weight: Tensor, bias: Tensor, time: Tensor | None) -> Tensor:
    """Return ``x @ weight.T + bias``; of a table, the row of each window's ``time``."""
    if weight.dim() == 3:
        return affine_of_each(x, weight, bias, time)
    if time is None:
        return functional.linear(x, weight, bias)
    return functional.linear(x, weight) + bias[time, None]


class DistanceBias(nn.Module):
    """A bias of logits, in nats, for each head and distance of two tokens: [heads, distances].

    It begins with the slopes of ALiBi (Press et al. 2022, section 3), ``2**(-8 h / heads)`` for
    h = 1, 2, … times the distance.
    """

    def __init__(self, heads: int, distances: int):
        super().__init__()
        slopes = 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)
        self.distance = nn.Parameter(-slopes[:, None] * torch.arange(distances))


class QatLayerNorm(nn.Module):
    """Normalises each row and applies ``scale`` and ``offset``; the scale is stored in 8 bits."""

    #: Keeps the requantizing shift within the IR's limit.
    finest = -12

    def __init__(self, features: int, eps: float = _EPSILON):
        super().__init__()
        self.quantized, self.eps = False, eps
        self.scale = nn.Parameter(torch.ones(features))
        self.offset = nn.Parameter(torch.zeros(features))

    def exponent(self, scale: Tensor) -> int:
        """Return the exponent of a model's ``scale``: the finest that holds the largest entry."""
        largest = float(scale.detach().abs().max())
        return max(self.finest, math.ceil(math.log2(max(largest, 2.0**-30) / 127.5)))

    def forward(self, x: Activation, y: Unit | None) -> Tensor:
        value, dtype = x.value, x.value.dtype
        smooth = functional.layer_norm(value, value.shape[-1:], eps=self.eps)
        scale, offset = self.scale.to(dtype), self.offset.to(dtype)
        if x.unit is not None and y is not None:
            width = numerics.norm_width(value.shape[-1], x.bits)
            smooth = straight_through(smooth, normalized(x.steps(), x.bits))
            stored = functools.partial(self._stored, width)
            scale, offset = _of_each(stored, scale, offset, x.unit, y)
        return smooth * _over_rows(scale) + _over_rows(offset)

    def _stored(
        self, width: int, scale: Tensor, offset: Tensor, _: int, y: int
    ) -> tuple[Tensor, Tensor]:
        """Return the scale and the offset as stored, for results of exponent ``y``."""
        exponent = self.exponent(scale)
        shift = 12 + (width - 8) // 2 + y - exponent
        scale = quantize_to(scale, 2.0**exponent, 2.0**-exponent, -128, 127)
        return scale, _offset(offset, y, shift)


class QatBatchNorm(nn.Module):
    """Normalises each feature over batch and rows.

    :meth:`fold` turns it into a per-channel ``x * scale + offset``, which goes on learning;
    ``quantized`` says that it is folded.
    """

    momentum = 0.1
    mean: Tensor
    variance: Tensor

    def __init__(self, features: int, eps: float = _EPSILON):
        super().__init__()
        self.quantized, self.eps = False, eps
        self.scale = nn.Parameter(torch.ones(features))
        self.offset = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def fold(self) -> None:
        """Put the running statistics into ``scale`` and ``offset``."""
        with torch.no_grad():
            self.scale.div_((self.variance + self.eps).sqrt())
            self.offset.sub_(self.mean * self.scale)

    def forward(self, x: Activation, y: Unit | None) -> Tensor:
        value, dtype = x.value, x.value.dtype
        if not self.quantized:
            parts = self.mean, self.variance, self.scale, self.offset
            if self.scale.dim() == 1:
                return self._over_batch(value, *parts)
            return torch.stack([self._over_batch(*one) for one in zip(value, *parts, strict=True)])
        scale: Tensor = self.scale
        offset = self.offset.to(dtype)
        if x.unit is not None and y is not None:
            scale, offset = _of_each(self._stored, scale, offset, x.unit, y)
        return value * _over_rows(scale.to(dtype)) + _over_rows(offset)

    def _over_batch(
        self, value: Tensor, mean: Tensor, variance: Tensor, scale: Tensor, offset: Tensor
    ) -> Tensor:
        """Normalise a model's values over the batch, or by the running statistics."""
        return functional.batch_norm(
            value.flatten(0, 1),
            mean,
            variance,
            scale,
            offset,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        ).view_as(value)

    def _stored(self, scale: Tensor, offset: Tensor, x: int, y: int) -> tuple[Tensor, Tensor]:
        """Return the factor and the offset as stored, from values of exponent ``x`` to ``y``."""
        unit = 2.0 ** (x - y)
        factor, shift = dyadic_factor(scale.to(torch.float64) * unit)
        return factor / unit, _offset(offset, y, shift)


def _of_each(
    stored: Callable[[Tensor, Tensor, int, int], tuple[Tensor, Tensor]],
    scale: Tensor,
    offset: Tensor,
    x: Unit,
    y: Unit,
) -> tuple[Tensor, Tensor]:
    """Return what a norm stores, of several models that of each."""
    if not x.several:
        return stored(scale, offset, *x.exponents, *y.exponents)
    scales, offsets = zip(*map(stored, scale, offset, x.exponents, y.exponents), strict=True)
    return torch.stack(scales), torch.stack(offsets)


def _over_rows(features: Tensor) -> Tensor:
    """Return features [n] against values: of several models, [models, 1, 1, n]."""
    return features if features.dim() == 1 else features[:, None, None]


def _offset(offset: Tensor, exponent: int, shift: int) -> Tensor:
    """Return a norm's offset as the integer operation has it."""
    values, left = quantize.norm_offset(to_numpy(offset), exponent, shift)
    exact = np.ldexp(values, left + exponent - shift)
    return straight_through(offset, torch.from_numpy(exact).to(offset.device))
