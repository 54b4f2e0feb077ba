"""The linear forecast as a model with a linear path: what a network has to be better than."""

import numpy as np
import torch

from bitformer.model.data.windows import Dataset
from bitformer.model.ridge import linear_map, parts_of, shift_map
from bitformer.model.structure import clocks
from bitformer.model.transformer import Transformer

__all__ = ["become_line"]


def become_line(model: Transformer, dataset: Dataset) -> None:
    """Make the linear path of ``model`` a regression on ``dataset``, and its network add nothing.

    It is the regression of changes where the last value is subtracted, else that of values. With a
    calendar, what it adds at each hour is the output layer's table, and on each weekday the path's.
    """
    config = model.config
    if config.subtract_last:
        each = zip(dataset.by_target, config.added_channels, strict=True)
        found = np.concatenate([shift_map(*one) for one in each], axis=1)
    else:
        found = np.concatenate(
            [linear_map(one, subtract=None) for one in dataset.by_target], axis=1
        )
    weights, tables = parts_of(found, dataset)
    path, output = model.linears["path"], model.linears["output"]
    output.clear()
    with torch.no_grad():
        path.weight.copy_(torch.from_numpy(weights[:-1].T))
        path.bias.copy_(torch.from_numpy(weights[-1]))
        for name, layer in (("output", output), ("path", path)):
            if layer.calendar is not None:
                table = tables[config.calendar[clocks(config)[name][0]]]
                layer.calendar.copy_(torch.from_numpy(table))
