"""The estimate adds up, and says what is too much."""

import pytest

from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import cost
from bitformer.hw.parts import PARTS, Use
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def design(name="tiny", **options):
    return lower(initialize(named_config(name)), **options)


def used(result):
    return {use.resource: use.used for use in result.uses}


@pytest.fixture(scope="module")
def tiny():
    return design()


def test_cycles_are_the_designs(tiny):
    result = estimate(tiny, clock_hz=50e6)
    assert (result.latency, result.interval) == (tiny.latency, tiny.interval)
    assert result.latency_us == pytest.approx(tiny.latency / 50)
    assert result.interval_us == pytest.approx(tiny.interval / 50)
    assert result.part == "xc7s15"


def test_utilisation_counts_a_packed_column_twice(tiny):
    result = estimate(tiny)
    assert any(tiny.packed.values())
    assert result.peak == 2 * tiny.geometry.columns
    assert result.macs == tiny.model.config.macs == 4128 + 24 * 6
    assert result.macs_per_cycle == pytest.approx((4128 + 24 * 6) / tiny.interval)
    assert result.utilisation == pytest.approx((4128 + 24 * 6) / tiny.interval / result.peak)
    assert 0 < result.utilisation < 1


def test_without_packing_a_column_is_one_product():
    result = estimate(design(pack=False))
    assert result.peak == 16


def test_every_store_is_there_with_its_cost(tiny):
    result = estimate(tiny)
    assert [store.name for store in result.stores] == list(tiny.stores)
    for store in result.stores:
        spec = tiny.stores[store.name]
        assert store.bits == spec.depth * spec.width
        taken = cost(spec, spec.placement, tiny.family)
        assert (store.ramb18, store.lutram, store.luts, store.ffs) == (
            taken.ramb18,
            taken.lutram,
            taken.luts,
            taken.ffs,
        )
    totals = used(result)
    assert totals["RAMB18"] == sum(store.ramb18 for store in result.stores)
    assert totals["LUT as memory"] == sum(store.lutram for store in result.stores)
    assert totals["LUT (stores only)"] == sum(s.lutram + s.luts for s in result.stores)


@pytest.mark.parametrize(("name", "norm"), [("tiny", 1), ("grid-6-64-8", 0)])
def test_dsps_are_columns_ways_and_the_norm(name, norm):
    lowered = design(name)
    geometry = lowered.geometry
    assert used(estimate(lowered))["DSP"] == geometry.columns + geometry.ways + norm


def test_what_fits_is_not_named(tiny):
    assert estimate(tiny).over == ()


def test_what_does_not_fit_is_named_with_by_how_much():
    lowered = design("grid-6-64-8", placement={"weights": "block", "activations": "block"})
    (use,) = estimate(lowered).over
    available = PARTS["xc7s15"].ramb18
    assert (use.resource, use.available) == ("RAMB18", available)
    assert use.over == use.used - available > 0
    assert str(use) == f"RAMB18: {use.used} of {available}, {use.over} too many"


def test_budget_exactly_met_is_met():
    assert Use(resource="DSP", used=20, available=20).over == 0
    assert Use(resource="DSP", used=21, available=20).over == 1


def test_registers_cost_flip_flops():
    lowered = design(placement={"scores": "registers"})
    totals = used(estimate(lowered))
    assert totals["FF (stores only)"] == lowered.stores["scores"].bits
    assert "FF (stores only)" not in used(estimate(design()))


@pytest.mark.parametrize("clock_hz", [0, -1.0, float("nan")])
def test_clock_must_be_positive(tiny, clock_hz):
    with pytest.raises(ValueError, match=r"Clock must be a positive number of hertz, not"):
        estimate(tiny, clock_hz=clock_hz)
