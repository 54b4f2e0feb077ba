"""Designs in which half a multiplier makes each product: without a softmax, of 8 bits at most."""

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units import matrix_engine as engine_module
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

PART = "ice40up5k"


@pytest.fixture(scope="module")
def halved(small_model):
    """A model, of so many bits of weights and activations, and its design in halves."""

    def make(block, weights, activations, **changes):
        bits = Precision(weights=weights, activations=activations)
        shape = {"window": 6, "block": block, "pooling": "flatten", "norm": "batch"}
        ends = {"input_bits": 8, "output_bits": 8}
        model = small_model(None, default=bits, **shape | ends | changes)
        return lower(model, part=PART)

    return make


@pytest.mark.parametrize("kind", ["random", "lowest", "highest", "alternating"])
@pytest.mark.parametrize(
    ("block", "weights", "activations", "changes"),
    [
        ("mlp", 6, 6, {}),
        ("mlp", 8, 6, {"subtract_last": False}),
        ("mixer", 6, 8, {"subtract_last": False}),
        ("mixer", 8, 6, {"d_model": 6, "ffn": 10}),
    ],
)
def test_halves_are_exact(
    halved, run_design, inputs_of, kind, block, weights, activations, changes
):
    design = halved(block, weights, activations, **changes)
    assert design.geometry.halves
    assert sum(design.packed.values()) >= 3
    run_design(design, inputs_of(design.model, kind), back_pressure=0.3 * (kind == "random"))


def test_some_operations_of_a_design_in_halves_have_one_product(halved):
    packed = halved("mixer", 6, 8).packed
    assert set(packed.values()) == {True, False}


def test_a_softmax_or_longer_samples_have_no_halves(halved):
    assert not halved("attention", 6, 6).geometry.halves
    assert not halved("mlp", 6, 6, input_bits=10).geometry.halves


@pytest.mark.parametrize("mutant", ["swapped", "unsigned"])
def test_mutants_are_found(halved, inputs_of, monkeypatch, mutant):
    honest = engine_module.product_pair

    def wrong(m, platform, multiplier, weights, x, *, name):
        if mutant == "swapped":
            return honest(m, platform, multiplier, weights[::-1], x, name=name)
        return honest(m, platform, multiplier, weights, x[:-1], name=name)

    design = halved("mlp", 6, 6)
    monkeypatch.setattr(engine_module, "product_pair", wrong)
    assert not simulate(design, inputs_of(design.model)).bit_exact
