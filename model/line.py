"""The linear forecast as a model with a linear path: what a network has to be better than."""

import dataclasses

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
    Of a stream it is that of the rows of a ring.
    """
    config = model.config
    if config.stream:
        dataset = _of_rings(dataset, config.window)
    if config.subtract_last:
        each = zip(dataset.by_target, config.added_channels, strict=True)
        found = np.concatenate([shift_map(*one) for one in each], axis=1)
    else:
        found = np.concatenate(
            [linear_map(one, subtract=None) for one in dataset.by_target], axis=1
        )
    weights, tables = parts_of(found, dataset)
    if config.stream and config.subtract_last:
        weights[:-1] = _of_patches(weights[:-1], config.patch, config.inputs)
    path, output = model.linears["path"], model.linears["output"]
    output.clear()
    with torch.no_grad():
        path.weight.copy_(torch.from_numpy(weights[:-1].T))
        path.bias.copy_(torch.from_numpy(weights[-1]))
        for name, layer in (("output", output), ("path", path)):
            if layer.calendar is not None:
                table = tables[config.calendar[clocks(config)[name][0]]]
                layer.calendar.copy_(torch.from_numpy(table))


def _of_rings(dataset: Dataset, window: int) -> Dataset:
    """Return the data with windows of their last rows alone."""
    parts = {
        name: dataclasses.replace(getattr(dataset, name), window=window)
        for name in ("train", "val", "test")
    }
    return dataclasses.replace(dataset, **parts)


def _of_patches(weights: np.ndarray, patch: int, channels: int) -> np.ndarray:
    """Return weights of steps relative to what precedes their patch, of those of the last step.

    Both are [steps * channels, outputs], and give the same sums: a step less the last one is that
    step less what precedes its patch, less the sum of how far each patch from there on goes.
    """
    patches = weights.reshape(-1, patch, channels, weights.shape[1])
    found = patches.copy()
    found[:, -1] -= patches.sum(axis=1).cumsum(axis=0)
    return found.reshape(weights.shape)
