"""The rows of a program and the cycle of each, as plain data."""

from dataclasses import dataclass, field

import numpy as np

from bitformer.hw.program import MachineOperation

__all__ = ["Event", "Read", "RowTask", "Schedule"]


@dataclass(frozen=True, kw_only=True)
class Read:
    """What is read of a tensor: its row ``row``, or its first ``rows`` rows.

    The engine reads a row's elements one a cycle from its first address on; with ``post``, the
    post-processor reads them as its slots pass. Several ``rows`` are read at any time (keys), or
    with a ``feature`` one element of each, a row a cycle. A block of ``count`` rows from ``row``
    on, ``step`` apart, is read side by side. With ``line``, the first rows are read one
    after another, those of a block side by side. Before the row, the engine reads ``passed``
    elements that were there already.
    """

    tensor: str
    row: int = 0
    rows: int = 0
    post: bool = False
    feature: int | None = None
    count: int = 1
    step: int = 1
    line: bool = False
    passed: int = 0

    @property
    def numbers(self) -> range:
        """The rows that are read."""
        if self.rows:
            return range(self.rows)
        return range(self.row, self.row + self.count * self.step, self.step)


@dataclass(frozen=True, kw_only=True)
class RowTask:
    """One instruction to be: an operation, the row it writes and the rows it reads.

    A block of rows side by side has ``count`` of them, ``step`` apart. It writes ``features``
    results of each, from the tensor's feature ``first`` on; ``begins`` and ``completes`` say
    whether they are the row's first and last. The engine begins with element
    ``start`` of what it reads: of the window, or of the first tensor. It waits until
    ``needed_inputs`` words of the window are there, and is issued after a row that waited until
    ``after_inputs`` were.
    """

    operation: MachineOperation
    tensor: str
    row: int
    first: int
    features: int
    reads: tuple[Read, ...]
    start: int = 0
    needed_inputs: int = 0
    after_inputs: int = 0
    begins: bool = True
    completes: bool = True
    count: int = 1
    step: int = 1

    @property
    def numbers(self) -> range:
        """The rows that are written."""
        return range(self.row, self.row + self.count * self.step, self.step)


@dataclass(kw_only=True)
class Event:
    """A scheduled row: issue, the cycle of each result's write, the last reads of both readers.

    ``writes`` has the results of a block row after row.
    """

    row: RowTask
    issue: int
    reason: str
    writes: np.ndarray
    engine_last: int = 0
    post_last: int = 0

    @property
    def by_row(self) -> np.ndarray:
        """The writes of each row of a block: [rows, features]."""
        return self.writes.reshape(self.row.count, -1)

    @property
    def write_first(self) -> int:
        return int(self.writes.min())

    @property
    def write_last(self) -> int:
        return int(self.writes.max())


@dataclass(kw_only=True)
class Schedule:
    """Events in order of issue; ``drained`` is the last slot of the post-processor."""

    events: list[Event] = field(default_factory=list)
    drained: int = 0
