"""Operations on all rows of a tensor: the last one subtracted, and their mean."""

from typing import ClassVar

from bitformer.model.operations import Pool, SubtractLast
from bitformer.model.qonnx.operations.form import Form

__all__ = ["PoolForm", "SubtractLastForm"]


class SubtractLastForm(Form[SubtractLast]):
    """``x`` less its last row."""

    says: ClassVar[tuple[str, ...]] = ("x",)

    def add(self) -> None:
        self.store(self.carried(self.requantized(self._change(self.integers(self.op.x)))))

    def _change(self, x: str) -> str:
        """Return the differences of int64 rows."""
        rows = self.tensors[self.op.x].rows
        return self.steps.add("Sub", x, self.steps.cut(x, 1, rows - 1, rows, "last"), out="change")


class PoolForm(Form[Pool]):
    """The sum of all rows or of the newest, times a multiplier that holds 1 / rows."""

    says: ClassVar[tuple[str, ...]] = ("x", "multiplier", "newest")

    def add(self) -> None:
        op, steps, rows = self.op, self.steps, self.tensors[self.op.x].rows
        x = self.integers(op.x)
        if op.newest:
            x = steps.cut(x, 1, rows - op.newest, rows, "newest")
        dot = steps.annotated(steps.total(x, 1, "dot"), op.bound(self.tensors).dot)
        self.store(self.carried(self.requantized(self.multiplied(dot, op.multiplier))))
