"""How many rows and words wait in the queues of a design: as its schedule has it, and no more.

What waits is of rows that are issued, and these go on whatever holds the next one. So a queue is
never fuller than in a schedule without waits.
"""

from collections import deque
from dataclasses import dataclass, replace

from bitformer.hw.design import Design
from bitformer.hw.program import Destination
from bitformer.hw.timing import ADDRESS, PRODUCT

__all__ = ["Queues", "queues_of"]


@dataclass(frozen=True, kw_only=True)
class Queues:
    """What waits at most.

    Parameters
    ----------
    rows : int
        Rows that are issued and not drained yet; at least 1.
    keys : int
        Words of a key behind the one that is being written; 0 where they never wait.
    statistics : int
        Rows whose statistics wait for their LayerNorm; at least 1.
    apart : int
        Cycles from the end of such a row to that of the next, at least.
    """

    rows: int
    keys: int
    statistics: int
    apart: int


def queues_of(design: Design) -> Queues:
    """Return what waits at most in a design's queues."""
    found = [_of(replace(design, schedule=one)) for one in (design.schedule, *design.first_lap)]
    return Queues(
        rows=max(one.rows for one in found),
        keys=max(one.keys for one in found),
        statistics=max(one.statistics for one in found),
        apart=min(one.apart for one in found),
    )


def _of(design: Design) -> Queues:
    rows, keys = _rows(design), _keys(_key_words(design))
    return Queues(rows=rows, keys=keys, statistics=_statistics(design), apart=_apart(design))


def _rows(design: Design) -> int:
    """Count rows that wait to be drained, each from its issue until its first column is taken."""
    most, waiting = 1, deque[int]()
    for event in design.schedule.events:
        op = event.row.operation
        if not op.matrix:
            continue
        while waiting and waiting[0] < event.issue:
            waiting.popleft()
        waiting.append(event.issue + ADDRESS + op.length + PRODUCT - 2)
        most = max(most, len(waiting))
    return most


def _key_words(design: Design) -> dict[int, int]:
    """Return the results that come to the writer of keys, by their cycle."""
    found: dict[int, int] = {}
    if design.geometry.rows > 1:
        return found  # none wait: a block is written as it comes
    for event in design.schedule.events:
        if event.row.operation.destination is Destination.KEY:
            for cycle in event.writes.tolist():
                found[cycle] = found.get(cycle, 0) + 1
    return found


def _keys(words: dict[int, int]) -> int:
    """Count words that wait while the one in hand is written, a result a cycle."""
    most = hand = 0
    waiting: deque[int] = deque()
    for cycle in range(min(words, default=0), max(words, default=-1) + 1):
        come = words.get(cycle, 0)
        if come:
            waiting.append(come)
        hand = max(0, hand - 1)
        if not hand and waiting:
            hand = waiting.popleft()
        most = max(most, len(waiting))
    return most


def _statistics(design: Design) -> int:
    """Count rows with statistics, in the order of issue: a norm takes them soon after its own.

    Of a block's rows, so many wait behind each post-processor as it has turns.
    """
    most = waiting = 0
    for event in design.schedule.events:
        op, rounds = event.row.operation, design.geometry.rounds(event.row.count)
        waiting += rounds * (int(op.statistics and event.row.completes) - int(op.normalize))
        most = max(most, waiting)
    return max(1, most)


def _apart(design: Design) -> int:
    """Return the fewest cycles between the ends of rows with statistics, window after window.

    They are those of one post-processor: the first, which has a row in each turn.
    """
    posts = design.geometry.posts
    ends = sorted(
        int(cycle)
        for event in design.schedule.events
        if event.row.operation.statistics
        for cycle in event.by_row.max(axis=1)[::posts]
    )
    if not ends:
        return 1
    following = [*ends[1:], ends[0] + design.interval]
    return max(1, min(after - end for end, after in zip(ends, following, strict=True)))
