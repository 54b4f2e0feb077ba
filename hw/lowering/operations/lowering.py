"""The hardware's side of an operation: where its tensors lie, and its rows of work."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Destination, MachineOperation
from bitformer.hw.timetable import RowTask
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Operation

__all__ = ["Lowering", "Role", "shorter"]

AnyOperation = TypeVar("AnyOperation", bound=Operation)


def shorter(operation: MachineOperation, length: int) -> MachineOperation:
    """Return a matrix operation of so many terms; its groups stay apart as columns drain."""
    pitch = max(length, operation.columns) if operation.groups > 1 else length
    return replace(operation, length=length, pitch=pitch)


class Role(StrEnum):
    """What a tensor is to the units, by where it lies."""

    WINDOW = "the window"
    INPUT = "the raw input"
    TABLE = "a table"
    ACTIVATION = "an activation"
    SCORE = "logits"
    KEY = "keys"
    VALUE = "values"
    OUTPUT = "the output"


class Lowering(ABC, Generic[AnyOperation]):
    """An operation of the model as the units run it.

    Parameters
    ----------
    op : the operation.
    """

    #: Store that results go to.
    writes: ClassVar[Destination] = Destination.ACTIVATION
    #: Store of the tensor that is multiplied in the weights' place.
    keeps: ClassVar[Destination | None] = None
    #: What each tensor that it reads must be, by its field in the operation.
    takes: ClassVar[Mapping[str, tuple[Role, ...]]] = {}
    #: Whether a row's results leave in order, each once, so that they can be keys or values.
    whole_rows: ClassVar[bool] = True

    def __init__(self, op: AnyOperation):
        self.op = op

    def needs(self) -> Iterator[tuple[str, str, tuple[Role, ...]]]:
        """Yield (field, tensor, what that must be) of each tensor that it reads."""
        for field, roles in self.takes.items():
            yield field, getattr(self.op, field), roles

    def check(self, model: IntegerModel) -> None:
        """Raise :class:`UserError` unless the units can run it as ``model`` has it."""

    def dots(self, model: IntegerModel) -> tuple[int, int, int]:
        """Return the rows of a matrix operation, the dot products of each and their terms."""
        y = model.tensors[self.op.y]
        return y.rows, y.features, self.op.macs(model.tensors) // y.size

    @abstractmethod
    def rows(self, plan: Plan) -> list[RowTask]:
        """Return its rows of work in order."""

    def shortened(self, plan: Plan, task: RowTask, filled: int) -> RowTask:
        """Return a row of a stream's step that reads so many tokens of a ring, and no more.

        The others are not there yet. By default it is a product over tokens, of as many terms.
        """
        return replace(task, operation=shorter(task.operation, filled))

    def turned(
        self, plan: Plan, task: RowTask, operation: MachineOperation, slot: int
    ) -> MachineOperation:
        """Return a step's operation of a row where the newest token lies in ``slot`` of a ring."""
        return operation

    def _operation(self, plan: Plan, outputs: int, **fields: Any) -> MachineOperation:
        """Return the operation of a row with ``outputs`` results: what ``y`` decides, and more."""
        y, geometry = plan.model.tensors[self.op.y], plan.geometry
        zero, low, high = self.op.limits(plan.model.tensors)
        return MachineOperation(
            tensor=y.name,
            shift=plan.shifts[y.name],
            destination=plan.destinations[y.name],
            odd=bool(outputs % geometry.ways),
            zero=zero,
            low=low,
            high=high,
            wide=y.name in geometry.wide,
            wide_y=y.name in geometry.wide_rows,
            **fields,
        )

    @staticmethod
    def _pitch(plan: Plan, *, groups: int, length: int, columns: int, count: int) -> int:
        """Return the cycles from one group of ``count`` rows to the next: of terms or of drains."""
        return max(length, columns * plan.geometry.rounds(count)) if groups > 1 else length

    def _matrix(
        self,
        plan: Plan,
        *,
        outputs: int,
        length: int,
        skip: int = 0,
        count: int = 1,
        **fields: Any,
    ) -> MachineOperation:
        """Return dot products of ``length`` terms for ``outputs`` results from column ``skip``.

        They are those of each of ``count`` rows side by side.
        """
        per_column, columns = plan.per_column(self.op), plan.columns_of(self.op)
        per_group = columns * per_column
        groups = -(-outputs // per_group)
        rest = outputs - (groups - 1) * per_group
        return self._operation(
            plan,
            outputs,
            matrix=True,
            length=length,
            pitch=self._pitch(plan, groups=groups, length=length, columns=columns, count=count),
            groups=groups,
            columns=columns,
            last_columns=skip + -(-rest // per_column),
            skip=skip,
            packed=per_column > 1,
            rows=count,
            **fields,
        )
