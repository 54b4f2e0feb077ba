"""Looks for an order of the rows that takes fewer cycles: simulated annealing of priorities."""

import math
import random
from collections.abc import Mapping, Sequence

from bitformer.hw import timing
from bitformer.hw.design import Geometry
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.program import Destination
from bitformer.hw.timetable import RowTask, Schedule
from bitformer.model.progress import Progress, silent

__all__ = ["better_priorities", "last_output"]

#: Cycles by which a worse order is readily taken at first; at the end none is.
_HEAT = 2.0


def last_output(timeline: Schedule) -> int:
    """Return the cycle in which the last result is given out, where nobody keeps it waiting."""
    last = -1
    for event in timeline.events:
        if event.row.operation.destination is Destination.OUTPUT:
            for written in event.writes:
                last = max(last + 1, int(written) + timing.OUTPUT)
    return last


def better_priorities(
    layers: Mapping[str, Sequence[RowTask]],
    priorities: Priorities,
    geometry: Geometry,
    *,
    tries: int,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Priorities]:
    """Return the priorities that were the best so far as each was found, the best of all last.

    A timetable is the better the earlier its last result is out, and of equal ones, the earlier its
    post-processor is done. The same arguments give the same list on every machine.

    Parameters
    ----------
    layers, priorities, geometry :
        As :func:`bitformer.hw.lowering.schedule.schedule` takes them.
    tries : int
        Timetables to make.
    seed : int
        Of the random changes.
    progress : callable
        Called after each.
    """

    def value(priorities: Priorities) -> tuple[int, int]:
        timeline = schedule(layers, priorities, geometry)
        return last_output(timeline), timeline.drained

    chance, found = random.Random(seed), []
    now = best = value(priorities)
    for number in range(tries):
        other = priorities.changed(chance)
        got = value(other)
        heat = _HEAT * (1 - number / tries)
        worse = got[0] - now[0]
        if worse <= 0 or chance.random() < math.exp(-worse / heat):
            priorities, now = other, got
            if got < best:
                best = got
                found.append(other)
        progress(number + 1, tries, f"{best[0] + 1} cycles")
    return found
