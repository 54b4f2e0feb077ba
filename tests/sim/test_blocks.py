# amaranth: UnusedElaboratable=no
"""Layers of other kinds on the units: whole inferences, and faults that only these can have."""

from dataclasses import replace

import pytest
from program_changes import found, place_of

from bitformer.hw import timing
from bitformer.hw.lowering import schedule
from bitformer.hw.lowering.lower import lower
from bitformer.hw.queues import queues_of
from bitformer.hw.units import assembly, writes
from bitformer.hw.units import gelu as gelu_unit
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.gelu import corrections, gelu_exponent
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

L0 = "layers.0."
W4A8 = Precision(weights=4, activations=8)


def slow(*values):
    """A case that the random designs of the quick tests have too."""
    return pytest.param(*values, marks=pytest.mark.slow)


def test_results_that_take_longer_than_all_else_set_the_interval(small_model, inputs_of, run):
    """Two are made a cycle, and one is taken."""
    model = small_model(block="mlp", horizon=250, default=W4A8)
    run(model, inputs_of(model, samples=3, seed=1))
    design = lower(model)
    assert design.program.cycles < design.interval
    assert 250 < design.interval < 300


@pytest.mark.parametrize(
    ("norm", "changes"),
    [
        ("layer", {"pooling": "mean"}),
        slow("layer", {"layers": 2, "heads": 2, "pooling": "mean"}),
        slow("batch", {"layers": 2, "subtract_last": True, "inputs": 3}),
        slow("layer", {"decoder_layers": 1, "asymmetric": True}),
    ],
)
def test_pre_norm(small_model, inputs_of, run, norm, changes):
    model = small_model(norm=norm, pre_norm=True, default=W4A8, **changes)
    run(model)
    run(model, inputs_of(model, samples=3, seed=1), back_pressure=0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 11, "patch": 4, "patch_stride": 2, "inputs": 2, "pooling": "last"},
        {"window": 9, "patch": 2, "patch_stride": 3, "subtract_last": True, "norm": "batch"},
        {"pre_norm": True, "final_norm": True, "patch": 2, "pooling": "last"},
    ],
    ids=str,
)
def test_tokens_apart_and_a_last_norm(small_model, inputs_of, run, changes):
    model = small_model(default=W4A8, **changes)
    run(model)
    run(model, inputs_of(model, samples=3, seed=1), back_pressure=0.5)


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": {"FFN": Precision(weights=4, activations=4)}, "norm": "batch"},
        # two widths, each with its table, beside sums of 16 bits
        slow(
            {
                "decoder_layers": 1,
                "precision": {
                    "DFFN": Precision(weights=4, activations=5),
                    "AddFFN": Precision(weights=4, activations=16),
                },
            }
        ),
    ],
    ids=["4 bits", "8 and 5 bits"],
)
def test_gelu(small_model, inputs_of, run, changes):
    model = small_model(activation="gelu", default=W4A8, **changes)
    design, _ = run(model)
    hidden = {op.tensor: op.gelu for op in design.program.operations if op.gelu}
    assert hidden == {op.y: model.tensors[op.y].bits for op in model.linears if op.gelu}
    assert len(set(hidden.values())) == len(hidden)
    run(model, inputs_of(model, samples=3, seed=1), back_pressure=0.5)


@pytest.fixture(scope="module")
def curved(small_model):
    return lower(small_model(window=3, activation="gelu", default=W4A8), lanes=4)


def test_an_entry_of_gelu(curved, inputs_of, monkeypatch):
    """The entry of the first element's step: 0 where it is not changed."""
    x = inputs_of(curved.model, seed=3)
    hidden = reference.run(curved.model, x)[L0 + "hidden"][0]
    spec = curved.model.tensors[L0 + "hidden"]
    assert spec.exponent == gelu_exponent(spec.bits)
    # some element is where the function dips: its steps are those that lose the most
    row, feature = next((r, f) for r, f in zip(*(hidden < spec.zero).nonzero(), strict=True))
    lost = int(spec.zero - hidden[row, feature])
    wrong = tuple(one - (one == lost) for one in corrections(spec.bits))
    monkeypatch.setattr(gelu_unit, "corrections", lambda bits: wrong)
    difference = simulate(curved, x, accelerator=Accelerator(design=curved)).difference
    assert (difference.tensor, difference.got - difference.expected) == (L0 + "hidden", 1)


def test_gelu_left_out(curved, inputs_of):
    """Without the stage steps are stored as they are, a cycle early."""
    x = inputs_of(curved.model, seed=3)
    operations = [replace(op, gelu=0) for op in curved.program.operations]
    assert found(curved, x, operations=operations).tensor in ("embedding", L0 + "hidden")


def test_gelu_at_a_rectifiers_zero_point(curved, inputs_of):
    """Steps are clamped from below where nothing is corrected any more, not where they begin."""
    x = inputs_of(curved.model, seed=3)
    operations = [replace(op, low=0) if op.gelu else op for op in curved.program.operations]
    difference = found(curved, x, operations=operations)
    assert difference.tensor == L0 + "hidden"
    assert difference.expected < difference.got == curved.model.tensors[L0 + "hidden"].zero


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "batch", "pooling": "mean"},
        slow({"pre_norm": True, "layers": 2, "tensors": {"layers.1.k": 3}}),
        slow({"decoder_layers": 1, "subtract_last": True}),
    ],
    ids=str,
)
def test_fused(small_model, inputs_of, run, changes):
    model = small_model(fused=True, default=W4A8, **changes)
    run(model)
    run(model, inputs_of(model, samples=3, seed=1), back_pressure=0.5)


#: A row of more words than an engine of so few columns gives at a time.
LONG = {"window": 2, "d_model": 24, "ffn": 2, "fused": True}


def test_a_long_row_is_a_key(small_model, inputs_of, run, monkeypatch):
    model = small_model(**LONG, default=Precision(weights=2, activations=4))
    design, _ = run(model, lanes=2)
    assert design.geometry.columns == 1
    assert design.geometry.ways == 2
    # a mutant: room for a column's results alone
    queues = replace(queues_of(design), keys=1)
    monkeypatch.setattr(assembly, "queues_of", lambda design: queues)
    result = simulate(design, inputs_of(model))
    assert result.difference.tensor == L0 + "scores"


def test_results_that_come_one_a_cycle_wait_one_in_a_word(small_model, inputs_of, run, monkeypatch):
    """Those of an output layer that is not packed come in either way, whatever others do."""
    model = small_model(default=W4A8, precision={"Loutput": Precision(weights=8, activations=8)})
    design, _ = run(model)
    assert design.geometry.ways == 2
    assert not design.packed["output"]
    assert design.stores["output"].width == model.results.bits
    # a mutant: only what comes in the first way
    monkeypatch.setattr(writes, "Mux", lambda select, *values: values[0])
    assert not simulate(design, inputs_of(model)).bit_exact


@pytest.fixture(scope="module")
def fused(small_model):
    return small_model(norm="batch", fused=True, default=W4A8)


def test_keys_that_are_written_in_the_way_of_values(fused, inputs_of, run, monkeypatch):
    """A stored row is a key sooner than an earlier row comes through the engine."""
    run(fused, lanes=4)
    timeline, nothing = schedule._Timeline, property(lambda self: 0, lambda self, value: None)
    monkeypatch.setattr(timeline, "kept", nothing, raising=False)
    early = lower(fused, lanes=4)
    difference = simulate(early, inputs_of(fused)).difference
    assert difference.tensor == L0 + "context"


def test_another_row_is_the_key(fused, inputs_of):
    design = lower(fused, lanes=4)
    instructions = list(design.program.instructions)
    first, second = (place_of(design, L0 + "k", row) for row in (0, 1))
    instructions[second] = replace(instructions[second], res=instructions[first].res)
    difference = found(design, inputs_of(fused), instructions=instructions)
    assert (difference.tensor, difference.row) == (L0 + "k", 1)
