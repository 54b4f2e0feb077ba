# amaranth: UnusedElaboratable=no
"""Columns that the engine reads: every kind of row that they run through, and their faults."""

from dataclasses import replace

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.operations.linear import LinearLowering
from bitformer.hw.timetable import Read
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

L0 = "layers.0."
#: Mixed rows have an odd number of tokens: of two elements a word, the last is empty.
MIXER = {
    "window": 5,
    "d_model": 4,
    "ffn": 6,
    "mixing": 4,
    "block": "mixer",
    "default": Precision(weights=2, activations=4),
}
WIDE = {"tensors": {"embedding": 16, L0 + "mix2": 16}, "ffn": 40}


@pytest.fixture(scope="module")
def design(small_model):
    # a block RAM shows a word a cycle after it was written, LUTs at once: no slack to hide in
    return lower(small_model(**MIXER), lanes=4, placement={"activations": "block"})


def strides(design):
    return {op.tensor: op.stride for op in design.program.operations if op.stride}


def test_columns_of_narrow_rows(design, run_design, inputs_of):
    """A row of 4 features has 2 words of 2 elements, one of 5 tokens has 3."""
    assert all(design.packed.values())
    assert strides(design) == {L0 + "mix1": 4, L0 + "add1": 6}
    run_design(design, inputs_of(design.model), back_pressure=0.5)


def test_columns_of_wide_rows(small_model, run):
    """A row of 4 features or 5 tokens of 16 bits has a word for each."""
    design, _ = run(small_model(**MIXER | WIDE), lanes=8)
    assert design.geometry.wide_rows == {"embedding", L0 + "mix2"}
    assert strides(design) == {L0 + "mix1": 8, L0 + "add1": 10}


@pytest.mark.parametrize("tensor", ["embedding", L0 + "mix2"])
def test_columns_of_wide_rows_beside_narrow_ones(small_model, run, tensor):
    design, _ = run(small_model(**MIXER, tensors={tensor: 16}, layers=2), lanes=8)
    assert design.geometry.wide_rows == {tensor}


def test_columns_without_pairs(small_model, run):
    design, _ = run(small_model(**MIXER | {"d_model": 3}), lanes=3)
    assert design.geometry.ways == 1
    assert strides(design) == {L0 + "mix1": 3, L0 + "add1": 5}


def test_one_token_is_mixed_with_itself(small_model, run):
    run(small_model(**MIXER | {"patch": 5}), lanes=4)


def found(design, x, **changes):
    """The first difference where another design's program runs."""
    mutant = replace(design, **changes)
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert not result.bit_exact
    return result.difference


@pytest.mark.parametrize("tensor", [L0 + "mix1", L0 + "add1"])
@pytest.mark.parametrize("change", [-1, 2])
def test_a_wrong_stride_is_found(design, inputs_of, tensor, change):
    operations = tuple(
        replace(op, stride=op.stride + change) if op.tensor == tensor else op
        for op in design.program.operations
    )
    program = replace(design.program, operations=operations)
    difference = found(design, inputs_of(design.model, seed=3), program=program)
    assert difference.tensor == tensor


def test_rows_in_the_place_of_columns_are_found(design, inputs_of):
    operations = tuple(replace(op, stride=0) for op in design.program.operations)
    program = replace(design.program, operations=operations)
    assert found(design, inputs_of(design.model), program=program).tensor == L0 + "mix1"


def test_a_column_read_too_early_is_found(design, inputs_of, monkeypatch):
    """Its last element is the last written: to wait for the first row alone is wrong."""
    rows = LinearLowering.rows

    def early(self, plan):
        tasks = rows(self, plan)
        if not self.op.transposed:
            return tasks
        first = (Read(tensor=self.op.x, row=0), *tasks[0].reads[1:])
        return [replace(task, reads=first) for task in tasks]

    monkeypatch.setattr(LinearLowering, "rows", early)
    mutant = lower(design.model, lanes=4, placement={"activations": "block"})
    assert mutant.latency < design.latency
    assert not simulate(mutant, inputs_of(design.model)).bit_exact
