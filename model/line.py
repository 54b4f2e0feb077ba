"""The linear forecast as a model with a linear path: what a network has to be better than."""

import torch

from bitformer.model.data.windows import Dataset
from bitformer.model.ridge import linear_map, shift_map
from bitformer.model.transformer import Transformer

__all__ = ["become_line"]


def become_line(model: Transformer, dataset: Dataset) -> None:
    """Make the linear path of ``model`` a regression on ``dataset``, and its network add nothing.

    It is the regression of changes where the last value is subtracted, else that of values.
    """
    config = model.config
    if config.subtract_last:
        found = shift_map(dataset, config.target_channel)
    else:
        found = linear_map(dataset, subtract=None)
    path = model.linears["path"]
    weights = torch.from_numpy(found).to(path.weight)
    with torch.no_grad():
        path.weight.copy_(weights[:-1].T)
        path.bias.copy_(weights[-1])
    model.linears["output"].clear()
