"""Addresses for every row, and the schedule's events as instructions."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bitformer.hw import timing
from bitformer.hw.design import Geometry
from bitformer.hw.lowering.allocate import FOREVER, MemoryBlock, lifetimes, merge
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.token_rows import blocks
from bitformer.hw.program import Addend, Destination, Instruction, MachineOperation, Program, Source
from bitformer.hw.timetable import Event, RowTask, Schedule
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.stream import StepModel
from bitformer.model.tensor import Tensor

__all__ = ["Addresses", "Encoder", "memory_blocks", "store_of"]

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
    placed = ((event.row.tensor, event.row.operation.destination) for event in timeline.events)
    written = {name: where for name, where in placed if where is not Destination.SUMS}
    for name, destination in written.items():
        spec = model.tensors[name]
        rows, words = range(spec.rows), geometry.words(spec)
        whole = merge(lives[name, row] for row in rows)
        odd = name not in geometry.wide_rows and spec.features % geometry.ways
        if odd and name in flat and destination is Destination.ACTIVATION:
            raise UserError(f"tensor {name} must have an even number of features to be flat")
        if geometry.rows > 1:
            store = store_of(destination)
            step = _heads(model, name) if destination is Destination.SCORE else 1
            for block in _in_lanes(geometry, spec, destination, step, line=name in flat):
                own = merge(lives[name, row] for row in block.numbers)
                stores[store].append(replace(block, lives=own))
        elif destination is Destination.KEY:
            words = -(-spec.rows // slots) * spec.features
            stores["dynamic"].append(MemoryBlock(key=(name, 0), words=words, lives=whole))
        elif destination is Destination.VALUE or name in flat | columns:
            value = destination is Destination.VALUE
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


#: Stores of results that are no activations.
_KEPT_IN = {
    Destination.SCORE: "scores",
    Destination.KEY: "dynamic",
    Destination.VALUE: "dynamic",
}


def store_of(destination: Destination) -> str:
    """Return the name of the store that results go to, if they do not leave."""
    return _KEPT_IN.get(destination, "activations")


def _heads(model: IntegerModel, name: str) -> int:
    """Return the rows of a tensor of logits that one query has."""
    return int(getattr(model.writers[name], "heads", 1))


def _in_lanes(
    geometry: Geometry, spec: Tensor, destination: Destination, step: int, *, line: bool
) -> Iterator[MemoryBlock]:
    """Yield the blocks of a tensor of which token rows have a lane each; of keys and values, one.

    Rows that are side by side are ``step`` apart. All blocks lie in ``line``, or anywhere.
    """
    rows, words, lanes = spec.rows, geometry.words(spec), geometry.rows
    parts, slots = geometry.dynamic_parts, geometry.dynamic_slots
    if destination is Destination.OUTPUT:
        return
    lives = FOREVER  # those of its rows take their place
    if destination is Destination.KEY:
        words = -(-rows // slots) * -(-spec.features // parts)
        yield MemoryBlock(key=(spec.name, 0), words=words, lives=lives, rows=rows, lanes=rows)
    elif destination is Destination.VALUE:
        tiles = -(-spec.features // slots) - 1
        words = tiles * geometry.value_pitch + -(-rows // parts)
        yield MemoryBlock(key=(spec.name, 0), words=words, lives=lives, rows=rows, lanes=rows)
    elif line:
        yield MemoryBlock(
            key=(spec.name, 0),
            words=words * -(-rows // lanes),
            lives=lives,
            rows=rows,
            pitch=words,
            lanes=lanes,
        )
    else:
        score = destination is Destination.SCORE
        size = geometry.score_pitch if score else words
        for (first, count), other in itertools.product(blocks(rows // step, lanes), range(step)):
            yield MemoryBlock(
                key=(spec.name, first * step + other),
                words=size,
                align=size if score else 1,
                lives=lives,
                rows=count,
                lanes=lanes,
                step=step,
            )


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
            parts = self.plan.geometry.dynamic_parts
            base += self.weights[op.tensor] if kept is None else self.addresses[kept, 0] * parts
        parameters = self.parameters.get(op.tensor, 0) + op.parameters
        op = replace(op, release_input=releases, weight_base=base, parameters=parameters)
        return self._numbers.setdefault(op, len(self._numbers))

    def _destination(self, row: RowTask) -> int:
        destination = row.operation.destination
        if destination in (Destination.OUTPUT, Destination.SUMS):
            return 0
        geometry = self.plan.geometry
        if geometry.rows > 1 and destination in (Destination.KEY, Destination.VALUE):
            return self._kept(row) << geometry.pair_bits
        if destination is Destination.KEY:
            slots = geometry.dynamic_slots
            group, slot = divmod(row.row, slots)
            features = self.plan.model.tensors[row.tensor].features
            address = self.addresses[row.tensor, 0] + group * features
            return address << max(1, (slots - 1).bit_length()) | slot
        first = row.first if row.operation.wide_y else row.first // geometry.ways
        return self.addresses[row.tensor, row.row] + first

    def _kept(self, row: RowTask) -> int:
        """Return where the first results of a block of keys or values go.

        Of values, that is a word; of keys, a word, and which of a word's blocks of keys it is.
        """
        geometry, base = self.plan.geometry, self.addresses[row.tensor, row.row]
        if row.operation.destination is Destination.VALUE:
            return base + row.row // geometry.dynamic_parts
        group, slot = divmod(row.row, geometry.dynamic_slots)
        features = self.plan.model.tensors[row.tensor].features
        word = base + group * -(-features // geometry.dynamic_parts)
        return word * (geometry.dynamic_slots // geometry.rows) + slot // geometry.rows

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
        return timeline.drained + self.plan.geometry.post + timing.TAIL

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
