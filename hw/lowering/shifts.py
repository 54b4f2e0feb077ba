"""Brings the requantizers' shifts to few distinct values: each costs the hardware a multiplexer.

``(u*m + (r << s) + 2**(n-1)) >> n`` is unchanged when m and n, s grow or shrink together by a
power of two that divides what must stay an integer. The least number of points that meet every
operation's interval of possible n is found greedily, by right ends.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.model.ir import IntegerModel, Operation

__all__ = ["added_shifts", "common_shifts", "powers_of"]


def _interval(
    model: IntegerModel, op: Operation, *, multiplier: Multiplier, widest: int
) -> tuple[int, int, int]:
    """Return the least and the largest shift that change no result, and the headroom.

    Multipliers may grow to ``widest`` bits, with a sign, and until a sum fills the accumulator, and
    shrink while they stay integers.
    """
    tensors, factors = model.tensors, op.multipliers
    if factors is None:
        return op.shift, op.shift, op.headroom(tensors)
    largest = int(np.abs(factors).max())
    rounding = (1 + abs(op.limits(tensors)[0])) << op.shift
    # no row is normalised where multipliers are fixed
    total = op.multiplicand_bound(tensors, norm_bits=0) * largest + rounding
    total += op.added_bound(tensors)
    room = multiplier.accumulator_bits
    up = min(widest - largest.bit_length(), room - total.bit_length()) - 1
    bits = int(np.bitwise_or.reduce(factors))
    trailing = (bits & -bits).bit_length() - 1 if bits else op.shift
    down = min(
        trailing, max(0, op.shift - 1), op.shift if op.added_shift is None else op.added_shift
    )
    return op.shift - down, op.shift + max(0, up), 0


def _intervals(batch: Batch, places: list[int], multiplier: Multiplier) -> np.ndarray:
    """Return what ``_interval`` says of operations: [3, operations, models].

    An unsigned port has room for a bit more where no multiplier of a model is negative.
    """
    interval = partial(_interval, multiplier=multiplier)
    widest = multiplier.short_bits

    def found(widest: int) -> np.ndarray:
        own = partial(interval, widest=widest)
        return np.stack([batch.values(place, own) for place in places], axis=1).T

    if not multiplier.unsigned:
        return found(widest)
    return np.where(batch.negates, found(widest), found(widest + 1))


def common_shifts(
    batch: Batch, multiplier: Multiplier, wanted: Mapping[str, int] | None = None
) -> np.ndarray:
    """Return the shift to use for each operation: [models, operations]; 0 for those at a port.

    ``wanted``, by tensor written, are used where they change no result.
    """
    operations = batch.first.operations
    places = np.array([place for place, op in enumerate(operations) if not op.at_port])
    low, high, headroom = _intervals(batch, places.tolist(), multiplier)
    # one unit makes all multipliers of a kind, scaled as those with the most headroom
    kinds = [type(operations[place]) for place in places]
    for kind in set(kinds):
        own = [n for n, other in enumerate(kinds) if other is kind]
        lift = headroom[own].max(axis=0) - headroom[own]
        low[own] += lift
        high[own] += lift
    order, models = np.argsort(high, axis=0, kind="stable"), np.arange(len(batch))
    chosen, point = np.zeros_like(high), np.full(len(batch), -1)
    for own in order:
        point = np.where(low[own, models] > point, high[own, models], point)
        chosen[own, models] = point
    if multiplier.unsigned:
        chosen = _lowest(chosen, low)
    asked = np.array([[(wanted or {}).get(operations[p].y, -1)] for p in places])
    found = np.zeros((len(batch), len(operations)), dtype=np.int64)
    found[:, places] = np.where((low <= asked) & (asked <= high), asked, chosen).T
    return found


def _lowest(chosen: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return each point as low as all that meet there allow: [operations, models]."""
    found = chosen.copy()
    for own in range(len(chosen)):
        same = chosen == chosen[own]
        found[own] = np.where(same, low, low.min(axis=0)).max(axis=0)
    return found


def powers_of(batch: Batch, shifts: np.ndarray) -> np.ndarray:
    """Return the powers of two that bring operations to their ``shifts``: [models, operations]."""
    own = [
        batch.values(place, lambda _, op: 0 if op.at_port else op.shift)
        for place in range(shifts.shape[1])
    ]
    return shifts - np.stack(own, axis=1)


def added_shifts(batch: Batch, shifts: np.ndarray) -> np.ndarray:
    """Return the left shifts of what is added: [models, operations]; 0 where nothing is."""
    powers = powers_of(batch, shifts)
    for place, op in enumerate(batch.first.operations):
        adds = op.added_shift is not None
        powers[:, place] += batch.values(place, lambda _, op: op.added_shift) if adds else 0
        powers[:, place] *= adds
    return powers
