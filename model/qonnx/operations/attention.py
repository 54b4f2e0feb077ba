"""Attention: logits of queries and keys, and means of values."""

import numpy as np

from bitformer.model import numerics
from bitformer.model.operations import Attend, Scores
from bitformer.model.qonnx.graph import Graph
from bitformer.model.qonnx.operations.form import Form

__all__ = ["AttendForm", "ScoresForm"]


def _visible(graph: Graph, rows: int, heads: int) -> str:
    """Return which keys count in a causal row: [rows * heads, rows], lower triangles."""
    seen = np.repeat(np.tri(rows, dtype=bool), heads, axis=0)
    return graph.constant(f"table/visible_{rows}_rows_{heads}_heads", seen, np.bool_)


class ScoresForm(Form[Scores]):
    """``q @ k.T`` of each head; a row for each query and head."""

    says = ("q", "k", "heads", "multiplier", "causal")

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
        u = steps.reshape(by_query, *self.y.shape, out="rows")
        found = self.carried(self.requantized(self.multiplied(u, op.multiplier)))
        if op.causal:
            seen = _visible(self.graph, k.rows, op.heads)
            hidden = self.graph.constant(steps.named("hidden"), self.y.low, np.float32)
            found = steps.add("Where", seen, found, hidden, out="masked")
        self.store(found)


class AttendForm(Form[Attend]):
    """Numerators of softmax times values, times the reciprocal of the numerators' sum."""

    says = ("scores", "v", "heads", "causal")

    def add(self) -> None:
        op, steps = self.op, self.steps
        scores, v = self.tensors[op.scores], self.tensors[op.v]
        queries, keys, heads = scores.rows // op.heads, v.rows, op.heads
        numerators = self._numerators(keys)
        total = steps.total(numerators, -1, "total")
        factor = steps.reciprocal(total, keys, "reciprocal")
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

    def _numerators(self, keys: int) -> str:
        """Return a number from 0 to 255 for each key, by its distance from the row's largest."""
        op, steps = self.op, self.steps
        scores = self.integers(op.scores)
        if not op.causal:
            return steps.exponentials(self._distance(scores), "numerators")
        seen = _visible(self.graph, keys, op.heads)
        lowest = steps.constant("lowest", -(1 << (numerics.SCORE_BITS - 1)))
        scores = steps.add("Where", seen, scores, lowest, out="scores_seen")
        found = steps.exponentials(self._distance(scores), "numerators_of_all")
        return steps.add("Where", seen, found, self.graph.numbers(0), out="numerators")

    def _distance(self, scores: str) -> str:
        most = self.steps.largest(scores, "largest")
        return self.steps.add("Sub", most, scores, out="distance")
