"""What a decision takes, counted: against what Yosys made of it, with and without."""

from dataclasses import replace

import numpy as np
import pytest

from bitformer.estimate.decisions import decision_quantities
from bitformer.estimate.features import quantities
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def model_of(**changes):
    base = {"linear_path": False, "subtract_last": False, "name": "t"}
    return initialize(named_config("tiny").replace(**base | changes))


def deciding(model, **changes):
    *before, last = model.operations
    return replace(model, operations=(*before, replace(last, **changes)))


def classifier(classes, bits, margin):
    return deciding(model_of(task="classify", horizon=classes, output_bits=bits), margin=margin)


def detector(numbers, **flag):
    bits = {"input_bits": 8, "output_bits": 8}
    return deciding(model_of(task="detect", horizon=numbers, inputs=numbers, **bits), **flag)


WEIGHTS = np.arange(200, 208)
#: More LUTs as logic and flip-flops than without a decision, by Yosys 0.70.
MEASURED = [
    (classifier(4, 16, 0), 23, 24),
    (classifier(4, 16, 9), 66, 56),
    (classifier(4, 8, 0), -46, 16),
    (classifier(4, 8, 9), -1, 32),
    (classifier(20, 8, 0), 32, 25),
    (classifier(20, 8, 9), 7, 41),
    (detector(1, smoothing=3, threshold=100, hold=5), 128, 206),
    (detector(8, smoothing=4, threshold=1000, hold=5, weight=WEIGHTS), 194, 281),
    (detector(8, smoothing=0, threshold=10, hold=0), 53, 185),
]


@pytest.mark.parametrize(("model", "luts", "ffs"), MEASURED)
def test_counted_is_near_to_measured(model, luts, ffs):
    found = decision_quantities(lower(model))
    assert abs(found["decision_luts"] - luts) <= 65
    assert abs(found["decision_ffs"] - ffs) <= 20
    assert quantities(lower(model)).items() >= found.items()


def test_a_forecaster_has_none():
    assert decision_quantities(lower(model_of())) == {}
    assert "decision_luts" not in quantities(lower(model_of()))


def test_what_is_loaded_takes_the_most():
    """A margin, or weights of 8 bits, whatever those of today are."""
    for model in (classifier(4, 8, 0), detector(1, smoothing=1)):
        fixed, loaded = (decision_quantities(low(model)) for low in (lower, lower_reloadable))
        assert all(loaded[name] > fixed[name] for name in fixed)
