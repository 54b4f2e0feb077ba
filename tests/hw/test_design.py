"""What a design says of itself."""

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

STREAM = named_config("etth1-96-24-stream")


@pytest.fixture(scope="module")
def stream():
    return lower(initialize(STREAM, samples=8))


def test_a_windows_timetable_is_its_only_one():
    design = lower(initialize(named_config("tiny"), samples=8))
    assert (design.program.steps, design.program.loop, design.first_lap) == (1, 0, ())
    assert design.timelines == (design.schedule,)


def test_a_stream_has_a_lap_in_which_rings_fill_and_then_one_that_repeats(stream):
    tokens = STREAM.window // STREAM.patch
    assert (stream.program.steps, len(stream.first_lap)) == (tokens, tokens - 1)
    assert stream.timelines == (*stream.first_lap, *[stream.schedule] * (1 + tokens))


def test_a_ring_of_one_token_has_no_first_lap():
    design = lower(initialize(STREAM.replace(window=STREAM.patch), samples=8))
    assert (design.program.steps, design.first_lap) == (1, ())
    assert design.timelines == (design.schedule, design.schedule)
