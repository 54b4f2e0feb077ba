"""Widths of units hold what a model's numbers can be, and no bit more."""

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.soft_columns import room
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


def test_broad_columns_take_room(model):
    """43 and 56 LUTs beside a longer product, in designs of 16 each: their choice among sums."""
    left = [room(lower(model, lanes=4, soft=4, broad=broad)) for broad in (0, 2, 4)]
    each = (left[0] - left[1]) / 2
    assert 43 < each < 100
    assert left[0] - left[2] == pytest.approx(4 * each)
