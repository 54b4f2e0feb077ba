"""An untrained model with calibrated ranges, for hardware work."""

from collections import defaultdict
from typing import Any

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.linear import rows_of
from bitformer.model.operations.sliding import within_reach
from bitformer.model.power_of_two import edge
from bitformer.model.precision import POWER_OF_TWO
from bitformer.model.quantize import quantize_model, tensor_specs
from bitformer.model.structure import (
    Layer,
    clocks,
    distances,
    fixed_scales,
    graph,
    linear_shapes,
    norms,
)

__all__ = ["initialize", "sinusoidal"]


def sinusoidal(rows: int, features: int) -> np.ndarray:
    """Return the position table [rows, features] of Vaswani et al. (2017), section 3.5."""
    position = np.arange(rows)[:, None]
    rate = np.exp(-np.log(10000.0) * (np.arange(features) // 2 * 2) / features)
    angle = position * rate
    return np.where(np.arange(features) % 2 == 0, np.sin(angle), np.cos(angle))


_KINDS = ("input", "output", "q", "k", "v", "mix1", "mix2", "o", "ffn1", "ffn2", "path")


def _linear_params(config: TransformerConfig, rng) -> dict[str, np.ndarray]:
    def order(name: str) -> tuple:
        """Return a rank apart from the order of computation: a seed gives a model for good."""
        stem, _, kind = name.rpartition(".")
        return (name.count("."), stem, _KINDS.index(kind))

    params = {}
    shapes = linear_shapes(config)
    for name in sorted(shapes, key=order):
        out, inputs = shapes[name]
        bound = inputs**-0.5
        params[name + ".weight"] = rng.uniform(-bound, bound, (out, inputs)) * 3**0.5
        params[name + ".bias"] = rng.uniform(-bound, bound, out)
    for name, (heads, count) in distances(config).items():
        params[name + ".distance"] = rng.normal(size=(heads, count)) - 0.1 * np.arange(count)
    for name, (_, rows) in clocks(config).items():
        params[name + ".calendar"] = rng.uniform(-0.5, 0.5, (rows, shapes[name][0]))
    return params


class _Floats:
    """Computes every tensor in floats, and fits the norms to what they see.

    For each kind of layer a method computes [windows, rows, features]; for scores, logits [windows,
    heads, queries, keys].
    """

    def __init__(self, config: TransformerConfig, rng):
        self.config, self.rng = config, rng
        self.params = _linear_params(config, rng)
        self.values: dict[str, np.ndarray] = {}

    def run(self, steps):
        """Compute all layers for windows [N, window, inputs]; ``values`` then has each tensor."""
        self.values["input"] = steps
        for layer in graph(self.config):
            x = [self.values[name] for name in layer.x]
            self.values[layer.y] = getattr(self, f"_{layer.kind}")(layer, *x)

    def _subtract_last(self, layer: Layer, x):
        return x - x[:, -1:]

    def _subtract_preceding(self, layer: Layer, x):
        patches = x.reshape(len(x), -1, self.config.patch, x.shape[-1])
        before = np.concatenate([patches[:, :1, -1], patches[:, :-1, -1]], axis=1)
        return (patches - before[:, :, None]).reshape(x.shape)

    def _position(self, layer: Layer):
        self.params[layer.y] = sinusoidal(*layer.shape)
        return self.params[layer.y]

    def _linear(self, layer: Layer, x):
        # one product of matrices, not one for each window: each would wake all of BLAS' threads
        x = x.swapaxes(1, 2) if layer.transposed else x
        rows = rows_of(x.reshape(len(x), -1)[:, layer.start :], layer.inputs, layer.step)
        rows = rows.reshape(-1, layer.inputs)
        each = layer.shape[0] // layer.parts
        y = (rows @ self.params[layer.weights + ".weight"].T).reshape(len(x), each, -1)
        y = y + self.params[layer.weights + ".bias"]
        if layer.clock is not None:
            # every window at another time
            table = self.params[layer.weights + ".calendar"]
            y = y + table[np.arange(len(y)) % len(table), None]
        # [windows, rows, parts * features] -> [windows, parts * rows, features]
        y = y.reshape(len(x), each, layer.parts, -1).swapaxes(1, 2).reshape(len(x), *layer.shape)
        if layer.residual == "input":
            last = self.values["input"][:, -1, list(self.config.added_channels)]
            return y + np.repeat(last, each, axis=1)[..., None]
        if layer.residual is not None:
            return y + self.values[layer.residual]
        return layer.nonlinearity.numpy(y) if layer.nonlinearity else y

    def _copy(self, layer: Layer, x):
        return x

    def heads(self, x):
        return x.reshape(*x.shape[:2], self.config.heads, -1).swapaxes(1, 2)

    def _scores(self, layer: Layer, q, k):
        q, k = self.heads(q), self.heads(k)
        # einsum runs in this thread: as many small products cost BLAS' threads more than they save
        logits = np.einsum("whqd,whkd->whqk", q, k) / q.shape[-1] ** 0.5
        rows = q.shape[2]
        if layer.reach:
            bias = self.params[layer.y + ".distance"]
            distance = np.arange(rows)[:, None] - np.arange(rows)
            logits = logits + bias[:, np.clip(distance, 0, layer.reach - 1)]
        seen = within_reach(rows, layer.reach or rows)
        return np.where(seen, logits, -np.inf) if layer.causal else logits

    def _attend(self, layer: Layer, logits, v):
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        e = e / e.sum(axis=-1, keepdims=True)
        context = np.einsum("whqk,whkd->whqd", e, self.heads(v))
        return context.swapaxes(1, 2).reshape(len(v), *layer.shape)

    def _norm(self, layer: Layer, x):
        batch = self.config.norm == "batch"
        axis = (0, 1) if batch else (-1,)
        mean = x.mean(axis=axis, keepdims=True)
        std = np.maximum(x.std(axis=axis, keepdims=True), 0.01)  # a channel may be constant
        gamma = self.rng.uniform(0.5, 1.5, x.shape[-1])
        beta = self.rng.uniform(-0.5, 0.5, x.shape[-1])
        scale, offset = gamma, beta
        if batch:
            scale, offset = gamma / std[0, 0], beta - gamma * (mean / std)[0, 0]
        self.params |= {layer.y + ".scale": scale, layer.y + ".offset": offset}
        return gamma * (x - mean) / std + beta

    def _pool(self, layer: Layer, x):
        return x[:, -layer.newest :].mean(axis=1, keepdims=True)


def _exponent(largest: float, steps: float) -> int:
    """Return the smallest e with ``largest <= steps * 2**e``; 0 is scaled like 1."""
    return int(np.ceil(np.log2((largest if largest > 2.0**-10 else 1.0) / steps)))


def initialize(config: TransformerConfig, seed: int = 0, samples: int = 64) -> IntegerModel:
    """Make a model with random weights, calibrated on ``samples`` random windows.

    The same seed gives the same model.
    """
    rng = np.random.default_rng(seed)
    floats = _Floats(config, rng)
    floats.run(rng.normal(size=(samples, config.rows_seen, config.inputs)))
    values, params = floats.values, floats.params
    exponents: dict[str, Any] = {}
    for name, spec in tensor_specs(config, defaultdict(int)).items():
        if name not in fixed_scales(config):
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
    """Return exponents [out] that cover the largest weight; for one bit, the mean magnitude."""
    bits = config.weight_bits(layer)
    if bits == 1:
        rows, limit = np.abs(weight).mean(axis=1), 2**0.5
    elif config.weight_scheme(layer) == POWER_OF_TWO:
        rows, limit = np.abs(weight).max(axis=1), edge(bits)
    else:
        rows, limit = np.abs(weight).max(axis=1), (1 << (bits - 1)) - 0.5
    if config.weight_scales == "tensor":
        rows = np.full_like(rows, rows.max())
    return np.array([_exponent(row, limit) for row in rows])
