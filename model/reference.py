"""Runs an integer model in numpy, in batches: the figure every other engine must equal."""

import numpy as np

from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.ir import (
    Affine,
    Attend,
    IntegerModel,
    LayerNorm,
    Linear,
    Operation,
    Pool,
    Scores,
    SubtractLast,
)

__all__ = ["predict", "run"]


def _linear(op: Linear, model: IntegerModel, values: dict) -> tuple:
    y = model.tensors[op.y]
    x = values[op.x]
    # float64 holds every integer below 2**53, and BLAS beats an int64 matmul many times
    rows = x.reshape(len(x), -1)[:, op.start :].reshape(len(x), y.rows, -1).astype(np.float64)
    u = (rows @ op.weight.T.astype(np.float64)).astype(np.int64) + op.bias
    addend: int | np.ndarray = 0
    if op.residual is not None:
        residual = values[op.residual.source]
        if op.residual.channel is not None:
            residual = residual[:, -1:, op.residual.channel, None]
        addend = residual << op.residual.shift
    return u, op.multiplier, addend


def _split_heads(x, heads: int):
    """[batch, rows, features] to [batch, heads, rows, features / heads]."""
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).swapaxes(1, 2)


def _visible(rows: int, heads: int) -> np.ndarray:
    """Which key counts for a causal row: [rows * heads, rows], lower triangles."""
    return np.repeat(np.tri(rows, dtype=bool), heads, axis=0)


def _scores(op: Scores, values: dict) -> tuple:
    q, k = (_split_heads(values[name], op.heads) for name in (op.q, op.k))
    u = np.einsum("bhid,bhjd->bihj", q, k)
    return u.reshape(len(u), u.shape[1] * u.shape[2], u.shape[3]), op.multiplier, 0


def _attend(op: Attend, values: dict) -> tuple:
    scores = values[op.scores]
    keys = scores.shape[-1]
    visible = _visible(keys, op.heads) if op.causal else np.bool_(True)
    e = numerics.exp2_weights(scores, visible)
    multiplier = numerics.reciprocal(e.sum(axis=-1, keepdims=True), scores.shape[-1])
    v = _split_heads(values[op.v], op.heads)
    e = e.reshape(len(e), e.shape[1] // op.heads, op.heads, e.shape[2])
    u = np.einsum("bihj,bhjd->bihd", e, v)
    multiplier = np.broadcast_to(multiplier.reshape(*u.shape[:3], 1), u.shape)
    shape = (*u.shape[:2], u.shape[2] * u.shape[3])
    return u.reshape(shape), multiplier.reshape(shape), 0


def _layer_norm(op: LayerNorm, model: IntegerModel, values: dict) -> tuple:
    spec, x = model.tensors[op.x], values[op.x]
    total = x.sum(axis=-1, keepdims=True)
    variance = spec.features * (x * x).sum(axis=-1, keepdims=True) - total * total
    exponent, r = numerics.rsqrt(variance, numerics.norm_width(spec.features, spec.bits))
    return (spec.features * x - total) << exponent, op.gamma * r, op.beta << op.beta_shift


def _step(op: Operation, model: IntegerModel, values: dict):
    y = model.tensors[op.y]
    low = y.low
    multiplier: int | np.ndarray
    addend: int | np.ndarray
    if isinstance(op, SubtractLast):
        x = values[op.x]
        u, multiplier, addend = x - x[:, -1:], 1, 0
    elif isinstance(op, Linear):
        u, multiplier, addend = _linear(op, model, values)
        low = max(low, y.zero) if op.relu else low
    elif isinstance(op, Scores):
        u, multiplier, addend = _scores(op, values)
    elif isinstance(op, Attend):
        u, multiplier, addend = _attend(op, values)
    elif isinstance(op, Affine):
        u, multiplier = values[op.x], op.multiplier
        addend = op.offset << op.offset_shift
    elif isinstance(op, LayerNorm):
        u, multiplier, addend = _layer_norm(op, model, values)
    elif isinstance(op, Pool):
        u, multiplier, addend = values[op.x].sum(axis=1, keepdims=True), op.multiplier, 0
    else:
        raise TypeError(f"an operation must be one of the IR's, not {type(op).__name__}")
    result = numerics.requantize(u, multiplier, addend, op.shift, y.zero, low, y.high)
    if isinstance(op, Scores) and op.causal:
        result[:, ~_visible(y.features, op.heads)] = y.low
    return result


def run(model: IntegerModel, x) -> dict[str, np.ndarray]:
    """Every tensor of the model, by name, for a batch of input windows.

    ``x`` holds integers [batch, steps, channels] within the input tensor's range. Returns int64
    arrays [batch, rows, features]; raises :class:`UserError` when ``x`` does not match.
    """
    x, spec = np.asarray(x), model.input
    if x.ndim != 3 or x.shape[1:] != spec.shape:
        shape = f"(batch, {spec.rows}, {spec.features})"
        raise UserError(f"input must have shape {shape}, not {x.shape}")
    if x.dtype.kind not in "iu":
        raise UserError(f"input must be integers, not {x.dtype}")
    if x.size and (x.min() < spec.low or x.max() > spec.high):
        raise UserError(f"input must be within {spec.low}..{spec.high}, not {x.min()}..{x.max()}")
    values = {"input": x.astype(np.int64)}
    for name, constant in model.constants.items():
        values[name] = np.broadcast_to(constant.astype(np.int64), (len(x), *constant.shape))
    for op in model.operations:
        values[op.y] = _step(op, model, values)
    return values


def predict(model: IntegerModel, x, *, batch: int = 512) -> np.ndarray:
    """Standardised forecasts [N, horizon] from standardised float windows [N, steps, channels]."""
    q = model.quantize_input(x)
    rows = [
        run(model, q[start : start + batch])[model.output.name].reshape(-1, model.config.horizon)
        for start in range(0, len(q), batch)
    ]
    empty = np.zeros((0, model.config.horizon))
    return model.dequantize_output(np.concatenate(rows) if rows else empty)
