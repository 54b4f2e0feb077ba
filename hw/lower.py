"""Lowers an integer model to a program, memory images and a placement for one part."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bitformer.model import ir, numerics
from bitformer.model.errors import UserError
from . import timing
from .allocate import Block, allocate, lifetimes, merge
from .bounds import accumulator_bound, result_bound
from .design import Design, Geometry
from .images import parameter_words, position_words, weight_words
from .layers import Layout, Lowered, lower_operation
from .parts import PARTS, Part
from .place import place
from .program import Addend, Destination, Factor, Instruction, Operation, Program, Source
from .schedule import Event, Schedule, schedule
from .shifts import common_shifts
from .store import StoreSpec

__all__ = ["DEFAULT_PART", "lower"]

DEFAULT_PART = "xc7s15"
#: Width of the multiplier's long port and of its accumulator, DSP48E1.
PORT_BITS, DSP_BITS = 25, 48


def _destinations(model: ir.IntegerModel) -> dict[str, Destination]:
    """Where each tensor is written; one that is a weight of another operation goes with those."""
    found = dict.fromkeys(model.tensors, Destination.ACTIVATION)
    found[model.output.name] = Destination.OUTPUT
    for op in model.operations:
        if isinstance(op, ir.Scores):
            found[op.y], found[op.k] = Destination.SCORE, Destination.KEY
        elif isinstance(op, ir.Attend):
            found[op.v] = Destination.VALUE
        elif isinstance(op, ir.Pool):
            found[op.x] = Destination.VALUE
    for op in model.operations:
        if isinstance(op, (ir.Linear, ir.Affine, ir.LayerNorm)) and op.x in found:
            special = found[op.x] in (Destination.KEY, Destination.VALUE)
            if special and op.x not in ("input", "delta"):
                raise UserError(
                    f"tensor {op.x} must be read by one kind of operation, not also by {op.y}"
                )
    return found


_MATRIX = (ir.Linear, ir.Scores, ir.Attend, ir.Pool)


def _dynamic_bits(model: ir.IntegerModel) -> int:
    """Bits of the widest tensor that plays the weights' part."""
    names = [op.k for op in model.operations if isinstance(op, ir.Scores)]
    names += [op.v for op in model.operations if isinstance(op, ir.Attend)]
    names += [op.x for op in model.operations if isinstance(op, ir.Pool)]
    return max((model.tensors[name].bits for name in names), default=0)


def _packing(
    model: ir.IntegerModel, columns: int, allowed: bool
) -> tuple[dict[str, bool], bool, int, int]:
    """Which operations may pack two products in a multiplier: ``(packed, dynamic, shift, bits)``.

    Proved from the actual weights: the low product's sum must fit ``shift`` bits. The choice of
    half width is the one that packs the most multiply-accumulates.
    """
    matrix = [op for op in model.operations if isinstance(op, _MATRIX)]
    sizes = {op.y: 1 for op in matrix}
    even = columns > 0 and all(
        spec.features % 2 == 0
        for spec in model.tensors.values()
        if spec.name not in ("input", "delta", model.output.name) and "scores" not in spec.name
    )
    even = even and all(
        model.tensors[op.v].features // op.heads % 2 == 0
        for op in model.operations
        if isinstance(op, ir.Attend)
    )
    nothing = ({op.y: False for op in matrix}, False, 0, 0)
    if not allowed or not even:
        return nothing
    for op in matrix:
        y = model.tensors[op.y]
        if isinstance(op, ir.Linear):
            sizes[op.y] = y.rows * op.weight.size
    best, most = nothing, 0
    dynamic_bits = _dynamic_bits(model)
    widths = {op.weight_bits for op in matrix if isinstance(op, ir.Linear)}
    for half in sorted(widths | {dynamic_bits}):
        for with_dynamic in (False, True):
            if with_dynamic and dynamic_bits > half:
                continue
            # the high weight less a borrow must fit the port above the low field
            shift = PORT_BITS - half - (1 if with_dynamic else 0)
            packed = {}
            for op in matrix:
                fits = accumulator_bound(model, op).dot < 1 << (shift - 1)
                if isinstance(op, ir.Linear):
                    packed[op.y] = fits and op.weight_bits <= half
                else:
                    packed[op.y] = fits and with_dynamic
            dynamic = [packed[op.y] for op in matrix if not isinstance(op, ir.Linear)]
            if with_dynamic and not all(dynamic):
                continue
            if not with_dynamic and dynamic and columns % 2:
                continue
            if any(not packed[name] for name in packed) and columns % 2:
                continue
            gain = sum(sizes[name] for name, yes in packed.items() if yes)
            if gain > most:
                best, most = (packed, with_dynamic and bool(dynamic), shift, half), gain
    return best


def _geometry(model: ir.IntegerModel, columns: int, pack: bool) -> tuple[Geometry, dict[str, bool]]:
    packed, dynamic_packed, shift, half = _packing(model, columns, pack)
    matrix = [op for op in model.operations if isinstance(op, _MATRIX)]
    dynamic_bits = _dynamic_bits(model)
    widths = [1]
    for op in matrix:
        bits = op.weight_bits if isinstance(op, ir.Linear) else dynamic_bits
        widths.append(2 * half if packed[op.y] else bits)
    accumulators, products = [], []
    for op in matrix:
        bound = accumulator_bound(model, op)
        bits = bound.total.bit_length() + 1
        if bits > PORT_BITS:
            raise UserError(f"accumulator of {op.y} must fit {PORT_BITS} bits, not need {bits}")
        accumulators.append(bits)
        dot = bound.dot.bit_length() + 1
        products.append(dot + shift + 1 if packed[op.y] else dot)
    norms = [op for op in model.operations if isinstance(op, (ir.Affine, ir.LayerNorm))]
    layer = [model.tensors[op.x] for op in norms if isinstance(op, ir.LayerNorm)]
    if len({(spec.features, spec.bits) for spec in layer}) > 1:
        raise UserError("layer norms must all have the same features and bits in one design")
    scores = [model.tensors[op.y] for op in model.operations if isinstance(op, ir.Scores)]
    keys = max((spec.features for spec in scores), default=1)
    ways = 2 if any(packed.values()) else 1
    written = [
        model.tensors[op.y] for op in model.operations if not isinstance(op, ir.SubtractLast)
    ]
    stored = [model.tensors[name] for name in model.tensors if name not in model.constants]
    operands = [spec.bits for spec in stored] + ([9] if scores else [])
    pitch = 1 << (-(-keys // ways) - 1).bit_length()
    geometry = Geometry(
        columns=columns,
        ways=ways,
        pack_shift=shift,
        half_bits=half,
        column_bits=max(widths),
        dynamic_bits=dynamic_bits,
        dynamic_packed=dynamic_packed,
        activation_bits=max(spec.bits for spec in written),
        operand_bits=max(operands),
        accumulator_bits=max(accumulators),
        product_bits=max(products),
        result_bits=0,
        value_bits=0,
        factor_bits=0,
        keys=keys,
        norm_features=layer[0].features if layer else 0,
        norm_bits=layer[0].bits if layer else 0,
        score_pitch=pitch,
    )
    return geometry, packed


def _columns(model: ir.IntegerModel, part: Part, lanes: int | None, pack: bool) -> int:
    """Multipliers of the engine: those asked for, or the largest power of two that the part has."""
    if lanes is not None:
        if lanes < 1:
            raise UserError(f"lanes must be at least 1, not {lanes}")
        return max(1, lanes // 2) if pack and lanes > 1 else lanes
    layer_norm = any(isinstance(op, ir.LayerNorm) for op in model.operations)
    spare = part.dsps - 2 - (1 if layer_norm else 0)
    if spare < 1:
        raise UserError(f"part {part.name} must have more than {part.dsps} DSP blocks")
    return 1 << min(4, spare.bit_length() - 1)


def _addresses(
    model: ir.IntegerModel, timeline: Schedule, layout: Layout, geometry: Geometry
) -> tuple[dict[tuple[str, int], int], dict[str, int]]:
    """Word address of every row, by (tensor, row), and the depth of each store."""
    rows_of = {name: spec.rows for name, spec in model.tensors.items()}
    lives = lifetimes(timeline.events, rows_of)
    slots = geometry.dynamic_slots
    groups: dict[str, list[Block]] = {"activations": [], "scores": [], "dynamic": []}
    flat = {
        op.x
        for op in model.operations
        if isinstance(op, ir.Linear) and op.weight.shape[1] != model.tensors[op.x].features
    }
    for name, destination in layout.destination.items():
        if (name, 0) not in lives:
            continue
        spec = model.tensors[name]
        whole = merge(lives[name, row] for row in range(spec.rows))
        words = layout.words(spec.features)
        if destination is Destination.KEY:
            words = -(-spec.rows // slots) * spec.features
            groups["dynamic"].append(Block(key=(name, 0), words=words, align=1, lives=whole))
        elif destination is Destination.VALUE:
            words = spec.rows * -(-spec.features // slots)
            groups["dynamic"].append(Block(key=(name, 0), words=words, align=1, lives=whole))
        elif destination is Destination.ACTIVATION and name in flat:
            if spec.features % layout.ways:
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
    depths = {store: allocate(blocks) for store, blocks in groups.items()}
    addresses = {block.key: block.address for blocks in groups.values() for block in blocks}
    for name, destination in layout.destination.items():
        spec = model.tensors[name]
        if destination is Destination.ACTIVATION and name in flat and (name, 0) in addresses:
            base = addresses[name, 0]
            for row in range(spec.rows):
                addresses[name, row] = base + row * layout.words(spec.features)
        elif destination is Destination.VALUE and (name, 0) in addresses:
            base, step = addresses[name, 0], -(-spec.features // slots)
            for row in range(spec.rows):
                addresses[name, row] = base + row * step
    return addresses, depths


class _Encoder:
    """Events to instructions: operations are numbered as they appear, rows get their addresses."""

    def __init__(self, model, layout, geometry, addresses, bases, parameters):
        self.model, self.layout, self.geometry = model, layout, geometry
        self.addresses, self.bases, self.parameters = addresses, bases, parameters
        self.numbers: dict[Operation, int] = {}
        self.sources = {op.y: op for op in model.operations}

    def operation(self, event: Event) -> int:
        op, source = event.row.operation, self.sources[event.row.tensor]
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
        return self.addresses[row.tensor, row.row] + row.first // self.layout.ways

    def source(self, event: Event) -> int:
        row, op = event.row, event.row.operation
        if not op.matrix or op.source is Source.ONE:
            return 0
        if op.source is Source.INPUT:
            return row.row * op.length
        read = row.reads[0]
        ways = self.layout.ways
        if read.whole:
            return self.addresses[read.tensor, 0] * ways + row.row * op.length
        head = op.weight_base if isinstance(self.sources[row.tensor], ir.Scores) else 0
        return self.addresses[read.tensor, read.row] * ways + head

    def residual(self, event: Event) -> int:
        row, op = event.row, event.row.operation
        if op.addend is Addend.POSITION:
            return row.row * self.layout.words(row.features)
        for read in row.reads:
            if read.post:
                return self.addresses[read.tensor, read.row]
        return 0

    def program(self, timeline: Schedule) -> Program:
        events = timeline.events
        # the first row of an inference is issued at 0 of the timetable; deltas lead to the next
        end = max(timeline.drained + timing.TAIL, events[-1].issue + timing.MIN_ISSUE)
        issues = [event.issue for event in events] + [end]
        instructions = []
        for event, following in zip(events, issues[1:], strict=True):
            instructions.append(
                Instruction(
                    op=self.operation(event),
                    delta=following - event.issue,
                    act=self.source(event),
                    dst=self.destination(event),
                    res=self.residual(event),
                    row=event.row.row,
                    first=event.row.first,
                )
            )
        return Program(operations=tuple(self.numbers), instructions=tuple(instructions))


def _value_widths(
    model: ir.IntegerModel, geometry: Geometry, program: Program
) -> tuple[int, int, int]:
    """Bits of the post-processor: result before the clamp, its sum, and the multiplier."""
    sources = {op.y: op for op in model.operations}
    results, sums, factors = [1], [1], [1]
    for op in program.operations:
        source = sources[op.tensor]
        factor = op.multiplier
        if isinstance(source, ir.Linear):
            u = accumulator_bound(model, source).total
            power = op.shift - source.shift
            factor = int(np.ldexp(float(source.multiplier.max()), power))
        elif isinstance(source, ir.Attend):
            u = accumulator_bound(model, source).total
            keys = model.tensors[source.v].rows
            factor = max(numerics.RECIPROCAL_TABLE) << (numerics.reciprocal_headroom(keys) + 1)
        elif isinstance(source, ir.Affine):
            u = -model.tensors[source.x].low
            factor = int(np.ldexp(float(np.abs(source.multiplier).max()), op.shift - source.shift))
        elif isinstance(source, ir.LayerNorm):
            spec = model.tensors[source.x]
            width = numerics.norm_width(spec.features, spec.bits)
            u = int(np.ceil(np.sqrt(spec.features) * 2 ** (width // 2)))
            factor = int(np.abs(source.gamma).max()) * max(numerics.RSQRT_TABLE)
        else:
            u = accumulator_bound(model, source).total
        addend = 0
        if op.addend is Addend.PARAMETER:
            values = source.offset if isinstance(source, ir.Affine) else source.beta
            addend = int(np.abs(values).max()) << op.addend_shift
        elif op.addend is not Addend.NONE:
            addend = 1 << (model.tensors[source.residual.source].bits - 1 + op.addend_shift)
        bound = result_bound(u, factor, addend, op.shift, op.zero)
        results.append(bound.bit_length() + 1)
        total = u * factor + addend + (1 << op.shift) + (abs(op.zero) << op.shift)
        sums.append(total.bit_length() + 1)
        factors.append(factor.bit_length() + 1)
    if max(sums) > DSP_BITS:
        raise UserError(f"post-processor must stay within {DSP_BITS} bits, not need {max(sums)}")
    if max(factors) > numerics.MULTIPLIER_BITS:
        raise UserError(
            f"multipliers must fit {numerics.MULTIPLIER_BITS} bits, not need {max(factors)}"
        )
    return max(results), max(sums), max(factors)


def _last_channel(model: ir.IntegerModel) -> int:
    """The channel whose last value is added to the output; the hardware keeps one."""
    residuals = [getattr(op, "residual", None) for op in model.operations]
    channels = {r.channel for r in residuals if r is not None and r.channel is not None}
    if len(channels) > 1:
        raise UserError(f"residual channel must be the same everywhere, not {sorted(channels)}")
    return channels.pop() if channels else 0


def _latency(timeline: Schedule) -> int:
    """Cycles from the first input accepted (0) to the last output taken, both counted."""
    taken = -1
    for event in timeline.events:
        if event.row.operation.destination is not Destination.OUTPUT:
            continue
        for written in event.writes:
            taken = max(taken + 1, int(written) + timing.OUTPUT)
    return taken + 1


def lower(
    model: ir.IntegerModel,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
) -> Design:
    """Lower ``model`` for ``part``.

    ``lanes`` is the number of products a cycle asked for (by default what the part's DSP blocks
    allow); ``pack`` allows two in a DSP block where the weights prove it safe. ``placement`` maps
    store names to ``block``, ``distributed``, ``registers`` or ``auto``. Raises
    :class:`bitformer.model.errors.UserError`, naming the field, for what cannot be built.
    """
    if part not in PARTS:
        raise UserError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    geometry, packed = _geometry(model, _columns(model, PARTS[part], lanes, pack), pack)
    layout = Layout(
        columns=geometry.columns,
        ways=geometry.ways,
        packed=packed,
        dynamic_packed=geometry.dynamic_packed,
        shifts=common_shifts(model),
        destination=_destinations(model),
    )
    lowered: dict[str, Lowered] = {
        op.y: lower_operation(model, op, layout, rank)
        for op, rank in zip(model.operations, _ranks(model), strict=True)
    }
    timeline = schedule(
        [stage for one in lowered.values() for stage in one.stages],
        columns=geometry.columns,
        ways=geometry.ways,
        vector_delay=geometry.vector_delay,
        rows_of={name: spec.rows for name, spec in model.tensors.items()},
    )
    addresses, depths = _addresses(model, timeline, layout, geometry)
    weights, bases = weight_words(lowered, layout, geometry)
    parameters, parameter_bases, parameter_bits = parameter_words(lowered, geometry)
    encoder = _Encoder(model, layout, geometry, addresses, bases, parameter_bases)
    program = encoder.program(timeline)
    result_bits, value_bits, factor_bits = _value_widths(model, geometry, program)
    geometry = replace(
        geometry, result_bits=result_bits, value_bits=value_bits, factor_bits=factor_bits
    )
    position, position_bits = position_words(model, geometry)
    images = {
        "program": program.words(),
        "weights": weights,
        "parameters": parameters,
        "position": position,
    }
    stored = [
        model.tensors[name].bits
        for name, where in layout.destination.items()
        if where is Destination.ACTIVATION and (name, 0) in addresses
    ]
    ways, bits = geometry.ways, max(stored, default=1)
    mixed = ways > 1 and not all(packed.values())
    slots = geometry.dynamic_slots
    specs = [
        StoreSpec(
            name="program", depth=len(program.instructions), width=program.word_bits, rom=True
        ),
        StoreSpec(
            name="weights",
            depth=len(weights),
            width=geometry.columns * geometry.column_bits,
            rom=True,
        ),
        StoreSpec(
            name="parameters", depth=len(parameters), width=sum(parameter_bits) * ways, rom=True
        ),
        StoreSpec(name="position", depth=len(position), width=position_bits * ways, rom=True),
        StoreSpec(
            name="activations",
            depth=depths["activations"],
            width=ways * bits,
            granule=bits if mixed else 0,
            read_ports=2,
        ),
        StoreSpec(
            name="scores",
            depth=depths["scores"],
            width=ways * numerics.SCORE_BITS,
            granule=numerics.SCORE_BITS if mixed else 0,
        ),
        StoreSpec(
            name="dynamic",
            depth=depths["dynamic"],
            width=slots * geometry.dynamic_bits,
            granule=geometry.dynamic_bits,
        ),
        StoreSpec(
            name="input", depth=model.input.rows * model.input.features, width=model.input.bits
        ),
        StoreSpec(
            name="output",
            depth=-(-model.output.features // ways),
            width=ways * model.output.bits,
            granule=model.output.bits if mixed else 0,
        ),
    ]
    specs = [spec for spec in specs if spec.depth]
    return Design(
        model=model,
        geometry=geometry,
        program=program,
        schedule=timeline,
        stores=place(specs, PARTS[part], placement or {}),
        images=images,
        bounds={
            op.y: accumulator_bound(model, op).total
            for op in model.operations
            if isinstance(op, _MATRIX)
        },
        packed=packed,
        latency=_latency(timeline),
        interval=program.cycles,
        parameter_bits=parameter_bits,
        last_channel=_last_channel(model),
        part=part,
    )


def _ranks(model: ir.IntegerModel) -> list[int]:
    """Priority of each operation: downstream first, but keys and values before queries."""
    ranks = list(range(len(model.operations)))
    for number, op in enumerate(model.operations):
        if isinstance(op, ir.Scores):
            names = [other.y for other in model.operations]
            places = sorted(names.index(name) for name in (op.k, op.q) if name in names)
            first = places[0]
            # input and keys of this layer come first of what is upstream of its scores
            ranks[names.index(op.k)] = first + 2
            ranks[names.index(op.q)] = first
    return ranks
