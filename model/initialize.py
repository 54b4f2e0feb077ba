"""A seeded, calibrated, untrained model: shape and ranges of a real one, for hardware work."""

from typing import Any

import numpy as np

from .config import TransformerConfig
from .ir import IntegerModel
from .quantize import quantize_model, tensor_specs, weight_components

__all__ = ["initialize", "sinusoidal"]


def sinusoidal(rows: int, features: int) -> np.ndarray:
    """Position table [rows, features] of Vaswani et al. (2017), section 3.5."""
    position = np.arange(rows)[:, None]
    rate = np.exp(-np.log(10000.0) * (np.arange(features) // 2 * 2) / features)
    angle = position * rate
    return np.where(np.arange(features) % 2 == 0, np.sin(angle), np.cos(angle))


def _linear_params(config: TransformerConfig, rng) -> dict[str, np.ndarray]:
    d = config.d_model
    shapes = {"input": (d, config.token_inputs), "output": (config.horizon, config.head_inputs)}
    for layer in range(config.layers):
        p = f"layers.{layer}."
        shapes |= {p + name: (d, d) for name in "qkvo"}
        shapes |= {p + "ffn1": (config.ffn, d), p + "ffn2": (d, config.ffn)}
    params = {}
    for name, (out, inputs) in shapes.items():
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
        self.values: dict[str, np.ndarray] = {}

    def linear(self, layer: str, x):
        return x @ self.params[layer + ".weight"].T + self.params[layer + ".bias"]

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

    def attention(self, prefix: str, x):
        heads = self.config.heads
        q, k, v = (self.keep(prefix + name, self.linear(prefix + name, x)) for name in "qkv")
        q, k, v = (t.reshape(*t.shape[:2], heads, -1).swapaxes(1, 2) for t in (q, k, v))
        logits = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        context = (e / e.sum(axis=-1, keepdims=True)) @ v
        return self.keep(prefix + "context", context.swapaxes(1, 2).reshape(x.shape))

    def keep(self, name: str, x):
        self.values[name] = x
        return x

    def run(self, x):
        config, keep = self.config, self.keep
        keep("input", x)
        last = x[:, -1:, config.target_channel, None] * config.subtract_last
        if config.subtract_last:
            x = keep("delta", x - x[:, -1:])
        x = x.reshape(len(x), config.tokens, config.token_inputs)
        position = keep("position", self.params["position"])
        x = keep("embedding", self.linear("input", x) + position)
        for layer in range(config.layers):
            p = f"layers.{layer}."
            x = keep(p + "add1", x + self.linear(p + "o", self.attention(p, x)))
            x = keep(p + "norm1", self.norm(p + "norm1", x))
            hidden = keep(p + "hidden", np.maximum(self.linear(p + "ffn1", x), 0))
            x = keep(p + "add2", x + self.linear(p + "ffn2", hidden))
            x = keep(p + "norm2", self.norm(p + "norm2", x))
        if config.pooling == "mean":
            x = keep("pooled", x.mean(axis=1, keepdims=True))
        x = x.reshape(len(x), 1, config.head_inputs)
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
    blank = dict.fromkeys(values, 0) | {
        f"layers.{layer}.scores": 0 for layer in range(config.layers)
    }
    exponents: dict[str, Any] = {}
    for name, spec in tensor_specs(config, blank).items():
        if name in values:
            steps = spec.high - spec.zero + 0.5
            exponents[name] = _exponent(np.quantile(np.abs(values[name]), 0.999), steps)
    if config.subtract_last:
        exponents["delta"] = max(exponents["delta"], exponents["input"])
    for layer, component in weight_components(config).items():
        limit = (1 << (config.bits(component).weights - 1)) - 0.5
        rows = np.abs(params[layer + ".weight"]).max(axis=1)
        exponents[layer + ".weight"] = np.array([_exponent(row, limit) for row in rows])
    for layer_index in range(config.layers):
        for name in (f"layers.{layer_index}.norm1.scale", f"layers.{layer_index}.norm2.scale"):
            exponents[name] = _exponent(np.abs(params[name]).max(), 127.5)
    return quantize_model(config, params, exponents, {"origin": f"untrained, seed {seed}"})
