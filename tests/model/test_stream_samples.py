"""Patches of a data set as a stream takes them: one after the other, or those of phases between."""

import numpy as np
import pytest

from bitformer.model import reference
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.own_data import integer_windows
from bitformer.model.stream import StreamSteps

#: Three patches of four steps; a forecast depends on five of them.
CONFIG = named_config("tiny").replace(
    window=12, patch=4, causal=True, stream=True, position="relative", inputs=2
)


@pytest.fixture(scope="module")
def model():
    return initialize(CONFIG, seed=1)


@pytest.fixture
def dataset(small_dataset):
    return small_dataset(window=CONFIG.rows_seen, horizon=CONFIG.horizon, inputs=2, rows=400)


def rows_of(model, dataset):
    """The rows that the test windows are cut out of, as integers [rows, channels]."""
    x = dataset.test.x
    return model.quantize_input(np.concatenate([x[:, 0], x[-1, 1:]])[None])[0]


@pytest.mark.parametrize(("phases", "apart"), [(1, 4), (2, 2), (4, 1), (3, 4), (8, 4)])
def test_patches_begin_so_many_steps_apart(model, dataset, phases, apart):
    """Phases that share a patch evenly take turns within it; others are sensors of their own."""
    rows, patch = rows_of(model, dataset), CONFIG.patch
    found = integer_windows(model, dataset, 12, 0, phases=phases)
    assert found.shape == (12, patch, 2)
    for number, one in enumerate(found):
        assert np.array_equal(one, rows[number * apart : number * apart + patch])


@pytest.mark.parametrize(("phases", "apart"), [(1, 4), (2, 2)])
def test_there_are_no_more_than_the_test_rows_have(model, dataset, phases, apart):
    rows = rows_of(model, dataset)
    found = integer_windows(model, dataset, 10_000, 0, phases=phases)
    assert len(found) == 1 + (len(rows) - CONFIG.patch) // apart
    last = (len(found) - 1) * apart
    assert np.array_equal(found[-1], rows[last : last + CONFIG.patch])


def test_a_forecast_of_every_second_step_is_that_of_its_window(model, dataset):
    x = integer_windows(model, dataset, 30, 0, phases=2)
    steps = StreamSteps(model, x, phases=2).values(x)[model.results.name]
    windows = model.quantize_input(dataset.test.x)
    seen = CONFIG.rows_seen
    own = [n for n in range(30) if 2 * n + CONFIG.patch >= seen]
    assert len(own) > 10
    whole = reference.run(model, windows)[model.results.name]
    for number in own:
        assert np.array_equal(steps[number], whole[2 * number + CONFIG.patch - seen])
