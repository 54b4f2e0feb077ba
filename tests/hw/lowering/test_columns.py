"""How many multipliers an engine has, and which columns are made of LUTs."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw.lowering import columns as module
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.columns import _cycles, choose_columns, hard_columns
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.packing import choose_packing
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
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


def rows_of(*features, norm_bits=0):
    """A model whose operations normalise rows of so many features, of ``norm_bits``."""
    return SimpleNamespace(
        norm_bits=norm_bits,
        tensors={f"x{n}": SimpleNamespace(features=own) for n, own in enumerate(features)},
        operations=[
            SimpleNamespace(normalizes=True, reads=(f"x{n}",)) for n in range(len(features))
        ],
    )


def part_of(dsps, name="xc7s15", **family):
    part = PARTS[name]
    return replace(part, dsps=dsps, family=replace(part.family, **family))


#: Multipliers that are not the engine's, by what a LayerNorm squares: (bits, packed, wide rows).
OTHERS = {
    (0, True, False): 2,
    (8, True, False): 3,
    (9, True, False): 3,
    (10, True, False): 5,
    (10, False, False): 4,
    (10, True, True): 4,
}


@pytest.mark.parametrize(("case", "others"), OTHERS.items(), ids=str)
def test_the_engine_has_the_multipliers_that_are_left(case, others):
    """A multiple of 8 of them, at most 16, or a power of two."""
    bits, pack, wide = case
    model, rows = rows_of(norm_bits=bits), frozenset({"wide"} if wide else ())
    for spare in range(1, 40):
        found = choose_columns(model, part_of(others + spare), None, pack, rows)
        wanted = [n for n in (1, 2, 4, 8, 16) if n <= spare]
        assert found == wanted[-1]
        many = part_of(others + spare, most_columns=24)
        assert choose_columns(model, many, None, pack, rows) == (24 if spare > 23 else found)
    with pytest.raises(UserError, match=f"^part xc7s15 must have more than {others} DSP blocks$"):
        choose_columns(model, part_of(others), None, pack, rows)


@pytest.mark.parametrize("posts", [1, 2])
@pytest.mark.parametrize(
    ("features", "bits", "soft"),
    [
        ((), 0, 0),
        ((16,), 8, 1),
        ((31,), 8, 1),
        ((32,), 8, 0),
        ((16, 32), 8, 0),
        ((7,), 10, 1),
        ((8,), 10, 0),
    ],
)
def test_each_token_row_has_a_power_of_two(posts, features, bits, soft):
    """Sums of a LayerNorm of 12 bits or fewer are squared in LUTs, where multipliers are short."""
    model = rows_of(*features, norm_bits=bits)
    others = OTHERS[bits, True, False] - soft
    for rows in (2, 4, 8):
        for spare in range(soft * posts + 1, 70):
            part = part_of(others * posts + spare)
            wanted = max(n for n in (1, 2, 4, 8, 16, 32, 64) if n * rows <= max(spare, rows))
            assert choose_columns(model, part, None, True, rows=rows, posts=posts) == wanted


@pytest.mark.parametrize(
    ("lanes", "pack", "rows", "found"),
    [
        (1, True, 1, 1),
        (2, True, 1, 1),
        (3, True, 1, 1),
        (4, True, 1, 2),
        (7, False, 1, 7),
        (1, True, 4, 1),
        (16, True, 4, 2),
        (16, False, 4, 4),
        (6, True, 4, 1),
    ],
)
def test_lanes_that_are_asked_for(lanes, pack, rows, found):
    assert choose_columns(rows_of(), part_of(1), lanes, pack, rows=rows) == found
    for few in (0, -1):
        with pytest.raises(UserError, match=f"^lanes must be at least 1, not {few}$"):
            choose_columns(rows_of(), part_of(20), few, pack, rows=rows)


@pytest.mark.parametrize("pack", [True, False])
def test_columns_beyond_the_multipliers_are_of_luts_if_they_are_few(pack):
    for dsps in range(3, 9):
        part, spare = part_of(dsps, soft_columns=3), (dsps - 2) // 2 * 2
        for columns in range(1, 14):
            more = columns - spare
            of_luts = pack and spare and 0 < more <= 3
            assert hard_columns(rows_of(), part, columns, pack) == (spare if of_luts else columns)


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize(
    ("cycles", "best", "single"),
    [
        # of so many by (columns, multipliers): of as many cycles the fewest columns
        (lambda columns, hard: 100, 2, 1),
        (lambda columns, hard: 100 - 5 * columns, 10, 6),
        (lambda columns, hard: 100 - min(columns, 5), 6, 5),
        # each column of LUTs must save a fiftieth
        (lambda columns, hard: {8: 961}.get(columns, 1000 if columns == 6 else 2000), 8, 6),
        (lambda columns, hard: {8: 962}.get(columns, 1000 if columns == 6 else 2000), 6, 6),
        (lambda columns, hard: {10: 925}.get(columns, 1000 if columns == 6 else 2000), 10, 6),
        (lambda columns, hard: 100 + abs(hard - 4), 4, 4),
    ],
)
def test_any_number_is_tried_where_multipliers_are_few(monkeypatch, pack, cycles, best, single):
    """With packing an even one, and up to so many columns of LUTs beside all multipliers."""
    monkeypatch.setattr(module, "_cycles", lambda model, columns, hard, own: cycles(columns, hard))
    part = part_of(8, any_columns=True, soft_columns=4)
    assert choose_columns(rows_of(), part, None, pack) == (best if pack else single)


def test_a_single_multiplier_is_a_column(monkeypatch):
    monkeypatch.setattr(module, "_cycles", lambda model, columns, hard, own: 100 - columns)
    few = part_of(3, any_columns=True, soft_columns=0)
    assert choose_columns(rows_of(), few, None, True) == 1


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize(("columns", "hard"), [(1, 1), (4, 4), (6, 4), (5, 3)])
def test_cycles_of_layers_and_of_keys(monkeypatch, pack, columns, hard):
    """A layer has two results a column with packing; keys have one, in multipliers alone."""
    dots = {"a": (3, 17, 5), "b": (2, 8, 4), "k": (4, 9, 5), "skipped": (9, 9, 9)}
    operations = [
        SimpleNamespace(y=y, matrix=y != "skipped", weights_from="keys" if y == "k" else None)
        for y in dots
    ]

    def lowering_of(op):
        return SimpleNamespace(dots=lambda model: dots[op.y])

    monkeypatch.setattr(module, "lowering_of", lowering_of)
    total = 0
    for y, (rows, outputs, length) in dots.items():
        if y == "skipped":
            continue
        width = hard if y == "k" else columns
        for _ in range(rows):
            groups = len(range(0, outputs, width * (2 if pack and y != "k" else 1)))
            total += sum(max(length, width) for _ in range(groups - 1)) + length
    found = _cycles(SimpleNamespace(operations=operations), columns, hard, pack)
    assert found == total
