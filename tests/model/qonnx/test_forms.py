"""Every operation has a form; what has none, or cannot be said, is refused in one sentence."""

from dataclasses import dataclass, fields, replace

import pytest
from model_changes import with_name
from qonnx_harness import LEAST, graph_of, made

from bitformer.model.errors import UserError
from bitformer.model.later import later
from bitformer.model.operations import OPERATIONS, Linear, Pool
from bitformer.model.precision import Precision
from bitformer.model.qonnx.installed import require_packages

needs_qonnx = pytest.mark.needs("qonnx")


@needs_qonnx
def test_every_operation_has_a_form_with_all_its_fields():
    from bitformer.model.qonnx.operations import FORMS

    assert {*FORMS} == {*OPERATIONS.values()}
    for kind, form in FORMS.items():
        own = {field.name for field in fields(kind)} - {"y", "shift"}
        assert {*form.says} == own, kind.__name__


@dataclass(frozen=True, kw_only=True, eq=False)
class Turned(Pool):
    """An operation without a form."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Later(Linear):
    """A linear layer with a field that no form knows."""

    twice: bool = later(False)


def with_last(kind, **changes):
    """A model whose last operation is of another class."""
    model = made(LEAST)
    last = kind(**vars(model.operations[-1]) | changes)
    return replace(model, operations=(*model.operations[:-1], last))


@needs_qonnx
def test_an_operation_without_a_form_is_refused():
    model = made("grid-6-4-8")
    at = next(place for place, op in enumerate(model.operations) if isinstance(op, Pool))
    operations = [*model.operations]
    operations[at] = Turned(**vars(operations[at]))
    with pytest.raises(UserError, match="an operation that has a form in QONNX, not by Turned"):
        graph_of(replace(model, operations=tuple(operations)))


@needs_qonnx
def test_a_field_without_steps_is_refused(monkeypatch):
    from bitformer.model.qonnx import operations

    monkeypatch.setitem(operations.FORMS, Later, operations.FORMS[Linear])
    assert len(graph_of(with_last(Later)).graph.node) > 10
    must = "twice of output must be its default, False, to be written as QONNX, not True"
    with pytest.raises(UserError, match=must):
        graph_of(with_last(Later, twice=True))


@needs_qonnx
@pytest.mark.parametrize("name", ["layers.0.hidden/dot", "quant/scale", "numbers/-1"])
def test_names_of_steps_are_the_graphs_own(name):
    model = with_name(made(LEAST), "embedding", name)
    with pytest.raises(UserError, match=f"tensors must not be named {name}, as a "):
        graph_of(model)


@needs_qonnx
@pytest.mark.parametrize("opset", [-1, 12, 1000])
def test_opsets_that_do_not_do(opset):
    with pytest.raises(UserError, match=rf"opset must be 13 to \d+, the newest .* not {opset}"):
        graph_of(made(LEAST), opset)


@needs_qonnx
def test_what_other_tools_read():
    """Widths, scales and zero points, by the keys of QONNX and ONNX."""
    from onnx import numpy_helper
    from qonnx.core.modelwrapper import ModelWrapper

    model = made(LEAST, asymmetric=True, default=Precision(weights=4, activations=8))
    graph = graph_of(model)
    wrapped = ModelWrapper(graph)
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
    said = {
        one.tensor_name: {entry.key: entry.value for entry in one.quant_parameter_tensor_names}
        for one in graph.graph.quantization_annotation
    }
    for name, spec in model.tensors.items():
        assert wrapped.get_tensor_datatype(name).name == f"INT{spec.bits}"
        assert arrays[said[name]["SCALE_TENSOR"]] == 2.0**spec.exponent
        assert arrays[said[name]["ZERO_POINT_TENSOR"]] == spec.zero
        if name != "input":
            batch = [] if name in model.constants else [1]
            assert wrapped.get_tensor_shape(name) == [*batch, *spec.shape]
    assert any(spec.zero for spec in model.tensors.values())
    assert wrapped.get_tensor_datatype("layers.0.hidden/weight").name == "INT4"
    dot = wrapped.get_tensor_datatype("layers.0.hidden/dot").name
    bound = model.bounds["layers.0.hidden"].dot
    assert dot == f"INT{bound.bit_length() + 1}"
    quants = wrapped.get_nodes_by_op_type("Quant")
    assert len(quants) == len(model.operations)


@needs_qonnx
def test_numbers_wider_than_said_are_noticed():
    from qonnx_harness import witnessed

    graph = graph_of(made(LEAST))
    (one,) = [a for a in graph.graph.quantization_annotation if a.tensor_name == "output/dot"]
    one.quant_parameter_tensor_names[0].value = "INT4"
    found = witnessed(made(LEAST), 5, graph=graph)
    assert "tensor output/dot can't be represented" in found.difference


@needs_qonnx
def test_a_graph_that_cannot_run_is_one_sentence():
    from qonnx_harness import mutant, witnessed

    graph = mutant(graph_of(made(LEAST)), "output/weight", lambda weight: weight[:-1])
    with pytest.raises(UserError, match=r"^The executor of QONNX must run the graph"):
        witnessed(made(LEAST), 2, graph=graph)


@needs_qonnx
def test_the_same_bytes_every_time():
    first, second = (graph_of(made(LEAST)).SerializeToString(deterministic=True) for _ in "12")
    assert first == second


def test_missing_packages_are_named():
    require_packages("QONNX", "numpy")
    must = r"^QONNX needs no_such_one and nor_this, not installed: pip install 'bitformer\[onnx\]'$"
    with pytest.raises(UserError, match=must):
        require_packages("QONNX", "no_such_one", "numpy", "nor_this")
