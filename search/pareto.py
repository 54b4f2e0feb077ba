"""What no other combination is better than; and what bits cost in predicted loss."""

from collections.abc import Mapping

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.search.space.components import ComponentSpace

__all__ = ["pareto", "predicted_loss"]


def predicted_loss(
    space: ComponentSpace, sensitivity: Mapping[str, Mapping[Precision, float]]
) -> np.ndarray:
    """Sum the validation errors that the bits of each component add.

    ``sensitivity`` gives the added error by component and bits, for all of the space's.
    """
    total = np.zeros(len(space))
    for place, name in enumerate(space.components):
        own = sensitivity.get(name)
        if own is None or any(bits not in own for bits in space.bits):
            wanted = ", ".join(map(str, space.bits))
            raise UserError(f"sensitivity of {name} must be given for bits {wanted}")
        total += np.array([own[bits] for bits in space.bits])[space.codes[:, place]]
    return total


def pareto(costs: np.ndarray) -> np.ndarray:
    """Return the rows of ``costs`` [points, objectives] on the Pareto front, in order of the first.

    All objectives are to be small; of equal rows the first counts. Points are taken in
    lexicographic order, in which nothing that comes later is better than what is kept.
    """
    costs = np.asarray(costs, dtype=np.float64)
    there = _not_dominated_by_their_like(costs) if costs.shape[1] == 3 else np.arange(len(costs))
    kept: list[int] = []
    for number in there[np.lexsort(costs[there].T[::-1])]:
        if not (costs[kept] <= costs[number]).all(axis=1).any():
            kept.append(int(number))
    return np.array(kept, dtype=np.int64)


def _not_dominated_by_their_like(costs: np.ndarray) -> np.ndarray:
    """Return the rows, in order, that none with the same second objective is better than.

    A large space has few different latencies, so this leaves few points to be compared.
    """
    order = np.lexsort((costs[:, 2], costs[:, 0], costs[:, 1]))
    starts = np.flatnonzero(np.diff(costs[order, 1], prepend=np.nan) != 0)
    kept = []
    for group in np.split(order, starts[1:]):
        third = costs[group, 2]
        least = np.concatenate([[np.inf], np.minimum.accumulate(third)[:-1]])
        kept.append(group[third < least])
    return np.sort(np.concatenate(kept)) if kept else order
