"""Cycles and resources of a space's combinations on engines of several token rows or of LUTs.

Cycles follow from what is packed and from what columns of LUTs can serve: of combinations that are
alike in these, one is lowered on the engine. What it takes more than on the plain engine, the
others take more, too. A search lowers what it chooses by itself.
"""

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from bitformer.estimate.predictor import Prediction
from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lut_rows import MOST_BITS
from bitformer.search.space.outcomes import NEVER, Outcomes
from bitformer.search.space.quantities import distinct, wide_operations

__all__ = ["alike", "outcomes_of_several"]

#: What is the engine's own; all else is what it takes more.
_OWN = ("latency", "interval", "dsps")


def alike(batch: Batch, multiplier: Multiplier) -> np.ndarray:
    """Return a number for each model of a batch: that of the models whose cycles are alike."""
    packings = choose_packing(batch, 2, True, multiplier)
    half = packings.half_bits[:, None]
    short = batch.operand_bits * half <= MOST_BITS
    # a broad column takes the weights of what is not packed, too
    single = np.where(packings.packed, 0, batch.weight_widths)
    wide = wide_operations(batch, multiplier)
    columns = (packings.packed, half, packings.dynamic, short, single, wide)
    return distinct(*columns)[1]


def outcomes_of_several(
    plain: Outcomes, kinds: np.ndarray, predicted: Callable[[int], Prediction | None]
) -> Outcomes:
    """Return the outcomes of all combinations on an engine.

    Parameters
    ----------
    plain
        Those on an engine of one row, without columns of LUTs.
    kinds
        Which combinations are alike, :func:`alike`.
    predicted
        A combination's prediction on the engine itself, None if it cannot be built.
    """
    found = {one.name: getattr(plain, one.name).copy() for one in fields(plain)}
    for kind in np.unique(kinds):
        members = (kinds == kind) & plain.possible
        if not members.any():
            continue
        some = int(np.flatnonzero(members)[0])
        own = predicted(some)
        if own is None:
            found["possible"][members] = False
            continue
        for name, value in own.counts.items():
            if name in _OWN:
                found[name][members] = value
            else:
                found[name][members] += value - getattr(plain, name)[some]
    for name in found.keys() - {"possible"}:
        found[name] = np.where(found["possible"], np.maximum(found[name], 0), NEVER)
    return Outcomes(**found)
