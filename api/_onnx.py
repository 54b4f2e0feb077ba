"""A model as a QONNX file, which others run without this package."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._samples import samples_of
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.model.ir import IntegerModel
    from bitformer.model.progress import Progress
    from bitformer.model.qonnx.witness import Witness

__all__ = ["OnnxGraph", "written_onnx"]


@dataclass(frozen=True, kw_only=True)
class OnnxGraph:
    """A graph that was written.

    Parameters
    ----------
    path : the file.
    opset : the version of ONNX's operators.
    input, output : names of what goes in and comes out.
    nodes : operators.
    bytes : size of the file.
    witness : what QONNX's executor came to beside the reference; None where nobody asked.
    source : where the windows come from that it ran; "" where it ran none.
    tensors : the file with those windows and the reference's tensors, if one was asked for.
    """

    path: Path
    opset: int
    input: str
    output: str
    nodes: int
    bytes: int
    witness: "Witness | None" = None
    source: str = ""
    tensors: Path | None = None

    def to_dict(self) -> dict[str, object]:
        """Return all of it as plain data."""
        found: dict[str, object] = {**vars(self), "path": str(self.path)}
        found["tensors"] = None if self.tensors is None else str(self.tensors)
        if self.witness is not None:
            found["witness"] = {**vars(self.witness), "equal": self.witness.equal}
        return found


def written_onnx(
    model: "IntegerModel",
    path: Path,
    *,
    opset: int,
    check: int = 0,
    tensors: str | Path | None = None,
    seed: int = 0,
    note: Callable[[str], None],
    progress: "Progress",
) -> OnnxGraph:
    """Write a model as QONNX; see :meth:`bitformer.Model.to_onnx`."""
    from bitformer.model.files import ready_file
    from bitformer.model.qonnx.installed import EXECUTOR, require_packages

    if tensors is not None and not check:
        raise UserError("tensors must be left out without a check, whose windows they are of")
    require_packages("QONNX", "onnx", *(EXECUTOR if check else ()))
    from bitformer.model.qonnx.exporting import write_onnx

    files = [ready_file(Path(one)) for one in (path, tensors) if one is not None]
    made = write_onnx(model, files[0], opset)
    checked: dict[str, Any] = {}
    if check:
        from bitformer.model.qonnx.witness import read_onnx, witness, write_tensors

        windows = samples_of(model, check, seed, note, data=None)
        found = witness(read_onnx(path), model, windows.values, progress)
        checked = {"witness": found, "source": windows.source}
        for file in files[1:]:
            write_tensors(model, windows.values, made.graph.input[0].name, file)
            checked["tensors"] = file
    graph = made.graph
    return OnnxGraph(
        path=path,
        opset=opset,
        input=graph.input[0].name,
        output=graph.output[0].name,
        nodes=len(graph.node),
        bytes=path.stat().st_size,
        **checked,
    )
