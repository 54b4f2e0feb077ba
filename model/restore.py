"""A torch model of an integer model: the same weights, biases, norms and tables, as reals.

Weights are what their integers stand for, and are not rounded again. What rounds is chosen tensor
by tensor, at the integer model's own scales.
"""

from collections.abc import Collection

import numpy as np
import torch

from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.ir import Affine, IntegerModel, LayerNorm, Linear
from bitformer.model.quantize import distance_bias
from bitformer.model.structure import Layer, graph
from bitformer.model.tensor import Tensor
from bitformer.model.transformer import Transformer

__all__ = ["other_operations", "restored", "round_only"]


def other_operations(model: IntegerModel) -> UserError:
    """Return the mistake of a model that does not compute what its configuration says."""
    return UserError(
        f"operations of {model.config.name} must be those of its configuration, which they are not:"
        " 'bitformer train' or 'bitformer init' makes such a model"
    )


def restored(model: IntegerModel) -> Transformer:
    """Return the torch model, in ``eval()`` and float64; it rounds every tensor.

    Raises :class:`UserError` for operations that are not those of the model's configuration.
    """
    found = Transformer(model.config).double()
    parts = dict(found.named_parameters()) | dict(found.named_buffers())
    layers = [layer for layer in graph(model.config) if layer.kind != "position"]
    operations = [op for op in model.operations if not op.at_output]
    if [layer.y for layer in layers] != [op.y for op in operations]:
        raise other_operations(model)
    values = {
        name: (table - model.tensors[name].zero) * 2.0 ** model.tensors[name].exponent
        for name, table in model.constants.items()
    }
    for layer, op in zip(layers, operations, strict=True):
        x, y = model.tensors[op.reads[0]], model.tensors[op.y]
        if isinstance(op, Linear):
            values |= _linear(layer, op, x, y)
        elif isinstance(op, Affine | LayerNorm) and layer.kind == "norm":
            values |= _norm(op, x, y)
        elif layer.distances:
            unit = 2.0 ** sum(model.tensors[name].exponent for name in op.reads)
            root = distance_bias(1.0, model.config)
            values[f"{op.y}.distance"] = vars(op)["bias"] * unit / root
    with torch.no_grad():
        for name, value in values.items():
            parts[name].copy_(torch.from_numpy(np.asarray(value, dtype=np.float64)))
    for spec in model.tensors.values():
        if spec.name in found.activations.index and spec.name not in found.activations.logits:
            unit = 2.0**spec.exponent
            found.activations.set_scale(spec.name, spec.exponent, -spec.zero * unit)
    if model.decision is not None:
        found.margin = model.decision.margin
    found.quantized = True
    for linear in found.linears.values():
        linear.quantized = False
    return found.eval()


def _linear(layer: Layer, op: Linear, x: Tensor, y: Tensor) -> dict[str, np.ndarray]:
    """Return weights and bias of a layer; a table of biases is what the time adds."""
    unit = op.multiplier * 2.0 ** (y.exponent - op.shift)  # of the integer result, [out]
    bias = (op.bias + x.zero * op.weight.sum(axis=1)) * unit
    found = {"weight": op.weight * (unit * 2.0**-x.exponent)[:, None], "bias": bias}
    if bias.ndim > 1:
        found |= {"bias": np.zeros_like(bias[0]), "calendar": bias}
    return {f"{layer.weights}.{name}": value for name, value in found.items()}


def _norm(op: Affine | LayerNorm, x: Tensor, y: Tensor) -> dict[str, np.ndarray]:
    unit = 2.0 ** (y.exponent - op.shift)
    if isinstance(op, Affine):
        scale = op.multiplier * unit * 2.0**-x.exponent
        offset = (op.offset << op.offset_shift) * unit
    else:
        width = numerics.norm_width(x.features, x.bits)
        scale = op.gamma * unit * 2.0 ** (12 + (width - 8) // 2)
        offset = (op.beta << op.beta_shift) * unit
    return {f"{op.y}.scale": scale, f"{op.y}.offset": offset}


def round_only(model: Transformer, names: Collection[str]) -> None:
    """Let a model of :func:`restored` round these tensors alone, and compute the rest in floats."""
    model.activations.floats = set(model.activations.specs) - set(names)
