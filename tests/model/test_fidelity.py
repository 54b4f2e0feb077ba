"""The check that a training ends with."""

import math

import pytest

from bitformer.model.fidelity import rounding_failure


@pytest.mark.parametrize(
    ("floats", "rounded", "step", "passes"),
    [
        (1.0, 1.25, 0.0, True),
        (1.0, 1.2500001, 0.0, False),
        (1.0, 1.26, 0.3, False),
        (1.0, 1.26, 0.36, True),
        (0.0, 1e-6, 2.0**-8, True),
        (0.0, 2e-6, 2.0**-8, False),
        (0.0, 1e-6, 0.0, True),
        (0.0, 1.1e-6, 0.0, False),
        (0.5, 0.1, 0.0, True),
        (0.5, math.nan, 0.0, False),
    ],
)
def test_a_quarter_more_than_the_floats_error_and_the_outputs_rounding(
    floats, rounded, step, passes
):
    assert (rounding_failure(floats, rounded, step) is None) == passes


def test_the_sentence_says_what_to_try():
    said = rounding_failure(0.004, 2.27, 0.0, wider=["--range 0,30"])
    assert said == (
        "Rounding costs too much: the quantized model's validation MSE is 2.27, over 1.25 times the"
        " float model's 0.004: try a wider range (--range 0,30), or more bits (--activations,"
        " --weights), or more epochs (--qat-epochs)"
    )
    assert "wider range" not in rounding_failure(0.004, 2.27, 0.0)


def test_a_classifiers_error_has_its_own_name_and_nothing():
    kinds = {"name": "cross entropy", "negligible": 0.02}
    assert rounding_failure(0.001, 0.019, 0.0, **kinds) is None
    assert rounding_failure(0.4, 0.5, 0.0, **kinds) is None
    message = rounding_failure(0.4, 0.501, 0.0, **kinds)
    assert "the quantized model's validation cross entropy is 0.501, over 1.25 times the" in message
