"""Operations on all rows of a tensor: the last one subtracted, and their mean."""

from dataclasses import dataclass
from typing import ClassVar

from bitformer.model.operations.checks import check_multiplier, check_shape
from bitformer.model.operations.operation import (
    Bound,
    Operation,
    RowOperation,
    Step,
    Tensors,
    Values,
)

__all__ = ["Pool", "SubtractLast"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubtractLast(RowOperation):
    """``u = x - x[last row]``, which is only rounded and clamped."""

    at_input: ClassVar[bool] = True

    def compute(self, values: Values, tensors: Tensors) -> Step:
        x = values[self.x]
        return x - x[:, -1:], 1, 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Operation):
    """``u = sum over rows``; the multiplier holds 1 / rows."""

    matrix: ClassVar[bool] = True

    x: str
    multiplier: int

    @property
    def reads(self):
        return (self.x,)

    @property
    def weights_from(self):
        return self.x  # multiplied with ones

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].features

    def bound(self, tensors: Tensors) -> Bound:
        x = tensors[self.x]
        return Bound(dot=x.rows * x.magnitude, total=x.rows * x.magnitude)

    def term_bound(self, tensors: Tensors) -> int:
        return tensors[self.x].magnitude

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_multiplier(where, self.multiplier)
        check_shape(where, "y", tensors[self.y].shape, (1, tensors[self.x].features))

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return values[self.x].sum(axis=1, keepdims=True), self.multiplier, 0
