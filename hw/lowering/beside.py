"""What runs beside the main path: which tensors these are, and when a stream's are made.

A window has many rows, and what does not depend on the main path fills their gaps. A step of a
stream has few, and long products beside them, which the main path would wait for: they wait
themselves until it leaves the engine alone for as long as can be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from bitformer.hw.design import Geometry
from bitformer.hw.lowering.effort import last_output
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import schedule
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
    """Return priorities with which the rows of ``tensors`` wait for the gap that costs least."""

    def waiting(cycles: int) -> Priorities:
        waits = {name: (-cycles,) * len(tasks[name]) for name in tensors}
        return replace(priorities, early={**priorities.early, **waits})

    def value(other: Priorities) -> tuple[int, int]:
        timeline = schedule(tasks, other, geometry)
        return last_output(timeline), timeline.drained

    return min(map(waiting, _PATIENCE), key=value) if tensors else priorities
