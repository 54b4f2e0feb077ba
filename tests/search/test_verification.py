"""Candidates with a calendar are simulated on windows with their time."""

import dataclasses

import numpy as np
import pytest

from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.search.engine import Engine
from bitformer.search.verification import Bench, verify
from bitformer.sim import run
from bitformer.synth import synthesize as synthesizing
from bitformer.synth.depth import Depth
from bitformer.synth.resources import Resources
from bitformer.synth.synthesize import Synthesis

CLOCK = np.array([[23, 6], [0, 0]])


@pytest.fixture
def content(tmp_path):
    save_model(
        initialize(named_config("tiny").replace(calendar=("hour", "weekday"))), tmp_path / "m"
    )
    return (tmp_path / "m").read_bytes()


def test_a_candidate_with_a_calendar_is_proved(content):
    windows = np.random.default_rng(0).normal(size=(2, 24, 1))
    found = verify(content, Engine(), windows, CLOCK, "xc7s15", False)
    assert found["error"] is None
    assert (found["bit_exact"], found["cycles_as_predicted"]) == (True, True)


def test_a_stream_is_proved_patch_by_patch(tmp_path, monkeypatch):
    config = named_config("etth1-96-24-stream").replace(window=24, horizon=4, d_model=4, ffn=4)
    save_model(initialize(config), tmp_path / "m")
    rows = config.rows_seen
    windows = np.random.default_rng(0).normal(size=(2, rows, 1))
    content = (tmp_path / "m").read_bytes()

    def verified(phases=1):
        return verify(content, Engine(phases=phases), windows, None, "xc7s15", False)

    for found in (verified(), verified(phases=3)):
        assert found["error"] is None
        assert (found["bit_exact"], found["cycles_as_predicted"]) == (True, True)
    # a stream that goes on where it must begin anew is another one: not of these windows
    whole, patches = run.simulate, []
    monkeypatch.setattr(
        run, "simulate", lambda design, x, **more: patches.append(x) or whole(design, x, **more)
    )
    verified()
    assert patches[0].shape == (2 * rows // config.patch, config.patch, 1)
    # of two phases, each has a window
    verified(phases=2)
    turns = patches[1].reshape(-1, 2, config.patch)
    assert np.array_equal(turns.swapaxes(0, 1).reshape(patches[0].shape), patches[0])


def test_the_time_of_windows_is_part_of_what_a_proof_is_of():
    bench = Bench(windows=np.zeros((2, 24, 1)), part="xc7s15", clock=CLOCK)
    keys = {
        dataclasses.replace(bench, clock=clock).key(b"model", Engine(), False)
        for clock in (CLOCK, CLOCK[::-1], None)
    }
    assert len(keys) == 3
    none = dataclasses.replace(bench, clock=np.zeros((2, 0), np.int64))
    assert none.key(b"model", Engine(), False) in keys


@pytest.mark.parametrize(("part", "luts"), [("xc7s15", 1_000), ("ice40up5k", 1_700)])
def test_luts_are_what_is_predicted(content, monkeypatch, part, luts):
    """Where a LUT and a flip-flop share a cell, cells are."""
    shared = part == "ice40up5k"
    done = Synthesis(
        part=None,
        digest="d",
        tool="yosys 9",
        seconds=1.0,
        cells={},
        resources=Resources(luts_as_logic=1_000, ffs=900, cells=1_700 if shared else 0),
        depth=Depth(levels=5, chains=1, paths=()),
        fanouts=(),
    )
    monkeypatch.setattr(synthesizing, "synthesize", lambda design: done)
    windows = np.random.default_rng(0).normal(size=(1, 24, 1))
    found = verify(content, Engine(), windows, CLOCK[:1], part, True)
    assert found["synthesis"]["luts"] == luts
