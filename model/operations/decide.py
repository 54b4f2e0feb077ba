"""The decision of a classifier: the number of the class with the largest score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitformer.model.operations.checks import check_shape, fail
from bitformer.model.operations.operation import Operation, Step, Tensors, Values

__all__ = [
    "ANSWER_BITS",
    "MOST_CLASSES",
    "Decide",
    "decided",
    "decision_of",
]

#: Classes that a model may tell apart; the number behind the last one says «rejected».
MOST_CLASSES = 256
#: Bits of an answer.
ANSWER_BITS = 16


def decided(scores: np.ndarray, margin: int = 0) -> np.ndarray:
    """Return the classes, int64 [...], of integer ``scores`` [..., classes].

    It is the class with the largest score, the lowest of equals; where that is less than ``margin``
    above the second, it is the number of classes, which says «rejected».
    """
    scores = np.asarray(scores)
    found = scores.argmax(axis=-1)
    second, first = np.moveaxis(np.partition(scores, -2, axis=-1)[..., -2:], -1, 0)
    return np.where(first - second < margin, scores.shape[-1], found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decide(Operation):
    """The number of the largest score, or of «rejected»: see :func:`decided`.

    ``x`` [1, classes] are the scores and ``y`` [1, 1] is the answer, at scale 1. ``margin`` is in
    steps of a score, 0 to reject nothing. Nothing is rounded: ``shift`` is 0.
    """

    at_output: ClassVar[bool] = True

    x: str
    shift: int = 0
    margin: int = 0

    @property
    def reads(self):
        return (self.x,)

    def stored_bits(self):
        return {}

    def multiplier_bound(self, tensors: Tensors) -> int:
        return 1

    def multiplicand_bound(self, tensors: Tensors, norm_bits: int) -> int:
        return tensors[self.x].features

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        x, y = tensors[self.x], tensors[self.y]
        if x.rows != 1 or not 2 <= x.features <= MOST_CLASSES:
            fail(where, "x", f"one row of 2 to {MOST_CLASSES} scores", f"of shape {x.shape}")
        check_shape(where, "y", y.shape, (1, 1))
        if y.high < x.features:
            fail(where, "bits of y", f"enough for {x.features}, which says rejected", y.bits)
        for name, must in (("exponent", 0), ("zero", 0)):
            if getattr(y, name) != must:
                fail(where, f"{name} of y", f"{must}, of a class's number", getattr(y, name))
        if self.shift:
            fail(where, "shift", "0, as nothing is rounded", self.shift)
        most = x.high - x.low
        if type(self.margin) is not int or not 0 <= self.margin <= most:
            fail(where, "margin", f"0 to {most} steps of a score", self.margin)

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return decided(values[self.x], self.margin)[..., None], 1, 0


def decision_of(operations: Sequence[Operation]) -> Decide | None:
    """Return the decision that ends ``operations``; None where they end otherwise."""
    last = operations[-1]
    return last if isinstance(last, Decide) else None
