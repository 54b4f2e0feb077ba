# amaranth: UnusedElaboratable=no
"""Sums that a stream's step keeps for the next one: exact, and what is wrong with them is seen."""

from dataclasses import replace

import pytest
from amaranth.hdl import Const, Mux
from design_strategies import several, streams
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from stream_harness import SMALL, ResetsAfter, exactly, lowered, patches

from bitformer.hw import timing
from bitformer.hw.lowering import ahead
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.program import Destination
from bitformer.hw.units import writes
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate

#: A lap, in which rings fill, and the first steps of another one.
STEPS = SMALL.tokens + 3
PATH = {"linear_path": True}


@pytest.fixture(scope="module")
def design():
    return lowered(initialize(SMALL.replace(**PATH), seed=1), SMALL.tokens)


def first_difference(design, mutant=None):
    x = patches(design.model, STEPS)
    accelerator = Accelerator(design=mutant or design)
    return simulate(design, x, accelerator=accelerator).difference


def with_operations(design, change):
    program = replace(design.program, operations=tuple(map(change, design.program.operations)))
    return replace(design, program=program)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        PATH | {"targets": 2, "inputs": 3},
        PATH | {"output_bits": 16, "input_bits": 16, "horizon": 5},
        {"pre_norm": True, "final_norm": True, "horizon": 1},
        {"d_model": 6, "horizon": 40},
    ],
)
@pytest.mark.parametrize("lanes", [None, 4, 3])
def test_every_tensor_is_that_of_whole_products(changes, lanes):
    """Of pairs and of results one by one, of wide ones, of several groups, and of several rows."""
    own = lowered(initialize(SMALL.replace(**changes), seed=2), 1, lanes=lanes)
    assert "sums" in own.stores
    exactly(own, STEPS)


CASES = {
    "config": streams(),
    "seed": st.integers(0, 100),
    "lanes": st.sampled_from([None, 4, 6]),
    "soft": st.sampled_from([None, None, 4]),
    "part": st.sampled_from(["xc7s15", "xc7s15", "lfe5u-25f"]),
    "phases": st.sampled_from([1, 1, 3]),
}


@several(3)
@given(**CASES)
def test_random_streams_that_sum_ahead(**case):
    check(**case)


@pytest.mark.slow
@several(60)
@given(**CASES)
def test_many_random_streams_that_sum_ahead(**case):
    check(**case)


def check(config, seed, phases, **options):
    config = config.replace(window=min(config.window, 4 * config.patch))
    assume(config.pooling == "flatten" or config.linear_path)
    size = config.tokens if phases > 1 else 1 + seed % 3
    try:
        model = initialize(config, seed=seed, samples=8)
        own = lowered(model, size, phases=phases, **options)
    except UserError:
        reject()  # numbers too wide for any part, or an odd number of features
    assume("sums" in own.stores)
    exactly(own, (config.tokens + 2) * phases, back_pressure=0.2 * (seed % 2))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_parts_of_any_size(size):
    config = SMALL.replace(window=12, **PATH)
    design = lowered(initialize(config, seed=3), size, lanes=4)
    parts = [
        event.row.operation
        for event in design.schedule.events
        if event.row.operation.destination is Destination.SUMS and event.row.tensor == "path"
    ]
    assert [op.length for op in parts] == [
        count * SMALL.patch for _, count in ahead.parts_ahead(config.tokens - 1, size)
    ]
    exactly(design, config.tokens + 2, back_pressure=0.2)


@pytest.mark.parametrize("pack", [True, False])
def test_sums_of_reloadable_designs_have_bits_to_spare(pack):
    """As accumulators have there, for other weights."""
    model = initialize(SMALL.replace(**PATH), seed=1)
    plain, design = (lowered(model, 1, one, pack=pack) for one in (lower, lower_reloadable))
    bits = design.geometry.accumulator_bits
    assert bits > plain.geometry.accumulator_bits
    assert design.stores["sums"].width == design.geometry.ways * bits
    assert design.stores["sums"].granule in (0, bits)
    exactly(design, STEPS)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_behind_a_reset_no_sums_are_left(design, steps):
    resetting = ResetsAfter(design, steps)
    exactly(design, 7, accelerator=resetting, resets=[steps], back_pressure=0.3)


@pytest.mark.parametrize(("changes", "so"), [({"window": 24, "d_model": 8}, True), ({}, False)])
def test_sums_are_kept_where_a_forecast_is_there_so_much_earlier(changes, so):
    """By more cycles than steps take longer, back to back."""
    model = initialize(SMALL.replace(**PATH, **changes), seed=1)
    found, whole, summed = lower(model), lowered(model, 0), lowered(model, SMALL.window)
    assert "sums" not in whole.stores
    assert summed.latency <= whole.latency
    cycles = {one.latency + one.interval for one in (whole, summed)}
    assert found.latency + found.interval == min(cycles) < max(cycles)
    assert ("sums" in found.stores) == so


@pytest.mark.parametrize(
    ("wrong", "tensor", "sample"),
    [
        # the bias in the place of the sums, from the first step on that has any
        ({"resumes": False, "bias": True}, "path", 1),
        # nothing at all
        ({"resumes": False}, "path", 1),
    ],
)
def test_sums_that_are_left_out_are_seen(design, wrong, tensor, sample):
    def other(op):
        return replace(op, **wrong) if op.resumes and op.tensor == tensor else op

    difference = first_difference(design, with_operations(design, other))
    assert (difference.tensor, difference.sample) == (tensor, sample)


def test_sums_that_begin_without_the_bias_are_seen(design):
    def other(op):
        return replace(op, bias=False) if op.destination is Destination.SUMS else op

    difference = first_difference(design, with_operations(design, other))
    assert (difference.tensor, difference.sample) == ("path", 1)


def test_sums_of_what_was_there_before_are_seen(design):
    """A first step goes on with sums that no step has kept: of an inference before its reset."""
    first = next(op for op in design.program.operations if op.tensor == "path" and op.bias)

    def other(op):
        return replace(op, bias=False, resumes=True) if op == first else op

    assert first.destination is not Destination.SUMS
    difference = first_difference(design, with_operations(design, other))
    assert (difference.tensor, difference.sample) == ("path", 0)


@pytest.mark.parametrize("bit", [0, 1, 2])
def test_sums_that_lie_elsewhere_are_seen(design, monkeypatch, bit):
    """Two of them share a word where an address bit is left out."""
    original = writes.sums_address
    mask = (1 << 8) - 1 - (1 << bit)
    assert design.words("sums") > 1 << bit
    monkeypatch.setattr(writes, "sums_address", lambda *args: original(*args) & mask)
    assert first_difference(design).sample == 1


def test_sums_that_all_results_leave_are_seen(design, monkeypatch):
    """Every drained accumulator is kept, results' too."""
    original = writes.by_operation

    def every(m, op, values, *, name):
        if name == "keeps_sums":
            return Const(1, 1)
        return original(m, op, values, name=name)

    monkeypatch.setattr(writes, "by_operation", every)
    assert first_difference(design) is not None


def test_a_sum_of_the_other_way_is_seen(monkeypatch):
    """Where results are alone, each keeps that of its own way."""
    design = lowered(initialize(SMALL.replace(**PATH), seed=1), 1, pack=False)
    assert design.stores["sums"].granule
    original = writes.delay

    def swapped(m, value, cycles, *, name, **options):
        if name == "sums_en":
            value = Mux(value == 1, 2, Mux(value == 2, 1, value))
        return original(m, value, cycles, name=name, **options)

    assert first_difference(design) is None
    monkeypatch.setattr(writes, "delay", swapped)
    assert first_difference(design).sample == 1


def test_sums_are_gone_on_with_when_they_are_there(monkeypatch):
    """Parts of five tokens, then of one, whose drain is close behind the former's."""
    config = SMALL.replace(window=12, patch=1, horizon=1, **PATH)
    model = initialize(config, seed=4)
    design = lowered(model, 5)
    exactly(design, 14)
    assert "sums" in {event.reason for event in design.schedule.events}
    # of a cycle less, it depends on the memory what is read; of two less, it is what was there
    monkeypatch.setattr(timing, "SUMMED", timing.SUMMED - 2)
    early = lowered(model, 5)
    assert simulate(early, patches(model, 14)).difference.tensor == "path"
