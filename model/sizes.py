"""Sizes that are small enough one by one can still be too much together."""

import math

from bitformer.model.errors import UserError
from bitformer.model.shape import MOST, Shape
from bitformer.model.structure import clocks, graph, linear_shapes

__all__ = ["check_sizes"]

#: What all of it comes to. The largest part known has 4.4 million bits of block RAM;
#: a model of this size is still made in seconds and in less than 2 GB.
_MOST_WEIGHTS, _MOST_NUMBERS, _MOST_MACS = 1 << 23, 1 << 20, 1 << 28


def check_sizes(shape: Shape) -> None:
    """Raise :class:`UserError` for a shape whose weights, numbers or products are too many."""
    shapes = linear_shapes(shape)
    weights = sum(out * inputs for out, inputs in shapes.values())
    weights += sum(rows * shapes[name][0] for name, (_, rows) in clocks(shape).items())
    window = (shape.rows_seen + shape.clock_rows + shape.judged_rows) * shape.inputs
    numbers = window + shape.outputs * (2 if shape.linear_path else 1)
    for layer in graph(shape):
        if layer.kind == "scores":  # and what attention stores beside: six rows for each
            numbers += math.prod(layer.shape) + 6 * shape.d_model * layer.shape[0] // shape.heads
        elif layer.nonlinearity:
            numbers += math.prod(layer.shape)
    for what, found, most in (
        ("numbers of a window", window, MOST["window"]),
        ("weights", weights, _MOST_WEIGHTS),
        ("numbers that an inference stores", numbers, _MOST_NUMBERS),
        ("MACs of an inference", shape.macs, _MOST_MACS),
    ):
        if found > most:
            raise UserError(f"{what} must be at most {most}, not {found}: choose smaller sizes")
