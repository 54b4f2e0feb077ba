# amaranth: UnusedElaboratable=no
"""Phases of a stream in hardware: each has rings of its own, and they take steps in turn."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat, Const
from design_strategies import several, streams
from hypothesis import given, reject
from hypothesis import strategies as st
from stream_harness import SMALL, ResetsAfter, exactly, lowered, patches

from bitformer.hw.design import phase_bits
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.assembly import Units
from bitformer.hw.units.ports import InputPort
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.stream import MOST_PHASES, Stream
from bitformer.sim.run import simulate

PHASES = 3


@pytest.fixture(scope="module")
def model():
    return initialize(SMALL.replace(linear_path=True), seed=1)


@pytest.fixture(scope="module")
def design(model):
    return lowered(model, SMALL.tokens, phases=PHASES)


#: Steps of all phases until each has gone around its rings, and taken the oldest one's slot.
STEPS = (SMALL.tokens + 1) * PHASES + 1


@pytest.mark.parametrize(
    ("part", "changes", "phases"),
    [
        ("xc7s15", {"inputs": 3, "targets": 2}, 2),
        ("lfe5u-25f", {"norm": "batch", "linear_path": True, "subtract_last": False}, 4),
        ("ice40up5k", {}, 5),
    ],
)
def test_every_tensor_of_every_step(part, changes, phases):
    own = lower(initialize(SMALL.replace(**changes), seed=1), part=part, phases=phases)
    exactly(own, (SMALL.tokens + 1) * phases + 1)


def test_a_forecast_of_each_phase_is_that_of_a_stream_of_its_own(design, model):
    """Not by what phases are in the reference, but by streams, each of which has its patches."""
    x = patches(model, STEPS, seed=4)
    found = simulate(design, x)
    for phase in range(PHASES):
        stream = Stream(model)
        own = [stream.step(patch[None]).ravel() for patch in x[phase::PHASES]]
        assert np.array_equal(found.outputs[phase::PHASES], own)


@pytest.mark.parametrize("steps", [4, 5])
def test_after_a_reset_the_first_phase_begins(design, steps):
    resetting = ResetsAfter(design, steps)
    exactly(design, 9, accelerator=resetting, resets=[steps], back_pressure=0.3)


def test_a_reset_that_is_not_expected_is_seen(design):
    x = patches(design.model, 5)
    assert simulate(design, x, accelerator=ResetsAfter(design, 4)).difference.sample == 4


CASES = {
    "config": streams(),
    "seed": st.integers(0, 100),
    "lanes": st.sampled_from([None, 4]),
    "phases": st.integers(2, 5),
}


@several(2)
@given(**CASES)
def test_random_phases(**case):
    check(**case)


@pytest.mark.slow
@several(40)
@given(**CASES)
def test_many_random_phases(**case):
    check(**case)


def check(config, seed, lanes, phases):
    config = config.replace(window=min(config.window, 3 * config.patch))
    try:
        own = lower(initialize(config, seed=seed, samples=8), lanes=lanes, phases=phases)
    except UserError:
        reject()  # numbers too wide for any part, or an odd number of features
    exactly(own, (config.tokens + 2) * phases + 1, back_pressure=0.2 * (seed % 2))


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_a_forecast_at_every_sample_of_ten_thousand():
    """Of the named model, whose patch has 8 steps; its rings are in the part's block RAM."""
    config = named_config("etth1-96-24-stream")
    own, one = (lower(initialize(config, seed=1), phases=n) for n in (config.patch, 1))
    assert own.latency == one.latency
    exactly(own, 300, engine="native")
    options = {"engine": "native", "back_pressure": 0.2}
    exactly(own, 10_000, accelerator=ResetsAfter(own, 5_001), resets=[5_001], **options)


def first_difference(design, mutant):
    x = patches(design.model, STEPS)
    return simulate(design, x, accelerator=Accelerator(design=mutant)).difference


@pytest.mark.parametrize(
    ("store", "seen", "turn"),
    [
        # what is old in the path is summed a step before it is seen
        ("activations", "path", 2),
        ("sums", "path", 1),
        ("dynamic", "layers.0.scores", 1),
    ],
)
def test_rings_that_phases_share_are_seen(design, monkeypatch, store, seen, turn):
    original, bits = Units.in_phase, phase_bits(design.model)
    monkeypatch.setattr(
        Units,
        "in_phase",
        lambda self, name, address: (
            Cat(Const(0, bits), address) if name == store else original(self, name, address)
        ),
    )
    difference = first_difference(design, design)
    assert (difference.tensor, difference.sample) == (seen, turn * PHASES)


def test_the_last_step_of_another_phase_is_seen(design, monkeypatch):
    original = InputPort.__init__
    monkeypatch.setattr(
        InputPort,
        "__init__",
        lambda self, *, kept, **others: original(self, kept=kept - 1, **others),
    )
    difference = first_difference(design, design)
    assert (difference.tensor, difference.sample) == ("delta", PHASES)


def test_a_phase_that_is_left_out_is_seen(design):
    mutant = replace(design, program=replace(design.program, phases=PHASES - 1))
    assert first_difference(design, mutant).sample == PHASES - 1


def test_rings_take_as_many_times_the_words(model):
    one, design = (lowered(model, SMALL.tokens, phases=n) for n in (1, PHASES))
    assert phase_bits(design.model) == 2
    for name, spec in one.stores.items():
        times = 4 if name in ("activations", "dynamic", "sums") else 1
        assert design.stores[name].depth == times * spec.depth
        assert design.words(name) == spec.depth
    assert (design.latency, design.interval) == (one.latency, one.interval)


def test_all_steps_of_a_named_stream_have_as_many_instructions():
    """Sums of its linear path are kept in parts where it has one phase: in one then."""
    model = initialize(named_config("etth1-96-24-stream"), seed=1)
    found, one = lower(model, phases=8), lower(model)
    assert found.program.loop == (found.model.config.tokens) * found.program.step_instructions
    assert one.program.loop % one.program.step_instructions
    assert found.latency == one.latency
    assert found.words("sums") == one.words("sums") == found.stores["sums"].depth // 8
    Accelerator(design=found)


@pytest.mark.parametrize("phases", [0, -1, MOST_PHASES + 1])
def test_phases_that_cannot_be_are_refused(model, phases):
    with pytest.raises(UserError, match=rf"^phases must be from 1 to 64, not {phases}$"):
        lower(model, phases=phases)


def test_what_phases_cannot_have_is_refused(model, small_model):
    with pytest.raises(UserError, match=r"^phases must be 1 for a model of windows, not 2$"):
        lower(small_model(), phases=2)
    with pytest.raises(UserError, match=r"^placement must leave out intermediate results with sev"):
        lower(model, phases=2, placement={"results": "auto"})
