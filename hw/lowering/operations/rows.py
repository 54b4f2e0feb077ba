"""Operations on all rows of a tensor."""

from bitformer.hw.lowering.operations.lowering import Lowering, Role
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Destination, Source
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.operations import Pool, SubtractLast

__all__ = ["PoolLowering", "SubtractLastLowering"]


class SubtractLastLowering(Lowering[SubtractLast]):
    """No work of the engine's: samples pass through it on their way there."""

    def rows(self, plan: Plan) -> list[RowTask]:
        return []


class PoolLowering(Lowering[Pool]):
    """The only row in one task: ones are multiplied by all rows, which are the weights."""

    keeps = Destination.VALUE
    takes = {"x": (Role.VALUE,)}
    whole_rows = False

    def rows(self, plan: Plan) -> list[RowTask]:
        op, x = self.op, plan.model.tensors[self.op.x]
        operation = self._matrix(
            plan,
            outputs=x.features,
            length=x.rows,
            source=Source.ONE,
            dynamic=True,
            **plan.values_of(x),
            multiplier=int(plan.multipliers(op)[0]),
        )
        return [
            RowTask(
                operation=operation,
                tensor=op.y,
                row=0,
                first=0,
                features=x.features,
                reads=(Read(tensor=op.x, rows=x.rows),),
            )
        ]
