"""Widths of units hold what a model's numbers can be, and no bit more."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import geometry as module
from bitformer.hw.lowering import plan
from bitformer.hw.lowering.geometry import _check, _upper_bits, geometry_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.soft_columns import room
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightFormat
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("tiny"))


def test_sums_in_columns_of_luts_are_as_long_as_they_can_be(model):
    design = lower(model, lanes=4, soft=4, broad=2)
    geometry, bounds = design.geometry, model.bounds
    packed = [bounds[op.y].dot for op in model.linears if design.packed[op.y]]
    single = [bounds[op.y].dot for op in model.linears if not design.packed[op.y]]
    for bits, largest in (
        (geometry.soft_sum_bits, max(packed)),
        (geometry.broad_sum_bits, max(single)),
    ):
        assert 1 << bits - 2 <= largest < 1 << bits - 1


@pytest.mark.parametrize(("bits", "found"), [(18, 0), (25, 0), (26, 26)])
def test_an_upper_part_that_one_multiplier_takes_is_not_told(bits, found):
    multiplier = PARTS["xc7s15"].family.multiplier
    assert multiplier.long_bits == 25
    bounds = {"wide": (1 << bits + multiplier.split - 1) - 1, "narrow": 1 << 60}
    model = SimpleNamespace(multiplicand_bounds=bounds)
    assert _upper_bits(model, frozenset({"wide"}), multiplier) == found
    assert _upper_bits(model, frozenset(), multiplier) == 0


def test_broad_columns_take_room(model):
    """43 and 56 LUTs beside a longer product, in designs of 16 each: their choice among sums."""
    left = [room(lower(model, lanes=4, soft=4, broad=broad)) for broad in (0, 2, 4)]
    each = (left[0] - left[1]) / 2
    assert 43 < each < 100
    assert left[0] - left[2] == pytest.approx(4 * each)


class Changed:
    """A model of which some fields are others."""

    def __init__(self, model, **fields):
        self._model = model
        vars(self).update(fields)

    def __getattr__(self, name):
        return getattr(self._model, name)


@pytest.fixture(scope="module")
def made():
    """Geometries of a small model: whatever of it, of its multiplier and of the choices differs."""
    config = named_config("tiny").replace(norm="layer")
    model, kept = initialize(config), []

    def keep(model, **choices):
        kept.append((model, choices))
        return geometry_of(model, **choices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "geometry_of", keep)
        lower(model)
    own, choices = kept[-1]

    def of(changes=None, multiplier=None, **others):
        found = {**choices, **others}
        found["multiplier"] = replace(found["multiplier"], **(multiplier or {}))
        return geometry_of(Changed(own, **(changes or {})), **found)

    of.model, of.packing, of.weights = own, choices["packing"], choices["weights"]
    of.destinations = choices["destinations"]
    return of


def test_the_longest_sum_may_fill_the_accumulator(made, monkeypatch):
    monkeypatch.setattr(module, "_check", lambda widths, multiplier: None)
    bits = made().accumulator_bits
    assert made(multiplier={"accumulator_bits": bits}).accumulator_bits == bits
    y = max(made.model.bounds, key=lambda name: made.model.bounds[name].total)
    sentence = f"^accumulator of {y} must fit {bits - 1} bits, not need {bits}$"
    with pytest.raises(UserError, match=sentence):
        made(multiplier={"accumulator_bits": bits - 1})


def test_the_longest_multiplicand_may_fill_its_multipliers(made, monkeypatch):
    monkeypatch.setattr(module, "_check", lambda widths, multiplier: None)
    bits = PARTS["xc7s15"].family.multiplier.multiplicand_bits
    y = made.model.operations[0].y
    made({"multiplicand_bounds": {y: (1 << bits - 1) - 1}})
    sentence = f"^multiplicand of {y} must fit {bits} bits, not need {bits + 1}$"
    with pytest.raises(UserError, match=sentence):
        made({"multiplicand_bounds": {y: 1 << bits - 1}})


def test_one_unit_normalises_rows_of_so_many_features(made):
    name = next(op.reads[0] for op in made.model.operations if op.normalizes)
    spec = made.model.tensors[name]
    assert made().norm_features == spec.features
    other = {**made.model.tensors, name: replace(spec, features=spec.features + 1)}
    with pytest.raises(UserError, match=r"^layer norms must all have the same features"):
        made({"tensors": other})


@pytest.mark.parametrize(
    ("keys", "pitches"), [(1, (1, 1)), (2, (2, 1)), (9, (16, 8)), (16, (16, 8))]
)
def test_rows_of_logits_are_a_power_of_two_of_words_apart(made, keys, pitches):
    scores = [op.y for op in made.model.operations if op.y.endswith("scores")]
    tensors = dict(made.model.tensors)
    for name in scores:
        tensors[name] = replace(tensors[name], features=keys)
    packing = made.packing
    for ways, pitch in zip((1, 2), pitches, strict=True):
        packed = dict.fromkeys(packing.packed, ways == 2)
        found = made({"tensors": tensors}, packing=replace(packing, packed=packed))
        assert (found.ways, found.keys, found.score_pitch) == (ways, keys, pitch)
    assert scores


@pytest.mark.parametrize(
    ("fits", "beyond"),
    [
        ({"low_bits": 20, "high_bits": 7}, {"low_bits": 21, "high_bits": 7}),
        ({"low_bits": 7, "high_bits": 20}, {"low_bits": 7, "high_bits": 21}),
        ({"factor_bits": 18}, {"factor_bits": 19}),
    ],
)
def test_what_the_post_processor_multiplies_may_fill_its_ports(fits, beyond):
    multiplier = replace(PARTS["xc7s15"].family.multiplier, accumulator_bits=20)
    plain = {"low_bits": 1, "high_bits": 1, "factor_bits": 1}
    _check(plain | fits, multiplier)
    with pytest.raises(UserError, match=r" (stay within 20|fit 18) bits, not need (21|19)$"):
        _check(plain | beyond, multiplier)


@pytest.mark.parametrize("packed_so", [False, True])
@pytest.mark.parametrize("may", [False, True])
@pytest.mark.parametrize("soft", [0, 1, 2])
def test_sums_are_apart_where_they_are_packed_so_or_in_luts(made, packed_so, may, soft):
    formats = [*made.weights.formats.values()]
    packing = replace(made.packing, apart=packed_so)
    weights = replace(made.weights, soft=soft, short=frozenset(formats if soft else ()))
    found = made(packing=packing, weights=weights, multiplier={"apart": may})
    assert found.apart == (packed_so or (may and soft > 0))
    # fields of packed sums are long enough by themselves
    longest = max(made.model.bounds[op.y].dot for op in made.model.linears if packing.packed[op.y])
    bits = longest.bit_length() + 1
    assert found.soft_sum_bits == (bits if soft and not found.apart else 0)
    assert found.soft_bits == (
        max(made.model.tensors[op.x].bits for op in made.model.linears) if soft else 0
    )


@pytest.mark.parametrize(("weight_bits", "bits"), [(1, 2), (2, 2), (3, 3), (6, 6)])
def test_a_single_weight_in_luts_has_two_bits_or_more(made, weight_bits, bits):
    first, *others = made.model.linears
    weights = replace(
        made.weights,
        formats={op.y: WeightFormat(pair=False, field=8) for op in others}
        | {first.y: WeightFormat(pair=False, field=7)},
        single=frozenset({WeightFormat(pair=False, field=7)}),
    )
    linears = [replace(first, weight_bits=weight_bits), *others]
    found = made({"linears": linears}, weights=weights)
    assert found.broad_bits == bits
    dot = made.model.bounds[first.y].dot
    assert 1 << found.broad_sum_bits - 2 <= dot < 1 << found.broad_sum_bits - 1
    assert found.soft_bits == made.model.tensors[first.x].bits
    assert (made().broad_bits, made().broad_sum_bits) == (0, 0)


def test_where_all_is_wide_nothing_is_narrow(made, monkeypatch):
    names = frozenset(made.model.bounds)
    monkeypatch.setattr(module, "wide_operations", lambda *_: names)
    assert made().narrow_bits == 1
    few = frozenset([*names][1:])
    monkeypatch.setattr(module, "wide_operations", lambda *_: few)
    (alone,) = names - few
    assert made().narrow_bits == made.model.bounds[alone].total.bit_length() + 1


def test_logits_and_their_exponentials_count_where_there_are_any(made):
    """Exponentials have 9 bits; without logits a row of them is one word."""
    where = made.destinations
    scores = [name for name, to in where.items() if to is Destination.SCORE]
    assert scores
    tensors = {name: replace(spec, bits=6) for name, spec in made.model.tensors.items()}
    assert made({"tensors": tensors}).operand_bits == 9
    none = {**where, **dict.fromkeys(scores, Destination.ACTIVATION)}
    found = made({"tensors": tensors}, destinations=none)
    assert (found.operand_bits, found.keys, found.score_pitch) == (6, 1, 1)
    long = {**tensors, scores[0]: replace(tensors[scores[0]], bits=12)}
    assert made({"tensors": long}).operand_bits == 12


def test_columns_of_luts_that_serve_nothing_have_sums_of_a_bit(made):
    found = made(weights=replace(made.weights, soft=1))
    assert (found.soft_sum_bits, found.soft_bits) == (1, 0)
