# amaranth: UnusedElaboratable=no
"""The comparison with the reference finds a fault in any part, and names where it shows first."""

from dataclasses import replace

import numpy as np
import pytest
from model_changes import with_tensor, with_zero

from bitformer.hw.lowering import lower as lowering
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import Packings
from bitformer.hw.units import operands, postprocessor
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import ir, numerics, reference
from bitformer.model.precision import Precision
from bitformer.sim.run import simulate

L0 = "layers.0."


@pytest.fixture(scope="module")
def design(small_model):
    """A model with everything in it: residuals, softmax, layer norm, both kinds of addend."""
    return lower(
        small_model(
            window=3,
            subtract_last=True,
            input_bits=10,
            default=Precision(weights=4, activations=8),
            precision={"Linput": Precision(weights=4, activations=6)},
        ),
        lanes=4,
        # a block RAM shows a word a cycle after it was written, LUTs at once: no slack to hide in
        placement=dict.fromkeys(("activations", "dynamic", "scores"), "block"),
    )


@pytest.fixture(scope="module")
def x(design, inputs_of):
    return inputs_of(design.model, seed=3)


def found(design, x, mutant):
    """The first difference when `mutant` runs in the place of `design`."""
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert not result.bit_exact
    return result.difference


def flipped(design, image, word, bit):
    words = list(design.images[image])
    words[word] ^= 1 << bit
    return replace(design, images={**design.images, image: words})


def reprogrammed(design, operations=None, instructions=None):
    program = design.program
    program = replace(
        program,
        operations=tuple(operations or program.operations),
        instructions=tuple(instructions or program.instructions),
    )
    return replace(design, program=program, images={**design.images, "program": program.words()})


def operation(design, tensor):
    return next(op for op in design.program.operations if op.tensor == tensor)


def linear(model, tensor):
    return next(op for op in model.operations if op.y == tensor)


def test_the_design_itself_is_exact(design, x):
    result = simulate(design, x, accelerator=Accelerator(design=reprogrammed(design)))
    assert result.bit_exact, str(result.difference)


LINEARS = ["embedding", L0 + "k", L0 + "v", L0 + "q", L0 + "add1", L0 + "hidden", "output"]


@pytest.mark.parametrize("tensor", LINEARS)
def test_bit_of_a_weight(design, x, tensor):
    layout = design.geometry.weights
    word, unit = divmod(operation(design, tensor).weight_base, layout.units)
    assert unit == 0
    difference = found(design, x, flipped(design, "weights", word, layout.formats[tensor].bits - 1))
    assert difference.tensor == tensor
    assert difference.feature == 0
    assert difference.sample == 0


@pytest.mark.parametrize("tensor", ["embedding", L0 + "q", L0 + "add2", "output"])
def test_bit_of_a_bias(design, x, tensor):
    # at the weight of one unit of the result
    model = design.model
    bit = linear(model, tensor).shift
    difference = found(
        design, x, flipped(design, "parameters", operation(design, tensor).parameters, bit)
    )
    assert (difference.tensor, difference.row, difference.feature) == (tensor, 0, 0)


@pytest.mark.parametrize("norm", ["norm1", "norm2"])
def test_bit_of_a_norms_scale(design, x, norm):
    bit = design.parameter_bits[0] + 6
    word = operation(design, L0 + norm).parameters
    difference = found(design, x, flipped(design, "parameters", word, bit))
    assert difference.tensor == L0 + norm


def test_bit_of_a_position(design, x):
    word = design.geometry.ways  # of the first row, a later word
    bit = design.model.tensors["position"].bits - 1
    difference = found(design, x, flipped(design, "position", word, bit))
    assert difference.tensor == "embedding"


@pytest.mark.parametrize(
    "tensor", ["embedding", *(L0 + t for t in ("q", "scores", "context", "norm1", "add2"))]
)
@pytest.mark.parametrize("change", [{"shift": 1}, {"zero": 1}])
def test_constant_off_by_one(design, x, tensor, change):
    ((field, step),) = change.items()
    operations = [
        replace(op, **{field: getattr(op, field) + step}) if op.tensor == tensor else op
        for op in design.program.operations
    ]
    assert found(design, x, reprogrammed(design, operations)).tensor == tensor


def test_limit_of_the_clamp(design, x):
    operations = [
        replace(op, low=op.low + 16) if op.tensor == L0 + "hidden" else op
        for op in design.program.operations
    ]
    assert found(design, x, reprogrammed(design, operations)).tensor == L0 + "hidden"


def test_rounding_dropped_in_the_post_processor(design, x, monkeypatch):
    original = postprocessor.by_operation

    def truncating(m, op, values, *, name):
        if name.startswith("rounding"):
            operations = design.program.operations
            values = [o.zero << o.shift for o in operations]
        return original(m, op, values, name=name)

    monkeypatch.setattr(postprocessor, "by_operation", truncating)
    difference = found(design, x, design)
    assert difference.tensor == "embedding"
    assert difference.got == difference.expected - 1


def test_rounding_dropped_before_the_engine(design, x, monkeypatch):
    # differences that end in a half and more
    shift = linear(design.model, "delta").shift
    assert shift > 0
    x = x * 0
    x[:, 0] = (1 << shift) - 1
    monkeypatch.setattr(operands, "round_shift", lambda value, shift: value >> shift)
    difference = found(design, x, design)
    assert difference.tensor == "delta"
    assert difference.got == difference.expected - 1


def test_zero_point_dropped_before_the_engine(design, x):
    # the biases take the zero point back: what shows is the difference itself
    shift = linear(design.model, "delta").shift
    model = with_zero(design.model, "delta", -5)
    honest = lower(model, lanes=4)
    result = simulate(honest, x)
    assert result.bit_exact, str(result.difference)
    mutant = replace(honest, model=with_tensor(model, "delta", zero=0))
    x = x * 0
    x[:, 0] = 3 << shift
    difference = found(honest, x, mutant)
    assert (difference.tensor, difference.row, difference.feature) == ("delta", 0, 0)
    assert (difference.expected, difference.got) == (-2, 3)


def test_entry_of_the_exponentials(design, x, monkeypatch):
    wrong = list(numerics.EXP_TABLE)
    wrong[0] ^= 0x20
    monkeypatch.setattr(numerics, "EXP_TABLE", wrong)
    assert found(design, x, design).tensor == L0 + "context"


def test_entry_of_the_reciprocals(design, x, monkeypatch):
    scores = reference.run(design.model, x)[L0 + "scores"][0, 0]
    total = int(numerics.exp2_weights(scores).sum())
    index = (total << 10 >> total.bit_length()) >> 1
    wrong = list(numerics.RECIPROCAL_TABLE)
    wrong[index - 256] ^= 0x80
    monkeypatch.setattr(numerics, "RECIPROCAL_TABLE", wrong)
    difference = found(design, x, design)
    assert (difference.tensor, difference.row) == (L0 + "context", 0)


def test_entry_of_the_square_roots(design, x, monkeypatch):
    spec = design.model.tensors[L0 + "add1"]
    row = reference.run(design.model, x)[spec.name][0, 0]
    variance = spec.features * (row * row).sum() - row.sum() ** 2
    width = numerics.norm_width(spec.features, spec.bits)
    exponent, _ = numerics.rsqrt(variance, width)
    wrong = list(numerics.RSQRT_TABLE)
    wrong[int((variance << (2 * exponent)) >> (width - 8)) - 64] ^= 0x80
    monkeypatch.setattr(numerics, "RSQRT_TABLE", wrong)
    difference = found(design, x, design)
    assert (difference.tensor, difference.row) == (L0 + "norm1", 0)


def shortened(design, place):
    """The instruction at `place` is issued a cycle too early."""
    instructions = list(design.program.instructions)
    instructions[place - 1] = replace(
        instructions[place - 1], delta=instructions[place - 1].delta - 1
    )
    return reprogrammed(design, instructions=instructions)


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (L0 + "k", "embedding"),
        (L0 + "scores", L0 + "q"),
        (L0 + "scores", "engine"),
        (L0 + "add1", L0 + "context"),
        (L0 + "norm1", L0 + "add1"),
        (L0 + "norm2", L0 + "add2"),
    ],
)
def test_row_issued_too_early(design, x, tensor, reason):
    place = next(
        place
        for place, event in enumerate(design.schedule.events)
        if (event.row.tensor, event.reason) == (tensor, reason)
    )
    assert found(design, x, shortened(design, place)).tensor == tensor


def test_row_issued_late_is_exact_but_not_as_predicted(design, x):
    instructions = list(design.program.instructions)
    instructions[-2] = replace(instructions[-2], delta=instructions[-2].delta + 1)
    mutant = reprogrammed(design, instructions=instructions)
    result = simulate(design, x, accelerator=Accelerator(design=mutant))
    assert result.bit_exact
    assert result.latency[0] == design.latency + 1
    assert result.interval == [design.interval + 1]


def test_packing_where_the_bound_forbids_it(small_model, monkeypatch):
    """Weights and inputs at their extremes: the low sum overflows its field into the high one."""
    model = small_model(norm="batch", pooling="mean", d_model=8, ffn=32)
    second = linear(model, L0 + "add2")
    weight = np.tile([[127], [-127]], (4, 32))
    hidden = model.tensors[L0 + "hidden"]
    extreme = replace(second, weight=weight, bias=-hidden.zero * weight.sum(axis=1))
    model = replace(
        model, operations=tuple(extreme if op is second else op for op in model.operations)
    )
    honest = lower(model)
    assert not honest.packed[second.y]
    x = np.random.default_rng(0).integers(-128, 128, (2, *model.input.shape))
    assert simulate(honest, x).bit_exact

    linear_only = {op.y: isinstance(op, ir.Linear) for op in model.operations if op.matrix}
    packings = Packings(
        names=tuple(linear_only),
        packed=np.array([[*linear_only.values()]]),
        dynamic=np.array([False]),
        shift=np.array([13]),
        half_bits=np.array([8]),
    )
    monkeypatch.setattr(lowering, "choose_packing", lambda *_: packings)
    forced = lower(model)
    assert forced.packed[second.y]
    result = simulate(forced, x)
    assert not result.bit_exact
    assert forced.packed[result.difference.tensor]
