"""Builds the integer model from float parameters and power-of-two scales.

Parameters (float arrays) and exponents go by the same names as the tensors:

    input.weight [d, token_inputs]   input.bias [d]   position [tokens, d]
    layers.L.{q,k,v,o}.weight [d, d] .bias            layers.L.{ffn1,ffn2}.weight .bias
    layers.L.{norm1,norm2}.{scale,offset} [d]         output.weight [horizon, head] .bias

and those of a decoder after the same pattern (:mod:`bitformer.model.structure`).

``exponents`` holds an integer for each activation tensor, for ``position`` and for each norm's
scale of a LayerNorm, and an integer array [out] for each weight. ``NAME.zero`` may hold the zero
point of a tensor that only linear layers read.
"""

from collections.abc import Mapping

import numpy as np

from bitformer.model import numerics
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.ir import (
    Affine,
    Attend,
    IntegerModel,
    LayerNorm,
    Linear,
    Operation,
    Pool,
    Residual,
    Scores,
    SubtractLast,
    Tensor,
)
from bitformer.model.precision import FLOAT_BITS
from bitformer.model.structure import (
    Sublayer,
    decoder_sublayers,
    encoder_sublayers,
    only_linear_reads,
    tensor_components,
    weight_components,
)

__all__ = [
    "bias_limit",
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
    """Integers ``m`` and one ``shift`` with ``factor ~ m * 2**-shift`` (``m``: ``bits`` bits)."""
    factor = np.asarray(factor, dtype=np.float64)
    largest = float(np.abs(factor).max())
    if largest == 0.0:
        return np.zeros(factor.shape, dtype=np.int64), 0
    shift = max(0, bits - int(np.frexp(largest)[1]))
    return numerics.round_half_up(factor, -shift), shift


def norm_offset(offset, exponent: int, shift: int) -> tuple[np.ndarray, int]:
    """A norm's ``offset`` in units of ``2**(exponent - shift)``, as (values, left shift)."""
    scaled = np.ldexp(offset, shift - exponent)
    largest = float(np.abs(scaled).max())
    left = max(0, int(np.frexp(largest)[1]) - OFFSET_BITS)
    return numerics.round_half_up(scaled, left), left


def bias_limit(weight_bits: int, input_bits: int) -> int:
    """Largest magnitude of a bias with its input's zero point folded in."""
    return (1 << (23 if weight_bits + input_bits <= 20 else 40)) - 1


def quantize_weight(weight: np.ndarray, exponent: np.ndarray, bits: int) -> np.ndarray:
    """Integers of a weight [out, in] with an exponent per output channel.

    Symmetric and narrow: -1, 0, 1 in 2 bits; in 1 bit, -1 and 1 by sign, where 0 counts as 1.
    """
    if bits == 1:
        return np.where(weight >= 0, 1, -1).astype(np.int64)
    limit = (1 << (bits - 1)) - 1
    return numerics.round_half_up(weight, exponent[:, None], -limit, limit)


def _narrow_tensors(config: TransformerConfig) -> set[str]:
    """Tensors that play the weights' part, so that they leave out the lowest number."""
    sublayers = encoder_sublayers(config) + decoder_sublayers(config)
    names = {
        sublayer.prefix + name for sublayer in sublayers if sublayer.attention for name in "kv"
    }
    if config.pooling == "mean":  # a product with ones, in which the last norm is the weight
        names.add(encoder_sublayers(config)[-1].norm)
    return names


def _shapes(config: TransformerConfig) -> dict[str, tuple[int, int]]:
    """(rows, features) of every stored tensor."""
    d, steps = config.d_model, (config.window, config.inputs)
    shapes = dict.fromkeys(("input", "delta"), steps)
    shapes |= dict.fromkeys(("position", "embedding"), (config.tokens, d))
    m = config.decoder_tokens
    shapes |= dict.fromkeys(("decoder.position", "decoder.embedding"), (m, d))
    for sublayer in encoder_sublayers(config) + decoder_sublayers(config):
        shapes |= dict.fromkeys(
            (*sublayer.tensors, sublayer.add, sublayer.norm), (sublayer.rows, d)
        )
        if sublayer.attention:
            shapes |= dict.fromkeys(
                (sublayer.prefix + "k", sublayer.prefix + "v"), (sublayer.keys, d)
            )
            shapes[sublayer.prefix + "scores"] = (sublayer.rows * config.heads, sublayer.keys)
        else:
            shapes[sublayer.prefix + "hidden"] = (sublayer.rows, config.ffn)
    return shapes | {"pooled": (1, d), "output": (m, config.horizon // m)}


def tensor_specs(config: TransformerConfig, exponents: Mapping[str, int]) -> dict[str, Tensor]:
    """Every tensor of the model with its shape, bits and scale, in order of computation.

    Raises :class:`UserError` for a zero point where none may be.
    """
    specs: dict[str, Tensor] = {}
    shapes, narrow, free = _shapes(config), _narrow_tensors(config), only_linear_reads(config)
    for name, component in tensor_components(config).items():
        rows, features = shapes[name]
        scores = name.endswith(".scores")
        bits = numerics.SCORE_BITS if scores else config.tensor_bits(name)
        zero = int(exponents.get(name + ".zero", 0))
        if name.endswith(".hidden"):  # nothing lies below 0 after a ReLU
            zero = -(1 << (bits - 1))
        elif zero and not (config.asymmetric and name in free):
            raise UserError(f"{name}.zero must be 0 in config {config.name}, not {zero}")
        specs[name] = Tensor(
            name=name,
            rows=rows,
            features=features,
            bits=bits,
            exponent=-numerics.SCORE_FRACTION_BITS if scores else int(exponents[name]),
            zero=zero,
            component=component,
            narrow=name in narrow,
        )
    return specs


class _Builder:
    def __init__(self, config, params, exponents):
        self.config, self.params, self.exponents = config, params, exponents
        self.specs = tensor_specs(config, exponents)
        self.operations: list[Operation] = []

    def linear(
        self, layer: str, x: str, y: str, *, start=0, relu=False, residual=None, channel=None
    ):
        x_spec, y_spec = self.specs[x], self.specs[y]
        bits = self.config.weight_bits(layer)
        exponent = np.asarray(self.exponents[layer + ".weight"], dtype=np.int64)
        weight = quantize_weight(self.params[layer + ".weight"], exponent, bits)
        scale = x_spec.exponent + exponent
        bias = numerics.round_half_up(self.params[layer + ".bias"], scale)
        limit = bias_limit(bits, x_spec.bits)
        bias = np.clip(bias - x_spec.zero * weight.sum(axis=1), -limit, limit)
        factor = scale - y_spec.exponent
        shift = max(0, -int(factor.min()))
        if residual is not None:
            source = self.specs[residual].exponent - y_spec.exponent
            shift = max(shift, -source)
            residual = Residual(source=residual, shift=shift + source, channel=channel)
        self.operations.append(
            Linear(
                x=x,
                y=y,
                start=start,
                weight=weight,
                weight_bits=bits,
                bias=bias,
                multiplier=np.int64(1) << (factor + shift),
                shift=shift,
                relu=relu,
                residual=residual,
            )
        )

    def attention(self, sublayer: Sublayer):
        config, specs, prefix = self.config, self.specs, sublayer.prefix
        q, k, v, y = (specs[prefix + name].exponent for name in ("q", "k", "v", "context"))
        root = np.sqrt(config.d_model / config.heads)
        scale = np.log2(np.e) / root * 2.0 ** (q + k + numerics.SCORE_FRACTION_BITS)
        multiplier, shift = dyadic(scale)
        self.operations.append(
            Scores(
                q=prefix + "q",
                k=prefix + "k",
                y=prefix + "scores",
                heads=config.heads,
                multiplier=int(multiplier),
                shift=shift,
                causal=sublayer.causal,
            )
        )
        self.operations.append(
            Attend(
                scores=prefix + "scores",
                v=prefix + "v",
                y=prefix + "context",
                heads=config.heads,
                shift=17 + numerics.reciprocal_headroom(sublayer.keys) + y - v,
                causal=sublayer.causal,
            )
        )

    def sublayer(self, sublayer: Sublayer, x: str, encoded: str) -> str:
        """Add a sublayer after tensor ``x``; keys and values may come from ``encoded``."""
        p = sublayer.prefix
        if sublayer.attention:
            for name in "kv":
                self.linear(p + name, encoded if sublayer.cross else x, p + name)
            self.linear(p + "q", x, p + "q")
            self.attention(sublayer)
            self.linear(p + "o", p + "context", sublayer.add, residual=x)
        else:
            self.linear(p + "ffn1", x, p + "hidden", relu=True)
            self.linear(p + "ffn2", p + "hidden", sublayer.add, residual=x)
        self.norm(sublayer.norm, sublayer.add, sublayer.norm)
        return sublayer.norm

    def norm(self, name: str, x: str, y: str):
        x_spec, y_spec = self.specs[x], self.specs[y]
        scale, offset = self.params[name + ".scale"], self.params[name + ".offset"]
        offset = np.asarray(offset, dtype=np.float64)
        if self.config.norm == "batch":
            multiplier, shift = dyadic(scale * 2.0 ** (x_spec.exponent - y_spec.exponent))
            values, offset_shift = norm_offset(offset, y_spec.exponent, shift)
            self.operations.append(
                Affine(
                    x=x,
                    y=y,
                    multiplier=multiplier,
                    offset=values,
                    offset_shift=offset_shift,
                    shift=shift,
                )
            )
            return
        exponent = int(self.exponents[name + ".scale"])
        gamma = numerics.round_half_up(scale, exponent, -128, 127)
        width = numerics.norm_width(x_spec.features, x_spec.bits)
        shift = 12 + (width - 8) // 2 + y_spec.exponent - exponent
        values, offset_shift = norm_offset(offset, y_spec.exponent, shift)
        self.operations.append(
            LayerNorm(x=x, y=y, gamma=gamma, beta=values, beta_shift=offset_shift, shift=shift)
        )

    def position(self, name: str) -> np.ndarray:
        """Integers of a position table."""
        spec = self.specs[name]
        return numerics.round_half_up(self.params[name], spec.exponent, spec.low, spec.high)

    def build(self, meta) -> IntegerModel:
        config, specs = self.config, self.specs
        steps = "input"
        if config.subtract_last:
            shift = specs["delta"].exponent - specs["input"].exponent
            self.operations.append(SubtractLast(x=steps, y="delta", shift=shift))
            steps = "delta"
        constants = {"position": self.position("position")}
        self.linear("input", steps, "embedding", residual="position")
        x = "embedding"
        for sublayer in encoder_sublayers(config):
            x = self.sublayer(sublayer, x, x)
        if config.decoder_layers:
            constants["decoder.position"] = self.position("decoder.position")
            start = (config.window - config.horizon) * config.inputs
            residual = "decoder.position"
            encoded, x = x, "decoder.embedding"
            self.linear("decoder.input", steps, x, start=start, residual=residual)
            for sublayer in decoder_sublayers(config):
                x = self.sublayer(sublayer, x, encoded)
        if config.pooling == "mean":
            factor = 2.0 ** (specs[x].exponent - specs["pooled"].exponent) / config.tokens
            multiplier, shift = dyadic(factor)
            self.operations.append(Pool(x=x, y="pooled", multiplier=int(multiplier), shift=shift))
            x = "pooled"
        last = {"residual": "input", "channel": config.target_channel}
        self.linear("output", x, "output", **(last if config.subtract_last else {}))
        return IntegerModel(
            config=config,
            tensors=specs,
            operations=tuple(self.operations),
            constants=constants,
            meta=meta or {},
        )


def quantize_model(
    config: TransformerConfig,
    params: Mapping[str, np.ndarray],
    exponents: Mapping[str, object],
    meta: Mapping[str, object] | None = None,
) -> IntegerModel:
    """The integer model of float ``params`` at the scales ``2**exponents``.

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
    return _Builder(config, params, exponents).build(meta)
