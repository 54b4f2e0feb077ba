"""Widths of units hold what a model's numbers can be, and no bit more."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering.geometry import _upper_bits
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.soft_columns import room
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
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
