"""Attention and differences of a stream's step: a query against keys in a ring, slot by slot.

``values[AGES]`` holds how many steps ago each slot was written, int64 [slots], and as many as there
are slots where none was: such a key does not count, and its logit is the lowest number. Sums do not
depend on the order of keys, so slots stay where they are. ``values[BEFORE]`` is the step before the
patch, [batch, 1, channels].
"""

from dataclasses import dataclass

import numpy as np

from bitformer.model.operations.attention import Attend, Scores
from bitformer.model.operations.operation import Bound, Step, Tensors, Values
from bitformer.model.operations.rows import SubtractLast

__all__ = ["AGES", "BEFORE", "BIAS_COPIES", "RingAttend", "RingScores", "SubtractBefore"]

#: What the ages of a ring's slots, and the step before a patch, are called among a step's values.
AGES, BEFORE = "ages", "before"
#: How often a head's biases lie in the hardware: see :attr:`RingScores.parameters`.
BIAS_COPIES = 2


def _written(values: Values) -> np.ndarray:
    """Return which slots count, bool [slots]."""
    ages = values[AGES]
    return ages < len(ages)


@dataclass(frozen=True, kw_only=True, eq=False)
class RingScores(Scores):
    """``u = q[head] . k[slot, head] + bias[head, age of the slot]``: a row of logits for each head.

    ``bias`` : int64 [heads, slots], by age.
    """

    bias: np.ndarray

    @property
    def parameters(self):
        """The biases of slots 0, 1, … where the newest token lies in the last slot, and around.

        Where it lies in slot s, they begin so many elements behind the first that s is before the
        last slot. A second copy begins with the second element, for words of two.
        """
        heads, slots = self.bias.shape
        around = self.bias[:, (slots - 1 - np.arange(2 * slots)) % slots]
        copies = np.stack([around[:, :-1], around[:, 1:]], axis=1).reshape(heads * BIAS_COPIES, -1)
        return copies, np.zeros_like(copies)

    def bound(self, tensors: Tensors) -> Bound:
        dot = super().bound(tensors).dot
        return Bound(dot=dot, total=dot + int(np.abs(self.bias).max()))

    def compute(self, values: Values, tensors: Tensors) -> Step:
        u, multiplier, addend = super().compute(values, tensors)
        ages = np.minimum(values[AGES], self.bias.shape[1] - 1)
        return u + self.bias[:, ages], multiplier, addend

    def run(self, values: Values, tensors: Tensors) -> np.ndarray:
        y = tensors[self.y]
        return np.where(_written(values), super().run(values, tensors), y.low)


@dataclass(frozen=True, kw_only=True, eq=False)
class RingAttend(Attend):
    """As :class:`~bitformer.model.operations.attention.Attend`, of the slots that were written."""

    def visible(self, values: Values) -> np.ndarray:
        return _written(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class SubtractBefore(SubtractLast):
    """``u = x - (the step before the patch)``."""

    def compute(self, values: Values, tensors: Tensors) -> Step:
        return values[self.x] - values[BEFORE], 1, 0
