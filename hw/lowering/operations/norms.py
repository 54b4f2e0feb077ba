"""Norms: rows go from their store through the post-processor, past the engine."""

from dataclasses import replace
from typing import TypeVar

from bitformer.hw.lowering.operations.lowering import Lowering, Role
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.token_rows import blocks
from bitformer.hw.program import Addend, Factor
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Affine, LayerNorm

__all__ = ["AffineLowering", "LayerNormLowering"]

Norm = TypeVar("Norm", Affine, LayerNorm)


class _NormLowering(Lowering[Norm]):
    """A row, or a block of rows side by side, in one task."""

    takes = {"x": (Role.ACTIVATION,)}
    factor: Factor

    def rows(self, plan: Plan) -> list[RowTask]:
        op, y = self.op, plan.model.tensors[self.op.y]
        ways = 1 if y.name in plan.geometry.wide else plan.geometry.ways
        operation = self._operation(
            plan,
            y.features,
            slots=-(-y.features // ways),
            wide_r=op.x in plan.wide_rows,
            factor=self.factor,
            addend=Addend.PARAMETER,
            addend_shift=op.added_shift + plan.power(op),
            normalize=op.normalizes,
        )
        return [
            RowTask(
                operation=replace(operation, rows=count),
                tensor=op.y,
                row=row,
                first=0,
                features=y.features,
                reads=(Read(tensor=op.x, row=row, count=count, post=True),),
                count=count,
            )
            for row, count in blocks(y.rows, plan.geometry.rows)
        ]


class AffineLowering(_NormLowering[Affine]):
    """A folded BatchNorm: factor and offset from the parameter store."""

    factor = Factor.PARAMETER


class LayerNormLowering(_NormLowering[LayerNorm]):
    """A LayerNorm: its factor is made of the row's statistics."""

    factor = Factor.NORM

    def check(self, model: IntegerModel) -> None:
        # the statistics are gathered as results leave the engine, and taken once
        op = self.op
        readers = (one for one in model.operations if one.normalizes and op.x in one.reads)
        if model.writers.get(op.x) not in model.linears or op is not next(readers):
            raise UserError(f"x of {op.y} must be a linear layer's own result, not {op.x}")
