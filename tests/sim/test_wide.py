# amaranth: UnusedElaboratable=no
"""Layers of 16 bits beside layers of 2: exact, and found out when a part of them is wrong."""

from dataclasses import replace

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units import postprocessor
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import ir
from bitformer.model.precision import Precision, keep_precise
from bitformer.sim.run import simulate

SMALL = {"d_model": 8, "heads": 2, "ffn": 16, "default": Precision(weights=2, activations=8)}
W16A16, W2A16 = (Precision(weights=bits, activations=16) for bits in (16, 2))
DECODER = {"window": 8, "patch": 2, "horizon": 4, "decoder_layers": 1}
L0 = "layers.0."
CROSS = "decoder.layers.0.cross."


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": {"MHA": W16A16}, "norm": "batch"},
        {"precision": {"AddMHA": W2A16, "BNFFN": W2A16}, "norm": "batch", "pooling": "mean"},
        {"precision": {"AddMHA": W2A16}},
        {"default": W16A16, "input_bits": 16, "output_bits": 16, "subtract_last": True},
        {"default": W2A16, "pooling": "mean"},
    ],
    ids=["attention", "batch", "layer", "all", "activations"],
)
def test_layers_of_16_bits(small_model, run, changes):
    run(small_model(**SMALL | changes), back_pressure=0.0)


@pytest.mark.parametrize("bits", [4, 6])
def test_rows_of_16_bits_among_shorter_ones_have_half_a_word_each(small_model, run, bits):
    default = Precision(weights=2, activations=bits)
    changes = {"default": default, "precision": {"AddMHA": W2A16}, "input_bits": 8}
    design, _ = run(small_model(**SMALL | changes))
    assert design.geometry.wide_rows
    # of the others none has so many: the wide rows alone say how long an element is
    assert design.geometry.activation_bits >= 8
    assert design.stores["activations"].width == 2 * 8


def test_a_layer_norm_of_many_features_is_wide(small_model, run):
    model = small_model(**SMALL | {"d_model": 64, "window": 2, "precision": {"AddFFN": W2A16}})
    design, _ = run(model)
    assert {L0 + "norm1", L0 + "norm2"} <= design.geometry.wide


@pytest.mark.parametrize("pack", [True, False])
def test_precise_layers_of_a_decoder(small_model, run, pack):
    model = small_model(**SMALL | DECODER | {"precision": keep_precise({}, 16)})
    design, _ = run(model, pack=pack, back_pressure=0.3)
    wide = {CROSS + "scores", CROSS + "context", "decoder.layers.0.add2"}
    assert wide <= design.geometry.wide
    assert (CROSS + "q" in design.geometry.wide_rows) == pack


def test_narrow_designs_have_nothing_wide(small_model):
    design = lower(small_model(**SMALL))
    assert not design.geometry.wide
    assert not any(op.wide or op.wide_x for op in design.program.operations)


@pytest.fixture(scope="module")
def design(small_model):
    model = small_model(**SMALL | {"window": 2, "norm": "batch", "precision": {"MHA": W16A16}})
    return lower(model)


@pytest.fixture(scope="module")
def x(design, inputs_of):
    return inputs_of(design.model, samples=1)


def found(design, x, mutant):
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert not result.bit_exact
    return result.difference


def test_upper_half_of_a_bias(design, x):
    """It lies in the field of the way that has no result of its own."""
    assert L0 + "add1" in design.geometry.wide
    op = next(op for op in design.program.operations if op.tensor == L0 + "add1")
    words = list(design.images["parameters"])
    bit = design.geometry.accumulator_bits - 3  # of the bias, and of some weight in the result
    words[op.parameters] ^= 1 << (sum(design.parameter_bits) + bit - design.parameter_bits[0])
    mutant = replace(design, images={**design.images, "parameters": words})
    difference = found(design, x, mutant)
    assert (difference.tensor, difference.feature) == (L0 + "add1", 0)


@pytest.mark.parametrize("field", ["wide", "wide_x", "wide_y"])
def test_a_field_of_wide_rows(design, x, field):
    operations = tuple(replace(op, **{field: False}) for op in design.program.operations)
    assert operations != design.program.operations
    mutant = replace(design, program=replace(design.program, operations=operations))
    readers = [op.y for op in design.model.operations if isinstance(op, (ir.Scores, ir.Linear))]
    assert found(design, x, mutant).tensor in [*readers, L0 + "context"]


def test_upper_product_dropped(design, x, monkeypatch):
    original = postprocessor.split_multiplicand

    def halved(u, wide, split):
        low, high = original(u, wide, split)
        return low, high & 0

    monkeypatch.setattr(postprocessor, "split_multiplicand", halved)
    assert found(design, x, design).tensor in design.geometry.wide
