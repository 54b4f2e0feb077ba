"""Attention and differences of a stream, over windows: each token sees the newest ones alone.

A step of a stream, which holds keys, values and what is subtracted in rings, gives the same
numbers: :mod:`bitformer.model.stream`.
"""

from dataclasses import dataclass, replace

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations.attention import Attend, Scores
from bitformer.model.operations.checks import LARGEST_BIAS, check_array, fail
from bitformer.model.operations.operation import (
    Bound,
    Operation,
    Step,
    StepForm,
    Tensors,
    Values,
    packed_bits,
)
from bitformer.model.operations.rings import RingAttend, RingScores, SubtractBefore
from bitformer.model.operations.rows import SubtractLast
from bitformer.model.tensor import Tensor

__all__ = ["SlidingAttend", "SlidingScores", "SubtractPreceding", "within_reach"]


def within_reach(rows: int, reach: int) -> np.ndarray:
    """Return which keys count for each row, bool [rows, rows]: itself and ``reach`` - 1 before."""
    return np.tri(rows, dtype=bool) & ~np.tri(rows, k=-reach, dtype=bool)


def _check_reach(op: Operation, where: str, reach: int, rows: int, *, causal: bool) -> None:
    if not causal:
        fail(where, "causal", "true, as a key that comes later is in no ring", causal)
    if not 1 <= reach <= rows:
        fail(where, "reach", f"1 to {rows}, the rows of its keys", reach)


@dataclass(frozen=True, kw_only=True, eq=False)
class SlidingScores(Scores):
    """``u = q[i, head] . k[j, head] + bias[head, i - j]``, of the newest keys alone.

    ``bias`` : int64 [heads, reach], by the distance of a key; ``reach`` keys count, those of
    distances 0 to ``reach`` - 1. The rest of ``y`` is its lowest number.
    """

    bias: np.ndarray

    @property
    def reach(self) -> int:
        """Keys that a query sees."""
        return self.bias.shape[-1]

    @property
    def parameter_count(self):
        return self.bias.size

    def stored_bits(self):
        return super().stored_bits() | {"biases": packed_bits(self.bias)}

    def bound(self, tensors: Tensors) -> Bound:
        dot = super().bound(tensors).dot
        return Bound(dot=dot, total=dot + int(np.abs(self.bias).max()))

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        super()._check(where, tensors, written)
        shape = self.heads, np.shape(self.bias)[-1] if np.ndim(self.bias) else 0
        check_array(where, "bias", self.bias, shape, -LARGEST_BIAS, LARGEST_BIAS)
        _check_reach(self, where, self.reach, tensors[self.k].rows, causal=self.causal)

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        operation = RingScores(
            q=self.q,
            k=self.k,
            y=self.y,
            heads=self.heads,
            multiplier=self.multiplier,
            shift=self.shift,
            bias=self.bias,
        )
        y = replace(y, rows=self.heads, features=self.reach)
        return StepForm(operation=operation, y=y, rings={self.k: self.reach})

    def visible(self, rows: int) -> np.ndarray:
        """Return which logits are computed, bool [rows * heads, rows]."""
        return np.repeat(within_reach(rows, self.reach), self.heads, axis=0)

    def compute(self, values: Values, tensors: Tensors) -> Step:
        u, multiplier, addend = super().compute(values, tensors)
        rows = u.shape[-1]
        distance = np.arange(rows)[:, None] - np.arange(rows)
        each = self.bias[:, np.clip(distance, 0, self.reach - 1)]  # [heads, rows, keys]
        return u + each.swapaxes(0, 1).reshape(-1, rows), multiplier, addend

    def run(self, values: Values, tensors: Tensors) -> np.ndarray:
        y = tensors[self.y]
        return np.where(self.visible(y.features), super().run(values, tensors), y.low)


@dataclass(frozen=True, kw_only=True, eq=False)
class SlidingAttend(Attend):
    """As :class:`Attend`, of the newest ``reach`` keys alone."""

    reach: int

    def headroom(self, tensors: Tensors) -> int:
        return numerics.reciprocal_headroom(self.reach)

    def bound(self, tensors: Tensors) -> Bound:
        dot = self.reach * self.term_bound(tensors)
        return Bound(dot=dot, total=dot)

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        super()._check(where, tensors, written)
        _check_reach(self, where, self.reach, tensors[self.v].rows, causal=self.causal)

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        operation = RingAttend(
            scores=self.scores, v=self.v, y=self.y, heads=self.heads, shift=self.shift
        )
        return StepForm(operation=operation, y=replace(y, rows=1), rings={self.v: self.reach})

    def visible(self, values: Values) -> np.ndarray:
        return np.repeat(within_reach(values[self.v].shape[1], self.reach), self.heads, axis=0)

    def keys(self, keys: int) -> int:
        return self.reach


@dataclass(frozen=True, kw_only=True, eq=False)
class SubtractPreceding(SubtractLast):
    """``u = x - x[the row before its patch]``; of the first patch, its own last row.

    ``patch`` : rows of a patch.
    """

    patch: int

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        super()._check(where, tensors, written)
        if self.patch < 1 or tensors[self.x].rows % self.patch:
            fail(where, "patch", f"a divisor of {tensors[self.x].rows}, the rows of x", self.patch)

    def at_step(self, own: Tensor, y: Tensor, tokens: int) -> StepForm:
        operation = SubtractBefore(x=self.x, y=self.y, shift=self.shift)
        return StepForm(operation=operation, y=replace(y, rows=own.rows))

    def difference(self, x: np.ndarray) -> np.ndarray:
        patches = x.reshape(len(x), -1, self.patch, x.shape[-1])
        before = np.concatenate([patches[:, :1, -1], patches[:, :-1, -1]], axis=1)
        return (patches - before[:, :, None]).reshape(x.shape)
