"""Orders the rows of all layers and gives each its cycle: a list scheduler with exact timing.

Rows are issued in order, one instruction at a time. A row may start when the engine is free, the
data it reads will be there when its read reaches it, and its results find the post-processor
free. Of the rows that can start first, the one furthest down the network goes first, so that
results die young and their memory is reused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitformer.hw import timing
from bitformer.hw.program import Destination, Operation
from bitformer.hw.timetable import Event, Read, Row, Schedule, Stage

__all__ = ["schedule"]


@dataclass
class _Tensor:
    """When each element can be read, per row, and how many pieces of a row are still missing."""

    ready: dict[int, np.ndarray]
    complete: set[int]


class _Timeline:
    def __init__(self, columns: int, ways: int, vector_delay: int, post: int, statistics: int):
        self.columns, self.ways = columns, ways
        self.vector_delay, self.post, self.after = vector_delay, post, statistics
        self.tensors: dict[str, _Tensor] = {}
        self.post_busy: list[tuple[int, int]] = []
        self.engine_free = self.next_issue = 0
        self.stall_guard = self.drain_end = 0
        self.queue: list[int] = []
        self.statistics: list[tuple[str, int]] = []
        self.key_free = 0
        self.score_free = 0
        self.arrived = 0

    def columns_of(self, op: Operation) -> int:
        """Columns that the operation uses."""
        return op.columns or self.columns

    def slots(self, row: Row) -> np.ndarray:
        """Slot of each result relative to issue (the accumulator's cycle), one per feature."""
        op = row.operation
        feature = np.arange(row.features)
        if not op.matrix:
            return timing.ADDRESS + self.vector_delay + feature // (1 if op.wide else self.ways)
        per_column = self.ways if op.packed else 1
        column = feature // per_column + op.skip
        group = column // self.columns_of(op)
        base = timing.ADDRESS + op.length - 1 + timing.PRODUCT
        return base + group * op.pitch + column % self.columns_of(op)

    def windows(self, row: Row, issue: int) -> list[tuple[int, int]]:
        """Intervals in which the row holds the post-processor."""
        op = row.operation
        if not op.matrix:
            start = issue + timing.ADDRESS
            return [(start - 1, start + op.slots + self.vector_delay)]
        start = issue + timing.ADDRESS + op.length - 1 + timing.PRODUCT
        counts = [self.columns_of(op)] * (op.groups - 1) + [op.last_columns]
        return [
            (start + g * op.pitch - 1, start + g * op.pitch + count)
            for g, count in enumerate(counts)
        ]

    def post_conflict(self, row: Row, issue: int) -> int:
        """Cycles by which the row must wait for the post-processor; 0 when it is free."""
        delay = 0
        for start, end in self.windows(row, issue):
            for busy_start, busy_end in self.post_busy:
                # a drain may prepare (its first cycle) while another ends
                if start + 1 < busy_end and busy_start + 1 < end:
                    delay = max(delay, busy_end - start - 1)
        return delay

    def earliest(self, row: Row) -> tuple[int, str]:
        """First cycle in which the row can be issued, and what it waits for."""
        op = row.operation
        bounds = [(self.next_issue, "issue")]
        if op.matrix:
            bounds.append((self.engine_free, "engine"))
            if len(self.queue) >= timing.QUEUE:
                bounds.append((self.queue[-timing.QUEUE] + 1, "queue"))
        elif op.slots:
            bounds.append((self.stall_guard, "drain before a stall"))
        if row.needed_inputs:
            bounds.append((row.needed_inputs, "input"))
        slots = self.slots(row)
        for read in row.reads:
            bounds.append((self.data_bound(op, read, slots), read.tensor))
        if op.destination in (Destination.KEY, Destination.VALUE):
            # keys are written behind their results, through the port that values take at once
            bounds.append((self.key_free + 1 - int(slots[0]) - self.post, "key writer"))
        if op.destination is Destination.SCORE:
            bounds.append((self.score_free - int(slots[0]) - self.post, "score maximum"))
        issue, reason = max(bounds, key=lambda b: b[0])
        while wait := self.post_conflict(row, issue):
            issue, reason = issue + wait, "post-processor"
        return issue, reason

    def data_bound(self, op: Operation, read: Read, slots: np.ndarray) -> int:
        tensor = self.tensors[read.tensor]
        if read.rows:
            return max(int(tensor.ready[n].max()) for n in read.numbers) - timing.ADDRESS
        ready = tensor.ready[read.row]
        if not read.post:
            return int((ready - np.arange(len(ready))).max()) - timing.ADDRESS
        if not op.matrix:
            slots = slots - self.vector_delay
        words = np.arange(len(ready))
        if not op.wide:
            words -= words % self.ways
        return int((ready - slots[words]).max())

    def available(self, row: Row) -> bool:
        """Whether everything the row reads has been issued."""
        for read in row.reads:
            tensor = self.tensors.get(read.tensor)
            if tensor is None or not tensor.complete.issuperset(read.numbers):
                return False
        op = row.operation
        if op.statistics and len(self.statistics) >= timing.STATISTICS_QUEUE:
            return False
        if op.normalize:
            return bool(self.statistics) and self.statistics[0] == (row.reads[0].tensor, row.row)
        return True

    def commit(self, row: Row, issue: int, reason: str, stage: str) -> Event:
        op = row.operation
        writes = issue + self.slots(row) + self.post
        event = Event(row=row, issue=issue, stage=stage, reason=reason, writes=writes)
        windows = self.windows(row, issue)
        self.next_issue = issue + timing.MIN_ISSUE
        if op.matrix:
            # it waits for what has not been waited for before
            if row.needed_inputs > self.arrived or op.wait_output:
                self.stall_guard = max(self.stall_guard, self.drain_end)
            self.arrived = max(self.arrived, row.needed_inputs)
            length = (op.groups - 1) * op.pitch + op.length
            self.engine_free = issue + length
            event.engine_last = issue + timing.ADDRESS + length
            self.drain_end = max(self.drain_end, windows[-1][1])
            self.queue.append(windows[0][0])
        event.post_last = windows[-1][1] + 1
        self.post_busy = [w for w in self.post_busy if w[1] > issue] + windows
        self.record(row, writes)
        if op.statistics and row.completes:
            self.statistics.append((row.tensor, row.row))
        if op.normalize:
            self.statistics.pop(0)
        return event

    def record(self, row: Row, writes: np.ndarray) -> None:
        """Note when the results can be read."""
        op = row.operation
        ready = writes + timing.WRITTEN
        if op.destination is Destination.KEY:
            for i in range(len(ready)):
                self.key_free = max(int(writes[i]), self.key_free) + 1
                ready[i] = self.key_free + timing.KEYED
        elif op.destination is Destination.VALUE:
            ready = writes + timing.KEPT
        elif op.destination is Destination.SCORE:
            ready[:] = int(writes.max()) + timing.SCORED
            self.score_free = int(writes.max()) + timing.SCORED
        if op.statistics:
            ready[:] = np.maximum(ready, int(writes.max()) + self.after)
        tensor = self.tensors.setdefault(row.tensor, _Tensor({}, set()))
        if row.begins:
            tensor.ready[row.row] = ready
        else:
            tensor.ready[row.row] = np.concatenate([tensor.ready[row.row], ready])
        if row.completes:
            tensor.complete.add(row.row)


def schedule(
    stages: Sequence[Stage],
    *,
    columns: int,
    ways: int,
    vector_delay: int,
    post: int = timing.POST,
    statistics: int = timing.STATISTICS,
) -> Schedule:
    """Give every row of every stage its place and cycle; cycle 0 accepts the first input."""
    line = _Timeline(columns, ways, vector_delay, post, statistics)
    result = Schedule()
    pending = {stage.name: list(stage.rows) for stage in stages}
    ranks = {stage.name: stage.rank for stage in stages}
    while any(pending.values()):
        best = None
        for name, rows in pending.items():
            if not rows or not line.available(rows[0]):
                continue
            issue, reason = line.earliest(rows[0])
            if best is None or (issue, -ranks[name]) < best[0]:
                best = ((issue, -ranks[name]), name, reason)
        if best is None:
            stuck = [name for name, rows in pending.items() if rows]
            raise RuntimeError(f"Rows must depend on rows before them, but {stuck} wait for ever")
        (issue, _), name, reason = best
        row = pending[name].pop(0)
        event = line.commit(row, issue, reason, name)
        result.events.append(event)
        result.drained = max(result.drained, event.post_last)
        if row.operation.matrix:
            op = row.operation
            result.busy += op.groups * op.length
    return result
