# amaranth: UnusedElaboratable=no
"""Designs that take new weights: what they hold, and what a new model must keep."""

from contextlib import nullcontext
from dataclasses import fields, replace

import numpy as np
import pytest
from model_changes import with_tensor, with_zero
from reload_harness import SMALL, STREAM, other_weights

from bitformer.hw.lowering import reload
from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import Cost
from bitformer.hw.lowering.reload import bank_words, lower_reloadable, new_images, structure_hash
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import ir
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.stream import StepModel
from bitformer.sim.run import simulate


@pytest.fixture(scope="module")
def model():
    return initialize(SMALL, samples=16)


@pytest.fixture(scope="module")
def design(model):
    return lower_reloadable(model, lanes=2)


def test_banks():
    assert [bank_words(n) for n in (1, 2, 3, 256, 257)] == [1, 2, 4, 256, 512]


def test_stores_hold_two_images(model, design):
    plain = lower(model, lanes=2, immediate=False)
    assert (plain.banks, design.banks) == (1, 2)
    for name in ("weights", "parameters", "position"):
        words = len(design.images[name])
        assert words == len(plain.images[name])
        assert not design.stores[name].rom
        assert design.stores[name].depth == 2 * bank_words(words) >= 2 * words
    assert design.stores["program"].rom
    assert (design.latency, design.interval) == (plain.latency, plain.interval)


def test_first_image_is_exact(model, design):
    rng = np.random.default_rng(0)
    x = rng.integers(model.input.low, model.input.high + 1, (2, *model.input.shape))
    result = simulate(design, x)
    assert result.bit_exact, str(result.difference)
    assert result.latency[0] == design.latency


def test_images_of_the_same_model_are_the_designs_own(model, design):
    images = new_images(design, model, lanes=2)
    assert list(images) == ["weights", "parameters", "position"]
    assert images == {name: design.images[name] for name in images}
    again = lower_reloadable(model, lanes=2)
    assert structure_hash(design) == structure_hash(again)


def test_images_of_other_weights(model, design):
    other = other_weights(model)
    images = new_images(design, other, lanes=2)
    assert all(images[name] != design.images[name] for name in images)
    # what they are in a design of their own, but for the width of the parameters' fields
    assert images["weights"] == lower(other, lanes=2, immediate=False).images["weights"]
    assert images["weights"] == lower_reloadable(other, lanes=2).images["weights"]


@pytest.mark.parametrize(
    ("name", "found"), [("grid-6-8-4", "14c5cb51"), ("grid-12-8-6", "166c0d74")]
)
def test_what_says_nothing_new_has_the_hash_that_it_had(name, found):
    """A bitstream of a design without later kinds of layers takes new weights as before."""
    design = lower_reloadable(initialize(named_config(name), samples=8))
    assert structure_hash(design).hex() == found


@pytest.mark.parametrize(
    "later",
    [
        {"activation": "gelu"},
        {"fused": True},
        {"calendar": ("hour", "weekday")},
        {"pre_norm": True},
        {"block": "mixer"},
        {"block": "mixer", "activation": "gelu", "calendar": ("hour", "weekday")},
        {"block": "mlp"},
        {"task": "classify", "horizon": 3},
        {"task": "detect", "horizon": 3},
    ],
    ids=str,
)
def test_later_kinds_of_layers_take_new_weights(later):
    """One table serves whatever the weights are; a design without it takes no model with it."""
    model = initialize(SMALL.replace(**later), samples=16)
    design, plain = (lower_reloadable(m, lanes=2) for m in (model, initialize(SMALL, samples=16)))
    images = new_images(design, other_weights(model), lanes=2)
    assert images["weights"] != design.images["weights"]
    assert structure_hash(design) != structure_hash(plain)
    x = model.random_windows(np.random.default_rng(0), 2)
    loaded = replace(design, images={**design.images, **images}, model=other_weights(model))
    assert simulate(loaded, x).bit_exact
    with pytest.raises(UserError, match=r"^new weights must keep "):
        new_images(plain, model, lanes=2)


@pytest.mark.parametrize("effort", [0, 20])
def test_a_stream_takes_new_weights(effort):
    """The biases of its logits among them; steps with rings that fill keep their cycles, too."""
    model = initialize(STREAM, samples=16)
    design, other = lower_reloadable(model, lanes=2, effort=effort), other_weights(model)
    images = new_images(design, other, lanes=2)
    assert images["weights"] != design.images["weights"]
    loaded = replace(design, images={**design.images, **images}, model=StepModel.of(other))
    x = loaded.model.random_windows(np.random.default_rng(0), 3 * STREAM.tokens)
    assert simulate(loaded, x).bit_exact
    stale = Accelerator(design=replace(loaded, images=design.images))
    assert simulate(loaded, x, accelerator=stale).difference is not None
    window = initialize(SMALL.replace(linear_path=True), samples=16)
    for board, new in ((design, window), (lower_reloadable(window, lanes=2), model)):
        with pytest.raises(UserError, match=r"^new weights must "):
            new_images(board, new, lanes=2)


def test_the_margin_is_loaded_and_the_number_of_classes_is_hardware():
    three, four = (
        initialize(SMALL.replace(task="classify", horizon=classes), samples=16)
        for classes in (3, 4)
    )
    design = lower_reloadable(three, lanes=2)
    *before, last = three.operations
    other = replace(three, operations=(*before, replace(last, margin=17)))
    images = new_images(design, other, lanes=2)
    assert list(images) == ["weights", "parameters", "position", "margin"]
    assert images == {name: design.images[name] for name in images} | {"margin": [17]}
    assert structure_hash(design) == structure_hash(lower_reloadable(other, lanes=2))
    assert structure_hash(design) != structure_hash(lower_reloadable(four, lanes=2))
    with pytest.raises(UserError, match=r"^new weights must keep features of tensor output at 3"):
        new_images(design, four, lanes=2)


def test_a_flags_limits_are_loaded_and_its_smoothing_is_hardware():
    model = initialize(SMALL.replace(task="detect", horizon=3), samples=16)
    *before, judge = model.operations

    def judging(**changes):
        return replace(model, operations=(*before, replace(judge, **changes)))

    design = lower_reloadable(judging(smoothing=2, threshold=9), lanes=2)
    other = judging(smoothing=2, threshold=77, hold=5, weight=np.array([255, 0, 3]))
    quiet = other.detector.score_bound(model.tensors)
    other = judging(smoothing=2, threshold=quiet, hold=5, weight=np.array([255, 0, 3]))
    images = new_images(design, other, lanes=2)
    assert list(images)[3:] == ["judge_weights", "judge_limits"]
    assert images["judge_weights"] == [255, 0, 3]
    width = design.stores["judge_limits"].width - 16
    assert images["judge_limits"] == [quiet | 5 << width]
    x = model.random_windows(np.random.default_rng(0), 5)
    loaded = replace(design, images={**design.images, **images}, model=other)
    assert simulate(loaded, x).bit_exact
    stale = Accelerator(design=replace(design, model=other))
    assert simulate(loaded, x, accelerator=stale).difference.tensor == "answer"
    assert structure_hash(design) == structure_hash(lower_reloadable(other, lanes=2))
    with pytest.raises(UserError, match=r"^new weights must keep scales and smoothing of the flag"):
        new_images(design, judging(smoothing=1, threshold=9), lanes=2)
    with pytest.raises(UserError, match=r"^new weights must keep scales and smoothing of the flag"):
        new_images(design, judging(smoothing=2, threshold=9, absolute=True), lanes=2)


def test_another_calendar_is_other_hardware():
    hour, weekday = (
        initialize(SMALL.replace(calendar=calendar), samples=16)
        for calendar in (("hour",), ("weekday",))
    )
    design = lower_reloadable(hour, lanes=2)
    assert structure_hash(design) != structure_hash(lower_reloadable(weekday, lanes=2))
    sentence = r"^new weights must keep calendar at \['hour'\], not \['weekday'\]$"
    with pytest.raises(UserError, match=sentence):
        new_images(design, weekday, lanes=2)


def changed(model, name, **changes):
    operations = tuple(replace(op, **changes) if op.y == name else op for op in model.operations)
    return replace(model, operations=operations)


def first_linear(model):
    return next(op for op in model.operations if isinstance(op, ir.Linear))


def test_what_is_hardware_must_stay(model, design):
    op = first_linear(model)
    odd = op.multiplier | 1  # an odd multiplier can be brought to no other shift
    base = lower_reloadable(changed(model, op.y, multiplier=odd), lanes=2)
    with pytest.raises(
        UserError, match=rf"must keep (addend_)?shift of {op.y} at \d+, a constant of the"
    ):
        new_images(base, changed(model, op.y, multiplier=odd, shift=op.shift + 9), lanes=2)
    tensor = replace(model.tensors[op.y], bits=model.tensors[op.y].bits + 1)
    with pytest.raises(UserError, match=rf"must keep bits of tensor {op.y} at "):
        new_images(design, replace(model, tensors={**model.tensors, op.y: tensor}), lanes=2)
    with pytest.raises(UserError, match=r"must be of a model of the same shape"):
        new_images(design, initialize(replace(SMALL, name="deep", layers=2), samples=16), lanes=2)
    big = op.bias.copy()
    big[0] = 1 << 20
    with pytest.raises(
        UserError, match=r"must keep \w+_bits of the hardware at at most|have biases"
    ):
        new_images(design, changed(model, op.y, bias=big), lanes=2)


#: Every operand and every kind of operation that a reloadable design can have.
FULL = SMALL.replace(window=2, subtract_last=True, inputs=2, target_channel=1, asymmetric=True)


def neighbours(value):
    """The same as to type and shape, and a little different."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, np.ndarray):
        first = np.zeros_like(value)
        first.flat[0] = 1
        return [value + first, value - first, -value]
    if isinstance(value, ir.Residual):
        return [
            replace(value, **{f.name: other})
            for f in fields(value)
            for other in neighbours(getattr(value, f.name))
        ]
    return []


def near(model):
    """Models that differ in one field of one operation of each kind, or of what these write."""
    kinds = {(type(op), getattr(op, "residual", None) is None): op for op in model.operations}
    for op in kinds.values():
        for f in fields(op):
            for other in neighbours(getattr(op, f.name)):
                yield (
                    f"{op.y} {f.name}",
                    lambda op=op, f=f, other=other: changed(model, op.y, **{f.name: other}),
                )
        for f in ("bits", "zero", "narrow"):
            for other in neighbours(getattr(model.tensors[op.y], f)):
                yield (
                    f"{op.y} tensor {f}",
                    lambda y=op.y, f=f, other=other: with_tensor(model, y, **{f: other}),
                )


@pytest.mark.parametrize("norm", ["layer", pytest.param("batch", marks=pytest.mark.slow)])
def test_a_model_that_differs_is_refused_or_exact(norm):
    """Whatever its field: what is not in the images is hardware, and has to be checked."""
    model = initialize(FULL.replace(norm=norm), samples=16)
    model = with_zero(model, "delta", 3)
    design = lower_reloadable(model, lanes=2)
    rng = np.random.default_rng(0)
    x = rng.integers(model.input.low, model.input.high + 1, (1, *model.input.shape))
    refused, exact = set(), set()
    for name, make in near(model):
        if name in exact:
            continue
        try:
            other = make()
        except UserError:
            continue  # the integer model has no such thing
        try:
            images = {**design.images, **new_images(design, other, lanes=2)}
        except UserError:
            refused.add(name)
            continue
        accelerator = Accelerator(design=replace(design, images=images))
        result = simulate(replace(design, model=other), x, accelerator=accelerator)
        assert result.bit_exact, f"{name}: {result.difference}"
        exact.add(name)
    assert {"delta shift", "delta tensor zero", "layers.0.hidden tensor zero"} <= refused
    assert {"output weight", "output bias", "layers.0.norm2 " + NORMS[norm]} <= exact


NORMS = {"layer": "gamma", "batch": "offset"}


def test_structure_tells_what_is_subtracted():
    """What is no part of the program is told, too: a board refuses images for other hardware."""
    model = with_zero(initialize(FULL, samples=16), "delta", 3)
    op = model.operations[0]
    changes = [
        changed(model, "delta", shift=op.shift + 1),
        with_zero(model, "delta", 4),
        with_tensor(model, "delta", narrow=True),
    ]
    hashes = {structure_hash(lower_reloadable(m, lanes=2)) for m in (model, *changes)}
    assert len(hashes) == 4


def test_packing_is_proved_again():
    """A model whose sums do not fit their field any more is refused, and not run wrong."""
    # 128 products of 6 by 8 bits fit their field with weights as they are, not with any
    bits = Precision(weights=6, activations=8)
    config = replace(SMALL, name="long", d_model=8, ffn=128, default=bits)
    model = initialize(config, samples=8)
    design = lower_reloadable(model, part="xc7s50")
    refused = 0
    for op in model.operations:
        if isinstance(op, ir.Linear) and design.packed[op.y]:
            high = (1 << op.weight_bits - 1) - 1
            heavy = changed(model, op.y, weight=np.full_like(op.weight, high))
            if lower(heavy, part="xc7s50", immediate=False).packed != design.packed:
                refused += 1
                with pytest.raises(UserError, match=r"new weights must"):
                    new_images(design, heavy)
    assert refused


def test_plain_designs_and_small_parts_are_refused(model):
    with pytest.raises(UserError, match=r"design must be reloadable to take new weights"):
        new_images(lower(model, lanes=2), model, lanes=2)
    with pytest.raises(UserError, match=r"keeps its weights twice, for which xc7s15 must have \d+"):
        lower_reloadable(initialize(named_config("grid-12-64-6"), samples=8))


def test_widths_have_a_bit_to_spare_up_to_the_multipliers(model, design):
    plain = lower(model, lanes=2, immediate=False, apart=False, broad=0)
    limits = {"accumulator_bits": 25, "narrow_bits": 25, "factor_bits": 18}
    limits |= dict.fromkeys(("product_bits", "soft_sum_bits", "result_bits", "value_bits"), 48)
    for name, most in limits.items():
        own = getattr(plain.geometry, name)
        assert getattr(design.geometry, name) == (min(own + 1, most) if own else 0)
    assert design.parameter_bits == (plain.parameter_bits[0] + 1, plain.parameter_bits[1] + 1)
    for name in {f.name for f in fields(design.geometry)} - {*limits}:
        assert getattr(design.geometry, name) == getattr(plain.geometry, name)


@pytest.mark.parametrize("ways", [1, 2, 3])
def test_wider_fields_hold_the_same_numbers(ways):
    numbers = np.random.default_rng(0).integers([-16, -4], [16, 4], (5 * ways, 2)).tolist()
    numbers[:ways] = [[-16, -4]] * ways

    def words(*bits):
        value, factor = bits
        pairs = [
            pack_elements([v], value) | pack_elements([f], factor) << value for v, f in numbers
        ]
        return [pack_elements(pairs[n : n + ways], sum(bits)) for n in range(0, 5 * ways, ways)]

    for new in ((5, 3), (6, 3), (5, 4), (9, 6)):
        assert reload._widened(words(5, 3), ways, (5, 3), new) == words(*new)


def test_new_weights_may_use_all_widths_and_no_bit_more(design):
    def check(bits=design.parameter_bits, packed=design.packed, last=0, **widths):
        geometry = replace(design.geometry, **widths)
        other = replace(
            design, geometry=geometry, parameter_bits=bits, packed=packed, last_channel=last
        )
        reload._check_widths(design, other)

    check()
    for name in ("accumulator_bits", "narrow_bits", "product_bits", "result_bits", "value_bits"):
        own = getattr(design.geometry, name)
        check(**{name: own - 1})
        sentence = f"^new weights must keep {name} of the hardware at at most {own}, not {own + 1}$"
        with pytest.raises(UserError, match=sentence):
            check(**{name: own + 1})
    with pytest.raises(
        UserError, match=r"^new weights must keep keys of the hardware at 4, not 3$"
    ):
        check(keys=3)
    value, factor = design.parameter_bits
    with pytest.raises(UserError, match=f"have biases and offsets of at most {value} bits, not"):
        check(bits=(value + 1, factor))
    with pytest.raises(UserError, match=f"have multipliers of at most {factor} bits, not "):
        check(bits=(value, factor + 1))
    name = next(iter(design.packed))
    with pytest.raises(UserError, match=f"^new weights must let {name} be packed as in the"):
        check(packed={**design.packed, name: not design.packed[name]})
    with pytest.raises(UserError, match=r"^new weights must keep the channel whose last value"):
        check(last=1)


@pytest.mark.parametrize(
    ("ramb18", "lutram", "fits"), [(20, 2400, True), (21, 0, False), (0, 2401, False)]
)
def test_both_images_may_fill_the_parts_memories(model, monkeypatch, ramb18, lutram, fits):
    costs = iter([Cost(ramb18=ramb18, lutram=lutram)])
    monkeypatch.setattr(reload, "cost", lambda *_: next(costs, Cost()))
    sentence = f"must have {ramb18} RAMB18 and {lutram} LUTs as memory, not 20 and 2400$"
    with nullcontext() if fits else pytest.raises(UserError, match=sentence):
        lower_reloadable(model, lanes=2)
