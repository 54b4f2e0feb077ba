# amaranth: UnusedElaboratable=no
"""Faults that only a decoder can have: masks, views, tables, and which row ends what."""

from dataclasses import replace

import pytest
from program_changes import found, place_of

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.operations import attention
from bitformer.hw.program import Source
from bitformer.model import ir
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

DECODER = "decoder.layers.0."


@pytest.fixture(scope="module")
def design(small_model):
    model = small_model(
        window=5,
        horizon=3,
        decoder_layers=1,
        subtract_last=True,
        default=Precision(weights=4, activations=6),
    )
    return lower(
        model,
        lanes=4,
        # a block RAM shows a word a cycle after it was written, LUTs at once: no slack to hide in
        placement=dict.fromkeys(("activations", "dynamic", "scores"), "block"),
    )


@pytest.fixture(scope="module")
def x(design, inputs_of):
    return inputs_of(design.model, seed=5, samples=1)


def with_operation(design, place, **changes):
    """The program's operations, one of them changed where the instruction at `place` uses it."""
    number = design.program.instructions[place].op
    operations = list(design.program.operations)
    operations[number] = replace(operations[number], **changes)
    return operations


def with_instruction(design, place, **changes):
    instructions = list(design.program.instructions)
    instructions[place] = replace(instructions[place], **changes)
    return instructions


def test_the_design_itself_is_exact(design, x):
    result = simulate(design, x)
    assert result.bit_exact, str(result.difference)


@pytest.mark.parametrize("step", [-1, 1], ids=["too few", "too many"])
@pytest.mark.parametrize(("kind", "tensor"), [(ir.Scores, "scores"), (ir.Attend, "context")])
def test_rows_lowered_to_other_keys(design, x, monkeypatch, kind, tensor, step):
    original = attention._keys

    def wrong(plan, op, token):
        keys = original(plan, op, token)
        if not op.causal or not isinstance(op, kind):
            return keys
        return min(max(1, keys + step), plan.model.config.decoder_tokens)

    monkeypatch.setattr(attention, "_keys", wrong)
    mutant = lower(design.model, lanes=4)
    result = simulate(mutant, x)
    # a score that is not made is missed where it is read
    shown = "context" if step < 0 else tensor
    assert result.difference.tensor == DECODER + shown
    # of rows 0, 1, 2 the first has no fewer keys, and the last no more
    rows = (1, 2) if step < 0 else (0, 1)
    assert result.difference.row in rows


def test_causal_row_that_sums_a_key_too_few(design, x):
    place = place_of(design, DECODER + "context", 1)
    assert design.program.operations[design.program.instructions[place].op].length == 2
    difference = found(design, x, operations=with_operation(design, place, length=1, pitch=1))
    assert (difference.tensor, difference.row) == (DECODER + "context", 1)


def scored(design, keys):
    """What makes a row of scores one of `keys` keys."""
    per_column = 2 if design.packed[DECODER + "scores"] else 1
    return {"last_columns": -(-keys // per_column), "odd": bool(keys % design.geometry.ways)}


@pytest.mark.parametrize("keys", [1, 3])
def test_causal_row_that_scores_a_key_too_few_or_too_many(design, x, keys):
    place = place_of(design, DECODER + "scores", 1)
    operation = design.program.operations[design.program.instructions[place].op]
    assert scored(design, 2).items() <= vars(operation).items()
    difference = found(design, x, operations=with_operation(design, place, **scored(design, keys)))
    # one too many shows at the next row that is drained
    late = design.program.instructions[place + 1 :]
    following = next(i for i in late if design.program.operations[i.op].matrix)
    tensor = design.program.operations[following.op].tensor
    assert (difference.tensor, difference.row) in [
        (DECODER + "scores", 1),
        (tensor, following.row),
    ]


def test_a_key_too_many_in_a_full_slot(small_model, x):
    """The second result of a slot that should have one is a fault, whatever it does later."""
    model = small_model(
        window=3, horizon=3, decoder_layers=1, default=Precision(weights=4, activations=6)
    )
    design = lower(model, lanes=4)
    place = place_of(design, DECODER + "scores", 0)
    operation = design.program.operations[design.program.instructions[place].op]
    assert operation.odd
    assert design.packed[DECODER + "scores"]
    difference = found(design, x[:, -3:] // 4, operations=with_operation(design, place, odd=False))
    assert (difference.tensor, difference.row, difference.feature) == (DECODER + "scores", 0, 1)


@pytest.mark.parametrize("step", [-1, 1])
def test_view_of_the_input_that_starts_elsewhere(design, x, step):
    place = place_of(design, "decoder.embedding", 0)
    act = design.program.instructions[place].act
    assert act == design.model.config.window - design.model.config.horizon
    instructions = with_instruction(design, place, act=act + step)
    difference = found(design, x, instructions=instructions)
    assert (difference.tensor, difference.row) == ("delta", act)
    assert difference.got != difference.expected


def test_row_of_the_other_position_table(design, x):
    place = place_of(design, "decoder.embedding", 0)
    encoder = design.program.instructions[place_of(design, "embedding", 1)].res
    instructions = with_instruction(design, place, res=encoder)
    difference = found(design, x, instructions=instructions)
    assert (difference.tensor, difference.row) == ("decoder.embedding", 0)


@pytest.mark.parametrize("part", ["scores", "context"])
def test_keys_and_values_of_the_other_attention(design, x, part):
    own = place_of(design, DECODER + part, 2)
    other = place_of(design, DECODER + "cross." + part, 2)
    operations = design.program.operations
    base = operations[design.program.instructions[own].op].weight_base
    assert base != operations[design.program.instructions[other].op].weight_base
    difference = found(design, x, operations=with_operation(design, other, weight_base=base))
    assert difference.tensor == DECODER + "cross." + part


def test_input_released_before_its_last_row(design, inputs_of):
    """The decoder waits for what the next window has taken the place of."""
    operations = list(design.program.operations)
    last = next(n for n, op in enumerate(operations) if op.release_input)
    first = next(n for n, op in enumerate(operations) if op.source is Source.INPUT)
    assert operations[first].tensor == "embedding"
    operations[last] = replace(operations[last], release_input=False)
    operations[first] = replace(operations[first], release_input=True)
    with pytest.raises(RuntimeError, match=r"^design must answer within"):
        found(design, inputs_of(design.model, seed=5), operations=operations)
