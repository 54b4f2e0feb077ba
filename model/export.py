"""A trained torch model as an integer model."""

from collections.abc import Mapping

import numpy as np

from .fake_quant import to_numpy
from .ir import IntegerModel
from .layers import LayerNorm, Linear
from .quantize import quantize_model
from .transformer import Transformer

__all__ = ["export", "parameters"]


def parameters(model: Transformer) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Float parameters and exponents under the names of :mod:`bitformer.model.quantize`."""
    if not model.quantized:
        raise ValueError("Model must be quantized before it is exported, not in float mode")
    params = {"position": to_numpy(model.position)}
    exponents: dict[str, object] = dict(model.activations.exponents())
    for name, module in model.named_modules():
        if isinstance(module, Linear):
            params[name + ".weight"] = to_numpy(module.weight)
            params[name + ".bias"] = to_numpy(module.bias)
            exponents[name + ".weight"] = module.exponents().cpu().numpy()
        elif ".norm" in name:
            params[name + ".scale"] = to_numpy(module.get_parameter("scale"))
            params[name + ".offset"] = to_numpy(module.get_parameter("offset"))
            if isinstance(module, LayerNorm):
                exponents[name + ".scale"] = module.exponent()
    return params, exponents


def export(model: Transformer, meta: Mapping[str, object] | None = None) -> IntegerModel:
    """The integer model that equals ``model`` in ``eval()``; ``meta`` is free JSON."""
    params, exponents = parameters(model)
    return quantize_model(model.config, params, exponents, meta)
