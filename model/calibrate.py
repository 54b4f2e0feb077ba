"""From a trained float model to a quantized one: where the scales start."""

import torch
from torch import Tensor

from .fake_quant import best_exponent
from .layers import BatchNorm, Linear
from .transformer import Transformer

__all__ = ["calibrate"]


def calibrate(model: Transformer, x: Tensor, y: Tensor, *, samples: int = 1024) -> None:
    """Set the scales of all tensors by what they hold for training windows; make it quantized.

    ``x`` [N, window, inputs] and ``y`` [N, horizon] are standardised. The scales are those of least
    squared error: of the input and the output on all windows, of the rest on ``samples`` of them.
    """
    was_training = model.training
    model.eval()
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:samples]
    trace: dict[str, Tensor] = {}
    with torch.no_grad():
        model(x[some.to(x.device)], trace)
    activations = model.activations
    trace["input"] = x
    trace["output"] = y
    for name, value in trace.items():
        if name.endswith(".scores"):
            continue
        low, high = activations.limits(name)
        exponent = best_exponent(value.reshape(1, -1), low, high)
        activations.set_exponent(name, int(exponent))
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.fold()
        elif isinstance(module, Linear):
            module.calibrate()
    activations.quantized = True
    model.train(was_training)
