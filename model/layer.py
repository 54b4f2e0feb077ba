"""A step of a Transformer's computation, as data: see :mod:`bitformer.model.structure`."""

from dataclasses import dataclass
from typing import Literal

from bitformer.model.nonlinearity import Nonlinearity

__all__ = ["Kind", "Layer"]

Kind = Literal[
    "subtract_last",
    "subtract_preceding",
    "position",
    "linear",
    "copy",
    "scores",
    "attend",
    "norm",
    "pool",
]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A step of the computation: it stores one tensor ``y``.

    Parameters
    ----------
    kind : ``subtract_last`` takes the window's last step from every step, ``subtract_preceding``
        from each step of a patch the step before the patch. ``position`` is a table.
        ``linear`` multiplies by weights, ``copy`` only rounds again. ``scores`` multiplies queries
        by keys, ``attend`` values by the softmax of scores. ``norm`` normalises, ``pool`` takes the
        mean of all rows.
    x : tensors it reads; of two, the second acts as weights.
    shape : (rows, features) of ``y``.
    component : whose activation bits ``y`` takes.
    weights, inputs, owner : of a linear layer, the name of its weights, their inputs, and the
        component whose weight bits they take.
    start : first element of ``x``, row by row, that a linear layer reads.
    step : elements from the first that a row of a linear layer reads to that of the next; 0: as
        many as a row reads.
    nonlinearity : function that a linear layer applies to its results.
    residual : tensor that a linear layer adds: ``input`` stands for its last row's target channel.
    parts : of a linear layer, sets of weights on the same rows: rows of ``y`` are those of the
        first, then those of the next.
    dropout : what training drops of a linear layer: ``results`` before the residual is added,
        ``inputs``, or nothing.
    transposed : whether a linear layer's rows are made of a feature in all rows of ``x``.
    causal : whether row i attends to rows 0 to i alone.
    reach : how many of the newest of these it attends to; 0: all.
    distances : of logits, how many distances of two rows have a bias for each head.
    newest : how many of the newest rows of ``x``, which lie in a ring, a linear layer or the mean
        reads; 0 where it does not depend on that.
    clock : of a linear layer, which number of the time selects a row that its bias has added.
    """

    kind: Kind
    y: str
    x: tuple[str, ...]
    shape: tuple[int, int]
    component: str
    weights: str = ""
    inputs: int = 0
    owner: str = ""
    start: int = 0
    step: int = 0
    nonlinearity: Nonlinearity | None = None
    residual: str | None = None
    dropout: Literal["", "inputs", "results"] = ""
    transposed: bool = False
    causal: bool = False
    reach: int = 0
    distances: int = 0
    newest: int = 0
    clock: int | None = None
    parts: int = 1
