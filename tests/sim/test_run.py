# amaranth: UnusedElaboratable=no
"""What a simulation tells: differences in words, waves, progress, mistakes, and an end in time."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.errors import UserError
from bitformer.sim.run import simulate
from bitformer.sim.trace import Difference, Trace


@pytest.fixture(scope="module")
def design(small_model):
    return lower(small_model(window=2), lanes=4)


def test_outputs_are_the_references(design, inputs_of):
    x = inputs_of(design.model, samples=3)
    result = simulate(design, x)
    expected = reference.run(design.model, x)["output"][:, 0]
    assert np.array_equal(result.outputs, expected)
    assert result.cycles >= result.latency[0]


def test_difference_in_words():
    difference = Difference(
        tensor="layers.0.q", row=1, feature=3, expected=-5, got=7, cycle=99, sample=2
    )
    assert str(difference) == "layers.0.q[1, 3] of sample 2 must be -5, not 7, in cycle 99"


def test_trace_has_every_element_of_every_tensor(small_model):
    model = small_model(window=4, patch=2, subtract_last=True, horizon=3, d_model=6, ffn=5)
    for options in ({}, {"lanes": 3, "pack": False}):
        trace = Trace(lower(model, **options))
        places = [p for slot in (*trace.drain, *trace.vector) for p in slot if p is not None]
        for op in model.operations[1:]:
            spec = model.tensors[op.y]
            wanted = {(r, f) for r in range(spec.rows) for f in range(spec.features)}
            seen = [(p.row, p.feature) for p in places if p.tensor == op.y]
            assert len(seen) == len(wanted)
            assert {*seen} == wanted
        operands = [p for slot in trace.operand for p in slot if p is not None]
        assert {p.tensor for p in operands} == {"delta"}
        assert {p.row for p in operands} == {0, 1, 2, 3}


def test_waves_have_readable_names(design, inputs_of, tmp_path):
    waves = tmp_path / "waves.vcd"
    simulate(design, inputs_of(design.model, samples=1), vcd=waves)
    text = waves.read_text()
    for name in ("sequencer", "word_addresses", "engine", "post", "store_weights", "o_trace_y"):
        assert f" {name} " in text


def test_progress_counts_samples(design, inputs_of):
    seen = []
    simulate(design, inputs_of(design.model, samples=4), progress=lambda *said: seen.append(said))
    assert seen == [(done, 4, "simulating") for done in (1, 2, 3, 4)]


@pytest.mark.parametrize("back_pressure", [-0.1, 1.0, 2.0])
def test_back_pressure_is_a_probability(design, inputs_of, back_pressure):
    with pytest.raises(UserError, match=r"^back_pressure must be at least 0 and below 1, not "):
        simulate(design, inputs_of(design.model), back_pressure=back_pressure)


def test_samples_must_be_there(design):
    with pytest.raises(UserError, match=r"^samples must be at least 1, not 0$"):
        simulate(design, np.zeros((0, 2, 1), dtype=np.int64))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros((1, 3, 1), dtype=int),
            r"^input must have shape \(batch, 2, 1\), not \(\d+, 3, 1\)",
        ),
        (np.zeros((1, 2, 1)), r"^input must be integers, not float64"),
        (np.full((1, 2, 1), 128), r"^input must be within -128\.\.127, not 128\.\.128"),
    ],
)
def test_samples_must_fit(design, x, message):
    with pytest.raises(UserError, match=message):
        simulate(design, x)


class Silent(Accelerator):
    """Takes samples and never answers."""

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(1)
        m.d.sync += self.o.payload.eq(self.o.payload)
        return m


def test_a_design_that_never_answers_is_given_up_and_its_waves_are_kept(
    design, inputs_of, tmp_path
):
    waves = tmp_path / "waves.vcd"
    silent = Silent(design=design)
    with pytest.raises(RuntimeError, match=r"^design must answer within \d+ cycles$"):
        simulate(design, inputs_of(design.model), accelerator=silent, vcd=waves)
    assert waves.read_text().count("\n#") > 100
    assert list(tmp_path.iterdir()) == [waves]


def test_accelerator_needs_a_design():
    with pytest.raises(TypeError, match=r"^Design must be a Design, not 'tiny'$"):
        Accelerator(design="tiny")


def test_wrong_valid_bits_are_a_difference(design, inputs_of):
    """Results that are missing count as zeros that are wrong, and as cycles that are gone."""
    operations = [
        replace(op, odd=True) if op.tensor.endswith("norm1") else op
        for op in design.program.operations
    ]
    program = replace(design.program, operations=tuple(operations))
    result = simulate(
        design,
        inputs_of(design.model),
        accelerator=Accelerator(design=replace(design, program=program)),
    )
    assert not result.bit_exact
    assert result.difference.tensor == "layers.0.norm1"
    assert result.difference.feature % 2 == 1
