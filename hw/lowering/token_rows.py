"""Which rows of a tensor stand side by side in the engine's token rows, and which models allow it.

With R token rows, row n of a tensor lies in lane n % R of its store, and of the window, patch n.
So a block of R rows is read at one address. Three kinds of rows come of it: *blocks*, whose weights
all token rows share; *single* rows, where results of one token row count; and *split* rows, which
read many rows of a tensor in line: each token row takes those of its lane, with weights of its own,
and the results are added up.
"""

from dataclasses import replace

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Linear

__all__ = ["blocks", "check_rows", "is_split", "lane_dot", "lane_features", "patch_of"]


def blocks(rows: int, together: int) -> list[tuple[int, int]]:
    """Return the first row and the rows of each block of a tensor's ``rows``."""
    return [(first, min(together, rows - first)) for first in range(0, rows, together)]


def _reads_window(model: IntegerModel, op: Linear) -> bool:
    return op.x == model.steps.name


def _rows_of_a_part(model: IntegerModel, op: Linear) -> int:
    return model.tensors[op.y].rows // op.parts


def patch_of(model: IntegerModel) -> int:
    """Return the elements of the window that a lane has in line: those of a token's patch.

    0 where no layer reads the window patch by patch, or several read patches of different lengths.
    """
    lengths = {
        op.weight.shape[1]
        for op in model.linears
        if _reads_window(model, op) and _rows_of_a_part(model, op) > 1
    }
    return lengths.pop() if len(lengths) == 1 else 0


def is_split(model: IntegerModel, op: Linear) -> bool:
    """Return True if a row of the operation reads several rows of a tensor in line.

    Or if several rows read the same one: what they write and add lies in different lanes.
    """
    several = op.parts > 1 and _rows_of_a_part(model, op) == 1
    if _reads_window(model, op):
        alone = _rows_of_a_part(model, op) == 1
        return several or (alone and op.weight.shape[1] != patch_of(model))
    return several or op.is_flat(model.tensors)


def lane_features(model: IntegerModel, op: Linear) -> int:
    """Return the terms of a row of what an operation reads, which lie in one lane."""
    return patch_of(model) if _reads_window(model, op) else model.tensors[op.x].features


def lane_dot(model: IntegerModel, op: Linear, rows: int) -> int:
    """Return the bound of a dot product of an operation, or of the part that a token row makes."""
    if rows == 1 or not is_split(model, op):
        return model.bounds[op.y].dot
    lane = np.arange(op.weight.shape[1]) // lane_features(model, op) % rows
    parts = (replace(op, weight=np.where(lane == n, op.weight, 0)) for n in range(rows))
    return max(part.bound(model.tensors).dot for part in parts)


def check_rows(model: IntegerModel, rows: int, posts: int, slots: int) -> None:
    """Raise :class:`UserError` where a model's rows cannot stand side by side.

    ``slots`` are the elements that a word of keys or values has for the engine's columns.
    """
    for what, number in (("rows", rows), ("posts", posts)):
        if number < 1 or number & (number - 1):
            raise UserError(f"{what} must be a power of two, not {number}")
    if posts > rows:
        raise UserError(f"posts must be at most the {rows} rows, not {posts}")
    if rows == 1:
        return
    if model.config.stream:
        raise UserError(f"rows must be 1 for a stream, whose step has one token, not {rows}")
    if any(op.weights_from for op in model.operations) and slots % rows:
        raise UserError(
            f"rows must divide the {slots} keys of a word, which are as many as columns or twice"
            f" that, not be {rows}"
        )
    for op in model.linears:
        _check_linear(model, op, rows)


def _check_linear(model: IntegerModel, op: Linear, rows: int) -> None:
    """Check that the rows of a layer are blocks, single or split rows."""

    def refuse(why: str) -> UserError:
        return UserError(f"rows must be 1 where {op.y} {why}, not {rows}")

    if op.transposed:
        raise refuse("reads columns of rows")
    if op.step not in (0, op.weight.shape[1]):
        raise refuse(f"reads rows that begin {op.step} numbers apart")
    x, length, window = model.tensors[op.x], op.weight.shape[1], _reads_window(model, op)
    features = x.features
    if window:
        features = patch_of(model)
        if not features:
            raise refuse("reads a window of which no layer reads patch by patch")
        if features % x.features:
            raise refuse(f"reads patches of {features} numbers, of steps of {x.features}")
    if length % features or op.start % (features * rows):
        raise refuse(f"begins to read inside a block of {rows} rows")
    if is_split(model, op):
        if length % (features * rows) and op.weight_bits == 1:
            raise refuse(f"has weights of 1 bit for {length // features} rows")
    elif length != features:
        raise refuse(f"reads {length} numbers in line for each of its rows")
    elif op.parts > 1 and op.adds_tensor is not None and _rows_of_a_part(model, op) % rows:
        raise refuse("adds rows of other lanes than those that it reads")
