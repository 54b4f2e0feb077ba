"""Operations on all rows of a tensor: the last one subtracted, and their mean."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bitformer.model.later import later
from bitformer.model.operations.checks import check_multiplier, check_shape, fail
from bitformer.model.operations.operation import (
    Bound,
    Operation,
    RowOperation,
    Step,
    StepForm,
    Tensors,
    Values,
)
from bitformer.model.tensor import Tensor

__all__ = ["Pool", "SubtractLast"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubtractLast(RowOperation):
    """``u = x - x[last row]``, which is only rounded and clamped."""

    at_input: ClassVar[bool] = True

    def difference(self, x: np.ndarray) -> np.ndarray:
        """Return ``u`` of integers [batch, rows, features]."""
        return x - x[:, -1:]

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return self.difference(values[self.x]), 1, 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Operation):
    """``u = sum over rows``; the multiplier holds 1 / rows.

    ``newest`` : how many of the last rows it sums; 0 for all.
    """

    matrix: ClassVar[bool] = True

    x: str
    multiplier: int
    newest: int = later(0)

    @property
    def reads(self):
        return (self.x,)

    @property
    def weights_from(self):
        return self.x  # multiplied with ones

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        rings = {self.x: self.newest or tokens}
        return StepForm(operation=replace(self, newest=0), y=y, rings=rings)

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].features

    def bound(self, tensors: Tensors) -> Bound:
        x = tensors[self.x]
        dot = (self.newest or x.rows) * x.magnitude
        return Bound(dot=dot, total=dot)

    def term_bound(self, tensors: Tensors) -> int:
        return tensors[self.x].magnitude

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_multiplier(where, self.multiplier)
        x = tensors[self.x]
        check_shape(where, "y", tensors[self.y].shape, (1, x.features))
        if not 0 <= self.newest <= x.rows:
            fail(where, "newest", f"0 to {x.rows}, the rows of x", self.newest)

    def compute(self, values: Values, tensors: Tensors) -> Step:
        x = values[self.x][:, -self.newest :]
        return x.sum(axis=1, keepdims=True), self.multiplier, 0
