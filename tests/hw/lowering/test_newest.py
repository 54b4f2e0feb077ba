"""A stream's products over rings: what is newest is read last, and is there by then."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from design_strategies import several, streams
from hypothesis import given, reject
from stream_harness import lowered

from bitformer.hw import timing
from bitformer.hw.lowering import schedule as scheduler
from bitformer.hw.lowering import suggested
from bitformer.hw.lowering.steps import StreamProgram
from bitformer.hw.timetable import Schedule
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

STREAM = {"causal": True, "stream": True, "position": "relative"}
#: Two tokens of a value each, and so a path that is over at once.
SHORT = TransformerConfig(
    name="short",
    **STREAM,
    window=2,
    patch=1,
    inputs=2,
    horizon=3,
    d_model=4,
    ffn=6,
    linear_path=True,
)


def too_early(design):
    """Tensors whose newest row is read by the engine before it is there, in any timetable."""
    found = set()
    for timeline in design.timelines:
        written = {
            (event.row.tensor, event.row.row, event.row.first + place): int(cycle)
            for event in timeline.events
            for place, cycle in enumerate(event.writes)
        }
        for event, read in reads_behind_others(timeline):
            features = design.model.tensors[read.tensor].features
            begins = event.issue + timing.ADDRESS + event.row.operation.length - features
            found |= {
                read.tensor
                for feature in range(features)
                if begins + feature < written[read.tensor, 0, feature] + timing.WRITTEN
            }
    return found


def reads_behind_others(timeline):
    """The events and reads of which older rows come first."""
    return [(event, read) for event in timeline.events for read in event.row.reads if read.passed]


def made(config, seed=1):
    try:
        return lowered(initialize(config, seed=seed, samples=8), 0)
    except UserError:
        reject()  # numbers too wide for any part, or an odd number of features


@several(8)
@given(streams())
def test_what_is_newest_is_there_in_time(config):
    assert not too_early(made(config.replace(window=min(config.window, 4 * config.patch))))


@pytest.mark.slow
@several(300)
@given(streams())
def test_what_is_newest_is_there_in_time_in_many(config):
    assert not too_early(made(config))


def test_an_older_row_that_is_not_there_is_found(monkeypatch):
    """The path would begin so many elements too early as are never read before the newest row."""
    right = StreamProgram._newest_read

    def wrong(self, read, form, filled):
        found = right(self, read, form, filled)
        return replace(found, passed=found.passed + 100) if found.passed else found

    assert not too_early(made(SHORT))
    monkeypatch.setattr(StreamProgram, "_newest_read", wrong)
    assert "recent" in too_early(made(SHORT))


def issues(design):
    """When the last row of each tensor is issued."""
    return {event.row.tensor: event.issue for event in design.schedule.events}


def test_the_head_begins_before_the_newest_token_is_there():
    found = issues(lowered(initialize(named_config("etth1-96-24-stream"), seed=1), 0))
    assert found["output"] < found["layers.0.norm2"]


def test_a_head_that_another_product_follows_waits_for_its_token():
    """Were it in the engine first, the token would wait for it."""
    config = named_config("etth1-96-24-stream").replace(pre_norm=True)
    found = issues(lowered(initialize(config, seed=1), 0))
    assert found["output"] > found["layers.0.add2"]


def test_the_path_waits_for_a_gap(monkeypatch):
    config = named_config("etth1-96-24-stream").replace(linear_path=True)
    model = initialize(config, seed=1)
    patient = lowered(model, 0)
    monkeypatch.setattr(suggested, "patient", lambda tasks, priorities, *others: priorities)
    at_once = lowered(model, 0)
    assert patient.latency < at_once.latency
    assert issues(patient)["path"] > issues(at_once)["path"]


@pytest.fixture
def guesses(monkeypatch):
    """Schedule a row that reads behind all else, of timetables (drained, when that is there)."""

    def of(*timetables, passed=3):
        left, asked = list(timetables), []

        def timetable(layers, priorities, geometry, expected):
            asked.append({key: own.tolist() for key, own in expected.items()})
            drained, there = left.pop(0)
            line = SimpleNamespace(ready={("x", 1): np.array(there)})
            return Schedule(drained=drained), line

        monkeypatch.setattr(scheduler, "_scheduled", timetable)
        read = SimpleNamespace(tensor="x", passed=passed, numbers=[1])
        found = scheduler.schedule({"y": [SimpleNamespace(reads=[read])]}, None, None)
        return found.drained, asked

    return of


def test_what_is_there_in_time_is_not_waited_for(guesses):
    assert guesses((90, [5, 6]), passed=0) == (90, [{}])
    # as it was without waiting, or earlier
    for there in ([5, 6], [4, 6]):
        drained, asked = guesses((90, [5, 6]), (70, there))
        assert (drained, asked) == (70, [{}, {("x", 1): [5, 6]}])
    assert guesses((90, [5, 6]), (95, [5, 6]))[0] == 90


def test_a_guess_that_was_too_early_is_made_again_three_times_at_most(guesses):
    drained, asked = guesses((90, [5, 6]), (60, [7, 2]), (70, [7, 6]))
    assert (drained, asked[2:]) == (70, [{("x", 1): [7, 6]}])
    late = [(60, [n, 6]) for n in range(6, 9)]
    drained, asked = guesses((90, [5, 6]), *late)
    assert (drained, len(asked)) == (90, 4)
    drained, asked = guesses((90, [5, 6]), *late[:2], (80, [7, 6]))
    assert (drained, len(asked)) == (80, 4)
