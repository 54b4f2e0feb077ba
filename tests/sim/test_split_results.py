# amaranth: UnusedElaboratable=no
"""Results that lie in memories of their own: every tensor equal, in the cycles of one memory."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from design_strategies import designs, row_designs, several, split
from hypothesis import given, seed
from hypothesis import strategies as st
from needs import require
from netlist_harness import exact
from reload_harness import other_weights

from bitformer.hw.lowering import place_results
from bitformer.hw.lowering.asked_places import results_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable, new_images, structure_hash
from bitformer.hw.parts import DEFAULT_PART
from bitformer.hw.units import split_store
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate
from bitformer.synth.synthesize import synthesized_netlist

BASE = {"name": "small", "window": 4, "horizon": 2, "d_model": 4, "ffn": 6, "heads": 2}
#: What is placed apart in turns, so that every store is split.
TURNS = ("block", "distributed", "registers")
KINDS = {
    "forecast": {},
    "decoder": {"decoder_layers": 1, "pooling": "flatten", "horizon": 4},
    "classify": {"task": "classify", "horizon": 3},
    "detect": {"task": "detect", "horizon": 3},
    "mixer": {"block": "mixer", "heads": 1},
    "mlp": {"block": "mlp", "heads": 1},
    "fused": {"fused": True, "heads": 1, "norm": "batch"},
    "stream": {"causal": True, "stream": True, "position": "relative"},
}


def apart(model, first=0):
    """A placement of each result in the next kind of memory."""
    return dict(
        zip(results_of(model), itertools.cycle(TURNS[first:] + TURNS[:first]), strict=False)
    )


def a_model(**changes):
    return initialize(TransformerConfig(**BASE | changes), samples=16)


@pytest.fixture
def check(run_design, inputs_of):
    """Draws designs, others for each number, splits their results and runs them."""

    def many(number, count, *, drawn=designs, part=DEFAULT_PART, **options):
        @seed(number)
        @several(count)
        @given(
            case=split(drawn(part=part)),
            kind=st.sampled_from(("random", "lowest", "alternating")),
            back_pressure=st.sampled_from([0.0, 0.0, 0.5]),
        )
        def one(case, kind, back_pressure):
            design = case.make()
            x = inputs_of(design.model, kind, samples=2, seed=number)
            run_design(design, x, back_pressure=back_pressure, seed=number, **options)

        one()

    return many


def test_any_split_design_is_exact(check):
    check(0, 6)


def test_any_split_design_of_token_rows_is_exact(check):
    check(10, 2, drawn=row_designs)


def test_any_split_design_without_memories_in_luts_is_exact(check):
    check(20, 2, part="ice40up5k")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(100, 120))
def test_many_split_designs_are_exact(check, number):
    check(number, 6, drawn=row_designs if number % 4 == 3 else designs)


@pytest.mark.parametrize("kind", ["decoder", "stream"])
def test_a_kind_of_model_is_exact(run_design, kind):
    model = a_model(**KINDS[kind])
    plain, design = lower(model), lower(model, placement=apart(model))
    x = design.model.random_windows(np.random.default_rng(1), 8 if kind == "stream" else 2)
    assert sum(len(spec.parts) for spec in design.stores.values()) > 3
    assert (design.latency, design.interval) == (plain.latency, plain.interval)
    result = simulate(design, x, back_pressure=0.3, seed=2)
    assert result.bit_exact, str(result.difference)
    assert {*result.tensors} >= {op.y for op in design.model.operations}


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("kind", KINDS)
def test_100_samples_of_every_kind_are_exact(kind):
    model = a_model(**KINDS[kind])
    for first, back_pressure in ((0, 0.0), (1, 0.4)):
        design = lower(model, placement=apart(model, first))
        x = design.model.random_windows(np.random.default_rng(1), 100)
        result = simulate(design, x, engine="native", back_pressure=back_pressure, seed=3)
        assert result.bit_exact, str(result.difference)
        # with back-pressure there is nothing to compare them with
        assert result.cycles_as_predicted is (None if back_pressure else True)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["xc7s15", "lfe5u-25f", "ice40up5k"])
def test_a_netlist_is_exact(part, inputs_of):
    require("yosys")
    model = a_model()
    design = lower(model, part=part, placement=apart(model))
    x = inputs_of(model, samples=3)
    exact(design, synthesized_netlist(design), x)


def test_new_weights_for_results_that_lie_apart(inputs_of):
    """Other weights have the same addresses: those of the design, not those of a search."""
    model = a_model()
    other = other_weights(model)
    placement = {"results": "auto", **apart(model), "weights": "block"}
    design = lower_reloadable(model, lanes=2, placement=placement)
    assert any(spec.parts for spec in design.stores.values())
    assert design.stores["weights"].placement == "block"
    same = new_images(design, model, lanes=2)
    assert same == {name: design.images[name] for name in same}
    plain = lower_reloadable(model, lanes=2)
    assert structure_hash(design) != structure_hash(plain)
    images = new_images(design, other, lanes=2)
    assert images["weights"] != same["weights"]
    loaded = replace(design, images={**design.images, **images}, model=other)
    assert simulate(loaded, inputs_of(other)).bit_exact


@pytest.fixture
def case():
    """A model whose stores are all split, and windows of it."""
    model = a_model(norm="layer")
    return model, model.random_windows(np.random.default_rng(3), 2)


def first_wrong(case, **options):
    """The first difference of a design that is made under a mutant."""
    model, x = case
    design = lower(model, placement=apart(model), **options)
    result = simulate(design, x, accelerator=Accelerator(design=design))
    return result.difference


def test_the_case_itself_is_exact(case):
    assert first_wrong(case) is None


@pytest.mark.parametrize("latency", [1, 3])
def test_a_part_that_is_selected_in_another_cycle_is_seen(case, monkeypatch, latency):
    monkeypatch.setattr(split_store, "READ_LATENCY", latency)
    assert first_wrong(case)


def test_a_write_to_every_part_is_seen(case, monkeypatch):
    monkeypatch.setattr(split_store, "Mux", lambda _chosen, a, _b: a)
    assert first_wrong(case)


def test_rows_at_the_base_of_another_part_are_seen(case, monkeypatch):
    lie = place_results.Splitter.lie

    def at_zero(self, memories):
        found = lie(self, memories)
        moved = {name: part.base for part in found.spec.parts[1:2] for name in part.tensors}
        return replace(
            found,
            addresses={key: at - moved.get(key[0], 0) for key, at in found.addresses.items()},
        )

    monkeypatch.setattr(place_results.Splitter, "lie", at_zero)
    assert first_wrong(case)


def test_a_port_that_is_forgotten_is_seen(case, monkeypatch):
    """Residuals are read by the post-processor: a part for the engine alone has none for it."""
    monkeypatch.setattr(place_results, "readers", lambda events: {})
    assert first_wrong(case)
