"""Which element of which tensor each result of the hardware is, in the order of the timetable."""

from dataclasses import dataclass

from bitformer.hw.design import Design
from bitformer.hw.program import Source
from bitformer.hw.timetable import Schedule

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
        the post-processor's ways.
    operand
        Activations that are read from the input.
    """

    def __init__(self, design: Design, schedule: Schedule | None = None):
        ways, self._output = design.geometry.ways, design.model.output.name
        self.drain: list[tuple[Place | None, ...]] = []
        self.vector: list[tuple[Place | None, ...]] = []
        self.operand: list[Place] = []
        for event in (schedule or design.schedule).events:
            row, op = event.row, event.row.operation
            results = [
                Place(tensor=row.tensor, row=row.row, feature=row.first + f)
                for f in range(row.features)
            ]
            sequence = self.drain if op.matrix else self.vector
            if ways > 1 and (op.wide or (op.matrix and not op.packed)):
                for number, place in enumerate(results):
                    way = 0 if op.wide_y else number % ways
                    sequence.append(tuple(place if w == way else None for w in range(ways)))
            else:
                padded: list[Place | None] = [*results, *[None] * (-len(results) % ways)]
                for start in range(0, len(padded), ways):
                    sequence.append(tuple(padded[start : start + ways]))
            if op.matrix and op.source is Source.INPUT:
                steps = design.model.steps
                self.operand += [
                    Place(tensor=steps.name, row=e // steps.features, feature=e % steps.features)
                    for e in range(row.start, row.start + op.length)
                ] * op.groups

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors that are compared."""
        places = [place for slot in (*self.drain, *self.vector) for place in slot if place]
        return list(dict.fromkeys([*(p.tensor for p in (*self.operand, *places)), self._output]))
