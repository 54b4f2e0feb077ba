"""The rows of a plan, and the order of them that the model's structure suggests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bitformer.hw.lowering.ahead import part_sizes
from bitformer.hw.lowering.beside import beside, patient
from bitformer.hw.lowering.effort import last_output
from bitformer.hw.lowering.operations import lowering_of
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.priorities import Priorities
from bitformer.hw.lowering.schedule import schedule
from bitformer.hw.lowering.steps import StreamProgram
from bitformer.hw.program import Destination
from bitformer.hw.timetable import RowTask
from bitformer.model.ir import IntegerModel
from bitformer.model.stream import StepModel

__all__ = ["plans_of", "suggested", "tasks_of"]


def tasks_of(plan: Plan) -> dict[str, list[RowTask]]:
    """Return the rows of each operation, by the tensor that it writes.

    Of a stream, those of a step whose rings are full.
    """
    if (steps := StreamProgram.of(plan)) is not None:
        return steps.tasks(steps.slots)
    return {op.y: lowering_of(op).rows(plan) for op in plan.model.operations}


def _ranks(model: IntegerModel, *, later: int = 0) -> dict[str, int]:
    """Return the priority of each tensor's rows: downstream first, but keys before queries.

    What runs beside the main path has none, and fills its gaps. Queries come so many ranks
    ``later``: from 2 on, behind the rows that they are made of.
    """
    ranks = {op.y: rank for rank, op in enumerate(model.operations)}
    places = dict(ranks)
    for op in model.operations:
        if lowering_of(op).keeps is Destination.KEY:
            queries, keys = op.reads
            ranks[queries] = min(places[queries], places[keys])
            ranks[keys] = ranks[queries] + 2
            ranks[queries] -= later
    aside = beside(model)
    return {name: rank - len(ranks) * (name in aside) for name, rank in ranks.items()}


def suggested(plan: Plan, tasks: Mapping[str, Sequence[RowTask]], later: int = 0) -> Priorities:
    """Return what the model's structure suggests, with queries so many ranks ``later``."""
    model = plan.model
    priorities = Priorities.of(tasks, _ranks(model, later=later))
    if not isinstance(model, StepModel):
        return priorities
    waits = {name for name in beside(model) if model.forms[name].rings}
    return patient(tasks, priorities, waits, plan.geometry)


def plans_of(plan: Plan) -> list[Plan]:
    """Return a plan, and if it is of a stream the same one that sums ahead, in the best parts."""

    def cycles(one: Plan) -> tuple[int, int]:
        tasks = tasks_of(one)
        timeline = schedule(tasks, suggested(one, tasks), one.geometry)
        return last_output(timeline), timeline.drained

    found = [replace(plan, ahead=size) for size in part_sizes(plan)]
    return [plan, min(found, key=cycles)] if found else [plan]
