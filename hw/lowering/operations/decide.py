"""The decision of a classifier or a detector, between the queue of results and the output."""

from bitformer.hw.lowering.operations.lowering import Lowering, Role
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Destination
from bitformer.hw.timetable import RowTask
from bitformer.model.operations import Decide, Judge

__all__ = ["DecideLowering", "JudgeLowering"]


class DecideLowering(Lowering[Decide]):
    """No work of the engine's: scores pass through the choice of a class on their way out."""

    writes = Destination.OUTPUT
    takes = {"x": (Role.OUTPUT,)}

    def rows(self, plan: Plan) -> list[RowTask]:
        return []


class JudgeLowering(Lowering[Judge]):
    """No work of the engine's: forecasts pass through the detector on their way out."""

    writes = Destination.OUTPUT
    takes = {"x": (Role.OUTPUT,)}

    def rows(self, plan: Plan) -> list[RowTask]:
        return []
