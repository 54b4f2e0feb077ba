"""The operations of the integer model, each with all its rules in one class."""

from bitformer.model.operations.attention import Attend, Scores
from bitformer.model.operations.decide import Decide
from bitformer.model.operations.judge import Judge
from bitformer.model.operations.linear import Linear, Residual
from bitformer.model.operations.norms import Affine, LayerNorm
from bitformer.model.operations.operation import Bound, Operation
from bitformer.model.operations.rows import Pool, SubtractLast
from bitformer.model.operations.sliding import SlidingAttend, SlidingScores, SubtractPreceding

__all__ = [
    "OPERATIONS",
    "Affine",
    "Attend",
    "Bound",
    "Decide",
    "Judge",
    "LayerNorm",
    "Linear",
    "Operation",
    "Pool",
    "Residual",
    "Scores",
    "SlidingAttend",
    "SlidingScores",
    "SubtractLast",
    "SubtractPreceding",
]

#: Every operation by the name that it has in a file.
OPERATIONS: dict[str, type[Operation]] = {
    kind.__name__: kind
    for kind in (
        *(SubtractLast, Linear, Scores, Attend, Affine, LayerNorm, Pool, Decide, Judge),
        *(SlidingScores, SlidingAttend, SubtractPreceding),
    )
}
