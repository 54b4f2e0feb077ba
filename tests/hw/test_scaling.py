"""Data of a model's scales, in JSON and in C: columns, target, steps, where a forecast begins."""

import math
from dataclasses import replace

import pytest
from firmware_harness import NAMES, trained
from scaling_harness import MODELS

from bitformer.boards.build.firmware import header
from bitformer.hw.scaling import scaling_data
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize


def test_data_of_a_trained_model():
    model = MODELS["narrow"]
    data = scaling_data(model)
    assert data == {
        "format": 1,
        "name": "tiny",
        "model": model_hash(model).hex(),
        "window": 24,
        "channels": 4,
        "horizon": 6,
        "results": 6,
        "calendar": [],
        "words": 96,
        "ahead": 1,
        "step_seconds": None,
        "input": {"bits": 4, "exponent": 0, "zero": 0, "low": -8, "high": 7, "unsigned": False},
        "output": {"bits": 4, "exponent": 3, "zero": -5, "low": -8, "high": 7, "unsigned": False},
        "columns": [
            {"name": name, "mean": mean, "std": std}
            for name, mean, std in zip(
                NAMES,
                [20.173, -1e-3, 0.0, 123456.789],
                [3.1415926, 0.1, 1.0, 9876.54321],
                strict=True,
            )
        ],
        "target": {"name": NAMES[2], "mean": 20.173, "std": 3.1415926},
    }
    assert "#define BITFORMER_MODEL_STEP_SECONDS 0\n" in header(scaling_data(model))


@pytest.mark.parametrize("names", [None, ['a"b', "Öl", "three"]])
def test_classes_of_a_classifier(names):
    """Their names, or their numbers: one result is a place among them."""
    config = NAMED_CONFIGS["tiny"].replace(task="classify", horizon=3, linear_path=False)
    model = initialize(config, samples=8)
    labels = ["0", "1", "2"] if names is None else names
    if names is not None:
        model = replace(model, meta={"classes": names})
    data = scaling_data(model)
    assert data["classes"] == labels
    assert data["horizon"] == 1
    assert data["output"] | {"low": 0, "high": 0} == {
        "bits": 16,
        "exponent": 0,
        "zero": 0,
        "low": 0,
        "high": 0,
        "unsigned": False,
    }
    assert "#define BITFORMER_MODEL_CLASSES 3\n" in header(data)
    assert "#define BITFORMER_MODEL_HORIZON 1\n" in header(data)
    plain = scaling_data(MODELS["narrow"])
    assert "classes" not in plain
    assert "#define BITFORMER_MODEL_CLASSES 0\n" in header(plain)


def test_a_forecast_begins_some_steps_after_a_window():
    for ahead in (1, 24):
        data = scaling_data(trained(ahead=ahead))
        assert data["ahead"] == ahead
        assert f"#define BITFORMER_MODEL_AHEAD {ahead}\n" in header(data)


@pytest.mark.parametrize(
    ("step", "seconds", "text"),
    [
        ({"step": 3600.0, "step_unit": "even", "dated": True}, 3600.0, "3600"),
        ({"step": 0.25, "step_unit": "even", "dated": True}, 0.25, "0.25"),
        ({"step": 1.0, "step_unit": "even", "dated": False}, None, "0"),
        ({"step": 86400.0, "step_unit": "business", "dated": True}, None, "0"),
        ({"step": 1.0, "step_unit": "row", "dated": True}, None, "0"),
    ],
)
def test_the_step_is_in_seconds_or_unknown(step, seconds, text):
    data = scaling_data(trained(**step))
    assert data["step_seconds"] == seconds
    assert f"#define BITFORMER_MODEL_STEP_SECONDS {text}\n" in header(data)


def test_scales_are_finite():
    model = trained(target=(1.0, 1.0))
    model.meta["dataset"]["target_std"] = math.inf
    with pytest.raises(UserError, match="target_std of dataset must be 1 numbers"):
        header(scaling_data(model))
