"""How many columns read keys and values in one cycle."""

import pytest

from bitformer.hw.column_groups import group_of
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

LUTS = {"placement": {"dynamic": "distributed"}}


@pytest.mark.parametrize(
    ("name", "asked", "cells", "group"),
    [
        # an address loads 128 LUTs at most: with 172 of them, half of the columns
        ("tiny", {}, 88, 16),
        ("grid-12-32-4", {}, 172, 8),
        ("grid-12-32-4", {"soft": 16}, 172, 8),
        ("grid-18-64-4", LUTS, 516, 4),
        ("grid-24-64-8", LUTS, 688, 3),
    ],
)
def test_as_many_as_an_address_may_load(name, asked, cells, group):
    design = lower(initialize(named_config(name)), **asked)
    spec = design.stores["dynamic"]
    assert design.family.luts.ram_of(spec.depth).cells(spec.depth, spec.width) == cells
    assert group_of(design) == group


def test_all_of_them_where_no_address_has_so_many_loads():
    config = named_config("etth1-96-24")
    rows = lower(initialize(config), rows=4, posts=2, soft=4)
    assert group_of(rows) == rows.geometry.columns
    block = lower(initialize(config), placement={"dynamic": "block"})
    assert group_of(block) == block.geometry.columns
