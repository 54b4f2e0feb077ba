"""Every number of every tensor, in QONNX's executor and in the reference."""

import numpy as np
import pytest
from design_strategies import models, several
from hypothesis import given
from qonnx_harness import (
    LEAST,
    SMALL,
    STREAM,
    WINDOWS,
    graph_of,
    judging,
    made,
    windows_of,
    witnessed,
)

from bitformer.model import reference
from bitformer.model.config import named_config
from bitformer.model.operations import OPERATIONS
from bitformer.model.precision import Precision

pytestmark = pytest.mark.needs("qonnx")
ETTH1 = named_config("etth1-96-24")
#: Models by what they stand for.
MODELS = {
    "encoder": ETTH1,
    "1 bit": ETTH1.replace(default=Precision(weights=1, activations=4)),
    "mixer": named_config("mixer-96-24"),
    "MLP": named_config("mlp-96-24"),
    "classifier": named_config("strike-25"),
    "encoder and decoder": named_config("etth1-48-24-ed"),
    "calendar": named_config("taxi-48-12"),
    "BatchNorm and mean": named_config("grid-12-32-4"),
    "LayerNorm before, GELU": ETTH1.replace(norm="layer", pre_norm=True, activation="gelu"),
    "several targets": ETTH1.replace(inputs=3, targets=2, target_channels=(2, 0)),
    "detector": ETTH1.replace(task="detect", horizon=8),
    "detector of several": SMALL.replace(task="detect", targets=2, target_channels=(1, 0)),
    "asymmetric": ETTH1.replace(asymmetric=True),
    "an ADC's words": SMALL.replace(adc_words=True),
    "stream": named_config("etth1-96-24-stream"),
    "stream, mean": SMALL.replace(**STREAM, pooling="mean"),
    "one head, fused": SMALL.replace(heads=1, fused=True),
}


def model_of(name):
    model = made(MODELS[name])
    return judging(model) if model.detector else model


def test_tiny():
    found = witnessed(made("tiny"), 10)
    assert found.difference is None
    assert found.equal
    assert len(found.tensors) == 16
    model = made("tiny")
    assert set(found.tensors) == {*model.tensors} | {*model.constants}
    sizes = [spec.size for spec in model.tensors.values()]
    assert found.numbers == 10 * sum(sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model(name):
    model = model_of(name)
    found = witnessed(model, WINDOWS)
    assert found.difference is None
    assert found.windows == WINDOWS
    assert {*model.tensors} <= {*found.tensors}


def test_windows_and_answers_differ():
    """What is compared is not all the same number."""
    for name in ("detector", "classifier"):
        model = model_of(name)
        answers = reference.run(model, windows_of(model))[model.output.name]
        assert len(np.unique(answers)) > 1, name


def test_every_operation_is_in_these_models():
    kinds = {type(op).__name__ for name in MODELS for op in made(MODELS[name]).operations}
    assert kinds == {*OPERATIONS}


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_every_opset(opset):
    assert witnessed(made(SMALL), 5, opset=opset).difference is None


@pytest.mark.slow
@given(models())
@several(25)
def test_random_models(drawn):
    found = witnessed(drawn.make(), 5)
    assert found.difference is None


def test_more_windows_than_the_executor_takes_at_once(monkeypatch):
    from bitformer.model.qonnx import witness

    monkeypatch.setattr(witness, "CHUNK", 2)
    told = []
    model = made(LEAST)
    x = model.random_windows(np.random.default_rng(0), 3)
    found = witness.witness(graph_of(model), model, x, lambda *step: told.append(step[:2]))
    assert found.equal
    assert found.windows == 3
    assert told == [(0, 3), (2, 3), (3, 3)]
