"""Graphs of models beside the reference, and graphs that are wrong in one place.

The packages of the extra are imported late: a test that uses this needs "qonnx".
"""

from dataclasses import replace

import numpy as np

from bitformer.model import numerics, reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize
from bitformer.model.operations.judge import JUDGED, DetectorState

__all__ = [
    *(
        "LEAST",
        "SMALL",
        "STREAM",
        "WINDOWS",
        "computed",
        "constants",
        "graph_of",
        "judging",
        "made",
    ),
    *("mutant", "windows_of", "witnessed"),
]

#: Windows on which models are compared.
WINDOWS = 50
#: A model with nearly every kind of step, as small as can be.
SMALL = TransformerConfig(
    name="small",
    window=8,
    inputs=2,
    horizon=3,
    patch=2,
    d_model=4,
    heads=2,
    ffn=5,
    activation="gelu",
    subtract_last=True,
    linear_path=True,
    input_bits=12,
    output_bits=12,
)
#: One of a few dozen steps.
LEAST = SMALL.replace(name="least", heads=1, block="mlp", activation="relu", linear_path=False)
#: What makes a stream of a configuration.
STREAM = {"stream": True, "causal": True, "position": "relative"}


def made(config, seed=0, **changes):
    """An untrained model of a configuration, or of a named one, with changes."""
    config = named_config(config) if isinstance(config, str) else config
    return initialize(config.replace(**changes), seed)


def judging(model, **changes):
    """A detector with other settings, whose flags are neither all up nor all down."""
    settings = {"smoothing": 2, "hold": 2, "weight": model.detector.weight * 3, **changes}
    judge = replace(model.detector, **settings)
    x = windows_of(model)
    values = {**reference.run(model, x), JUDGED: reference.judged_of(model, x)}
    scores = judge.score(judge.residuals(values, model.tensors), DetectorState())
    judge = replace(judge, threshold=int(np.quantile(scores, 0.8, method="lower")))
    return replace(model, operations=(*model.operations[:-1], judge))


def graph_of(model, opset=13):
    from bitformer.model.qonnx.exporting import to_onnx

    return to_onnx(model, opset)


def windows_of(model, count=WINDOWS, seed=0):
    """Windows over the whole range, where much is clamped; every other one as data are, near 0."""
    rng, spec = np.random.default_rng(seed), model.input
    x = model.random_windows(rng, count)
    near = rng.normal(size=(count, *spec.shape)).cumsum(axis=1) / 4
    x[1::2, : spec.rows] = numerics.round_half_up(near, spec.exponent, spec.low, spec.high)[1::2]
    return x


def witnessed(model, windows=WINDOWS, *, graph=None, opset=13, seed=0):
    """What comes of :func:`windows_of` in a graph, by default the model's own."""
    from bitformer.model.qonnx.witness import witness

    graph = graph_of(model, opset) if graph is None else graph
    return witness(graph, model, windows_of(model, windows, seed))


def initializers(graph):
    """All constants of a graph, and of the bodies of its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from initializers(attribute.g)


def constants(graph):
    """Names of the constants that operations compute with.

    Not those of shapes, those of Quant that leave a number as it is, and what a tensor stands for.
    """
    names = [one.name for one in initializers(graph.graph)]
    names = [name for name in names if not name.startswith(("quant/scale", "quant/zero"))]
    others = ("/scale", "/zero_point")
    return [name for name in names if "numbers/" not in name and not name.endswith(others)]


def mutant(graph, name, change):
    """A copy of a graph with ``change(array)`` in the place of a constant."""
    import onnx
    from onnx import numpy_helper

    other = onnx.ModelProto()
    other.CopyFrom(graph)
    (old,) = [one for one in initializers(other.graph) if one.name == name]
    array = numpy_helper.to_array(old)
    old.CopyFrom(numpy_helper.from_array(change(array.copy()).astype(array.dtype), name))
    return other


def computed(build, *inputs, opset=13):
    """What ``build(steps, *names)`` computes of int64 arrays: the values of its outputs' names."""
    import onnxruntime
    from onnx import TensorProto, helper

    from bitformer.model.qonnx.graph import Graph
    from bitformer.model.qonnx.steps import Steps

    graph = Graph(opset)
    names = [f"x{place}" for place in range(len(inputs))]
    outputs = build(Steps(graph, "y"), *names)
    outputs = [outputs] if isinstance(outputs, str) else [*outputs]
    arrays = [np.asarray(one, dtype=np.int64) for one in inputs]
    whole = helper.make_graph(
        graph.nodes,
        "steps",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, array.shape)
            for name, array in zip(names, arrays, strict=True)
        ],
        [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in outputs],
        initializer=graph.constants,
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(None, dict(zip(names, arrays, strict=True)))
    return found[0] if len(found) == 1 else found
