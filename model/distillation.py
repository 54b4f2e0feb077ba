"""Distillation: stages with rounding learn from the float model's forecasts, beside the targets.

Targets are noisy, and the float model has averaged over that noise: what rounding has to restore is
said more clearly by its forecasts. They are computed once for all training windows.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bitformer.model.config import TransformerConfig
from bitformer.model.transformer import Transformer
from bitformer.model.window_tensors import WindowTensors

__all__ = ["distilled_loss", "teacher_forecasts"]

#: Windows that are forecast at a time.
_BATCH = 512


def teacher_forecasts(
    config: TransformerConfig,
    state: Mapping[str, Tensor],
    x: WindowTensors,
    clock: Tensor,
    device: torch.device,
) -> Tensor:
    """Return the forecasts [N, horizon] of N windows, at their time, by the model of ``state``."""
    teacher = Transformer(config).to(device)
    teacher.load_state_dict(state)
    teacher.quantized = False
    teacher.eval()
    with torch.no_grad():
        batches = torch.arange(len(x), device=device).split(_BATCH)
        return torch.cat([teacher(x[some], clock=clock[some]) for some in batches])


def distilled_loss(forecast: Tensor, target: Tensor, taught: Tensor | None, share: float) -> Tensor:
    """Return the mean squared error of forecasts [n, horizon]: ``share`` of it to the teacher's."""
    loss = (forecast - target).square().mean()
    if taught is None:
        return loss
    return (1 - share) * loss + share * (forecast - taught).square().mean()
