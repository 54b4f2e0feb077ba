# amaranth: UnusedElaboratable=no
"""Models of several targets: exact, in the predicted cycles, and found out when targets mix."""

from dataclasses import replace

import numpy as np
import pytest
from model_changes import with_operations
from program_changes import found
from reload_harness import other_weights

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable, new_images, structure_hash
from bitformer.hw.program import Addend
from bitformer.model import ir
from bitformer.model.errors import UserError
from bitformer.model.operations import Linear
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

TARGETS = {"inputs": 4, "targets": 3, "horizon": 3, "subtract_last": True}
CHANNELS = {"target_channels": (2, 0, 3)}
W4A8 = {"default": Precision(weights=4, activations=8)}


def slow(changes):
    return pytest.param(changes, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "changes",
    [
        {"horizon": 3, "linear_path": True},
        {"window": 6, "decoder_layers": 1},
        {"calendar": ("hour", "weekday"), "linear_path": True},
        {"input_bits": 8, "output_bits": 8, "adc_words": True},
        slow({}),
        slow({"horizon": 2, "linear_path": True}),
        slow({"horizon": 4, "patch": 2, "decoder_layers": 1}),
        slow({"calendar": ("hour",), "horizon": 2}),
        slow({"subtract_last": False, "pooling": "mean"}),
        slow({"input_bits": 16, "output_bits": 16, "linear_path": True}),
        slow({"weight_scales": "tensor", "block": "mixer"}),
    ],
    ids=lambda changes: "-".join(map(str, changes)) or "plain",
)
def test_targets_are_exact(small_model, run, changes):
    model = small_model(**W4A8 | TARGETS | CHANNELS | changes)
    design, result = run(model, lanes=4 if model.config.horizon == 3 else 16)
    assert result.outputs.shape == (2, 3 * model.config.horizon)
    channels = [op.channel for op in design.program.operations if op.addend is Addend.LAST]
    assert list(dict.fromkeys(channels)) == ([2, 0, 3] if model.config.subtract_last else [])


def test_targets_of_two_channels_in_any_layers(small_model, run):
    """Last values may be added anywhere, each layer its own."""
    model = small_model(inputs=2, subtract_last=True)
    first = ir.Residual(source="input", shift=3, channel=1)
    operations = tuple(
        replace(op, residual=first) if op.y == "layers.0.q" else op for op in model.operations
    )
    design, _ = run(replace(model, operations=operations))
    channels = {op.tensor: op.channel for op in design.program.operations if op.addend}
    assert (channels["layers.0.q"], channels["output"]) == (1, 0)


@pytest.fixture(scope="module")
def design(small_model):
    return lower(small_model(**W4A8 | TARGETS | CHANNELS | {"output_bits": 16}), lanes=4)


@pytest.fixture(scope="module")
def x(design, inputs_of):
    return inputs_of(design.model, samples=2)


def of_output(design):
    return [n for n, op in enumerate(design.program.operations) if op.tensor == "output"]


@pytest.mark.parametrize("field", ["channel", "weight_base", "parameters"])
def test_the_next_targets_own(design, x, field):
    """Targets that take the channel, the weights or the biases of another are not what they say."""
    operations = list(design.program.operations)
    first, second, _ = of_output(design)
    other = {field: getattr(operations[second], field)}
    operations[first] = replace(operations[first], **other)
    difference = found(design, x, operations=operations)
    assert (difference.tensor, difference.row) == ("output", 0)


def test_targets_in_another_order(design, x):
    """Steps come within their target: two targets that change places are found at once."""
    first, second, third = of_output(design)
    numbers = {first: second, second: first, third: third}
    instructions = [
        replace(one, op=numbers.get(one.op, one.op)) for one in design.program.instructions
    ]
    difference = found(design, x, instructions=instructions)
    assert (difference.tensor, difference.row) == ("output", 0)


def test_one_target_needs_no_channel(small_model):
    """As many targets as it has channels to choose from: a single one is a constant."""
    design = lower(small_model(inputs=3, subtract_last=True, target_channel=2))
    assert design.last_channel == 2
    assert {op.channel for op in design.program.operations} == {0}


def test_targets_of_one_channel_share_a_constant(small_model, run):
    model = small_model(inputs=3, targets=2, subtract_last=True, target_channels=(2, 2))
    design, _ = run(model)
    assert design.last_channel == 2
    assert {op.channel for op in design.program.operations} == {0}


def test_targets_are_as_many_models(small_model, inputs_of):
    """Each target's forecast is that of a model with its weights and its channel alone."""
    from bitformer.model.reference import run as reference

    model = small_model(**TARGETS | CHANNELS)
    x = inputs_of(model, samples=5)
    whole = reference(model, x)["output"]
    *others, last = model.operations
    for target, channel in enumerate(CHANNELS["target_channels"]):
        own = slice(3 * target, 3 * target + 3)
        alone = replace(
            model,
            config=model.config.replace(targets=1, target_channels=(), target_channel=channel),
            tensors={**model.tensors, "output": replace(model.tensors["output"], rows=1)},
            operations=(
                *others,
                replace(
                    last,
                    parts=1,
                    weight=last.weight[own],
                    bias=last.bias[own],
                    multiplier=last.multiplier[own],
                    residual=replace(last.residual, channel=channel),
                ),
            ),
        )
        assert np.array_equal(reference(alone, x)["output"][:, 0], whole[:, target])


def test_steps_in_the_place_of_targets(design, x, monkeypatch):
    """A reference whose results have the steps outside and the targets inside is told apart."""
    order = Linear._by_part

    def by_step(self, results):
        found = order(self, results)
        if self.parts == 1:
            return found
        return found.reshape(len(found), found.shape[2], -1).swapaxes(1, 2)

    monkeypatch.setattr(Linear, "_by_part", by_step)
    result = simulate(design, x)
    assert not result.bit_exact
    assert result.difference.tensor == "output"


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_compiled_targets_are_exact(small_model, run, inputs_of):
    """Compiled, many windows: a decoder's rows of three targets, with a table of the hour."""
    model = small_model(**W4A8 | TARGETS | CHANNELS | {"window": 6, "decoder_layers": 1})
    run(model, inputs_of(model, samples=64), engine="native")


def test_new_weights_of_several_targets(small_model):
    """A reloadable design takes weights and biases of each target anew, and no other channels."""
    model = small_model(**W4A8 | TARGETS | CHANNELS | {"linear_path": True})
    design, other = lower_reloadable(model, lanes=4), other_weights(model)
    images = new_images(design, other, lanes=4)
    own = lower_reloadable(other, lanes=4)
    assert images == {name: own.images[name] for name in images}
    assert images["weights"] != design.images["weights"]
    assert structure_hash(design) == structure_hash(own)
    swapped = with_operations(model, swapped_channels)
    with pytest.raises(UserError, match="channel"):
        new_images(design, swapped, lanes=4)


def swapped_channels(op):
    """A linear layer that adds back the channels of its targets in another order."""
    if not (isinstance(op, Linear) and len(op.adds_channels) > 1):
        return op
    return replace(op, residual=replace(op.residual, channel=op.adds_channels[::-1]))
