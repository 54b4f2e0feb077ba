"""Builds a graph: nodes, constants, and how wide each tensor is.

Between the model's tensors all is int64, which no sum of an integer model leaves. The model's own
tensors are float32, as those of QONNX are: they have at most 16 bits, and float32 holds 24.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bitformer.model.errors import UserError

__all__ = ["QONNX", "Graph", "datatype"]

#: The domain of QONNX's own operators.
QONNX = "qonnx.custom_op.general"
#: What is said of a tensor, by the keys that QONNX and ONNX have for it.
_WIDTH, _SCALE, _ZERO = "finn_datatype", "SCALE_TENSOR", "ZERO_POINT_TENSOR"


def datatype(low: int, high: int) -> str:
    """Return QONNX's name of the shortest integers that hold ``low`` to ``high``."""
    if low >= 0:
        return f"UINT{max(1, high.bit_length())}"
    return f"INT{max(-low - 1, high).bit_length() + 1}"


class Graph:
    """A graph that grows, operation by operation.

    Parameters
    ----------
    opset : version of ONNX's operators; one of them has its axes elsewhere from 18 on.
    within : of the body of a node, what the names of its numbers begin with: the executor would
        take an equal name for one of the whole graph.
    """

    def __init__(self, opset: int, within: str = ""):
        self.opset = opset
        self.within = within
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._said: dict[str, dict[str, str]] = {}
        self._names: set[str] = set()
        self._integers: dict[str, str] = {}

    @property
    def constants(self) -> list[onnx.TensorProto]:
        """Its constants, in the order in which they came."""
        return [*self._constants.values()]

    @property
    def annotations(self) -> list[onnx.TensorAnnotation]:
        """What is said of tensors: widths, scales and zero points."""
        found = []
        for tensor, said in self._said.items():
            entries = [onnx.StringStringEntryProto(key=k, value=v) for k, v in said.items()]
            found.append(
                onnx.TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=entries)
            )
        return found

    def constant(self, name: str, values: Any, dtype: type = np.int64, width: str = "") -> str:
        """Keep an array under ``name``, and return that; one that is kept already must be equal.

        ``width`` : QONNX's name of its integers, where other tools should see it.
        """
        proto = numpy_helper.from_array(np.asarray(values, dtype=dtype), name)
        if name in self._constants:
            if self._constants[name] != proto:
                raise UserError(f"tensors must not be named {name}, as a constant of the graph is")
            return name
        self._claim(name)
        self._constants[name] = proto
        if width:
            self.annotate(name, width)
        return name

    def numbers(self, *values: int) -> str:
        """Return a short list of whole numbers, such as a shape or axes."""
        return self.constant(f"{self.within}numbers/{'_'.join(map(str, values))}", values)

    def annotate(self, tensor: str, width: str) -> None:
        """Say how wide the integers of a tensor are: the executor notices any that are wider."""
        self._said.setdefault(tensor, {})[_WIDTH] = width

    def declare(self, name: str, shape: Sequence[int], width: str) -> onnx.ValueInfoProto:
        """Say shape and width of a float32 tensor, of one window: [1, *shape]."""
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, *shape))
        self.annotate(name, width)
        self.tensors.append(info)
        return info

    def scale(self, tensor: str, exponent: int, zero: int) -> None:
        """Say what the integers of a tensor stand for: ``2**exponent * (q - zero)``."""
        own = self._said.setdefault(tensor, {})
        own[_SCALE] = self.constant(f"{tensor}/scale", 2.0**exponent, np.float32)
        own[_ZERO] = self.constant(f"{tensor}/zero_point", zero, np.float32)

    def add(self, kind: str, *inputs: str, out: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return that."""
        return self.add_all(kind, *inputs, outs=[out], domain=domain, **attributes)[0]

    def add_all(
        self, kind: str, *inputs: str, outs: Sequence[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, and return them."""
        for name in outs:
            self._claim(name)
        node = helper.make_node(
            kind, [*inputs], [*outs], name=f"{outs[0]}:{kind}", domain=domain, **attributes
        )
        self.nodes.append(node)
        return [*outs]

    def integers(self, tensor: str) -> str:
        """Return a float32 tensor as int64; it is cast once."""
        if tensor not in self._integers:
            out = f"{tensor}/integers"
            self._integers[tensor] = self.add("Cast", tensor, out=out, to=TensorProto.INT64)
        return self._integers[tensor]

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise UserError(f"tensors must not be named {name}, as a step of the graph is")
        self._names.add(name)
