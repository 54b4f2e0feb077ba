"""Lowers an integer model to a program, memory images and a placement for one part."""

import itertools
from collections.abc import Mapping

from bitformer.hw import timing
from bitformer.hw.design import Design
from bitformer.hw.judging import judged_depth, level_bits, weight_bits
from bitformer.hw.lowering.allocate import allocate
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.encode import Encoder, memory_blocks
from bitformer.hw.lowering.geometry import choose_columns
from bitformer.hw.lowering.graph import check_graph, destinations
from bitformer.hw.lowering.images import parameter_words, position_words, weight_words
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.operations import lowering_of
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.place import crowding, place
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.lowering.wide import one_by_one, wide_rows
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.hw.program import Destination, Program, Source
from bitformer.hw.timetable import Schedule
from bitformer.model import numerics
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel

__all__ = ["lower", "lower_plan"]


def _beside(model: IntegerModel) -> set[str]:
    """Return the tensors that do not depend on the first layer: a decoder's, before they meet."""
    after = {model.linears[0].y}
    for op in model.operations:
        if after.intersection(op.reads):
            after.add(op.y)
    return model.writers.keys() - after


def _ranks(model: IntegerModel) -> dict[str, int]:
    """Return the priority of each tensor's rows: downstream first, but keys before queries.

    What runs beside the main path has none, and fills its gaps.
    """
    ranks = {op.y: rank for rank, op in enumerate(model.operations)}
    places = dict(ranks)
    for op in model.operations:
        if lowering_of(op).keeps is Destination.KEY:
            queries, keys = op.reads
            ranks[queries] = min(places[queries], places[keys])
            ranks[keys] = ranks[queries] + 2
    beside = _beside(model)
    return {name: rank - len(ranks) * (name in beside) for name, rank in ranks.items()}


def _cycles(timeline: Schedule, program: Program, model: IntegerModel) -> tuple[int, int]:
    """Return latency and interval.

    The latency counts from the first input accepted (0) to the last output taken, with both: a
    class or a flag is there some cycles after the last result has left their queue. Results of the
    next inference wait until that queue is empty, which takes a cycle for each. Its samples wait
    until the window has been read, and then come one a cycle as those of the first did.
    """
    out = [e for e in timeline.events if e.row.operation.destination is Destination.OUTPUT]
    taken = -1
    for event in out:
        for written in event.writes:
            taken = max(taken + 1, int(written) + timing.OUTPUT)
    waits = min(event.issue for event in out if event.row.operation.wait_output)
    decision = timing.CHOICE if model.decision else timing.JUDGE if model.detector else 0
    latency = taken + 1 + decision
    readers = [e for e in timeline.events if e.row.operation.source is Source.INPUT]
    read = max(event.engine_last for event in readers)
    early = min(e.issue - e.row.needed_inputs for e in readers if e.row.operation.wait_input)
    return latency, max(program.cycles, taken + 1 - waits, read - early)


def _rams(plan: Plan, depths: Mapping[str, int]) -> list[StoreSpec]:
    """Return the memories that a design writes, not placed yet."""
    geometry, source, result = plan.geometry, plan.model.input, plan.model.results
    ways, slots = geometry.ways, geometry.dynamic_slots
    mixed = ways > 1 and (bool(geometry.wide) or not all(plan.packing.packed.values()))

    def ram(
        name: str, depth: int, elements: int, bits: int, *, apart: bool = mixed, **fields
    ) -> StoreSpec:
        """Return words of elements that are written all at once, or each ``apart``."""
        granule = bits if apart else 0
        return StoreSpec(name=name, depth=depth, width=elements * bits, granule=granule, **fields)

    detector: list[StoreSpec] = []
    if (judge := plan.model.detector) is not None:
        level = level_bits(judge, plan.model)
        detector = [
            ram("levels", result.size, 1, level, apart=False),
            ram("judged", judged_depth(result.size), 1, source.bits, apart=False),
        ]
    return [
        ram("activations", depths["activations"], ways, geometry.element_bits, read_ports=2),
        ram("scores", depths["scores"], ways, numerics.SCORE_BITS),
        ram("dynamic", depths["dynamic"], slots, geometry.dynamic_bits, apart=True),
        ram("input", source.size, 1, source.bits, apart=False),
        ram(
            "output",
            result.rows * -(-result.features // ways),
            ways,
            result.bits,
            asynchronous=True,
        ),
        *detector,
    ]


def lower(
    model: IntegerModel,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    immediate: bool = True,
    shifts: Mapping[str, int] | None = None,
    apart: bool = True,
) -> Design:
    """Lower a model for a part; its weights lie as takes the fewest cycles where they fit.

    Parameters
    ----------
    model :
        The model.
    part :
        Name of the die.
    lanes :
        Products a cycle; by default what the part's DSP blocks allow.
    pack :
        Whether two products may share a DSP block where the weights prove it safe.
    placement :
        ``block``, ``distributed``, ``registers`` or ``auto`` by the store's name.
    immediate :
        Whether a multiplier that all channels of a layer share is a constant of the hardware.
    shifts :
        Requantizing shifts by the tensor written, to be used where they change no result.
    apart :
        Whether elements of more than 8 bits, if they are few, lie in a word each; else all words of
        activations are as wide as two of them.

    Raises
    ------
    UserError
        For what cannot be built; it names the field.
    """
    if part not in PARTS:
        raise UserError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    multiplier = PARTS[part].family.multiplier
    destination = destinations(model)
    check_graph(model, destination)
    rows = wide_rows(model, destination) if apart else frozenset[str]()
    single = one_by_one(model, rows)
    batch = Batch.of(model)
    if not choose_packing(batch, 2, pack, multiplier, single).packed.any():
        rows, pack = frozenset(), False
    columns = choose_columns(model, PARTS[part], lanes, pack, rows)
    packing = choose_packing(batch, columns, pack, multiplier, single)[0]
    if not any(packing.packed.values()):
        rows = frozenset()
    tried: list[tuple[tuple[int, int], Design]] = []
    for weights in weight_layouts(model, packing, columns):
        plan = Plan(
            model=model,
            part=PARTS[part],
            destinations=destination,
            packing=packing,
            weights=weights,
            wide_rows=rows,
            immediate=immediate,
            wanted_shifts=shifts or {},
        )
        design = lower_plan(plan, placement or {})
        tried.append((crowding(design.stores.values(), PARTS[part]), design))
        if tried[-1][0] == (0, 0):
            break
    return min(tried, key=lambda one: one[0])[1]


def lower_plan(plan: Plan, placement: Mapping[str, str] | None = None) -> Design:
    """Lower a plan, with its stores placed as ``placement`` says by name, to a design."""
    model, geometry = plan.model, plan.geometry
    tasks = {op.y: lowering_of(op).rows(plan) for op in model.operations}
    timeline = schedule(tasks, _ranks(model), geometry)
    blocks = memory_blocks(model, timeline, geometry)
    depths = {name: allocate(own, by_size=name == "dynamic") for name, own in blocks.items()}
    weights, weight_bases = weight_words(model.linears, plan.weights)
    parameters, parameter_bases, parameter_bits, strides = parameter_words(
        plan.parameters, geometry, model.clocks
    )
    position, places, position_bits = position_words(model, geometry)
    for block in itertools.chain(*blocks.values()):
        places |= block.addresses
    encoder = Encoder(plan=plan, addresses=places, weights=weight_bases, parameters=parameter_bases)
    program = encoder.program(timeline)
    latency, interval = _cycles(timeline, program, model)
    ways = geometry.ways
    roms = {
        "program": (program.words(), program.word_bits),
        "weights": (weights, plan.weights.bits),
        "parameters": (parameters, sum(parameter_bits) * ways),
        "position": (position, position_bits * ways),
    }
    if (judge := model.detector) is not None:
        roms["judge_weights"] = (judge.weight.tolist(), weight_bits(judge))
    specs = [
        StoreSpec(name=name, depth=len(words), width=width, rom=True)
        for name, (words, width) in roms.items()
    ]
    specs = [spec for spec in specs + _rams(plan, depths) if spec.depth]
    return Design(
        model=model,
        geometry=geometry,
        program=program,
        schedule=timeline,
        stores=place(specs, plan.part, placement or {}),
        images={name: words for name, (words, _) in roms.items()},
        bounds={name: bound.total for name, bound in model.bounds.items()},
        packed=plan.packing.packed,
        latency=latency,
        interval=interval,
        parameter_bits=parameter_bits,
        last_channel=plan.last_channels[0] if len(plan.last_channels) == 1 else 0,
        part=plan.part.name,
        strides=strides,
    )
