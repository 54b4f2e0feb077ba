"""Addresses for every row, and the schedule's events as instructions."""

from dataclasses import replace

from bitformer.hw import timing
from bitformer.hw.design import Geometry
from bitformer.hw.lowering.allocate import Block, allocate, lifetimes, merge
from bitformer.hw.lowering.rows import Layout, is_flat
from bitformer.hw.program import Addend, Destination, Instruction, Operation, Program, Source
from bitformer.hw.timetable import Event, Schedule
from bitformer.model import ir
from bitformer.model.errors import UserError

__all__ = ["Encoder", "assign_addresses", "memory_blocks"]


def _flat(model: ir.IntegerModel) -> set[str]:
    """Tensors whose rows have to lie one behind the other."""
    return {op.x for op in model.operations if isinstance(op, ir.Linear) and is_flat(model, op)}


def memory_blocks(
    model: ir.IntegerModel, timeline: Schedule, layout: Layout, geometry: Geometry
) -> dict[str, list[Block]]:
    """What every row needs of each store, and while it lives; without an address yet."""
    lives = lifetimes(timeline.events)
    slots = geometry.dynamic_slots
    groups: dict[str, list[Block]] = {"activations": [], "scores": [], "dynamic": []}
    flat = _flat(model)
    for name, destination in layout.destination.items():
        if (name, 0) not in lives:
            continue
        spec = model.tensors[name]
        whole = merge(lives[name, row] for row in range(spec.rows))
        words = layout.words(spec)
        if destination is Destination.KEY:
            words = -(-spec.rows // slots) * spec.features
            groups["dynamic"].append(Block(key=(name, 0), words=words, align=1, lives=whole))
        elif destination is Destination.VALUE:
            words = spec.rows * -(-spec.features // slots)
            groups["dynamic"].append(Block(key=(name, 0), words=words, align=1, lives=whole))
        elif destination is Destination.ACTIVATION and name in flat:
            if spec.features % layout.ways and name not in layout.wide_rows:
                raise UserError(f"tensor {name} must have an even number of features to be flat")
            block = Block(key=(name, 0), words=words * spec.rows, align=1, lives=whole)
            groups["activations"].append(block)
        elif destination in (Destination.ACTIVATION, Destination.SCORE):
            score = destination is Destination.SCORE
            size = geometry.score_pitch if score else words
            for row in range(spec.rows):
                groups["scores" if score else "activations"].append(
                    Block(
                        key=(name, row),
                        words=size,
                        align=size if score else 1,
                        lives=lives[name, row],
                    )
                )
    return groups


def assign_addresses(
    model: ir.IntegerModel, timeline: Schedule, layout: Layout, geometry: Geometry
) -> tuple[dict[tuple[str, int], int], dict[str, int]]:
    """Word address of every row, by (tensor, row), and the depth of each store."""
    slots, flat = geometry.dynamic_slots, _flat(model)
    groups = memory_blocks(model, timeline, layout, geometry)
    depths = {
        store: allocate(blocks, by_size=store == "dynamic") for store, blocks in groups.items()
    }
    addresses = {block.key: block.address for blocks in groups.values() for block in blocks}
    for name, destination in layout.destination.items():
        spec = model.tensors[name]
        if destination is Destination.ACTIVATION and name in flat and (name, 0) in addresses:
            base = addresses[name, 0]
            for row in range(spec.rows):
                addresses[name, row] = base + row * layout.words(spec)
        elif destination is Destination.VALUE and (name, 0) in addresses:
            base, step = addresses[name, 0], -(-spec.features // slots)
            for row in range(spec.rows):
                addresses[name, row] = base + row * step
    return addresses, depths


class Encoder:
    """Events to instructions: operations are numbered as they appear, rows get their addresses."""

    def __init__(self, model, layout, geometry, addresses, bases, parameters):
        self.model, self.layout, self.geometry = model, layout, geometry
        self.addresses, self.bases, self.parameters = addresses, bases, parameters
        self.numbers: dict[Operation, int] = {}
        self.sources = {op.y: op for op in model.operations}

    def operation(self, event: Event, releases: bool) -> int:
        op, source = event.row.operation, self.sources[event.row.tensor]
        op = replace(op, release_input=releases)
        if op.dynamic:
            kept = source.k if isinstance(source, ir.Scores) else None
            kept = source.v if isinstance(source, ir.Attend) else kept
            kept = source.x if isinstance(source, ir.Pool) else kept
            op = replace(op, weight_base=op.weight_base + self.addresses[kept, 0])
        elif op.matrix:
            op = replace(op, weight_base=self.bases[op.tensor])
        if op.tensor in self.parameters:
            op = replace(op, parameters=self.parameters[op.tensor])
        return self.numbers.setdefault(op, len(self.numbers))

    def destination(self, event: Event) -> int:
        row = event.row
        destination = row.operation.destination
        if destination is Destination.OUTPUT:
            return 0
        if destination is Destination.KEY:
            slots = self.geometry.dynamic_slots
            spec = self.model.tensors[row.tensor]
            group, slot = divmod(row.row, slots)
            address = self.addresses[row.tensor, 0] + group * spec.features
            return address << max(1, (slots - 1).bit_length()) | slot
        first = row.first if row.operation.wide_y else row.first // self.layout.ways
        return self.addresses[row.tensor, row.row] + first

    def source(self, event: Event) -> int:
        row, op, source = event.row, event.row.operation, self.sources[event.row.tensor]
        if not op.matrix or op.source is Source.ONE:
            return 0
        if op.source is Source.INPUT:
            return source.start + row.row * op.length
        read = row.reads[0]
        ways = self.layout.ways
        step = ways if op.wide_x else 1
        if read.rows and isinstance(source, ir.Linear):
            first = source.start + row.row * op.length
            return self.addresses[read.tensor, 0] * ways + first * step
        head = op.weight_base if isinstance(source, ir.Scores) else 0
        return self.addresses[read.tensor, read.row] * ways + head * step

    def residual(self, event: Event) -> int:
        row, op = event.row, event.row.operation
        if op.addend is Addend.POSITION:
            return self.addresses[self.sources[row.tensor].residual.source, row.row]
        for read in row.reads:
            if read.post:
                return self.addresses[read.tensor, read.row]
        return 0

    def program(self, timeline: Schedule) -> Program:
        events = timeline.events
        # the first row of an inference is issued at 0 of the timetable; deltas lead to the next
        end = max(
            timeline.drained + self.geometry.post + timing.TAIL, events[-1].issue + timing.MIN_ISSUE
        )
        issues = [event.issue for event in events] + [end]
        # the last row that reads the input gives its place to the next window
        released = max(n for n, e in enumerate(events) if e.row.operation.source is Source.INPUT)
        instructions = []
        for place, (event, following) in enumerate(zip(events, issues[1:], strict=True)):
            instructions.append(
                Instruction(
                    op=self.operation(event, place == released),
                    delta=following - event.issue,
                    act=self.source(event),
                    dst=self.destination(event),
                    res=self.residual(event),
                    row=event.row.row,
                    first=event.row.first,
                )
            )
        return Program(operations=tuple(self.numbers), instructions=tuple(instructions))
