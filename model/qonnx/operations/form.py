"""An operation as steps of a graph: what all of them end in."""

from abc import ABC, abstractmethod
from dataclasses import MISSING, fields
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from onnx import TensorProto

from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations import Operation
from bitformer.model.qonnx.graph import QONNX, Graph
from bitformer.model.qonnx.steps import Steps

__all__ = ["Form"]

AnyOperation = TypeVar("AnyOperation", bound=Operation)


class Form(ABC, Generic[AnyOperation]):
    """Adds an operation of the model to a graph.

    Parameters
    ----------
    op : the operation.
    model : its model.
    graph : the graph, which has all tensors that the operation reads.

    Raises :class:`UserError` for a field of ``op`` that has no steps here.
    """

    #: Fields of the operation that are in its steps.
    says: ClassVar[tuple[str, ...]]

    def __init__(self, op: AnyOperation, model: IntegerModel, graph: Graph):
        self.op = op
        self.tensors = model.tensors
        self.y = model.tensors[op.y]
        self.graph = graph
        self.steps = Steps(graph, op.y)
        for field in fields(op):
            if field.name not in ("y", "shift", *self.says) and not _is_default(field, op):
                raise UserError(
                    f"{field.name} of {op.y} must be its default, {field.default}, to be written as"
                    f" QONNX, not {getattr(op, field.name)}"
                )

    @abstractmethod
    def add(self) -> None:
        """Add the steps; the last one writes ``y``."""

    def integers(self, tensor: str) -> str:
        """Return a tensor of the model as int64."""
        return self.graph.integers(tensor)

    def requantized(self, scaled: str) -> str:
        """Round ``u * multiplier + addend`` and add the zero point: int64, not clamped yet."""
        rounded = self.steps.rounded_shift(scaled, self.op.shift, "rounded")
        return self._moved(rounded, self.op.limits(self.tensors)[0])

    def _moved(self, x: str, zero: int) -> str:
        if not zero:
            return x
        return self.steps.add("Add", x, self.steps.constant("zero", zero), out="moved")

    def multiplied(self, u: str, multiplier: Any) -> str:
        """Return ``u * multiplier`` of fixed multipliers."""
        factors = self.steps.constant("multiplier", multiplier)
        return self.steps.add("Mul", u, factors, out="product")

    def carried(self, numbers: str) -> str:
        """Return int64 as float32: beyond 24 bits not exactly, but still beyond what is clamped."""
        return self.steps.add("Cast", numbers, out="carried", to=TensorProto.FLOAT)

    def store(self, carried: str) -> None:
        """Clamp float32 to the bits of ``y`` by QONNX's Quant, and write ``y``."""
        y, lowest = self.y, self.op.lowest(self.tensors)
        if lowest > y.low:
            least = self.graph.constant(self.steps.named("least"), lowest, np.float32)
            carried = self.steps.add("Max", carried, least, out="rectified")
        parameters = [
            self.graph.constant(f"quant/{name}", value, np.float32)
            for name, value in (("scale", 1), ("zero_point", 0), (f"bits_{y.bits}", y.bits))
        ]
        self.graph.add(
            "Quant",
            carried,
            *parameters,
            out=y.name,
            domain=QONNX,
            signed=1,
            narrow=int(y.narrow),
            rounding_mode="FLOOR",
        )


def _is_default(field: Any, op: Operation) -> bool:
    if field.default is MISSING:
        return False
    return bool(getattr(op, field.name) == field.default)
