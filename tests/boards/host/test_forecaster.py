"""What a forecaster counts: readings beyond the input's range, and results at an end of theirs."""

from dataclasses import replace

import numpy as np
import pytest
from link_harness import ShellPort

from bitformer.boards.host.client import Client
from bitformer.boards.host.forecaster import ClipCount, Forecaster
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import Registers
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("tiny"), samples=16)


@pytest.fixture(scope="module")
def classifier():
    config = named_config("tiny").replace(task="classify", horizon=3, linear_path=False)
    return replace(initialize(config, samples=16), meta={"classes": ["calm", "walk", "Öl"]})


def forecaster_of(model, results):
    """A forecaster whose board gives these results, window by window."""
    bits = model.input.bits, model.output.bits
    facts = Registers(
        input_bits=bits[0],
        result_bits=bits[1],
        inputs=model.input.size,
        results=model.output.size,
        capacity=2 * model.input.size,
        vectors=0,
        latency=9,
        model_hash=model_hash(model),
        structure=bytes(4),
        clock_hz=1000,
    )
    given = iter(results)
    return Forecaster(Client(UartTransport(ShellPort(facts, lambda window: next(given)))), model)


def reals(model, integers):
    """Standardised floats in the middle of what becomes these integers."""
    spec = model.input
    return (np.asarray(integers, dtype=float) - spec.zero) * 2.0**spec.exponent


def test_readings_beyond_the_range_are_counted_before_they_are_rounded(model):
    spec, steps = model.input, 2.0**model.input.exponent
    x = np.zeros((3, *spec.shape))
    x[0].flat[:4] = reals(model, [spec.low, spec.high, spec.low - 1, spec.high + 1])
    # half up: the last that becomes the highest, the first beyond, and the same below
    x[1].flat[:4] = reals(model, [spec.high, spec.high, spec.low, spec.low]) + steps * np.array(
        [0.499, 0.5, -0.5, -0.501]
    )
    x[2].flat[:2] = [1e300, -1e300]
    forecaster = forecaster_of(model, [[0] * model.output.size] * 3)
    assert forecaster.clipped == ClipCount()
    forecaster.predict(x)
    assert forecaster.clipped == ClipCount(
        readings=2 + 2 + 2, sent=x.size, results=0, received=3 * model.output.size
    )


def test_counts_are_those_of_the_last_forecasts(model):
    low, high, size = model.output.low, model.output.high, model.output.size
    ends = [[low] * size, [high - 1] * (size - 1) + [high], [low + 1] * size, [0] * size]
    forecaster = forecaster_of(model, ends)
    forecaster.predict(np.zeros((3, *model.input.shape)))
    count = forecaster.clipped
    assert (count.readings, count.results, count.received) == (0, size + 1, 3 * size)
    forecaster.predict(np.zeros((1, *model.input.shape)))
    assert forecaster.clipped.results == 0


def test_a_classifier_gives_names_or_none(classifier):
    answers = [[2], [3], [0], [3], [1]]
    x = np.zeros((5, *classifier.input.shape))
    forecaster = forecaster_of(classifier, answers)
    assert forecaster.classify(x) == ["Öl", None, "calm", None, "walk"]
    assert (forecaster.rejected, forecaster.clipped.results) == (2, 0)
    forecaster = forecaster_of(classifier, answers)
    assert forecaster.predict(x).tolist() == answers
    assert forecaster.rejected == 2
    unnamed = replace(classifier, meta={})
    assert forecaster_of(unnamed, answers).classify(x) == ["2", None, "0", None, "1"]


def test_a_forecaster_has_no_classes(model):
    forecaster = forecaster_of(model, [[3] * model.output.size])
    forecaster.predict(np.zeros((1, *model.input.shape)))
    assert forecaster.rejected == 0
    message = (
        r"^model must be a classifier to give classes, and is of task forecast: ask it to predict$"
    )
    with pytest.raises(UserError, match=message):
        forecaster.classify(np.zeros((1, *model.input.shape)))
