"""QONNX's executor on a graph, compared with the reference, tensor by tensor.

It runs a graph node by node: standard operators in onnxruntime, Quant in code of its own.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import shape_inference
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from bitformer.model.errors import UserError
from bitformer.model.files import whole_file
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent
from bitformer.model.qonnx.graph import QONNX
from bitformer.model.reference import run

__all__ = ["CHUNK", "Witness", "executed", "read_onnx", "witness", "write_tensors"]

#: Windows that the executor takes at a time.
CHUNK = 50
#: How the executor begins to say that numbers are wider than the graph says.
_TOO_WIDE = "The values of tensor"


@dataclass(frozen=True, kw_only=True)
class Witness:
    """What came of a comparison.

    Parameters
    ----------
    windows : how many ran.
    tensors : the names of all that were compared, in the order of the reference.
    numbers : how many were compared, of all tensors in all windows.
    difference : the first number that differs, in words; None if all are equal.
    """

    windows: int
    tensors: tuple[str, ...]
    numbers: int
    difference: str | None

    @property
    def equal(self) -> bool:
        """Whether all numbers are equal."""
        return self.difference is None


def read_onnx(path) -> onnx.ModelProto:
    """Read a graph that :func:`bitformer.model.qonnx.exporting.write_onnx` wrote."""
    return onnx.load_from_string(Path(path).read_bytes())


def witness(
    graph: onnx.ModelProto, model: IntegerModel, x: np.ndarray, progress: Progress = silent
) -> Witness:
    """Run windows, integers [N, rows, features], in ``graph`` and in the reference of ``model``.

    Of a detector, each :data:`CHUNK` of windows begins with a reset, in both. Raises
    :class:`UserError` where the graph is another model's, or the executor cannot run it.
    """
    names: tuple[str, ...] = ()
    numbers, difference = 0, None
    for start in range(0, len(x), CHUNK):
        progress(start, len(x), "QONNX")
        some = x[start : start + CHUNK]
        wanted = run(model, some)
        found, wide = executed(graph, some)
        names, numbers = tuple(wanted), numbers + sum(value.size for value in wanted.values())
        difference = next(_differences(found, wanted, start), None) or next(iter(wide), None)
        if difference is not None:
            break
    progress(len(x), len(x), "QONNX")
    return Witness(windows=len(x), tensors=names, numbers=numbers, difference=difference)


def executed(graph: onnx.ModelProto, x: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return all that QONNX's executor computes of windows, by name, and what is too wide.

    ``x`` : integers [N, rows, features] of the graph's one input.
    """
    ready = ModelWrapper(_of_windows(graph, len(x)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = execute_onnx(ready, {graph.graph.input[0].name: x.astype(np.float32)}, True)
        except Exception as error:  # whatever its node's own library raises
            told = " ".join(str(error).split())
            raise UserError(
                f"The executor of QONNX must run the graph, which it does not: {told}"
            ) from error
    texts = (str(one.message) for one in said)
    return found, [text for text in texts if text.startswith(_TOO_WIDE)]


def write_tensors(model: IntegerModel, x: np.ndarray, entry: str, path) -> None:
    """Write windows and all tensors of the reference, by name, as a .npz file.

    ``x`` : integers [N, rows, features], which are called ``entry`` in it.
    """
    values = {entry: x, **run(model, x)}
    arrays: dict[str, Any] = {name: array.astype(np.int32) for name, array in values.items()}
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **arrays)


def _of_windows(graph: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """Return a copy of a graph for so many windows at a time.

    What Quant writes keeps its shape but for the first axis; all else follows from it.
    """
    ready = onnx.ModelProto()
    ready.CopyFrom(graph)
    own, written = ready.graph, {n.output[0] for n in ready.graph.node if n.domain == QONNX}
    kept = [info for info in own.value_info if info.name in written]
    for info in (*own.input, *own.output, *kept):
        info.type.tensor_type.shape.dim[0].dim_value = count
    del own.value_info[:]
    own.value_info.extend(kept)
    return shape_inference.infer_shapes(ready, check_type=True, data_prop=True)


def _differences(
    found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], first: int
) -> Iterator[str]:
    """Yield a sentence for each tensor that is not equal; ``first`` is the number of a window."""
    for name, values in wanted.items():
        if name not in found:
            yield f"{name} must be a tensor of the graph, which it is not"
        elif found[name].shape[-2:] != values.shape[1:]:
            yield f"{name} must have shape {values.shape[1:]}, not {found[name].shape[-2:]}"
        elif not (found[name] == values).all():
            window, row, feature = np.argwhere(found[name] != values)[0].tolist()
            other = np.broadcast_to(found[name], values.shape)[window, row, feature]
            yield (
                f"{name} of window {first + window}, row {row}, feature {feature} must be"
                f" {values[window, row, feature]}, not {other:g}"
            )
