"""Which element of which tensor each result of the hardware is, in the order of the timetable."""

from dataclasses import dataclass

from bitformer.hw.design import Design
from bitformer.hw.program import Destination, Source
from bitformer.hw.timetable import Event, RowTask, Schedule

__all__ = ["Difference", "Place", "Trace"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An element of a tensor."""

    tensor: str
    row: int
    feature: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first element that the hardware got wrong."""

    tensor: str
    row: int
    feature: int
    expected: int
    got: int
    cycle: int
    sample: int

    def __str__(self) -> str:
        return (
            f"{self.tensor}[{self.row}, {self.feature}] of sample {self.sample} must be "
            f"{self.expected}, not {self.got}, in cycle {self.cycle}"
        )


class Trace:
    """The places of one inference's results, in three sequences.

    ``schedule`` : that of the inference, by default the design's.

    Attributes
    ----------
    drain, vector
        Slots of results of the matrix engine and of rows; a slot has a place, or None, for each of
        the ways of each post-processor.
    operand
        Activations that are read from the input, a place or None for each token row.
    """

    def __init__(self, design: Design, schedule: Schedule | None = None):
        self._design, self._output = design, design.model.output.name
        self.drain: list[tuple[Place | None, ...]] = []
        self.vector: list[tuple[Place | None, ...]] = []
        self.operand: list[tuple[Place | None, ...]] = []
        for event in (schedule or design.schedule).events:
            op = event.row.operation
            if op.destination is not Destination.SUMS:
                sequence = self.drain if op.matrix else self.vector
                sequence += self._slots(event)
            if op.matrix and op.source is Source.INPUT:
                self.operand += self._operands(event.row) * op.groups

    def _slots(self, event: Event) -> list[tuple[Place | None, ...]]:
        """Return the slots of an event, cycle after cycle, by post-processor and way."""
        row, op, geometry = event.row, event.row.operation, self._design.geometry
        ways, posts, step = geometry.ways, geometry.posts, geometry.rows
        slots: dict[int, list[Place | None]] = {}
        for number, (token, cycles) in enumerate(zip(row.numbers, event.by_row, strict=True)):
            lane = number if row.count > 1 else op.lane % step
            for feature, cycle in enumerate(cycles.tolist()):
                way = 0 if op.wide_y else feature % ways
                slot = slots.setdefault(cycle, [None] * (ways * posts))
                place = Place(tensor=row.tensor, row=token, feature=row.first + feature)
                slot[lane % posts * ways + way] = place
        return [tuple(slots[cycle]) for cycle in sorted(slots)]

    def _operands(self, row: RowTask) -> list[tuple[Place | None, ...]]:
        """Return the activations of a row that reads the window, by token row."""
        geometry, model = self._design.geometry, self._design.model
        steps, found = model.steps, []
        for address in range(row.start, row.start + row.operation.length):
            places: list[Place | None] = []
            for lane in range(geometry.rows):
                element = address
                if geometry.rows > 1:
                    patch, place = divmod(address, geometry.patch)
                    element = (patch * geometry.rows + lane) * geometry.patch + place
                step, feature = divmod(element, steps.features)
                there = step < steps.rows and (row.operation.split or lane < row.count)
                own = Place(tensor=steps.name, row=step, feature=feature)
                places.append(own if there else None)
            found.append(tuple(places))
        return found

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors that are compared."""
        slots = (*self.operand, *self.drain, *self.vector)
        places = [place for slot in slots for place in slot if place]
        return list(dict.fromkeys([*(place.tensor for place in places), self._output]))
