"""What a model in torch forecasts."""

from collections.abc import Sequence

import numpy as np
import torch

from bitformer.model.data.targets import SeriesScale, each_output
from bitformer.model.data.windows import Windows
from bitformer.model.transformer import Transformer

__all__ = ["errors", "predict"]


def predict(
    model: Transformer, x: np.ndarray, clock: np.ndarray | None = None, *, batch: int = 512
) -> np.ndarray:
    """Return standardised forecasts [N, outputs] of windows [N, window, inputs].

    ``clock``, of a model with a calendar alone: the time of each window, int64 [N, numbers].
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    dtype = torch.float64 if model.quantized else torch.float32
    rows = [np.zeros((0, model.config.outputs))]
    with torch.no_grad():
        for start in range(0, len(x), batch):
            part = torch.tensor(x[start : start + batch], dtype=dtype, device=device)
            time = None
            if clock is not None:
                time = torch.tensor(clock[start : start + batch], device=device)
            rows.append(model(part, clock=time).to("cpu", torch.float64).numpy())
    model.train(was_training)
    return np.concatenate(rows)


def errors(model: Transformer, windows: Windows, targets: Sequence[SeriesScale]) -> np.ndarray:
    """Return what happened less the forecasts, [N, outputs], in the units of the targets."""
    deviations = each_output((one.std for one in targets), windows.outputs)
    return (windows.y - predict(model, windows.x, windows.clock)) * deviations
