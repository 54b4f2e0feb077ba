"""Lowers an integer model to a program, memory images and a placement for one part."""

from collections.abc import Mapping
from dataclasses import replace

from bitformer.hw import timing
from bitformer.hw.design import Design, Geometry
from bitformer.hw.lowering.encode import Encoder, assign_addresses
from bitformer.hw.lowering.geometry import choose_columns, choose_geometry, value_widths
from bitformer.hw.lowering.graph import check_graph, destinations
from bitformer.hw.lowering.images import parameter_words, position_words, weight_words
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.packing import MATRIX, Packing, choose_packing
from bitformer.hw.lowering.place import crowding, place
from bitformer.hw.lowering.rows import Layout, Lowered, lower_operation
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.lowering.shifts import common_shifts
from bitformer.hw.lowering.wide import one_by_one, wide_rows
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS, Part
from bitformer.hw.program import Destination, Program
from bitformer.hw.timetable import Schedule
from bitformer.hw.weight_layout import WeightLayout
from bitformer.model import ir, numerics
from bitformer.model.errors import UserError

__all__ = ["DEFAULT_PART", "lower", "lower_as"]

DEFAULT_PART = "xc7s15"


def _beside(model: ir.IntegerModel) -> set[str]:
    """Tensors that do not depend on the first layer: a decoder's, before it meets the encoder."""
    first = next(op for op in model.operations if isinstance(op, ir.Linear))
    after = {first.y}
    for op in model.operations:
        if after.intersection(op.reads):
            after.add(op.y)
    return {op.y for op in model.operations} - after


def _ranks(model: ir.IntegerModel) -> list[int]:
    """Priority of each operation: downstream first, but keys and values before queries.

    What runs beside the main path has none, and fills its gaps.
    """
    names = [op.y for op in model.operations]
    ranks = list(range(len(names)))
    for op in model.operations:
        if isinstance(op, ir.Scores):
            first = min(names.index(op.k), names.index(op.q))
            ranks[names.index(op.k)] = first + 2
            ranks[names.index(op.q)] = first
    beside = _beside(model)
    return [rank - len(names) * (name in beside) for name, rank in zip(names, ranks, strict=True)]


def _last_channel(model: ir.IntegerModel) -> int:
    """The channel whose last value is added to the output; the hardware keeps one."""
    residuals = [getattr(op, "residual", None) for op in model.operations]
    channels = {r.channel for r in residuals if r is not None and r.channel is not None}
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


def _stores(
    model: ir.IntegerModel,
    layout: Layout,
    geometry: Geometry,
    program: Program,
    images: Mapping[str, list[int]],
    depths: Mapping[str, int],
    parameter_bits: tuple[int, int],
    position_bits: int,
) -> list[StoreSpec]:
    """Every memory the design needs, not placed yet."""
    ways, bits = geometry.ways, geometry.element_bits
    mixed = ways > 1 and (bool(geometry.wide) or not all(layout.packed.values()))
    slots = geometry.dynamic_slots
    specs = [
        StoreSpec(
            name="program", depth=len(program.instructions), width=program.word_bits, rom=True
        ),
        StoreSpec(
            name="weights",
            depth=len(images["weights"]),
            width=geometry.weights.bits,
            rom=True,
        ),
        StoreSpec(
            name="parameters",
            depth=len(images["parameters"]),
            width=sum(parameter_bits) * ways,
            rom=True,
        ),
        StoreSpec(
            name="position", depth=len(images["position"]), width=position_bits * ways, rom=True
        ),
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
        StoreSpec(name="input", depth=model.input.size, width=model.input.bits),
        StoreSpec(
            name="output",
            depth=model.output.rows * -(-model.output.features // ways),
            width=ways * model.output.bits,
            granule=model.output.bits if mixed else 0,
            asynchronous=True,
        ),
    ]
    return [spec for spec in specs if spec.depth]


def lower(
    model: ir.IntegerModel,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    immediate: bool = True,
    shifts: Mapping[str, int] | None = None,
) -> Design:
    """Lower ``model`` for ``part``.

    ``lanes`` is the number of products a cycle asked for (by default what the part's DSP blocks
    allow); ``pack`` allows two in a DSP block where the weights prove it safe. ``placement`` maps
    store names to ``block``, ``distributed``, ``registers`` or ``auto``. Weights of several widths
    are laid out for the fewest cycles with which the memories fit. A layer whose channels share a
    multiplier has it as a constant of the hardware, unless ``immediate`` is false. ``shifts``, by
    the tensor that is written, are those to use where they change no result. Raises
    :class:`bitformer.model.errors.UserError`, naming the field, for what cannot be built.
    """
    if part not in PARTS:
        raise UserError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    destination = destinations(model)
    check_graph(model, destination)
    rows = wide_rows(model, destination)
    single = one_by_one(model, rows)
    if not any(choose_packing(model, 2, pack, single).packed.values()):
        rows, pack = frozenset(), False
    columns = choose_columns(model, PARTS[part], lanes, pack, rows)
    packing = choose_packing(model, columns, pack, single)
    if not any(packing.packed.values()):
        rows = frozenset()
    designs = (
        lower_as(
            model,
            PARTS[part],
            packing,
            weights,
            destination,
            rows,
            placement or {},
            immediate,
            shifts,
        )
        for weights in weight_layouts(model, packing, columns)
    )
    tried: list[tuple[tuple[int, int], Design]] = []
    for design in designs:
        tried.append((crowding(design.stores.values(), PARTS[part]), design))
        if tried[-1][0] == (0, 0):
            return design
    return min(tried, key=lambda one: one[0])[1]


def lower_as(
    model: ir.IntegerModel,
    part: Part,
    packing: Packing,
    weights: WeightLayout,
    destination: dict[str, Destination],
    rows: frozenset[str],
    placement: Mapping[str, str],
    immediate: bool,
    shifts: Mapping[str, int] | None = None,
) -> Design:
    """The design with products packed and weights laid out as given."""
    geometry = choose_geometry(model, packing, weights, destination, rows)
    layout = Layout(
        columns=geometry.columns,
        ways=geometry.ways,
        weights=weights,
        wide=geometry.wide,
        wide_rows=rows,
        packed=packing.packed,
        dynamic_packed=packing.dynamic,
        shifts=common_shifts(model, shifts or {}),
        destination=destination,
        immediate=immediate,
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
        post=geometry.post,
        statistics=geometry.statistics,
    )
    addresses, depths = assign_addresses(model, timeline, layout, geometry)
    words, bases = weight_words(lowered, weights)
    parameters, parameter_bases, parameter_bits = parameter_words(lowered, geometry)
    position, places, position_bits = position_words(model, geometry)
    encoder = Encoder(model, layout, geometry, addresses | places, bases, parameter_bases)
    program = encoder.program(timeline)
    geometry = replace(geometry, **value_widths(model, geometry, program))
    images = {
        "program": program.words(),
        "weights": words,
        "parameters": parameters,
        "position": position,
    }
    specs = _stores(model, layout, geometry, program, images, depths, parameter_bits, position_bits)
    return Design(
        model=model,
        geometry=geometry,
        program=program,
        schedule=timeline,
        stores=place(specs, part, placement),
        images=images,
        bounds={
            op.y: op.bound(model.tensors).total for op in model.operations if isinstance(op, MATRIX)
        },
        packed=packing.packed,
        latency=_latency(timeline),
        interval=program.cycles,
        parameter_bits=parameter_bits,
        last_channel=_last_channel(model),
        part=part.name,
    )
