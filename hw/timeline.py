"""Where the cycles of an inference go: each layer's time on the engine, and what it waits for."""

from collections import Counter
from dataclasses import dataclass

from bitformer.hw import timing
from bitformer.hw.design import Design

__all__ = ["LayerUse", "Span", "layer_use", "spans"]


@dataclass(frozen=True, kw_only=True)
class LayerUse:
    """One layer's share: rows, multiply-accumulates a DSP cycle did, cycles waited before rows.

    ``engine`` : cycles in which the engine took an activation. ``post`` : slots of the
    post-processor. ``waits`` : cycles in which the engine stood still until one of this layer's
    rows could be issued, by what the row waited for.
    """

    layer: str
    rows: int
    first: int
    last: int
    engine: int
    post: int
    waits: dict[str, int]

    @property
    def waited(self) -> int:
        """All cycles waited."""
        return sum(self.waits.values())


@dataclass(frozen=True, kw_only=True)
class Span:
    """Cycles ``start`` to ``end`` in which a row held the engine or the post-processor."""

    layer: str
    unit: str
    start: int
    end: int


def layer_use(design: Design) -> list[LayerUse]:
    """Use of the engine by layer, in order of first issue; waits of the tail count as ``drain``.

    The engine's cycles and all waits add up to the design's interval.
    """
    order: dict[str, dict] = {}
    free = design.schedule.events[0].issue
    for event in design.schedule.events:
        op = event.row.operation
        use = order.setdefault(
            event.row.tensor,
            {
                "rows": 0,
                "first": event.issue,
                "last": 0,
                "engine": 0,
                "post": 0,
                "waits": Counter(),
            },
        )
        use["rows"] += 1
        use["last"] = max(use["last"], event.write_last)
        use["post"] += len(set(event.writes.tolist()))
        if op.matrix:
            if event.issue > free:
                use["waits"][event.reason] += event.issue - free
            length = (op.groups - 1) * op.pitch + op.length
            use["engine"] += op.groups * op.length
            if length > op.groups * op.length:
                use["waits"]["drain of the group before"] += length - op.groups * op.length
            free = max(free, event.issue) + length
    uses = [
        LayerUse(layer=layer, **{**use, "waits": dict(use["waits"])})
        for layer, use in order.items()
    ]
    end = design.schedule.events[0].issue + design.interval
    tail = LayerUse(
        layer="(end)",
        rows=0,
        first=free,
        last=end,
        engine=0,
        post=0,
        waits={"last results": end - free} if end > free else {},
    )
    return [*uses, tail]


def spans(design: Design) -> list[Span]:
    """Every row's time on the engine and on the post-processor, for a picture."""
    found = []
    for event in design.schedule.events:
        op = event.row.operation
        start = event.issue + timing.ADDRESS
        if op.matrix:
            length = (op.groups - 1) * op.pitch + op.length
            found.append(
                Span(layer=event.row.tensor, unit="engine", start=start, end=start + length)
            )
        unit = "post-processor"
        found.append(
            Span(
                layer=event.row.tensor,
                unit=unit,
                start=event.write_first - design.geometry.post,
                end=event.write_last - design.geometry.post + 1,
            )
        )
    return found
