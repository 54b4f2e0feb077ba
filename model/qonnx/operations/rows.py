"""Operations on all rows of a tensor: the last one subtracted, and their mean."""

from bitformer.model.operations import Pool, SubtractLast
from bitformer.model.qonnx.operations.form import Form

__all__ = ["PoolForm", "SubtractLastForm"]


class SubtractLastForm(Form[SubtractLast]):
    """``x`` less its last row."""

    says = ("x",)

    def add(self) -> None:
        x, rows = self.integers(self.op.x), self.tensors[self.op.x].rows
        last = self.steps.cut(x, 1, rows - 1, rows, "last")
        change = self.steps.add("Sub", x, last, out="change")
        self.store(self.carried(self.requantized(change)))


class PoolForm(Form[Pool]):
    """The sum of all rows, times a multiplier that holds 1 / rows."""

    says = ("x", "multiplier")

    def add(self) -> None:
        op, steps = self.op, self.steps
        dot = steps.total(self.integers(op.x), 1, "dot")
        steps.annotated(dot, op.bound(self.tensors).dot)
        self.store(self.carried(self.requantized(self.multiplied(dot, op.multiplier))))
