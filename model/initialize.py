"""A seeded, calibrated, untrained model: shape and ranges of a real one, for hardware work."""

from collections import defaultdict
from typing import Any

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.ir import IntegerModel
from bitformer.model.quantize import quantize_model, tensor_specs
from bitformer.model.structure import (
    Sublayer,
    decoder_sublayers,
    encoder_sublayers,
    linear_shapes,
    norms,
)

__all__ = ["initialize", "sinusoidal"]


def sinusoidal(rows: int, features: int) -> np.ndarray:
    """Position table [rows, features] of Vaswani et al. (2017), section 3.5."""
    position = np.arange(rows)[:, None]
    rate = np.exp(-np.log(10000.0) * (np.arange(features) // 2 * 2) / features)
    angle = position * rate
    return np.where(np.arange(features) % 2 == 0, np.sin(angle), np.cos(angle))


_KINDS = ("input", "output", "q", "k", "v", "o", "ffn1", "ffn2")


def _linear_params(config: TransformerConfig, rng) -> dict[str, np.ndarray]:
    def order(name: str) -> tuple:
        """Not that of computation, which may change: the same seed always gives the same model."""
        stem, _, kind = name.rpartition(".")
        return (name.count("."), stem, _KINDS.index(kind))

    params = {}
    shapes = linear_shapes(config)
    for name in sorted(shapes, key=order):
        out, inputs = shapes[name]
        bound = inputs**-0.5
        params[name + ".weight"] = rng.uniform(-bound, bound, (out, inputs)) * 3**0.5
        params[name + ".bias"] = rng.uniform(-bound, bound, out)
    return params


class _Calibration:
    """Float forward pass that records every tensor and fits the norms to what it sees."""

    def __init__(self, config: TransformerConfig, rng):
        self.config, self.rng = config, rng
        self.params = _linear_params(config, rng)
        self.params["position"] = sinusoidal(config.tokens, config.d_model)
        if config.decoder_layers:
            rows = sinusoidal(config.decoder_tokens, config.d_model)
            self.params["decoder.position"] = rows
        self.values: dict[str, np.ndarray] = {}

    def linear(self, layer: str, x):
        # one product of matrices, not one for each window: each would wake all of BLAS' threads
        rows = x.reshape(-1, x.shape[-1]) @ self.params[layer + ".weight"].T
        return rows.reshape(*x.shape[:-1], -1) + self.params[layer + ".bias"]

    def norm(self, name: str, x):
        axis = (0, 1) if self.config.norm == "batch" else (-1,)
        mean = x.mean(axis=axis, keepdims=True)
        std = np.maximum(x.std(axis=axis, keepdims=True), 0.01)  # a channel may be constant
        gamma = self.rng.uniform(0.5, 1.5, x.shape[-1])
        beta = self.rng.uniform(-0.5, 0.5, x.shape[-1])
        if self.config.norm == "batch":
            self.params[name + ".scale"] = gamma / std[0, 0]
            self.params[name + ".offset"] = beta - gamma * (mean / std)[0, 0]
        else:
            self.params[name + ".scale"], self.params[name + ".offset"] = gamma, beta
        return gamma * (x - mean) / std + beta

    def attention(self, sublayer: Sublayer, x, encoded):
        heads, prefix = self.config.heads, sublayer.prefix
        sources = (
            {"q": x, "k": encoded, "v": encoded} if sublayer.cross else dict.fromkeys("qkv", x)
        )
        q, k, v = (
            self.keep(prefix + name, self.linear(prefix + name, source))
            for name, source in sources.items()
        )
        q, k, v = (t.reshape(*t.shape[:2], heads, -1).swapaxes(1, 2) for t in (q, k, v))
        # einsum runs in this thread: as many small products cost BLAS' threads more than they save
        logits = np.einsum("whqd,whkd->whqk", q, k) / q.shape[-1] ** 0.5
        if sublayer.causal:
            logits = np.where(np.tri(sublayer.rows, dtype=bool), logits, -np.inf)
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        context = np.einsum("whqk,whkd->whqd", e / e.sum(axis=-1, keepdims=True), v)
        return self.keep(prefix + "context", context.swapaxes(1, 2).reshape(x.shape))

    def sublayer(self, sublayer: Sublayer, x, encoded):
        keep, p = self.keep, sublayer.prefix
        if sublayer.attention:
            x = keep(sublayer.add, x + self.linear(p + "o", self.attention(sublayer, x, encoded)))
        else:
            hidden = keep(p + "hidden", np.maximum(self.linear(p + "ffn1", x), 0))
            x = keep(sublayer.add, x + self.linear(p + "ffn2", hidden))
        return keep(sublayer.norm, self.norm(sublayer.norm, x))

    def keep(self, name: str, x):
        self.values[name] = x
        return x

    def embed(self, steps, prefix: str):
        """Steps in patches, with positions."""
        position = self.keep(prefix + "position", self.params[prefix + "position"])
        tokens = steps.reshape(len(steps), len(position), self.config.token_inputs)
        return self.keep(prefix + "embedding", self.linear(prefix + "input", tokens) + position)

    def run(self, steps):
        config, keep = self.config, self.keep
        keep("input", steps)
        last = steps[:, -1:, config.target_channel, None] * config.subtract_last
        if config.subtract_last:
            steps = keep("delta", steps - steps[:, -1:])
        x = self.embed(steps, "")
        for sublayer in encoder_sublayers(config):
            x = self.sublayer(sublayer, x, x)
        if config.decoder_layers:
            encoded, x = x, self.embed(steps[:, -config.horizon :], "decoder.")
            for sublayer in decoder_sublayers(config):
                x = self.sublayer(sublayer, x, encoded)
        if config.pooling == "mean":
            x = keep("pooled", x.mean(axis=1, keepdims=True))
        x = x.reshape(len(x), config.decoder_tokens, config.head_inputs)
        return keep("output", self.linear("output", x) + last)


def _exponent(largest: float, steps: float) -> int:
    """Smallest e with ``largest <= steps * 2**e``; what is always 0 is scaled like 1."""
    return int(np.ceil(np.log2((largest if largest > 2.0**-10 else 1.0) / steps)))


def initialize(config: TransformerConfig, seed: int = 0, samples: int = 64) -> IntegerModel:
    """Random weights, calibrated on ``samples`` random windows; the same seed, the same model."""
    rng = np.random.default_rng(seed)
    calibration = _Calibration(config, rng)
    calibration.run(rng.normal(size=(samples, config.window, config.inputs)))
    values, params = calibration.values, calibration.params
    exponents: dict[str, Any] = {}
    for name, spec in tensor_specs(config, defaultdict(int)).items():
        if name in values:
            steps = spec.high - spec.zero + 0.5
            exponents[name] = _exponent(np.quantile(np.abs(values[name]), 0.999), steps)
    if config.subtract_last:
        exponents["delta"] = max(exponents["delta"], exponents["input"])
    for layer in linear_shapes(config):
        exponents[layer + ".weight"] = _weight_exponents(config, layer, params[layer + ".weight"])
    for norm in norms(config):
        scale = np.abs(params[norm + ".scale"]).max()
        exponents[norm + ".scale"] = _exponent(scale, 127.5)
    return quantize_model(config, params, exponents, {"origin": f"untrained, seed {seed}"})


def _weight_exponents(config: TransformerConfig, layer: str, weight) -> np.ndarray:
    """Scales [out] that hold the largest weight; of one bit, about the mean magnitude."""
    bits = config.weight_bits(layer)
    if bits == 1:
        rows, limit = np.abs(weight).mean(axis=1), 2**0.5
    else:
        rows, limit = np.abs(weight).max(axis=1), (1 << (bits - 1)) - 0.5
    if config.weight_scales == "tensor":
        rows = np.full_like(rows, rows.max())
    return np.array([_exponent(row, limit) for row in rows])
