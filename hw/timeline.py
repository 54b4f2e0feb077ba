"""Where the cycles of an inference go: each layer's time on the engine, and what it waits for."""

from dataclasses import dataclass, field
from typing import Any

from bitformer.hw import timing
from bitformer.hw.design import Design
from bitformer.hw.program import Destination
from bitformer.hw.timetable import Event

__all__ = ["LayerUse", "Span", "lane_spans", "layer_use", "spans"]


@dataclass(kw_only=True)
class LayerUse:
    """One layer's share: rows, multiply-accumulates a DSP cycle did, cycles waited before rows.

    What a stream's step sums ahead for a layer of the next one has a share of its own.
    ``engine`` : cycles in which the engine took an activation. ``post`` : slots of the
    post-processor. ``waits`` : cycles in which the engine stood still until one of this layer's
    rows could be issued, by what the row waited for.
    """

    layer: str
    first: int
    rows: int = 0
    last: int = 0
    engine: int = 0
    post: int = 0
    waits: dict[str, int] = field(default_factory=dict)

    def wait(self, reason: str, cycles: int) -> None:
        """Count cycles, if there are any, in which the engine stood still."""
        if cycles > 0:
            self.waits[reason] = self.waits.get(reason, 0) + cycles

    @property
    def waited(self) -> int:
        """All cycles waited."""
        return sum(self.waits.values())


@dataclass(frozen=True, kw_only=True)
class Span:
    """Cycles ``start`` to ``end`` in which a row, or a block of them, held a unit.

    ``unit`` : ``"engine"`` or ``"post-processor"``. ``row`` : the first row that is written, of
    ``rows`` side by side. ``waited`` : cycles in which the engine stood still before ``start``
    because the row waited for ``reason``; 0 of the post-processor.
    """

    layer: str
    unit: str
    start: int
    end: int
    row: int = 0
    rows: int = 1
    waited: int = 0
    reason: str = ""


def _layer(event: Event) -> str:
    """Return what a row counts to: the tensor it writes, or its sums for the next step."""
    row = event.row
    return f"{row.tensor} ahead" if row.operation.destination is Destination.SUMS else row.tensor


def layer_use(design: Design) -> list[LayerUse]:
    """Return the use of the engine by layer, in order of first issue, and a row for the end.

    The engine's cycles and all waits add up to the design's interval.
    """
    uses: dict[str, LayerUse] = {}
    start = free = design.schedule.events[0].issue
    for event in design.schedule.events:
        layer, op = _layer(event), event.row.operation
        use = uses.setdefault(layer, LayerUse(layer=layer, first=event.issue))
        use.rows += 1
        use.last = max(use.last, event.write_last)
        use.post += len(set(event.writes.tolist()))
        if op.matrix:
            use.wait(event.reason, event.issue - free)
            use.wait("drain of the group before", op.cycles - op.groups * op.length)
            use.engine += op.groups * op.length
            free = max(free, event.issue) + op.cycles
    end = start + design.interval
    tail = LayerUse(layer="(end)", first=free, last=end)
    tail.wait("last results", end - free)
    return [*uses.values(), tail]


def spans(design: Design) -> list[Span]:
    """Return every row's time on the engine and on the post-processor, for a picture."""
    found = []
    free = design.schedule.events[0].issue
    for event in design.schedule.events:
        op = event.row.operation
        task: dict[str, Any] = {
            "layer": _layer(event),
            "row": event.row.row,
            "rows": event.row.count,
        }
        start = event.issue + timing.ADDRESS
        if op.matrix:
            waited = max(0, event.issue - free)
            reason = event.reason if waited else ""
            end = start + op.cycles
            found.append(
                Span(**task, unit="engine", start=start, end=end, waited=waited, reason=reason)
            )
            free = max(free, event.issue) + op.cycles
        start, end = event.write_first - design.geometry.post, event.write_last + 1
        end -= design.geometry.post
        found.append(Span(**task, unit="post-processor", start=start, end=end))
    return found


def lane_spans(design: Design) -> list[tuple[str, Span]]:
    """Return the same by token row of the engine, and by post-processor, each with its name.

    A split row takes all token rows, a single one its own; of a block each row takes one. Results
    of a token row go through the post-processor of its number, counted round the post-processors.
    """
    geometry, found = design.geometry, []
    for event in design.schedule.events:
        op = event.row.operation
        lanes = [op.lane] if op.rows == 1 else list(range(event.row.count))
        task: dict[str, Any] = {"layer": _layer(event), "row": event.row.row}
        if op.matrix:
            start = event.issue + timing.ADDRESS
            own = range(geometry.rows) if op.split else lanes
            span = Span(**task, unit="engine", start=start, end=start + op.cycles)
            found += [(f"token row {lane}", span) for lane in own]
        for lane, writes in zip(lanes, event.by_row, strict=True):
            first, last = (int(cycle) - geometry.post for cycle in (writes.min(), writes.max()))
            span = Span(**task, unit="post-processor", start=first, end=last + 1)
            found.append((f"post-processor {lane % geometry.posts}", span))
    return found
