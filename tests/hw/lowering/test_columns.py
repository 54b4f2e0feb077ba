"""How many multipliers an engine has, and which columns are made of LUTs."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.columns import _cycles, choose_columns, hard_columns
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision

PART = "ice40up5k"
MULTIPLIER = PARTS[PART].family.multiplier


def model_of(name):
    return initialize(named_config(name), seed=0)


@pytest.fixture(scope="module")
def grid():
    return model_of("grid-12-32-4")


@pytest.mark.parametrize(
    ("name", "columns", "hard", "most"),
    [("grid-12-32-4", 8, 6, 12_000), ("etth1-96-24-w2a8", 8, 4, 5_500), ("tiny", 4, 4, 1_000)],
)
def test_few_multipliers_are_used_well(name, columns, hard, most):
    design = lower(model_of(name), part=PART)
    geometry = design.geometry
    assert (geometry.columns, geometry.hard) == (columns, hard)
    assert design.latency <= most
    assert estimate(design).uses[0].over == 0
    assert geometry.dsps <= PARTS[PART].dsps


@pytest.mark.parametrize(("name", "columns"), [("grid-6-8-4", 8), ("grid-24-16-4", 8)])
def test_keys_and_values_have_all_multipliers_beside_luts(name, columns):
    """Columns of LUTs leave attention as many multipliers as there are, not the fewest."""
    assert choose_columns(model_of(name), PARTS[PART], None, True) == columns


def test_other_parts_have_what_they_had(grid):
    for part, columns in {"xc7s6": 8, "xc7s15": 16, "xc7s25": 16, "lfe5u-25f": 24}.items():
        assert choose_columns(grid, PARTS[part], None, True) == columns
        design = lower(grid, part=part)
        assert not design.geometry.apart
        assert design.geometry.hard == design.geometry.columns == columns


def test_squares_of_long_numbers_leave_fewer_multipliers():
    """A LayerNorm of 16 bits squares in DSP blocks: two results a cycle in two, one in one."""
    config = named_config("etth1-96-24").replace(default=Precision(weights=8, activations=16))
    model, part = initialize(config), PARTS["xc7s15"]
    assert part.dsps - 16 == 4  # post-processor's two, the norm's one, and a square's
    assert choose_columns(model, part, None, False) == 16
    assert choose_columns(model, part, None, True) < 16


@pytest.mark.parametrize("lanes", [3, 8])
def test_cycles_of_a_count_are_those_of_its_schedule(grid, lanes):
    design = lower(grid, lanes=lanes, pack=False)
    rows = [event.row.operation for event in design.schedule.events]
    found = sum(op.cycles for op in rows if op.matrix)  # a drain may hold a row back
    assert _cycles(grid, lanes, lanes, False) == pytest.approx(found, rel=0.005)


def test_the_columns_chosen_take_the_fewest_cycles(grid):
    """Of all counts that the part's multipliers allow, with sums apart and without."""
    chosen = lower(grid, part=PART).interval
    others = [lower(grid, part=PART, lanes=2 * n).interval for n in (1, 2, 4, 6, 7)]
    assert chosen < min(others)
    single = lower(grid, part=PART, pack=False)
    assert single.geometry.hard == single.geometry.columns
    assert single.interval <= min(
        lower(grid, part=PART, pack=False, lanes=n).interval for n in range(1, 7)
    )


def test_only_short_weights_are_multiplied_in_luts():
    for name in ("etth1-96-24-w2a8", "grid-12-32-4"):
        design = lower(model_of(name), part=PART, lanes=16)
        layout, hard = design.geometry.weights, design.geometry.hard
        used = Counter()
        for op in design.model.linears:
            kind = layout.formats[op.y]
            columns = layout.columns_of(kind)
            used[columns > hard] += 1
            if columns > hard:
                assert design.packed[op.y]
                assert kind.pair
                bits = design.geometry.half_bits * design.model.tensors[op.x].bits
                assert bits <= MULTIPLIER.soft
        assert used[True]
        assert all(o.columns <= hard for o in design.program.operations if o.dynamic and o.matrix)


def test_long_weights_have_no_columns_of_luts():
    design = lower(model_of("grid-12-32-8"), part=PART)
    assert design.geometry.weights.soft == 0
    assert design.geometry.columns == design.geometry.hard <= 6
    # asked for, they are multipliers: more than the part has
    asked = lower(model_of("grid-12-32-8"), part=PART, lanes=16, pack=False)
    assert asked.geometry.hard == 16


def test_columns_of_luts_are_those_that_no_multiplier_is_left_for(grid):
    part = PARTS[PART]
    assert [hard_columns(grid, part, n, True) for n in (4, 6, 7, 8, 10, 11)] == [4, 6, 6, 6, 6, 11]
    assert hard_columns(grid, part, 8, False) == 8
    assert hard_columns(grid, PARTS["xc7s6"], 12, True) == 12


def test_sums_apart_are_as_long_as_they_must_be(grid):
    packing = choose_packing(Batch.of(grid), 8, True, MULTIPLIER)[0]
    assert packing.apart
    longest = max(
        bound.dot.bit_length() + 1 for y, bound in grid.bounds.items() if packing.packed[y]
    )
    assert packing.shift + packing.extension == longest
    together = choose_packing(Batch.of(grid), 8, True, replace(MULTIPLIER, apart=False))[0]
    assert not together.apart
    assert sum(together.packed.values()) < sum(packing.packed.values()) == len(packing.packed)


def test_products_that_are_too_long_are_not_packed_apart(grid):
    """An activation of one bit more spoils the proof of each operation that reads it."""
    operations = [op for op in grid.operations if op.matrix]
    for op in operations:
        assert op.term_bound(grid.tensors) < 1 << MULTIPLIER.long_bits - 4 - 1
    batch = Batch.of(grid)
    long = np.full_like(batch.terms, 1 << MULTIPLIER.long_bits - 4 - 1)
    batch.__dict__["terms"] = long
    assert not choose_packing(batch, 8, True, MULTIPLIER)[0].apart
    batch.__dict__["terms"] = long - 1
    assert choose_packing(batch, 8, True, MULTIPLIER)[0].apart
