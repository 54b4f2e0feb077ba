"""The whole model as a QONNX file."""

import json
from importlib.metadata import version

import numpy as np
import onnx
from onnx import helper, shape_inference

from bitformer.model.calendar import ROWS
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.judge import JUDGED
from bitformer.model.qonnx.graph import QONNX, Graph
from bitformer.model.qonnx.operations import form_of
from bitformer.model.qonnx.steps import Steps

__all__ = ["LEAST_OPSET", "WINDOW", "to_onnx", "write_onnx"]

#: The first opset with integers in all operators that are used; also what is written by default.
LEAST_OPSET = 13
#: The input of a model whose window holds more than samples.
WINDOW = "window"


def to_onnx(model: IntegerModel, opset: int = LEAST_OPSET) -> onnx.ModelProto:
    """Return the graph of ``model``: one window in, its tensors by their names.

    Its input is float32 [1, rows, features] of the integers of a window as the chip takes them;
    every tensor of :func:`bitformer.model.reference.run` is in it, float32 as well, with integers.
    More windows at a time: change the first dimension of the input and of the output.

    Raises :class:`UserError` for an opset that does not do, or is not known here.
    """
    newest = onnx.defs.onnx_opset_version()
    if not LEAST_OPSET <= opset <= newest:
        raise UserError(
            f"opset must be {LEAST_OPSET} to {newest}, the newest of onnx {onnx.__version__} here,"
            f" not {opset}"
        )
    graph = Graph(opset)
    entry = _add_inputs(graph, model)
    for name, table in model.constants.items():
        spec = model.tensors[name]
        graph.constant(name, table, np.float32, f"INT{spec.bits}")
    for op in model.operations:
        form_of(op, model, graph).add()
        y = model.tensors[op.y]
        graph.declare(y.name, y.shape, f"INT{y.bits}")
    for spec in model.tensors.values():
        graph.scale(spec.name, spec.exponent, spec.zero)
    ends = {entry: 0, model.output.name: 1}
    infos = {info.name: info for info in graph.tensors}
    made = helper.make_graph(
        graph.nodes,
        model.config.name,
        *([infos[name]] for name in ends),
        initializer=graph.constants,
        value_info=[info for name, info in infos.items() if name not in ends],
    )
    made.quantization_annotation.extend(graph.annotations)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    whole = helper.make_model(
        made,
        opset_imports=opsets,
        producer_name="bitformer",
        producer_version=version("bitformer"),
        ir_version=helper.find_min_ir_version_for(opsets, ignore_unknown=True),
    )
    config = json.dumps(model.config.to_dict(), sort_keys=True)
    helper.set_model_props(whole, {"model_hash": model_hash(model).hex(), "config": config})
    onnx.checker.check_model(whole)
    return shape_inference.infer_shapes(whole, check_type=True, strict_mode=True, data_prop=True)


def write_onnx(model: IntegerModel, path, opset: int = LEAST_OPSET) -> onnx.ModelProto:
    """Write the graph of :func:`to_onnx` to a file, which appears whole or not at all."""
    made = to_onnx(model, opset)
    write_whole(path, made.SerializeToString(deterministic=True))
    return made


def _add_inputs(graph: Graph, model: IntegerModel) -> str:
    """Add the input and, of a window with more than samples, the steps that take it apart.

    What lies behind the samples does so row by row, in rows of its own.
    """
    config, spec, width = model.config, model.input, f"INT{model.input.bits}"
    if not config.clock_rows + config.judged_rows:
        graph.declare("input", spec.shape, width)
        return "input"
    graph.declare(WINDOW, model.window_shape, width)
    steps = Steps(graph, WINDOW)
    graph.add("Slice", WINDOW, *map(graph.numbers, (0, spec.rows, 1)), out="input")
    graph.declare("input", spec.shape, width)
    behind = spec.rows
    if config.clock_rows:
        numbers = _behind(steps, "clock", behind, config.clock_rows, spec.features)
        count = len(config.calendar)
        graph.add("Slice", numbers, *map(graph.numbers, (0, count, 1)), out="clock")
        most = max(ROWS[name] for name in config.calendar) - 1
        graph.declare("clock", [count], f"UINT{most.bit_length()}")
        behind += config.clock_rows
    if config.judged_rows:
        numbers = _behind(steps, JUDGED, behind, config.judged_rows, spec.features)
        numbers = steps.cut(numbers, 1, 0, config.outputs, "judged_flat")
        graph.add("Reshape", numbers, graph.numbers(0, 1, config.outputs), out=JUDGED)
        graph.declare(JUDGED, [1, config.outputs], width)
    return WINDOW


def _behind(steps: Steps, name: str, first: int, rows: int, features: int) -> str:
    """Return the numbers of some rows of the window in line."""
    found = steps.cut(WINDOW, 1, first, first + rows, f"{name}_rows")
    return steps.reshape(found, rows * features, out=f"{name}_numbers")
