"""Addresses for every row, and the schedule's events as instructions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bitformer.hw import timing
from bitformer.hw.design import Geometry
from bitformer.hw.lowering.allocate import FOREVER, MemoryBlock, lifetimes, merge
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Addend, Destination, Instruction, MachineOperation, Program, Source
from bitformer.hw.timetable import Event, RowTask, Schedule
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.stream import StepModel

__all__ = ["Addresses", "Encoder", "memory_blocks"]

#: Words of stores by (tensor, row).
Addresses = Mapping[tuple[str, int], int]


def memory_blocks(
    model: IntegerModel, timeline: Schedule, geometry: Geometry
) -> dict[str, list[MemoryBlock]]:
    """Return what the rows need of each store, and while they live, without an address yet.

    Those of a stream's step live for ever: its steps have several timetables. Raises
    :class:`UserError` for rows that must lie in line and would leave gaps.
    """
    lives = lifetimes(timeline.events)
    if isinstance(model, StepModel):
        lives = defaultdict(lambda: FOREVER)
    slots = geometry.dynamic_slots
    flat = {op.x for op in model.linears if op.is_flat(model.tensors)}
    columns = {op.x for op in model.linears if op.transposed}
    stores: dict[str, list[MemoryBlock]] = {"activations": [], "scores": [], "dynamic": []}
    written = {event.row.tensor: event.row.operation.destination for event in timeline.events}
    for name, destination in written.items():
        spec = model.tensors[name]
        rows, words = range(spec.rows), geometry.words(spec)
        whole = merge(lives[name, row] for row in rows)
        if destination is Destination.KEY:
            words = -(-spec.rows // slots) * spec.features
            stores["dynamic"].append(MemoryBlock(key=(name, 0), words=words, lives=whole))
        elif destination is Destination.VALUE or name in flat | columns:
            value = destination is Destination.VALUE
            odd = name not in geometry.wide_rows and spec.features % geometry.ways
            if odd and name in flat and not value:
                raise UserError(f"tensor {name} must have an even number of features to be flat")
            pitch = -(-spec.features // slots) if value else words
            stores["dynamic" if value else "activations"].append(
                MemoryBlock(
                    key=(name, 0),
                    words=pitch * spec.rows,
                    lives=whole,
                    rows=spec.rows,
                    pitch=pitch,
                )
            )
        elif destination is not Destination.OUTPUT:
            score = destination is Destination.SCORE
            size = geometry.score_pitch if score else words
            stores["scores" if score else "activations"] += [
                MemoryBlock(
                    key=(name, row), words=size, align=size if score else 1, lives=lives[name, row]
                )
                for row in rows
            ]
    return stores


@dataclass(kw_only=True)
class Encoder:
    """Turns events into instructions: operations are numbered as they appear, rows have addresses.

    Parameters
    ----------
    plan : the choices that the rows were made from.
    addresses : the word of each row in its store.
    weights, parameters : where each operation's begin in their ROMs, by tensor.
    """

    plan: Plan
    addresses: Addresses
    weights: Mapping[str, int]
    parameters: Mapping[str, int]
    _numbers: dict[MachineOperation, int] = field(default_factory=dict, init=False)

    def _operation(self, event: Event, releases: bool) -> int:
        op = event.row.operation
        base, kept = op.weight_base, self.plan.model.writers[op.tensor].weights_from
        if op.matrix:
            base += self.weights[op.tensor] if kept is None else self.addresses[kept, 0]
        parameters = self.parameters.get(op.tensor, 0) + op.parameters
        op = replace(op, release_input=releases, weight_base=base, parameters=parameters)
        return self._numbers.setdefault(op, len(self._numbers))

    def _destination(self, row: RowTask) -> int:
        destination = row.operation.destination
        if destination is Destination.OUTPUT:
            return 0
        geometry = self.plan.geometry
        if destination is Destination.KEY:
            slots = geometry.dynamic_slots
            group, slot = divmod(row.row, slots)
            features = self.plan.model.tensors[row.tensor].features
            address = self.addresses[row.tensor, 0] + group * features
            return address << max(1, (slots - 1).bit_length()) | slot
        first = row.first if row.operation.wide_y else row.first // geometry.ways
        return self.addresses[row.tensor, row.row] + first

    def _activations(self, row: RowTask) -> int:
        """Return the element that the engine reads first."""
        op, ways = row.operation, self.plan.geometry.ways
        if not op.matrix or op.source is Source.ONE:
            return 0
        if op.source is Source.INPUT:
            return row.start
        read = row.reads[0]
        step = ways if op.wide_x else 1
        return self.addresses[read.tensor, read.row] * ways + row.start * step

    def _residual(self, row: RowTask) -> int:
        """Return the word that the post-processor reads first."""
        if row.operation.addend is Addend.POSITION:
            table = self.plan.model.writers[row.tensor].adds_tensor
            return self.addresses[str(table), row.row]
        return next((self.addresses[r.tensor, r.row] for r in row.reads if r.post), 0)

    @property
    def operations(self) -> list[MachineOperation]:
        """The operations of all instructions so far, by number."""
        return [*self._numbers]

    def end(self, timeline: Schedule) -> int:
        """Return the cycle of a timetable in which the next inference may begin.

        The first row of an inference is issued at 0 of the timetable; deltas lead to the next.
        """
        return max(
            timeline.drained + self.plan.geometry.post + timing.TAIL,
            timeline.events[-1].issue + timing.MIN_ISSUE,
        )

    def program(self, timeline: Schedule) -> Program:
        """Return the program that issues the events in the cycles of the timetable."""
        instructions = self.instructions(timeline.events, self.end(timeline))
        return Program(operations=tuple(self.operations), instructions=tuple(instructions))

    def instructions(self, events: Sequence[Event], end: int) -> list[Instruction]:
        """Return the instructions of an inference, behind which the next one begins at ``end``."""
        issues = [event.issue for event in events] + [end]
        # the last row that reads the input gives its place to the next window
        released = max(n for n, e in enumerate(events) if e.row.operation.source is Source.INPUT)
        instructions = []
        for place, (event, following) in enumerate(zip(events, issues[1:], strict=True)):
            instructions.append(
                Instruction(
                    op=self._operation(event, place == released),
                    delta=following - event.issue,
                    act=self._activations(event.row),
                    dst=self._destination(event.row),
                    res=self._residual(event.row),
                    row=event.row.row,
                    first=event.row.first,
                )
            )
        return instructions
