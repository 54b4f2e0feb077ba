"""Dead ranges of a quantized model: those that hold one value, or clip most values."""

import torch
from torch import Tensor

from bitformer.model.transformer import Transformer
from bitformer.model.window_tensors import WindowTensors

__all__ = ["LINE", "ailments"]

#: A tensor is said to clip from this share of its values on.
_CLIPPED = 0.5
_SAMPLES = 512
#: What is said of a network that nothing comes of.
LINE = (
    "output.weight is 0: no network was better on validation than the linear path alone, which is"
    " what forecasts"
)


def ailments(
    model: Transformer, x: Tensor | WindowTensors, clock: Tensor | None = None
) -> list[str]:
    """Return a sentence for each tensor or weight of a quantized model that has a dead range.

    ``x`` [N, window, inputs] are windows to look at, and ``clock`` is their time. A tensor is dead
    when all that is stored is one number, a weight's row when all its numbers are the same, and a
    tensor clips when at least half of its values lie outside its range.
    """
    clipped: dict[str, float] = {}
    trace: dict[str, Tensor] = {}
    activations = model.activations
    exponents = activations.exponents()
    zeros = activations.zeros(exponents)

    def observe(name: str, value: Tensor) -> None:
        low, high = activations.limits(name, zeros.get(name))
        steps = value * 2.0 ** -exponents[name]
        outside = (steps < low - 0.5) | (steps >= high + 0.5)
        clipped[name] = float(outside.to(torch.float64).mean())

    was_training = model.training
    model.eval()
    activations.observer = observe
    try:
        with torch.no_grad():
            model(x[:_SAMPLES], trace, clock=None if clock is None else clock[:_SAMPLES])
    finally:
        activations.observer = None
        model.train(was_training)
    found = []
    for name, value in trace.items():
        if name in activations.floats or name not in activations.index:
            continue
        if value.numel() > len(value) and bool((value == value.flatten()[0]).all()):
            found.append(f"{name} is always {int(value.flatten()[0])}")
        elif clipped[name] >= _CLIPPED and name not in activations.logits:
            found.append(f"{name} clips {clipped[name]:.0%} of its values")
    for name, linear in model.linears.items():
        if linear.stores_integers and linear.weight.shape[1] > 1:
            weight = linear.rounded(torch.float64)[0].detach()
            dead = int((weight == weight[:, :1]).all(dim=1).sum())
            if name == "output" and model.config.linear_path and not weight.any():
                found.append(LINE)
            elif dead:
                found.append(f"{name}.weight has {dead} of {len(weight)} rows of one value")
    return found
