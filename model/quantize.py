"""From float parameters and power-of-two scales to the integer model.

Parameters (float arrays) and exponents go by the same names as the tensors:

    input.weight [d, token_inputs]   input.bias [d]   position [tokens, d]
    layers.L.{q,k,v,o}.weight [d, d] .bias            layers.L.{ffn1,ffn2}.weight .bias
    layers.L.mix1.weight [mixing, tokens] .bias       layers.L.mix2.weight [tokens, mixing] .bias
    layers.L.{norm1,norm2}.{scale,offset} [d]         output.weight [outputs, head] .bias

a stream's layers.L.scores.distance [heads, distances], a bias of logits, instead of positions,
and those of a decoder after the same pattern (:mod:`bitformer.model.structure`). A layer with a
table of the calendar has ``NAME.calendar`` [rows, out], which is added to its bias.

``exponents`` holds an integer for each activation tensor, for ``position`` and for each norm's
scale of a LayerNorm, and an integer array [out] for each weight. ``NAME.zero`` may hold the zero
point of a tensor that only linear layers read.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.model import numerics, power_of_two
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.ir import (
    Affine,
    Attend,
    Decide,
    IntegerModel,
    Judge,
    LayerNorm,
    Linear,
    Operation,
    Pool,
    Residual,
    Scores,
    SlidingAttend,
    SlidingScores,
    SubtractLast,
    SubtractPreceding,
    Tensor,
)
from bitformer.model.operations.decide import ANSWER_BITS
from bitformer.model.precision import FLOAT_BITS, POWER_OF_TWO, UNIFORM
from bitformer.model.structure import (
    Layer,
    free_zero_points,
    graph,
    logits,
    tensor_components,
    weight_components,
    weight_like,
)

__all__ = [
    "bias_limit",
    "distance_bias",
    "dyadic",
    "norm_offset",
    "quantize_model",
    "quantize_weight",
    "tensor_specs",
]

#: Magnitude bits of a multiplier that is not a power of two.
DYADIC_BITS = 12
#: Magnitude bits of a norm's offset.
OFFSET_BITS = 15


def dyadic(factor, bits: int = DYADIC_BITS) -> tuple[np.ndarray, int]:
    """Return integers ``m`` of ``bits`` bits and one ``shift`` with ``factor ~ m * 2**-shift``."""
    factor = np.asarray(factor, dtype=np.float64)
    largest = float(np.abs(factor).max())
    if largest == 0.0:
        return np.zeros(factor.shape, dtype=np.int64), 0
    shift = max(0, bits - int(np.frexp(largest)[1]))
    return numerics.round_half_up(factor, -shift), shift


def norm_offset(offset, exponent: int, shift: int) -> tuple[np.ndarray, int]:
    """Return a norm's ``offset`` in units of ``2**(exponent - shift)``, as (values, left shift)."""
    scaled = np.ldexp(offset, shift - exponent)
    largest = float(np.abs(scaled).max())
    left = max(0, int(np.frexp(largest)[1]) - OFFSET_BITS)
    return numerics.round_half_up(scaled, left), left


def bias_limit(weight_bits: int, input_bits: int) -> int:
    """Return the largest magnitude of a bias with its input's zero point folded in."""
    return (1 << (23 if weight_bits + input_bits <= 20 else 40)) - 1


def distance_bias(bias, config: TransformerConfig):
    """Return what a bias [heads, distances] of logits, in nats, adds to dot products of a head.

    Of numpy or torch, in the precision of ``bias``.
    """
    return bias * math.sqrt(config.d_model / config.heads)


def quantize_weight(
    weight: np.ndarray, exponent: np.ndarray, bits: int, scheme: str = UNIFORM
) -> np.ndarray:
    """Return the integers of a weight [out, in] with an exponent for each output channel.

    Symmetric and narrow: -1, 0, 1 in 2 bits; in 1 bit, -1 and 1 by sign, where 0 counts as 1. By
    ``scheme``, the nearest integer or the nearest power of two; halfway, the higher one.
    """
    if scheme == POWER_OF_TWO:
        with np.errstate(over="ignore"):  # to an infinity, which is clipped
            return power_of_two.nearest(np.ldexp(weight, -exponent[:, None]), bits)
    if bits == 1:
        return np.where(weight >= 0, 1, -1).astype(np.int64)
    limit = (1 << (bits - 1)) - 1
    return numerics.round_half_up(weight, exponent[:, None], -limit, limit)


def tensor_specs(config: TransformerConfig, exponents: Mapping[str, int]) -> dict[str, Tensor]:
    """Return every tensor of the model, by name, with its shape, bits and scale.

    Raises :class:`UserError` for a zero point where none may be.
    """
    specs: dict[str, Tensor] = {}
    shapes = {layer.y: layer.shape for layer in graph(config)}
    shapes["input"] = config.rows_seen, config.inputs
    made = {layer.y: layer.nonlinearity for layer in graph(config) if layer.nonlinearity}
    narrow, free = weight_like(config), free_zero_points(config)
    for name, component in tensor_components(config).items():
        rows, features = shapes[name]
        scores = name in logits(config)
        bits = numerics.SCORE_BITS if scores else config.tensor_bits(name)
        settled = -numerics.SCORE_FRACTION_BITS if scores else None
        zero = int(exponents.get(name + ".zero", 0))
        if name in made:
            function = made[name]
            zero = function.zero(bits)
            settled = function.exponent(bits) if function.exponent else None
        elif zero and not (config.asymmetric and name in free):
            raise UserError(f"{name}.zero must be 0 in config {config.name}, not {zero}")
        specs[name] = Tensor(
            name=name,
            rows=rows,
            features=features,
            bits=bits,
            exponent=int(exponents[name]) if settled is None else settled,
            zero=zero,
            component=component,
            narrow=name in narrow,
        )
    return specs


class _Quantizer:
    """Rounds the parameters of layers; for each kind of layer a method makes its operation."""

    def __init__(
        self,
        config: TransformerConfig,
        params: Mapping[str, np.ndarray],
        exponents: Mapping[str, Any],
    ):
        self.config, self.params, self.exponents = config, params, exponents
        self.specs = tensor_specs(config, exponents)

    def table(self, name: str) -> np.ndarray:
        """Return the integers of a table of positions."""
        y = self.specs[name]
        return numerics.round_half_up(self.params[name], y.exponent, y.low, y.high)

    def operation(self, layer: Layer) -> Operation:
        """Return the operation of any other layer."""
        x, y = self.specs[layer.x[0]], self.specs[layer.y]
        return getattr(self, f"_{layer.kind}")(layer, x, y)

    def _subtract_last(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        return SubtractLast(x=x.name, y=y.name, shift=y.exponent - x.exponent)

    def _subtract_preceding(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        shift = y.exponent - x.exponent
        return SubtractPreceding(x=x.name, y=y.name, shift=shift, patch=self.config.patch)

    def _linear(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        bits = self.config.weight_bits(layer.weights)
        exponent = np.asarray(self.exponents[layer.weights + ".weight"], dtype=np.int64)
        scheme = self.config.weight_scheme(layer.weights)
        weight = quantize_weight(self.params[layer.weights + ".weight"], exponent, bits, scheme)
        scale = x.exponent + exponent
        real = self.params[layer.weights + ".bias"]
        if layer.clock is not None:
            real = real + self.params[layer.weights + ".calendar"]
        bias = numerics.round_half_up(real, scale)
        limit = bias_limit(bits, x.bits)
        factor = scale - y.exponent
        shift, residual = max(0, -int(factor.min())), None
        if layer.residual is not None:
            source = self.specs[layer.residual].exponent - y.exponent
            shift = max(shift, -source)
            channel: int | tuple[int, ...] | None = None
            if layer.residual == "input":
                channels = self.config.added_channels
                channel = channels if layer.parts > 1 else channels[0]
            residual = Residual(source=layer.residual, shift=shift + source, channel=channel)
        return Linear(
            x=x.name,
            y=y.name,
            start=layer.start,
            step=layer.step,
            weight=weight,
            weight_bits=bits,
            bias=np.clip(bias - x.zero * weight.sum(axis=1), -limit, limit),
            multiplier=np.int64(1) << (factor + shift),
            shift=shift,
            residual=residual,
            clock=layer.clock,
            transposed=layer.transposed,
            parts=layer.parts,
            **(layer.nonlinearity.fields if layer.nonlinearity else {}),
        )

    def _copy(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        """Make a norm that changes nothing but the scale."""
        power = x.exponent - y.exponent
        ones = np.ones(y.features, dtype=np.int64)
        return Affine(
            x=x.name,
            y=y.name,
            multiplier=ones << max(0, power),
            offset=0 * ones,
            offset_shift=0,
            shift=max(0, -power),
        )

    def _scores(self, layer: Layer, q: Tensor, y: Tensor) -> Operation:
        k, heads = self.specs[layer.x[1]], self.config.heads
        root = np.sqrt(self.config.d_model / heads)
        unit = 2.0 ** (q.exponent + k.exponent + numerics.SCORE_FRACTION_BITS)
        multiplier, shift = dyadic(np.log2(np.e) / root * unit)
        scores = Scores(
            q=q.name,
            k=k.name,
            y=y.name,
            heads=heads,
            multiplier=int(multiplier),
            shift=shift,
            causal=layer.causal,
        )
        if not layer.reach:
            return scores
        limit = bias_limit(k.bits, q.bits)
        real = distance_bias(self.params[f"{y.name}.distance"], self.config)
        bias = numerics.round_half_up(real, q.exponent + k.exponent, -limit, limit)
        return SlidingScores(**vars(scores), bias=bias)

    def _attend(self, layer: Layer, scores: Tensor, y: Tensor) -> Operation:
        v = self.specs[layer.x[1]]
        headroom = numerics.reciprocal_headroom(layer.reach or v.rows)
        attend = Attend(
            scores=scores.name,
            v=v.name,
            y=y.name,
            heads=self.config.heads,
            shift=17 + headroom + y.exponent - v.exponent,
            causal=layer.causal,
        )
        return SlidingAttend(**vars(attend), reach=layer.reach) if layer.reach else attend

    def _norm(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        scale = self.params[y.name + ".scale"]
        offset = np.asarray(self.params[y.name + ".offset"], dtype=np.float64)
        names = {"x": x.name, "y": y.name}
        if self.config.norm == "batch":
            multiplier, shift = dyadic(scale * 2.0 ** (x.exponent - y.exponent))
            values, left = norm_offset(offset, y.exponent, shift)
            return Affine(
                **names, multiplier=multiplier, offset=values, offset_shift=left, shift=shift
            )
        exponent = int(self.exponents[y.name + ".scale"])
        gamma = numerics.round_half_up(scale, exponent, -128, 127)
        width = numerics.norm_width(x.features, x.bits)
        shift = 12 + (width - 8) // 2 + y.exponent - exponent
        values, left = norm_offset(offset, y.exponent, shift)
        return LayerNorm(**names, gamma=gamma, beta=values, beta_shift=left, shift=shift)

    def _pool(self, layer: Layer, x: Tensor, y: Tensor) -> Operation:
        rows = layer.newest or x.rows
        multiplier, shift = dyadic(2.0 ** (x.exponent - y.exponent) / rows)
        names = {"x": x.name, "y": y.name}
        return Pool(**names, multiplier=int(multiplier), shift=shift, newest=layer.newest)


def _any_residual(numbers: int) -> Judge:
    """Return the flag of a detector that has learned nothing."""
    weight = np.ones(numbers, np.int64)
    return Judge(x="output", y="answer", smoothing=0, threshold=0, weight=weight)


def quantize_model(
    config: TransformerConfig,
    params: Mapping[str, np.ndarray],
    exponents: Mapping[str, object],
    meta: Mapping[str, object] | None = None,
    *,
    margin: int = 0,
    flag: Judge | None = None,
) -> IntegerModel:
    """Make the integer model of float ``params`` at the scales ``2**exponents``.

    ``margin`` : of a classifier, by how many steps the largest score must lead, or the answer is
    «rejected». ``flag`` : of a detector, how residuals become a flag; without one it is up
    wherever a residual is not 0, as no threshold has been learned.

    Raises :class:`bitformer.model.errors.UserError` when something is kept in float32 or a result
    breaks a limit of the IR.
    """
    for layer in weight_components(config):
        if config.weight_bits(layer) == FLOAT_BITS:
            raise UserError(f"weights of {layer} must be integers of at most 16 bits, not float32")
    for name in tensor_components(config):
        if config.tensor_bits(name) == FLOAT_BITS:
            raise UserError(f"tensor {name} must have at most 16 bits, not be kept in float32")
    for name, values in params.items():
        if not (finite := np.isfinite(values)).all():
            raise UserError(f"{name} must be finite numbers, not {values[~finite][0]}")
    quantizer = _Quantizer(config, params, exponents)
    layers = [layer for layer in graph(config) if layer.kind != "position"]
    tables = [layer.y for layer in graph(config) if layer.kind == "position"]
    tensors, operations = quantizer.specs, [*map(quantizer.operation, layers)]
    if config.task != "forecast":
        tensors["answer"] = Tensor(name="answer", rows=1, features=1, bits=ANSWER_BITS, exponent=0)
    if config.task == "classify":
        operations.append(Decide(x="output", y="answer", margin=margin))
    elif config.task == "detect":
        operations.append(flag or _any_residual(config.outputs))
    return IntegerModel(
        config=config,
        tensors=tensors,
        operations=tuple(operations),
        constants={name: quantizer.table(name) for name in tables},
        meta=meta or {},
    )
