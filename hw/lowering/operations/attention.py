"""Attention on the engine: keys and values take the weights' place, and heads are rows."""

import itertools

from bitformer.hw.lowering.operations.lowering import Lowering, Role
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.token_rows import blocks
from bitformer.hw.program import Destination, Factor, Source
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Attend, Scores

__all__ = ["AttendLowering", "ScoresLowering"]


def _keys(plan: Plan, op: Scores | Attend, token: int) -> int:
    """Return how many keys a row of attention sees: the product with a masked one is not made."""
    return token + 1 if op.causal else plan.model.tensors[str(op.weights_from)].rows


def _queries(plan: Plan, op: Scores | Attend, rows: int) -> list[tuple[int, int, int]]:
    """Return the first query, the queries and the lane of each task of one head.

    Queries that see different numbers of keys are not side by side.
    """
    together = plan.geometry.rows
    if op.causal:
        return [(row, 1, row % together) for row in range(rows)]
    return [(first, count, 0) for first, count in blocks(rows, together)]


class ScoresLowering(Lowering[Scores]):
    """A row of logits, of one query and head, or those of a block of queries, in one task."""

    writes = Destination.SCORE
    keeps = Destination.KEY
    takes = {"q": (Role.ACTIVATION,), "k": (Role.KEY,)}
    whole_rows = False

    def rows(self, plan: Plan) -> list[RowTask]:
        op, tensors = self.op, plan.model.tensors
        features = tensors[op.q].features
        length, parts = features // op.heads, plan.geometry.dynamic_parts
        tasks = []
        queries = _queries(plan, op, tensors[op.q].rows)
        for (token, count, lane), head in itertools.product(queries, range(op.heads)):
            keys = _keys(plan, op, token)
            operation = self._matrix(
                plan,
                outputs=keys,
                length=length,
                count=count,
                lane=lane,
                dynamic=True,
                wide_x=op.q in plan.wide_rows,
                weight_base=head * length,
                weight_group=-(-features // parts) * parts,
                multiplier=int(plan.multipliers(op)[0]),
            )
            tasks.append(
                RowTask(
                    operation=operation,
                    tensor=op.y,
                    row=token * op.heads + head,
                    first=0,
                    features=keys,
                    reads=(Read(tensor=op.q, row=token, count=count), Read(tensor=op.k, rows=keys)),
                    start=head * length,
                    count=count,
                    step=op.heads if count > 1 else 1,
                )
            )
        return tasks


def _pieces(slots: int, first: int, features: int) -> list[tuple[int, int]]:
    """Cut a head's features into (start, count), each inside one word of values or whole words."""
    if first % slots == 0 and features % slots == 0:
        return [(first, features)]
    pieces = []
    while features:
        count = min(features, slots - first % slots)
        pieces.append((first, count))
        first, features = first + count, features - count
    return pieces


class AttendLowering(Lowering[Attend]):
    """A head of a row or block in a task, or in several where it begins inside a word of values."""

    keeps = Destination.VALUE
    takes = {"scores": (Role.SCORE,), "v": (Role.VALUE,)}
    whole_rows = False

    def dots(self, model: IntegerModel) -> tuple[int, int, int]:
        rows, features, length = super().dots(model)
        return rows * self.op.heads, features // self.op.heads, length

    def check(self, model: IntegerModel) -> None:
        # a row of logits is kept with its maximum, of all that its one reader sees
        op, scores = self.op, model.writers[self.op.scores]
        if op is not next(one for one in model.operations if op.scores in one.reads):
            raise UserError(f"scores of {op.y} must not be read twice, which {op.scores} are")
        for field in ("heads", "causal"):
            own, wanted = getattr(op, field), getattr(scores, field)
            if own != wanted:
                raise UserError(f"{field} of {op.y} must be as in {op.scores}, {wanted}, not {own}")

    def rows(self, plan: Plan) -> list[RowTask]:
        op, y = self.op, plan.model.tensors[self.op.y]
        slots, size = plan.geometry.dynamic_slots, y.features // op.heads
        values = plan.values_of(y)
        tasks = []
        queries = _queries(plan, op, y.rows)
        for (token, rows, lane), head in itertools.product(queries, range(op.heads)):
            keys, row = _keys(plan, op, token), token * op.heads + head
            step = op.heads if rows > 1 else 1
            scores = Read(tensor=op.scores, row=row, count=rows, step=step)
            for first, count in _pieces(slots, head * size, size):
                operation = self._matrix(
                    plan,
                    outputs=count,
                    length=keys,
                    skip=first % slots // plan.per_column(op),
                    count=rows,
                    lane=lane,
                    source=Source.SCORE,
                    dynamic=True,
                    weight_base=first // slots * values["weight_group"],
                    **values,
                    factor=Factor.RECIPROCAL,
                )
                tasks.append(
                    RowTask(
                        operation=operation,
                        tensor=op.y,
                        row=token,
                        first=first,
                        features=count,
                        begins=first == 0,
                        completes=first + count == y.features,
                        reads=(scores, Read(tensor=op.v, rows=keys)),
                        count=rows,
                    )
                )
        return tasks
