# amaranth: UnusedElaboratable=no
"""Layers of other kinds on the units: whole inferences, and faults that only these can have."""

from dataclasses import replace

import pytest

from bitformer.hw import timing
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

L0 = "layers.0."
W4A8 = Precision(weights=4, activations=8)


def place_of(design, tensor, row=0):
    """The instruction that computes a row."""
    return next(
        place
        for place, event in enumerate(design.schedule.events)
        if (event.row.tensor, event.row.row) == (tensor, row)
    )


def found(design, x, *, operations=None, instructions=None):
    """The first difference when another program runs in the place of the design's."""
    program = replace(
        design.program,
        operations=tuple(operations or design.program.operations),
        instructions=tuple(instructions or design.program.instructions),
    )
    mutant = replace(design, program=program, images={**design.images, "program": program.words()})
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert not result.bit_exact
    return result.difference


@pytest.mark.parametrize(
    ("norm", "changes"),
    [
        ("layer", {"layers": 2, "heads": 2, "pooling": "mean"}),
        ("batch", {"layers": 2, "subtract_last": True, "inputs": 3}),
        ("layer", {"decoder_layers": 1, "asymmetric": True}),
    ],
)
def test_pre_norm(small_model, inputs_of, run, norm, changes):
    model = small_model(norm=norm, pre_norm=True, default=W4A8, **changes)
    run(model)
    run(model, inputs_of(model, samples=3, seed=1), back_pressure=0.5)


def test_more_rows_wait_for_their_norm_than_statistics_can_wait(small_model, run):
    """The first rows are normalised before the last are there to be."""
    rows = timing.STATISTICS_QUEUE + 4
    changes = {"d_model": 2, "ffn": 1, "pooling": "mean", "input_bits": 4}
    run(small_model(window=rows, pre_norm=True, **changes))


def test_a_sum_that_takes_the_row_normalised(small_model, inputs_of):
    """The residual of a sublayer with pre-norm is what its norm reads, not what it writes."""
    model = small_model(window=3, pre_norm=True, default=W4A8)
    design = lower(model, lanes=4)
    x = inputs_of(model, seed=3)
    assert simulate(design, x).bit_exact
    place, instructions = place_of(design, L0 + "add1"), list(design.program.instructions)
    norm = instructions[place_of(design, L0 + "norm1")]
    assert instructions[place].res == norm.res != norm.dst
    instructions[place] = replace(instructions[place], res=norm.dst)
    difference = found(design, x, instructions=instructions)
    assert (difference.tensor, difference.row) == (L0 + "add1", 0)
