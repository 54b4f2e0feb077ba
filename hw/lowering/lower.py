"""Lowers an integer model to a program, memory images and a placement for one part."""

import itertools
from collections.abc import Mapping
from typing import Any

from bitformer.hw import timing
from bitformer.hw.design import Design
from bitformer.hw.judging import weight_bits
from bitformer.hw.lowering.ahead import sums_depth
from bitformer.hw.lowering.allocate import allocate
from bitformer.hw.lowering.asked_places import of_results
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.choose_rows import asked_rows
from bitformer.hw.lowering.columns import choose_columns, hard_columns
from bitformer.hw.lowering.effort import better_priorities, last_output
from bitformer.hw.lowering.encode import Addresses, Encoder, memory_blocks
from bitformer.hw.lowering.graph import check_graph, destinations
from bitformer.hw.lowering.images import parameter_words, position_words, weight_words
from bitformer.hw.lowering.layouts import weight_layouts
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.lowering.place import crowding
from bitformer.hw.lowering.place_results import ResultPlaces
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.lowering.soft_columns import asked_broad, asked_columns, in_time, longest_single
from bitformer.hw.lowering.steps import StreamProgram
from bitformer.hw.lowering.suggested import plans_of, suggested, tasks_of
from bitformer.hw.lowering.token_rows import check_rows
from bitformer.hw.lowering.wide import one_by_one, wide_rows
from bitformer.hw.lowering.written_stores import written_stores
from bitformer.hw.lut_rows import MOST_BITS
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import DEFAULT_PART, PARTS, find_part
from bitformer.hw.program import Destination, Program, Source
from bitformer.hw.timetable import Schedule
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent
from bitformer.model.stream import StepModel

__all__ = ["lower", "lower_plan", "preferred"]


def _cycles(timeline: Schedule, program: Program, model: IntegerModel) -> tuple[int, int]:
    """Return latency and interval.

    The latency counts from the first input accepted (0) to the last output taken, with both: a
    class or a flag is there some cycles after the last result has left their queue. Results of the
    next inference wait until that queue is empty, which takes a cycle for each. Its samples wait
    until the window has been read, and then come one a cycle as those of the first did.
    """
    out = [e for e in timeline.events if e.row.operation.destination is Destination.OUTPUT]
    taken = last_output(timeline)
    waits = min(event.issue for event in out if event.row.operation.wait_output)
    decision = timing.CHOICE if model.decision else timing.JUDGE if model.detector else 0
    latency = taken + 1 + decision
    readers = [e for e in timeline.events if e.row.operation.source is Source.INPUT]
    read = max(event.engine_last for event in readers)
    early = min(e.issue - e.row.needed_inputs for e in readers if e.row.operation.wait_input)
    return latency, max(program.cycles, taken + 1 - waits, read - early)


def lower(
    model: IntegerModel,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    immediate: bool = True,
    shifts: Mapping[str, int] | None = None,
    apart: bool | None = None,
    rows: int | str = 1,
    posts: int = 1,
    effort: int = 0,
    order: Schedule | None = None,
    like: Mapping[str, StoreSpec] | None = None,
    soft: int | str | None = None,
    broad: int | None = None,
    phases: int = 1,
    progress: Progress = silent,
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
        ``block``, ``distributed``, ``registers`` or ``auto`` by name: of a store, of an
        intermediate result, which lies there then whatever its store does, or of all ``results``.
    immediate :
        Whether a multiplier that all channels of a layer share is a constant of the hardware.
    shifts :
        Requantizing shifts by the tensor written, to be used where they change no result.
    apart :
        Whether elements of more than 8 bits, if they are few, lie in a word each; else all words of
        activations are as wide as two of them. By default they do, but in a stream's step only if
        that takes no more cycles: all that it makes of them waits for results one by one.
    rows :
        Rows of tokens that the engine has side by side: a power of two; ``auto`` for those, and
        the post-processors, that take the fewest cycles in the part.
    posts :
        Post-processors, each for its share of these rows: a power of two.
    effort :
        Orders of the rows to try for one that takes fewer cycles and no more memory.
    order :
        A timetable whose order the rows are to be issued in, if it is one of such rows.
    like :
        With that, stores of its design: results lie in the same parts of them.
    soft :
        Columns of LUTs beside those of multipliers, for two products each; ``auto`` for those that
        take the fewest cycles in the part's LUTs; by default what the family has.
    broad :
        How many of these multiply a single longer weight, too; by default as many as take the
        fewest cycles in the part's LUTs.
    phases :
        Of a stream, how many take steps in turn, each with rings of its own: as many as a patch has
        steps for a forecast at each of them.
    progress :
        Called after each order that is tried.

    Raises
    ------
    UserError
        For what cannot be built; it names the field.
    """
    find_part(part)
    options: dict[str, Any] = {
        "part": part,
        "lanes": lanes,
        "pack": pack,
        "placement": placement,
        "immediate": immediate,
        "shifts": shifts,
        "apart": apart,
        "order": order,
        "like": like,
        "phases": phases,
    }
    rows, posts = asked_rows(
        rows, posts, lambda r, p: lower(model, rows=r, posts=p, soft=soft, **options)
    )
    extra = asked_columns(
        soft, lambda count: lower(model, rows=rows, posts=posts, soft=count, **options)
    )
    options |= {"rows": rows, "posts": posts, "soft": extra}
    broad = asked_broad(broad, extra, lambda count: lower(model, broad=count, **options))
    if model.config.stream:
        model = StepModel.of(model.identified, phases=phases)
    elif phases != 1:
        raise UserError(f"phases must be 1 for a model of windows, not {phases}")
    if phases > 1 and of_results(placement or {}, model):
        raise UserError("placement must leave out intermediate results with several phases")
    multiplier = PARTS[part].family.multiplier
    destination = destinations(model)
    check_graph(model, destination)
    wide = frozenset[str]() if apart is False else wide_rows(model, destination)
    if apart is None and wide and isinstance(model, StepModel):
        options |= {"broad": broad, "effort": effort, "progress": progress}
        designs = [lower(model.source, **{**options, "apart": one}) for one in (True, False)]
        return min(designs, key=lambda design: (design.latency, design.interval))
    single = one_by_one(model, wide)
    batch = Batch.of(model)
    if not choose_packing(batch, 2, pack, multiplier, single).packed.any():
        wide, pack = frozenset(), False
    columns = choose_columns(model, PARTS[part], lanes, pack, wide, rows, posts)
    both = columns if columns % 2 else columns + (extra or 0)
    packing = choose_packing(batch, both, pack, multiplier, single)[0]
    if not any(packing.packed.values()):
        wide = frozenset()
    tried: list[tuple[tuple[int, int], Plan, Design]] = []
    hard = hard_columns(model, PARTS[part], columns, any(packing.packed.values()), wide)
    most = multiplier.soft
    if extra is not None:
        hard, most = columns, most or MOST_BITS
        columns += extra if in_time(hard, packing, multiplier) else 0
    check_rows(model, rows, posts, hard * (2 if packing.dynamic else 1))
    served: dict[str, Any] = {"few": extra is not None, "rows": rows, "broad": broad}
    served["longest"] = longest_single(hard, packing, multiplier)
    for weights in weight_layouts(model, packing, columns, hard, most, **served):
        plan = Plan(
            model=model,
            part=PARTS[part],
            destinations=destination,
            packing=packing,
            weights=weights,
            wide_rows=wide,
            rows=rows,
            posts=posts,
            immediate=immediate,
            wanted_shifts=shifts or {},
        )
        plans = plans_of(plan)
        orders = [Priorities.following(order, tasks_of(own)) if order else None for own in plans]
        tried.append(
            min(
                (
                    _tried(own, placement or {}, priorities, like)
                    for own, priorities in zip(plans, orders, strict=True)
                    if priorities or not any(orders)
                ),
                key=lambda one: preferred(one[0], one[2]),
            )
        )
        if tried[-1][0] == (0, 0):
            break
    _, plan, design = min(tried, key=lambda one: one[0])
    return _in_better_order(plan, design, placement or {}, effort, progress) if effort else design


def preferred(over: tuple[int, int], design: Design) -> tuple[tuple[int, int], int, int]:
    """Return what is least of the better one of designs that are ``over`` a part by so much.

    A forecast that is there earlier may cost as many cycles of the interval, and no more.
    """
    return over, design.latency + design.interval, design.latency


def _tried(
    plan: Plan,
    placement: Mapping[str, str],
    priorities: Priorities | None,
    like: Mapping[str, StoreSpec] | None,
) -> tuple[tuple[int, int], Plan, Design]:
    """Return how far a plan's design exceeds the part's memories, the plan, and the design."""
    design = lower_plan(plan, placement, priorities, like if priorities else None)
    return crowding(design.stores.values(), plan.part), plan, design


def _in_better_order(
    plan: Plan, first: Design, placement: Mapping[str, str], tries: int, progress: Progress
) -> Design:
    """Return the best design found whose latency, interval and memories exceed none of ``first``'s.

    ``placement`` is that of :func:`lower_plan`.
    """

    def figures(design: Design) -> tuple[int, ...]:
        crowded = crowding(design.stores.values(), plan.part)
        return design.latency, design.interval, *crowded

    tasks, most = tasks_of(plan), figures(first)
    start = _structural(plan, placement)[0]
    found = better_priorities(tasks, start, plan.geometry, tries=tries, progress=progress)
    for priorities in reversed(found):
        design = lower_plan(plan, placement, priorities)
        if all(a <= b for a, b in zip(figures(design), most, strict=True)):
            return design
    return first


def _structural(plan: Plan, placement: Mapping[str, str] | None) -> tuple[Priorities, Design]:
    """Return what the model's structure suggests, and the design that comes of it.

    Where a family has no memories in LUTs, block RAM is dear: queries come later if that takes no
    more cycles and fewer words.
    """
    tasks, model = tasks_of(plan), plan.model
    family, found = plan.part.family, list[tuple[Priorities, Design]]()
    for later in (0,) if family.luts.rams else (0, 2, 2 * len(model.operations)):
        priorities = suggested(plan, tasks, later)
        found.append((priorities, lower_plan(plan, placement, priorities)))
    first = found[0][1]

    def words(one: tuple[Priorities, Design]) -> tuple[int, ...]:
        stores = one[1].stores
        kept, scores = (stores[n].depth if n in stores else 0 for n in ("activations", "scores"))
        return -(-kept // family.block_ram.shapes[0][0]), scores, kept

    return min((one for one in found if _no_slower(one[1], first)), key=words)


def _no_slower(design: Design, other: Design) -> bool:
    return design.latency <= other.latency and design.interval <= other.interval


def lower_plan(
    plan: Plan,
    placement: Mapping[str, str] | None = None,
    priorities: Priorities | None = None,
    like: Mapping[str, StoreSpec] | None = None,
) -> Design:
    """Lower a plan, with its stores placed as ``placement`` says by name, to a design.

    ``priorities`` : which row goes first; by default, what the model's structure suggests.
    ``like`` : stores of another design of the same rows; parts that these have, it has, too.
    """
    if priorities is None:
        return _structural(plan, placement)[1]
    model, geometry = plan.model, plan.geometry
    steps = StreamProgram.of(plan)
    tasks = tasks_of(plan)
    timeline = schedule(tasks, priorities, geometry)
    blocks = memory_blocks(model, timeline, geometry)
    depths = {name: allocate(own, by_size=name == "dynamic") for name, own in blocks.items()}
    split = {op.y: plan.lane_features(op) for op in model.linears if plan.is_split(op)}
    weights, weight_bases = weight_words(model.linears, plan.weights, split, plan.rows)
    parameters, parameter_bases, parameter_bits, strides = parameter_words(
        plan.parameters, geometry, model.clocks
    )
    depths["sums"] = sums_depth(tasks, plan, parameter_bases)
    position, places, position_bits = position_words(model, geometry)
    for block in itertools.chain(*blocks.values()):
        places |= block.addresses
    first_lap: list[Schedule] = []
    if steps is not None:
        first_lap = [
            schedule(steps.tasks(filled), priorities, geometry) for filled in range(1, steps.slots)
        ]
    ways = geometry.ways
    roms = {
        "weights": (weights, plan.weights.bits),
        "parameters": (parameters, sum(parameter_bits) * ways),
        "position": (position, position_bits * ways * geometry.rows),
    }
    if (judge := model.detector) is not None:
        roms["judge_weights"] = (judge.weight.tolist(), weight_bits(judge))

    def encoded(
        addresses: Addresses, depths: Mapping[str, int]
    ) -> tuple[Program, dict[str, list[int]], list[StoreSpec]]:
        """Return the program of rows there, the words of all ROMs, and all memories, not placed."""
        encoder = Encoder(
            plan=plan, addresses=addresses, weights=weight_bases, parameters=parameter_bases
        )
        if steps is None:
            program = encoder.program(timeline)
        else:
            program = steps.program(encoder, [*first_lap, timeline])
        shapes = {"program": (program.words(), program.word_bits), **roms}
        specs = [
            StoreSpec(name=name, depth=len(words), width=width, rom=True)
            for name, (words, width) in shapes.items()
        ]
        specs = [spec for spec in specs + written_stores(plan, depths) if spec.depth]
        return program, {name: words for name, (words, _) in shapes.items()}, specs

    program, images, specs = encoded(places, depths)
    results = ResultPlaces(
        plan=plan,
        blocks=blocks,
        timeline=timeline,
        specs=specs,
        placement=placement or {},
        like=like or {},
    )
    stores, lies = results.chosen()
    if lies:
        for lie in lies.values():
            places |= lie.addresses
        moved = encoded(places, depths | {name: lie.spec.depth for name, lie in lies.items()})
        stores, fits = results.placed(moved[-1], lies)
        if fits:
            program, images, _ = moved
    latency, interval = _cycles(timeline, program, model)
    return Design(
        model=model,
        geometry=geometry,
        program=program,
        schedule=timeline,
        stores=stores,
        images=images,
        bounds={name: bound.total for name, bound in model.bounds.items()},
        packed=plan.packing.packed,
        latency=latency,
        interval=interval,
        parameter_bits=parameter_bits,
        last_channel=plan.last_channels[0] if len(plan.last_channels) == 1 else 0,
        part=plan.part.name,
        strides=strides,
        first_lap=tuple(first_lap),
        first_latency=_cycles(first_lap[0], program, model)[0] if first_lap else 0,
    )
