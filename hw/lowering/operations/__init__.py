"""The hardware's side of the model's operations, a class each."""

from bitformer.hw.lowering.operations.attention import AttendLowering, ScoresLowering
from bitformer.hw.lowering.operations.decide import DecideLowering, JudgeLowering
from bitformer.hw.lowering.operations.linear import LinearLowering
from bitformer.hw.lowering.operations.lowering import Lowering, Role
from bitformer.hw.lowering.operations.norms import AffineLowering, LayerNormLowering
from bitformer.hw.lowering.operations.rings import RingAttendLowering, RingScoresLowering
from bitformer.hw.lowering.operations.rows import PoolLowering, SubtractLastLowering
from bitformer.model import operations as model
from bitformer.model.errors import UserError
from bitformer.model.operations import Operation, rings

__all__ = ["Lowering", "Role", "lowering_of"]

_LOWERINGS: dict[type[Operation], type[Lowering]] = {
    model.SubtractLast: SubtractLastLowering,
    model.Linear: LinearLowering,
    model.Scores: ScoresLowering,
    model.Attend: AttendLowering,
    model.Affine: AffineLowering,
    model.LayerNorm: LayerNormLowering,
    model.Pool: PoolLowering,
    model.Decide: DecideLowering,
    model.Judge: JudgeLowering,
    rings.RingScores: RingScoresLowering,
    rings.RingAttend: RingAttendLowering,
    rings.SubtractBefore: SubtractLastLowering,
}


def lowering_of(op: Operation) -> Lowering:
    """Return the hardware's side of an operation.

    Raises :class:`UserError` for one that the units cannot run.
    """
    if type(op) not in _LOWERINGS:
        raise UserError(
            f"{op.y} must be written by an operation that the hardware has, not by"
            f" {type(op).__name__}"
        )
    return _LOWERINGS[type(op)](op)
