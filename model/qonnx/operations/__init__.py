"""The model's operations as steps of a graph, a class each."""

from bitformer.model import operations as model
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Operation
from bitformer.model.qonnx.graph import Graph
from bitformer.model.qonnx.operations.attention import AttendForm, ScoresForm
from bitformer.model.qonnx.operations.decide import DecideForm, JudgeForm
from bitformer.model.qonnx.operations.form import Form
from bitformer.model.qonnx.operations.linear import LinearForm
from bitformer.model.qonnx.operations.norms import AffineForm, LayerNormForm
from bitformer.model.qonnx.operations.rows import PoolForm, SubtractLastForm
from bitformer.model.qonnx.operations.sliding import (
    SlidingAttendForm,
    SlidingScoresForm,
    SubtractPrecedingForm,
)

__all__ = ["FORMS", "Form", "form_of"]

#: The form of every operation, by its class.
FORMS: dict[type[Operation], type[Form]] = {
    model.SubtractLast: SubtractLastForm,
    model.Linear: LinearForm,
    model.Scores: ScoresForm,
    model.Attend: AttendForm,
    model.Affine: AffineForm,
    model.LayerNorm: LayerNormForm,
    model.Pool: PoolForm,
    model.Decide: DecideForm,
    model.Judge: JudgeForm,
    model.SlidingScores: SlidingScoresForm,
    model.SlidingAttend: SlidingAttendForm,
    model.SubtractPreceding: SubtractPrecedingForm,
}


def form_of(op: Operation, model: IntegerModel, graph: Graph) -> Form:
    """Return the form of an operation of ``model``.

    Raises :class:`UserError` for one that has none.
    """
    if type(op) not in FORMS:
        raise UserError(
            f"{op.y} must be written by an operation that has a form in QONNX, not by"
            f" {type(op).__name__}"
        )
    return FORMS[type(op)](op, model, graph)
