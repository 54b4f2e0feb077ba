"""Builds the integer model from float parameters and power-of-two scales.

Parameters (float arrays) and exponents go by the same names as the tensors:

    input.weight [d, token_inputs]   input.bias [d]   position [tokens, d]
    layers.L.{q,k,v,o}.weight [d, d] .bias            layers.L.{ffn1,ffn2}.weight .bias
    layers.L.{norm1,norm2}.{scale,offset} [d]         output.weight [horizon, head] .bias

``exponents`` holds an integer for each activation tensor, for ``position`` and for each norm's
scale of a LayerNorm, and an integer array [out] for each weight.
"""

from collections.abc import Mapping

import numpy as np

from . import numerics
from .config import TransformerConfig
from .ir import (
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

__all__ = [
    "BIAS_LIMIT",
    "dyadic",
    "norm_offset",
    "quantize_model",
    "quantize_weight",
    "tensor_specs",
    "weight_components",
]

#: Magnitude bits of a multiplier that is not a power of two.
DYADIC_BITS = 12
#: Magnitude bits of a norm's offset.
OFFSET_BITS = 15
#: Largest magnitude of a bias with its input's zero point folded in.
BIAS_LIMIT = (1 << 23) - 1


def dyadic(factor, bits: int = DYADIC_BITS) -> tuple[np.ndarray, int]:
    """Integers ``m`` and one ``shift`` with ``factor ~ m * 2**-shift`` (``m``: ``bits`` bits)."""
    factor = np.asarray(factor, dtype=np.float64)
    largest = float(np.abs(factor).max())
    if largest == 0.0:
        return np.zeros(factor.shape, dtype=np.int64), 0
    shift = max(0, bits - int(np.frexp(largest)[1]))
    return numerics.round_half_up(np.ldexp(factor, shift)), shift


def norm_offset(offset, exponent: int, shift: int) -> tuple[np.ndarray, int]:
    """A norm's ``offset`` in units of ``2**(exponent - shift)``, as (values, left shift)."""
    scaled = np.ldexp(offset, shift - exponent)
    largest = float(np.abs(scaled).max())
    left = max(0, int(np.frexp(largest)[1]) - OFFSET_BITS)
    return numerics.round_half_up(np.ldexp(scaled, -left)), left


def quantize_weight(weight: np.ndarray, exponent: np.ndarray, bits: int) -> np.ndarray:
    """Symmetric narrow integers of a weight [out, in] with an exponent per output channel."""
    limit = (1 << (bits - 1)) - 1
    return np.clip(numerics.round_half_up(np.ldexp(weight, -exponent[:, None])), -limit, limit)


def weight_components(config: TransformerConfig) -> dict[str, str]:
    """Component of every linear layer, by the layer's name."""
    components = {"input": "Linput", "output": "Loutput"}
    for layer in range(config.layers):
        for name in "qkvo":
            components[f"layers.{layer}.{name}"] = "MHA"
        for name in ("ffn1", "ffn2"):
            components[f"layers.{layer}.{name}"] = "FFN"
    return components


def tensor_specs(config: TransformerConfig, exponents: Mapping[str, int]) -> dict[str, Tensor]:
    """Every tensor of the model with its shape, bits and scale, in order of computation."""
    n, d = config.tokens, config.d_model
    specs: dict[str, Tensor] = {}

    def add(name, rows, features, component, *, bits=None, zero=0, narrow=False):
        bits = bits or config.bits(component).activations
        specs[name] = Tensor(
            name=name,
            rows=rows,
            features=features,
            bits=bits,
            exponent=int(exponents[name]),
            zero=zero,
            component=component,
            narrow=narrow,
        )

    add("input", config.window, config.inputs, "Linput", bits=config.input_bits)
    if config.subtract_last:
        add("delta", config.window, config.inputs, "Linput")
    add("position", n, d, "AddPE")
    add("embedding", n, d, "AddPE")
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for name in "qkv":
            add(prefix + name, n, d, "MHA", narrow=name != "q")
        specs[prefix + "scores"] = Tensor(
            name=prefix + "scores",
            rows=n * config.heads,
            features=n,
            bits=numerics.SCORE_BITS,
            exponent=-numerics.SCORE_FRACTION_BITS,
            component="MHA",
        )
        add(prefix + "context", n, d, "MHA")
        add(prefix + "add1", n, d, "AddMHA")
        add(prefix + "norm1", n, d, "BNMHA")
        hidden_bits = config.bits("FFN").activations
        add(prefix + "hidden", n, config.ffn, "FFN", zero=-(1 << (hidden_bits - 1)))
        add(prefix + "add2", n, d, "AddFFN")
        # the mean over time is a product with ones, in which the last norm is the weight
        pooled = config.pooling == "mean" and layer == config.layers - 1
        add(prefix + "norm2", n, d, "BNFFN", narrow=pooled)
    if config.pooling == "mean":
        add("pooled", 1, d, "GAP")
    add("output", 1, config.horizon, "Loutput", bits=config.output_bits)
    return specs


class _Builder:
    def __init__(self, config, params, exponents):
        self.config, self.params, self.exponents = config, params, exponents
        self.specs = tensor_specs(config, exponents)
        self.components = weight_components(config)
        self.operations: list[Operation] = []

    def linear(self, layer: str, x: str, y: str, *, relu=False, residual=None, channel=None):
        x_spec, y_spec = self.specs[x], self.specs[y]
        bits = self.config.bits(self.components[layer]).weights
        exponent = np.asarray(self.exponents[layer + ".weight"], dtype=np.int64)
        weight = quantize_weight(self.params[layer + ".weight"], exponent, bits)
        scale = x_spec.exponent + exponent
        bias = numerics.round_half_up(np.ldexp(self.params[layer + ".bias"], -scale))
        bias = np.clip(bias - x_spec.zero * weight.sum(axis=1), -BIAS_LIMIT, BIAS_LIMIT)
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
                weight=weight,
                weight_bits=bits,
                bias=bias,
                multiplier=np.int64(1) << (factor + shift),
                shift=shift,
                relu=relu,
                residual=residual,
            )
        )

    def attention(self, prefix: str):
        config, specs = self.config, self.specs
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
            )
        )
        self.operations.append(
            Attend(
                scores=prefix + "scores",
                v=prefix + "v",
                y=prefix + "context",
                heads=config.heads,
                shift=17 + numerics.reciprocal_headroom(config.tokens) + y - v,
            )
        )

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
        gamma = np.clip(numerics.round_half_up(np.ldexp(scale, -exponent)), -128, 127)
        width = numerics.norm_width(x_spec.features, x_spec.bits)
        shift = 12 + (width - 8) // 2 + y_spec.exponent - exponent
        values, offset_shift = norm_offset(offset, y_spec.exponent, shift)
        self.operations.append(
            LayerNorm(x=x, y=y, gamma=gamma, beta=values, beta_shift=offset_shift, shift=shift)
        )

    def build(self, meta) -> IntegerModel:
        config, specs = self.config, self.specs
        x = "input"
        if config.subtract_last:
            shift = specs["delta"].exponent - specs["input"].exponent
            self.operations.append(SubtractLast(x=x, y="delta", shift=shift))
            x = "delta"
        position = np.ldexp(self.params["position"], -specs["position"].exponent)
        spec = specs["position"]
        position = np.clip(numerics.round_half_up(position), spec.low, spec.high)
        self.linear("input", x, "embedding", residual="position")
        x = "embedding"
        for layer in range(config.layers):
            p = f"layers.{layer}."
            for name in "kvq":
                self.linear(p + name, x, p + name)
            self.attention(p)
            self.linear(p + "o", p + "context", p + "add1", residual=x)
            self.norm(p + "norm1", p + "add1", p + "norm1")
            self.linear(p + "ffn1", p + "norm1", p + "hidden", relu=True)
            self.linear(p + "ffn2", p + "hidden", p + "add2", residual=p + "norm1")
            self.norm(p + "norm2", p + "add2", p + "norm2")
            x = p + "norm2"
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
            constants={"position": position},
            meta=meta or {},
        )


def quantize_model(
    config: TransformerConfig,
    params: Mapping[str, np.ndarray],
    exponents: Mapping[str, object],
    meta: Mapping[str, object] | None = None,
) -> IntegerModel:
    """The integer model of float ``params`` at the scales ``2**exponents``.

    Raises :class:`bitformer.model.errors.UserError` when a result breaks a limit of the IR.
    """
    return _Builder(config, params, exponents).build(meta)
