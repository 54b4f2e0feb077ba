"""Attention in two operations: logits of queries and keys, then means of values."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations.checks import check_multiplier, check_shape, fail
from bitformer.model.operations.operation import (
    Bound,
    Operation,
    Step,
    Tensors,
    Values,
)

__all__ = ["Attend", "Scores"]


def _split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """Turn [batch, rows, features] into [batch, heads, rows, features / heads]."""
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).swapaxes(1, 2)


def _visible(rows: int, heads: int) -> np.ndarray:
    """Return which keys count for a causal row: [rows * heads, rows], lower triangles."""
    return np.repeat(np.tri(rows, dtype=bool), heads, axis=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(Operation):
    """``u = q[i, head] . k[j, head]``; ``y`` has a row for each (i, head), a feature for each j.

    ``causal`` : only j <= i is computed; the rest of ``y`` is its lowest number, never stored.
    """

    matrix: ClassVar[bool] = True

    q: str
    k: str
    heads: int
    multiplier: int
    causal: bool = False

    @property
    def reads(self):
        return (self.q, self.k)

    @property
    def weights_from(self):
        return self.k

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].size * tensors[self.q].features // self.heads

    def bound(self, tensors: Tensors) -> Bound:
        q = tensors[self.q]
        dot = q.features // self.heads * self.term_bound(tensors)
        return Bound(dot=dot, total=dot)

    def term_bound(self, tensors: Tensors) -> int:
        return tensors[self.q].magnitude * tensors[self.k].magnitude

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        check_multiplier(where, self.multiplier)
        q, k, y = tensors[self.q], tensors[self.k], tensors[self.y]
        if q.features != k.features or self.heads < 1 or k.features % self.heads:
            must = f"a divisor of the features of q and k ({q.features})"
            fail(where, "heads", must, self.heads)
        check_shape(where, "y", y.shape, (q.rows * self.heads, k.rows))
        if self.causal and q.rows != k.rows:
            fail(where, "k", f"of {q.rows} rows, as q, to be causal", k.rows)
        if (y.bits, y.exponent) != (numerics.SCORE_BITS, -numerics.SCORE_FRACTION_BITS):
            fail(where, "y", f"{numerics.SCORE_BITS} bits in 1/8 octaves", f"{y.bits} bits")

    def compute(self, values: Values, tensors: Tensors) -> Step:
        q, k = (_split_heads(values[name], self.heads) for name in (self.q, self.k))
        u = np.einsum("bhid,bhjd->bihj", q, k)
        return u.reshape(len(u), u.shape[1] * u.shape[2], u.shape[3]), self.multiplier, 0

    def run(self, values: Values, tensors: Tensors) -> np.ndarray:
        result = super().run(values, tensors)
        if self.causal:
            y = tensors[self.y]
            result[:, ~_visible(y.features, self.heads)] = y.low
        return result


@dataclass(frozen=True, kw_only=True, eq=False)
class Attend(Operation):
    """``u = sum_j e[i, head, j] * v[j, head]`` with the multiplier ``reciprocal(sum_j e)``.

    ``causal`` : only j <= i counts.
    """

    matrix: ClassVar[bool] = True
    tables: ClassVar = (tuple(numerics.EXP_TABLE), tuple(numerics.RECIPROCAL_TABLE))

    scores: str
    v: str
    heads: int
    causal: bool = False

    @property
    def reads(self):
        return (self.scores, self.v)

    @property
    def weights_from(self):
        return self.v

    def multiplier_bound(self, tensors: Tensors) -> int:
        # the least sum of a row has a mantissa of one bit more
        return max(numerics.RECIPROCAL_TABLE) << (self.headroom(tensors) + 1)

    def headroom(self, tensors: Tensors) -> int:
        return numerics.reciprocal_headroom(tensors[self.v].rows)

    def operand_width(self, tensors: Tensors) -> int:
        return max(numerics.EXP_TABLE).bit_length() + 1

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].size * tensors[self.v].rows

    def bound(self, tensors: Tensors) -> Bound:
        dot = tensors[self.v].rows * self.term_bound(tensors)
        return Bound(dot=dot, total=dot)

    def term_bound(self, tensors: Tensors) -> int:
        return max(numerics.EXP_TABLE) * tensors[self.v].magnitude

    def _check(self, where: str, tensors: Tensors, written: set[str]) -> None:
        scores, v = tensors[self.scores], tensors[self.v]
        if self.heads < 1 or v.features % self.heads or scores.features != v.rows or v.rows > 256:
            fail(where, "scores", f"a feature for each of v's {v.rows} rows", scores.features)
        check_shape(where, "y", tensors[self.y].shape, (scores.rows // self.heads, v.features))

    def visible(self, values: Values) -> np.ndarray | np.bool_:
        """Return which of the logits count: bool [rows * heads, keys], or one for all."""
        keys = values[self.scores].shape[-1]
        return _visible(keys, self.heads) if self.causal else np.bool_(True)

    def keys(self, keys: int) -> int:
        """Return how many of ``keys`` a row sees at most."""
        return keys

    def compute(self, values: Values, tensors: Tensors) -> Step:
        scores = values[self.scores]
        keys = scores.shape[-1]
        e = numerics.exp2_weights(scores, self.visible(values))
        multiplier = numerics.reciprocal(e.sum(axis=-1, keepdims=True), self.keys(keys))
        v = _split_heads(values[self.v], self.heads)
        e = e.reshape(len(e), e.shape[1] // self.heads, self.heads, keys)
        u = np.einsum("bihj,bhjd->bihd", e, v)
        multiplier = np.broadcast_to(multiplier.reshape(*u.shape[:3], 1), u.shape)
        shape = (*u.shape[:2], u.shape[2] * u.shape[3])
        return u.reshape(shape), multiplier.reshape(shape), 0
