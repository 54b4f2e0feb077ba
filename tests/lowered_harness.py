"""What the hardware relies on, checked of any lowered design."""

import itertools

import numpy as np

from bitformer.hw import timing
from bitformer.hw.lowering.allocate import allocate
from bitformer.hw.lowering.encode import memory_blocks
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.program import Destination, Source
from bitformer.hw.widths import signed_value
from bitformer.model import ir

__all__ = ["CHECKS", "check_post_processor", "check_reads"]


def check_timetable(design):
    events, program = design.schedule.events, design.program
    issues = [event.issue for event in events]
    assert all(b - a >= timing.MIN_ISSUE for a, b in itertools.pairwise(issues))
    assert [i.delta for i in program.instructions[:-1]] == np.diff(issues).tolist()
    assert program.instructions[-1].delta >= timing.MIN_ISSUE
    assert design.interval == program.cycles == sum(i.delta for i in program.instructions)


def check_post_processor(design):
    """One slot a cycle."""
    taken = set()
    for event in design.schedule.events:
        slots = {int(cycle) for cycle in event.writes}
        assert not taken & slots
        taken |= slots


def check_engine(design):
    """One address a cycle: rows do not overlap in the engine."""
    free = 0
    for event in design.schedule.events:
        op = event.row.operation
        if op.matrix:
            assert event.issue >= free
            free = event.issue + (op.groups - 1) * op.pitch + op.length


def check_reads(design):
    """Nothing is read before it has been written, by the write port's own clock."""
    ready = {}
    for event in design.schedule.events:
        row, op = event.row, event.row.operation
        for read in row.reads:
            features = design.model.tensors[read.tensor].features
            for number, feature in itertools.product(read.numbers, range(features)):
                if read.post:
                    place = feature - row.first
                    if not 0 <= place < row.features:
                        continue
                    geometry = design.geometry
                    back = geometry.post + (0 if op.matrix else geometry.vector_delay)
                    used = int(event.writes[place]) - back
                elif read.feature is not None:
                    # a column, the first row's element in the first cycle
                    if feature != read.feature:
                        continue
                    used = event.issue + timing.ADDRESS + number
                elif read.rows:
                    used = event.issue + timing.ADDRESS
                else:
                    # a head reads its own part, the first element of it in the first cycle
                    scores = op.destination is Destination.SCORE
                    place = feature - (row.row * op.length % features if scores else 0)
                    if not 0 <= place < op.length:
                        continue
                    used = event.issue + timing.ADDRESS + place
                assert used >= ready[read.tensor, number, feature] + timing.WRITTEN
        for place, cycle in enumerate(event.writes):
            ready[row.tensor, row.row, row.first + place] = int(cycle)


def check_every_element_is_written_once(design):
    written = [
        (event.row.tensor, event.row.row, event.row.first + place)
        for event in design.schedule.events
        for place in range(event.row.features)
    ]
    wanted = {
        (op.y, row, feature)
        for op in design.model.operations
        if not op.at_port
        for row in range(design.model.tensors[op.y].rows)
        for feature in range(design.model.tensors[op.y].features)
        if not (isinstance(op, ir.Scores) and op.causal and feature > row // op.heads)
    }
    assert len(written) == len(set(written))
    assert {*written} == wanted


def check_memory(design):
    """Walk the instructions: what is read is still what was written there."""
    model, geometry = design.model, design.geometry
    stores = memory_blocks(model, design.schedule, geometry)
    addresses, depths = {}, {}
    for store, blocks in stores.items():
        depth = depths[store] = allocate(blocks, by_size=store == "dynamic")
        assert depth == (design.stores[store].depth if store in design.stores else 0)
        for block in blocks:
            addresses |= block.addresses
    held = {}
    for event in design.schedule.events:
        row = event.row
        for read in row.reads:
            for number in read.numbers:
                for place in words_of(design, addresses, read.tensor, number):
                    # (store, word, slot): who wrote it last, in the order of issue
                    assert held[place] == (read.tensor, number)
        if row.operation.destination is not Destination.OUTPUT:
            for store, word, slot in words_of(design, addresses, row.tensor, row.row):
                assert 0 <= word < depths[store]
                held[store, word, slot] = (row.tensor, row.row)


def words_of(design, addresses, tensor, row):
    """(store, word, slot) of every place that a row of a tensor takes."""
    spec, slots = design.model.tensors[tensor], design.geometry.dynamic_slots
    where = destinations(design.model)[tensor]
    if where is Destination.KEY:
        base = addresses[tensor, 0] + row // slots * spec.features
        return [("dynamic", base + f, row % slots) for f in range(spec.features)]
    if where is Destination.VALUE:
        base = addresses[tensor, row]
        return [("dynamic", base + f // slots, f % slots) for f in range(spec.features)]
    store = "scores" if where is Destination.SCORE else "activations"
    base = addresses[tensor, row]
    return [(store, base + w, 0) for w in range(design.geometry.words(spec))]


def check_widths(design):
    """Every field of an instruction and every image fits its place."""
    program = design.program
    for instruction, word in zip(program.instructions, program.words(), strict=True):
        offset = 0
        for field in program.layout():
            width = program.width(field)
            assert word >> offset & ((1 << width) - 1) == program.encoded(instruction, field)
            offset += width
        assert word >> offset == 0
    for name, words in design.images.items():
        if words:
            spec = design.stores[name]
            assert len(words) == spec.depth
            assert all(0 <= word < 1 << spec.width for word in words)


def check_columns(design):
    """A column's addresses are those of an element in each row, wherever rows lie."""
    model, geometry, program = design.model, design.geometry, design.program
    blocks = memory_blocks(model, design.schedule, geometry)["activations"]
    allocate(blocks)
    words = {key: word for block in blocks for key, word in block.addresses.items()}
    for event, instruction in zip(design.schedule.events, program.instructions, strict=True):
        op = program.operations[instruction.op]
        assert bool(op.stride) == getattr(model.writers[op.tensor], "transposed", False)
        if not op.stride:
            continue
        (read, *_), apart = event.row.reads, geometry.ways if op.wide_x else 1
        assert op.length == model.tensors[read.tensor].rows
        for row in range(op.length):
            place = words[read.tensor, row] * geometry.ways + read.feature * apart
            assert instruction.act + row * op.stride == place


def check_packing(design):
    geometry = design.geometry
    for op in design.model.operations:
        if op.matrix:
            bound = op.bound(design.model.tensors)
            bits = geometry.accumulator_bits if op.y in geometry.wide else geometry.narrow_bits
            assert bound.total < 1 << (bits - 1)
            if design.packed[op.y]:
                assert op.y not in geometry.wide
                assert bound.dot < 1 << (geometry.pack_shift - 1)
                assert geometry.pack_shift + geometry.half_bits <= geometry.multiplier.long_bits


def check_ends(design):
    """The last row that reads the input releases it; the first result waits for room."""
    operations = [design.program.operations[i.op] for i in design.program.instructions]
    reads = [place for place, op in enumerate(operations) if op.source is Source.INPUT]
    assert [p for p, op in enumerate(operations) if op.release_input] == reads[-1:]
    assert all(operations[place].wait_input for place in reads)
    results = [p for p, op in enumerate(operations) if op.destination is Destination.OUTPUT]
    assert [p for p, op in enumerate(operations) if op.wait_output] == results[:1]
    rows = [design.program.instructions[place].row for place in results]
    assert rows == [*range(design.model.results.rows)]


def products(model, op):
    """Products that an operation needs, those of pooling not counted."""
    if isinstance(op, ir.Linear):
        return model.tensors[op.y].rows // op.parts * op.weight.size
    if not isinstance(op, (ir.Scores, ir.Attend)):
        return 0
    keys = model.tensors[op.k if isinstance(op, ir.Scores) else op.v]
    rows = model.tensors[op.q].rows if isinstance(op, ir.Scores) else model.tensors[op.y].rows
    pairs = rows * (rows + 1) // 2 if op.causal else rows * keys.rows
    return pairs * keys.features


def check_products(design):
    """Masked products are not made: those that are, are the model's."""
    pools = {op.y for op in design.model.operations if isinstance(op, ir.Pool)}
    made = sum(
        event.row.features * event.row.operation.length
        for event in design.schedule.events
        if event.row.operation.matrix and event.row.tensor not in pools
    )
    assert made == sum(products(design.model, op) for op in design.model.operations)


def check_weights(design):
    """Every weight is where its address says, and no more bits wide than its format."""
    model, layout = design.model, design.geometry.weights
    for op in model.operations:
        if not isinstance(op, ir.Linear):
            continue
        program, y = design.program, model.tensors[op.y]
        numbers = {
            i.row: i.op for i in program.instructions if program.operations[i.op].tensor == op.y
        }
        kind = layout.formats[op.y]
        columns, parts = layout.columns_of(kind), layout.parts(kind)
        assert layout.units % parts == 0
        assert columns * parts * kind.field <= layout.bits
        per_column = 2 if design.packed[op.y] else 1
        for (out, term), weight in np.ndenumerate(op.weight):
            set_of_weights, out = divmod(out, y.features)
            fields = program.operations[numbers[set_of_weights * y.rows // op.parts]]
            group, place = divmod(out, columns * per_column)
            address = fields.weight_base + group * fields.weight_group + term * fields.weight_step
            address, unit = divmod(address, layout.units)
            part, rest = divmod(unit * parts, layout.units)
            assert rest == 0
            bit = part * columns * kind.field + place * kind.bits
            field = design.images["weights"][address] >> bit
            value = 1 - 2 * (field & 1) if kind.bits == 1 else signed_value(field, kind.bits)
            assert value == weight


CHECKS = [
    check_weights,
    check_ends,
    check_products,
    check_timetable,
    check_post_processor,
    check_engine,
    check_reads,
    check_every_element_is_written_once,
    check_memory,
    check_columns,
    check_widths,
    check_packing,
]
