"""Distillation: stages with rounding learn from the float model's forecasts, beside the targets.

Targets are noisy, and the float model has averaged over that noise: what rounding has to restore is
said more clearly by its forecasts. They are computed once for all training windows; of windows that
are augmented, for each batch.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bitformer.model.config import TransformerConfig
from bitformer.model.transformer import Transformer
from bitformer.model.window_tensors import WindowTensors

__all__ = ["distilled_loss", "forecasts", "teacher_forecasts", "teacher_of"]

#: Windows that are forecast at a time.
_BATCH = 512


def teacher_of(
    config: TransformerConfig, state: Mapping[str, Tensor], device: torch.device
) -> Transformer:
    """Return the float model of ``state``, as it teaches."""
    teacher = Transformer(config).to(device)
    teacher.load_state_dict(state)
    teacher.quantized = False
    return teacher.eval()


def forecasts(teacher: Transformer, x: Tensor, clock: Tensor) -> Tensor:
    """Return the teacher's outputs [n, outputs] for windows [n, window, inputs], at their time."""
    with torch.no_grad():
        return teacher(x, clock=clock)


def teacher_forecasts(teacher: Transformer, x: WindowTensors, clock: Tensor) -> Tensor:
    """Return the teacher's outputs [N, outputs] for all N windows, at their time."""
    batches = torch.arange(len(x), device=clock.device).split(_BATCH)
    return torch.cat([forecasts(teacher, x[some], clock[some]) for some in batches])


def distilled_loss(forecast: Tensor, target: Tensor, taught: Tensor | None, share: float) -> Tensor:
    """Return the mean squared error of forecasts [n, horizon]: ``share`` of it to the teacher's."""
    loss = (forecast - target).square().mean()
    if taught is None:
        return loss
    return (1 - share) * loss + share * (forecast - taught).square().mean()
