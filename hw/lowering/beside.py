"""What runs beside the main path: which tensors these are, and when a stream's are made.

A window has many rows, and what does not depend on the main path fills their gaps. A step of a
stream has few, and long products beside them, which the main path would wait for: they wait
themselves until it leaves the engine alone for as long as can be.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bitformer.hw.design import Geometry
from bitformer.hw.lowering.effort import last_output
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.program import Destination
from bitformer.hw.timetable import RowTask
from bitformer.model.ir import IntegerModel

__all__ = ["beside", "patient"]

#: Cycles that rows beside the main path may let it go first by.
_PATIENCE = range(0, 129, 8)


def beside(model: IntegerModel) -> set[str]:
    """Return the tensors that do not depend on the first layer: a decoder's, before they meet."""
    after = {model.linears[0].y}
    for op in model.operations:
        if after.intersection(op.reads):
            after.add(op.y)
    return model.writers.keys() - after


def patient(
    tasks: Mapping[str, Sequence[RowTask]],
    priorities: Priorities,
    tensors: Collection[str],
    geometry: Geometry,
) -> Priorities:
    """Return priorities with which the rows of ``tensors`` wait for the gap that costs least.

    So do all rows whose sums are kept, for the next step: these may wait longer than the others.
    """
    kept = {
        name: [row.operation.destination is Destination.SUMS for row in rows]
        for name, rows in tasks.items()
    }

    def waiting(sums: int, others: int) -> Priorities:
        waits = {
            name: tuple(-sums if one else -others * (name in tensors) for one in rows)
            for name, rows in kept.items()
        }
        return replace(priorities, early={**priorities.early, **waits})

    def value(cycles: tuple[int, int]) -> tuple[int, int]:
        timeline = schedule(tasks, waiting(*cycles), geometry)
        return last_output(timeline), timeline.drained

    if not tensors and not any(itertools.chain(*kept.values())):
        return priorities
    best = min(((cycles, cycles) for cycles in _PATIENCE), key=value)
    if any(itertools.chain(*kept.values())):
        best = min(((best[0], cycles) for cycles in _PATIENCE), key=value)
    return waiting(*best)
