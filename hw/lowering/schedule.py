"""Orders the rows of all layers and gives each its cycle: a list scheduler with exact timing.

Rows are issued in order, one instruction at a time. A row may start when the engine is free, the
data it reads will be there when its read reaches it, and its results find the post-processor
free. Of the rows that can start first, priorities (:mod:`.priorities`) say which does: the one
furthest down the network, so that results die young and their memory is reused, where no search has
found better ones (:mod:`.effort`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from bitformer.hw import timing
from bitformer.hw.design import Geometry
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.program import Destination, MachineOperation
from bitformer.hw.timetable import Event, Read, RowTask, Schedule

__all__ = ["schedule"]

#: Guesses, at most, of when the rows are there that the engine's last row reads behind all else.
_GUESSES = 3


class _Timeline:
    """The units' state after the rows that have been issued; of each row when it can be read."""

    def __init__(self, geometry: Geometry, expected: Mapping[tuple[str, int], np.ndarray]):
        self.geometry, self.ways, self.expected = geometry, geometry.ways, expected
        self.vector_delay, self.post = geometry.vector_delay, geometry.post
        self.after = geometry.statistics
        self.ready: dict[tuple[str, int], np.ndarray] = {}
        self.complete: set[tuple[str, int]] = set()
        self.post_busy: list[tuple[int, int]] = []
        self.engine_free = self.next_issue = self.key_free = self.kept = self.score_free = 0
        self.stall_guard = self.drain_end = self.arrived = 0
        self.queue: list[int] = []
        self.statistics: list[tuple[str, int]] = []
        #: From when on sums can be gone on with, by tensor and row; those of before are there.
        self.sums: dict[tuple[str, int], np.ndarray] = {}

    def slots(self, row: RowTask) -> np.ndarray:
        """Return the slot of each result after issue: its accumulator's cycle, [rows, features].

        Of a block's rows, the post-processors take so many at a time as there are, group by group.
        """
        op = row.operation
        feature, turn = (
            np.arange(row.features),
            np.arange(row.count)[:, None] // self.geometry.posts,
        )
        if not op.matrix:
            start = timing.ADDRESS + self.vector_delay + turn * op.slots
            return start + feature // (1 if op.wide else self.ways)
        per_column = self.ways if op.packed else 1
        column = feature // per_column + op.skip
        group = column // op.columns
        taken = np.where(group < op.groups - 1, op.columns, op.last_columns)
        base = timing.ADDRESS + op.length - 1 + timing.PRODUCT + self.late(op)
        return base + group * op.pitch + turn * taken + column % op.columns

    def late(self, op: MachineOperation) -> int:
        """Return the cycles by which the results of an operation come later than others'."""
        return self.geometry.split_delay if op.split else 0

    def windows(self, row: RowTask, issue: int) -> list[tuple[int, int]]:
        """Return the intervals in which the row holds the post-processor."""
        op, rounds = row.operation, self.geometry.rounds(row.count)
        if not op.matrix:
            start = issue + timing.ADDRESS
            return [(start - 1, start + op.slots * rounds + self.vector_delay)]
        start = issue + timing.ADDRESS + op.length - 1 + timing.PRODUCT
        counts = [op.columns] * (op.groups - 1) + [op.last_columns]
        return [
            (start + g * op.pitch - 1, start + g * op.pitch + count * rounds + self.late(op))
            for g, count in enumerate(counts)
        ]

    def post_conflict(self, row: RowTask, issue: int) -> int:
        """Return the cycles that the row must wait for the post-processor; 0 when it is free."""
        delay = 0
        for start, end in self.windows(row, issue):
            for busy_start, busy_end in self.post_busy:
                # a drain may prepare (its first cycle) while another ends
                if start + 1 < busy_end and busy_start + 1 < end:
                    delay = max(delay, busy_end - start - 1)
        return delay

    def earliest(self, row: RowTask) -> tuple[int, str]:
        """Return the first cycle in which the row can be issued, and what it waits for."""
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
        kept = op.destination in (Destination.KEY, Destination.VALUE)
        if kept and self.geometry.rows == 1:
            # keys are written behind their results, through the port that values take at once
            free = self.key_free
            if op.destination is Destination.KEY and not op.matrix:
                # nor may they be in the way of results that are on their way through the engine
                free = max(free, self.kept)
            bounds.append((free + 1 - int(slots[0, 0]) - self.post, "key writer"))
        if op.destination is Destination.SCORE:
            bounds.append((self.score_free - int(slots[0, 0]) - self.post, "score maximum"))
        if op.resumes and (row.tensor, row.row) in self.sums:
            bounds.append((int((self.sums[row.tensor, row.row] - slots).max()), "sums"))
        issue, reason = max(bounds, key=lambda b: b[0])
        while wait := self.post_conflict(row, issue):
            issue, reason = issue + wait, "post-processor"
        return issue, reason

    def data_bound(self, op: MachineOperation, read: Read, slots: np.ndarray) -> int:
        """Return the first issue at which what is read is there when its read reaches it."""
        if read.feature is not None:
            column = [self.ready[read.tensor, number][read.feature] for number in read.numbers]
            return int((np.array(column) - np.arange(len(column))).max()) - timing.ADDRESS
        if read.rows:
            bounds = []
            for number in read.numbers:
                ready = self.ready[read.tensor, number]
                block = number // self.geometry.rows if read.line else 0
                passed = np.arange(len(ready)) + block * len(ready) if read.line else 0
                bounds.append(int((ready - passed).max()))
            return max(bounds) - timing.ADDRESS
        known = {**self.expected, **self.ready} if read.passed else self.ready
        ready = np.stack([known[read.tensor, number] for number in read.numbers])
        words = np.arange(ready.shape[1])
        if not read.post:
            return int((ready - words).max()) - timing.ADDRESS - read.passed
        if not op.matrix:
            slots = slots - self.vector_delay
        if not op.wide:
            words -= words % self.ways
        return int((ready - slots[:, words]).max())

    def available(self, row: RowTask, *, last: bool) -> bool:
        """Return True if everything that the row reads has been issued.

        Or is expected, if the row is the ``last`` one of the engine's.
        """
        op = row.operation
        late = last and self.expected
        reads = (
            (read.tensor, number)
            for read in row.reads
            if not (late and read.passed)
            for number in read.numbers
        )
        if row.after_inputs > self.arrived or not self.complete.issuperset(reads):
            return False
        rounds = self.geometry.rounds(row.count)
        if op.statistics and len(self.statistics) + rounds > timing.STATISTICS_QUEUE:
            return False
        if op.normalize:
            return bool(self.statistics) and self.statistics[0] == (row.reads[0].tensor, row.row)
        return True

    def commit(self, row: RowTask, issue: int, reason: str) -> Event:
        """Issue a row, and return its event."""
        op = row.operation
        writes = (issue + self.slots(row) + self.post).reshape(-1)
        event = Event(row=row, issue=issue, reason=reason, writes=writes)
        windows = self.windows(row, issue)
        self.next_issue = issue + timing.MIN_ISSUE
        if op.matrix:
            # the first row to stall on this part of the input, or on the room for results
            if row.needed_inputs > self.arrived or op.wait_output:
                self.stall_guard = max(self.stall_guard, self.drain_end)
            self.arrived = max(self.arrived, row.needed_inputs)
            self.engine_free = issue + op.cycles
            event.engine_last = issue + timing.ADDRESS + op.cycles
            self.drain_end = max(self.drain_end, windows[-1][1])
            self.queue.append(windows[0][0])
        event.post_last = windows[-1][1] + 1
        self.post_busy = [w for w in self.post_busy if w[1] > issue] + windows
        self.record(row, event.by_row)
        # one entry for each round: they wait side by side, one behind each post-processor
        rounds = self.geometry.rounds(row.count)
        if op.statistics and row.completes:
            self.statistics += [(row.tensor, row.row)] * rounds
        if op.normalize:
            del self.statistics[:rounds]
        return event

    def record(self, row: RowTask, writes: np.ndarray) -> None:
        """Note when the results can be read."""
        op = row.operation
        ready, last = writes + timing.WRITTEN, writes.max(axis=1, keepdims=True)
        if op.destination is Destination.SUMS:
            self.sums[row.tensor, row.row] = writes - self.post + timing.SUMMED
            return
        if op.destination in (Destination.KEY, Destination.VALUE):
            self.kept = max(self.kept, int(writes.max()))
        if op.destination is Destination.KEY and self.geometry.rows == 1:
            for i, written in enumerate(writes[0]):
                self.key_free = max(int(written), self.key_free) + 1
                ready[0, i] = self.key_free + timing.KEYED
        elif op.destination in (Destination.KEY, Destination.VALUE):
            ready = writes + timing.KEPT
        elif op.destination is Destination.SCORE:
            ready[:] = last + timing.SCORED
            self.score_free = int(writes.max()) + timing.SCORED
        if op.statistics:
            ready = np.maximum(ready, last + self.after)
        for number, own in zip(row.numbers, ready, strict=True):
            key = row.tensor, number
            self.ready[key] = own if row.begins else np.concatenate([self.ready[key], own])
            if row.completes:
                self.complete.add(key)


def schedule(
    layers: Mapping[str, Sequence[RowTask]], priorities: Priorities, geometry: Geometry
) -> Schedule:
    """Give every row of every layer its place and cycle; cycle 0 accepts the first input.

    A layer's rows are issued in their order. Of layers whose next row could be issued, the
    ``priorities`` of these rows say which goes first. The engine's last row does not wait for what
    it reads behind all else, if that will be there in time.
    """
    result, line = _scheduled(layers, priorities, geometry, {})
    late = {
        (read.tensor, number)
        for rows in layers.values()
        for row in rows
        for read in row.reads
        if read.passed
        for number in read.numbers
    }
    expected = {key: line.ready[key] for key in late}
    for _ in range(_GUESSES if late else 0):
        other, line = _scheduled(layers, priorities, geometry, expected)
        there = {key: line.ready[key] for key in late}
        if all((there[key] <= expected[key]).all() for key in late):
            return min(result, other, key=lambda one: one.drained)
        expected = {key: np.maximum(there[key], expected[key]) for key in late}
    return result


def _scheduled(
    layers: Mapping[str, Sequence[RowTask]],
    priorities: Priorities,
    geometry: Geometry,
    expected: Mapping[tuple[str, int], np.ndarray],
) -> tuple[Schedule, _Timeline]:
    """Return a timetable, and the units' state behind it.

    ``expected`` : cycles from which rows of tensors can be read that may be issued too late.
    """
    line = _Timeline(geometry, expected)
    result = Schedule()
    following = dict.fromkeys(layers, 0)
    left = sum(len(rows) for rows in layers.values())
    products = sum(row.operation.matrix for rows in layers.values() for row in rows)
    while left:
        first = {n: layers[n][k] for n, k in following.items() if k < len(layers[n])}
        issues = {
            n: line.earliest(row)
            for n, row in first.items()
            if line.available(row, last=products == 1)
        }
        if not issues:
            raise RuntimeError(
                f"Rows must depend on rows before them, but {[*first]} wait for ever"
            )
        name = min(issues, key=lambda name: priorities.key(name, following[name], issues[name][0]))
        event = line.commit(first[name], *issues[name])
        following[name] += 1
        left -= 1
        products -= first[name].operation.matrix
        result.events.append(event)
        result.drained = max(result.drained, event.post_last)
    return result, line
