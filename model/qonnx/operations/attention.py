"""Attention: logits of queries and keys, and means of values."""

from typing import ClassVar

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations import Attend, Scores
from bitformer.model.qonnx.operations.form import Form

__all__ = ["AttendForm", "ScoresForm"]


def _causal(rows: int, heads: int) -> np.ndarray:
    """Return which keys count in a causal row: [rows * heads, rows], lower triangles."""
    return np.repeat(np.tri(rows, dtype=bool), heads, axis=0)


class ScoresForm(Form[Scores]):
    """``q @ k.T`` of each head; a row for each query and head."""

    says: ClassVar[tuple[str, ...]] = ("q", "k", "heads", "multiplier", "causal")

    def add(self) -> None:
        op, steps = self.op, self.steps
        q, k = self.tensors[op.q], self.tensors[op.k]
        size = q.features // op.heads
        queries = steps.reshape(self.integers(op.q), q.rows, op.heads, size, out="queries_heads")
        keys = steps.reshape(self.integers(op.k), k.rows, op.heads, size, out="keys_heads")
        queries = steps.transpose(queries, 0, 2, 1, 3, out="queries")
        keys = steps.transpose(keys, 0, 2, 3, 1, out="keys")
        dot = steps.add("MatMul", queries, keys, out="dot")
        steps.annotated(dot, op.bound(self.tensors).dot)
        by_query = steps.transpose(dot, 0, 2, 1, 3, out="by_query")
        u = self._biased(steps.reshape(by_query, *self.y.shape, out="rows"))
        found = self.carried(self.requantized(self.multiplied(u, op.multiplier)))
        if op.causal:
            seen = self.graph.constant(steps.named("seen"), self._seen(), np.bool_)
            hidden = self.graph.constant(steps.named("hidden"), self.y.low, np.float32)
            found = steps.add("Where", seen, found, hidden, out="masked")
        self.store(found)

    def _biased(self, dot: str) -> str:
        """Return dot products [rows * heads, keys] with what is added to them."""
        return dot

    def _seen(self) -> np.ndarray:
        """Return which keys count for each row, bool [rows * heads, keys]."""
        return _causal(self.y.features, self.op.heads)


class AttendForm(Form[Attend]):
    """Numerators of softmax times values, times the reciprocal of the numerators' sum."""

    says: ClassVar[tuple[str, ...]] = ("scores", "v", "heads", "causal")

    def add(self) -> None:
        op, steps = self.op, self.steps
        scores, v = self.tensors[op.scores], self.tensors[op.v]
        queries, keys, heads = scores.rows // op.heads, v.rows, op.heads
        numerators = self._numerators()
        total = steps.total(numerators, -1, "total")
        factor = steps.reciprocal(total, op.keys(keys), "reciprocal")
        rows = steps.reshape(numerators, queries, heads, keys, out="numerators_heads")
        rows = steps.transpose(rows, 0, 2, 1, 3, out="numerators_by_head")
        values = steps.reshape(self.integers(op.v), keys, heads, v.features // heads, out="heads")
        values = steps.transpose(values, 0, 2, 1, 3, out="values")
        dot = steps.add("MatMul", rows, values, out="dot")
        steps.annotated(dot, op.bound(self.tensors).dot)
        u = steps.transpose(dot, 0, 2, 1, 3, out="by_query")
        factor = steps.reshape(factor, queries, heads, 1, out="reciprocal_heads")
        product = steps.add("Mul", u, factor, out="product_heads")
        self.store(
            self.carried(self.requantized(steps.reshape(product, *self.y.shape, out="product")))
        )

    def _seen(self) -> np.ndarray:
        """Return which keys count for each row, bool [rows * heads, keys]."""
        return _causal(self.tensors[self.op.v].rows, self.op.heads)

    def _numerators(self) -> str:
        """Return a number from 0 to 255 for each key, by its distance from the row's largest."""
        op, steps = self.op, self.steps
        scores = self.integers(op.scores)
        if not op.causal:
            return steps.exponentials(self._distance(scores), "numerators")
        seen = self.graph.constant(steps.named("seen"), self._seen(), np.bool_)
        lowest = steps.constant("lowest", -(1 << (numerics.SCORE_BITS - 1)))
        scores = steps.add("Where", seen, scores, lowest, out="scores_seen")
        found = steps.exponentials(self._distance(scores), "numerators_of_all")
        return steps.add("Where", seen, found, self.graph.numbers(0), out="numerators")

    def _distance(self, scores: str) -> str:
        most = self.steps.largest(scores, "largest")
        return self.steps.add("Sub", most, scores, out="distance")
