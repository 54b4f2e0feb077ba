"""A stream's attention on the engine: the keys are those of a ring, slot by slot."""

from dataclasses import replace

from bitformer.hw.lowering.images import part_words
from bitformer.hw.lowering.operations.attention import AttendLowering, ScoresLowering
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import MachineOperation
from bitformer.hw.timetable import RowTask
from bitformer.model.operations.rings import BIAS_COPIES

__all__ = ["RingAttendLowering", "RingScoresLowering"]


class RingScoresLowering(ScoresLowering):
    """A row of logits of each head, with a bias by the age of each key.

    A head's parameters are its biases from the oldest age to 0, and again from the oldest one but
    one: the bias of slot 0 is that of the newest token's slot, and the others follow. As a word
    holds one for each way, they lie there twice, the second time an element later.
    """

    def rows(self, plan: Plan) -> list[RowTask]:
        return [
            replace(one, operation=replace(one.operation, bias=True)) for one in super().rows(plan)
        ]

    def shortened(self, plan: Plan, task: RowTask, filled: int) -> RowTask:
        op = task.operation
        short = self._matrix(
            plan,
            outputs=filled,
            length=op.length,
            dynamic=True,
            wide_x=op.wide_x,
            weight_base=op.weight_base,
            weight_group=op.weight_group,
            multiplier=op.multiplier,
            bias=True,
        )
        return replace(task, operation=short, features=filled)

    def turned(
        self, plan: Plan, task: RowTask, operation: MachineOperation, slot: int
    ) -> MachineOperation:
        slots, ways = plan.model.tensors[self.op.y].features, plan.geometry.ways
        first = slots - 1 - slot
        if self.op.y in plan.geometry.wide:
            ways = 1
        copy, word = first % ways, first // ways
        words = part_words(self.op.y, 2 * slots - 1, plan.geometry)
        return replace(operation, parameters=(task.row * BIAS_COPIES + copy) * words + word)


class RingAttendLowering(AttendLowering):
    """A head of the one row in a task, as of any attention."""
