"""Every N-th row of a series, as a slower sensor would have written it."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from bitformer.model.data.row_order import Block
from bitformer.model.data.steps import Step
from bitformer.model.errors import UserError

__all__ = ["longer", "thinned"]


def thinned(
    blocks: Sequence[Block], stretches: Sequence[tuple[int, int]], every: int
) -> tuple[np.ndarray, tuple[Block, ...], list[tuple[int, int]]]:
    """Return the first row of each series and each ``every``-th after it.

    Parameters
    ----------
    blocks
        Where each series lies.
    stretches
        Row ranges without a gap in time, each in one series.
    every
        At least 1.

    Returns
    -------
    int64 array
        The rows that are kept.
    tuple of blocks, list of pairs
        Where the series and the stretches lie among them; a stretch without a row is left out.
    """
    kept = [np.arange(block.start, block.stop, every) for block in blocks]
    ends = [0, *itertools.accumulate(map(len, kept))]
    moved = tuple(
        dataclasses.replace(block, start=start, stop=stop)
        for block, start, stop in zip(blocks, ends[:-1], ends[1:], strict=True)
    )
    rows = np.concatenate(kept)
    # the place of each row that is kept, and of another that of the next which is
    edges = np.searchsorted(rows, np.array(stretches, int).reshape(-1, 2)).tolist()
    return rows, moved, [(start, stop) for start, stop in edges if start < stop]


def longer(step: Step | None, every: int) -> Step | None:
    """Return a step as long as ``every`` of them.

    Raises
    ------
    UserError
        For business days, of which several are no even step.
    """
    if step is None:
        return None
    if step.unit == "business":
        raise UserError(
            f"every must be 1 where rows are business days, not {every}: leave --every out, or say"
            " --step row"
        )
    return dataclasses.replace(step, length=step.length * every)
