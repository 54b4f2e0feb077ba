"""Columns of LUTs: what they take, how many there is room for, and how many are worth it."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw.lowering import soft_columns
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.soft_columns import (
    asked_broad,
    asked_columns,
    column_luts,
    in_time,
    longest_single,
    most_columns,
    room,
    soft_of,
)
from bitformer.hw.lut_rows import MOST_BITS, ahead, product_cost
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError

PART = "xc7s15"


@pytest.mark.parametrize("soft", [None, 0, 1, 64])
def test_a_count_is_as_it_is_asked(soft):
    assert asked_columns(soft, None) == soft


def columns_of(monkeypatch, cycles, *, left=None, memories=None):
    """The columns chosen of designs of so many cycles by count, and of what they leave."""

    def lower_with(count):
        return SimpleNamespace(
            stores={"count": count}, part=PART, latency=cycles[count or 0], count=count
        )

    monkeypatch.setattr(soft_columns, "_worth", lambda design: [n for n in cycles if n])
    monkeypatch.setattr(soft_columns, "room", lambda design: (left or {}).get(design.count, 0.0))

    def crowding(specs, part):
        return (memories or {}).get(*specs, 0), 10**6

    monkeypatch.setattr(soft_columns, "crowding", crowding)
    return asked_columns("auto", lower_with)


def test_columns_are_those_of_the_fastest_design_that_fits(monkeypatch):
    assert columns_of(monkeypatch, {0: 900, 4: 500, 8: 400}) == 8
    assert columns_of(monkeypatch, {0: 900, 4: 500, 8: 400}, left={8: -1.0}) == 4
    assert columns_of(monkeypatch, {0: 900, 4: 500, 8: 400}, left={8: -1.0, 4: -2.0}) is None
    assert columns_of(monkeypatch, {0: 900, 4: 500, 8: 400}, memories={8: 3}) == 4
    # a design without them is never over its LUTs by them
    assert columns_of(monkeypatch, {0: 900, 4: 800}, left={None: -9.0, 4: -1.0}) is None
    everywhere = {None: 2, 4: 2, 8: 1}
    assert columns_of(monkeypatch, {0: 100, 4: 500, 8: 900}, memories=everywhere) == 8


@pytest.mark.parametrize(("cycles", "found"), [(99_207, None), (99_206, 4)])
def test_a_column_must_save_a_five_hundredth(monkeypatch, cycles, found):
    assert columns_of(monkeypatch, {0: 100_000, 4: cycles}) == found


def test_counts_of_fewer_cycles_are_tried_the_last_six_of_them(monkeypatch):
    asked = []

    def cycles(design, columns):
        asked.append(columns)
        return found.get(columns - 3, 50)

    monkeypatch.setattr(soft_columns, "_cycles", cycles)
    monkeypatch.setattr(soft_columns, "most_columns", lambda design: 12)
    design = SimpleNamespace(geometry=SimpleNamespace(hard=3))
    found = {0: 50, 2: 49, 4: 49, 6: 40, 8: 41, 12: 39}
    assert soft_columns._worth(design) == [2, 6, 12]
    assert asked == [3, 5, 7, 9, 11, 13, 15]
    monkeypatch.setattr(soft_columns, "most_columns", lambda design: 20)
    found = {n: 50 - n for n in range(0, 22, 2)}
    assert soft_columns._worth(design) == [10, 12, 14, 16, 18, 20]


@pytest.mark.parametrize(
    ("left", "each", "most"),
    [(-5.0, 10, 0), (19.9, 10, 0), (20.0, 10, 2), (39.0, 10, 2), (639.0, 10, 62), (900.0, 10, 64)],
)
def test_there_is_room_for_an_even_number_up_to_64(monkeypatch, left, each, most):
    monkeypatch.setattr(soft_columns, "_served", lambda design: ["a layer"])
    monkeypatch.setattr(soft_columns, "room", lambda design: left)
    monkeypatch.setattr(soft_columns, "_own_luts", lambda design: each)
    assert most_columns(SimpleNamespace(part=PART)) == most
    assert most_columns(SimpleNamespace(part="ice40up5k")) == 0
    monkeypatch.setattr(soft_columns, "_served", lambda design: [])
    assert most_columns(SimpleNamespace(part=PART)) == 0


def test_what_is_left_is_less_by_each_unit(monkeypatch):
    """A further token row takes 450 LUTs and a further post-processor 1100."""
    monkeypatch.setattr(soft_columns, "_own_luts", lambda design: 7)
    monkeypatch.setattr(soft_columns, "_broad_luts", lambda design: 100)

    def left(rows=1, posts=1, soft=0, stores=()):
        geometry = SimpleNamespace(rows=rows, posts=posts, weights=SimpleNamespace(soft=soft))
        return room(SimpleNamespace(part=PART, geometry=geometry, stores=dict(enumerate(stores))))

    part = PARTS[PART]
    assert left() == part.luts - 3000
    assert left() - left(rows=4) == 3 * 450
    assert left() - left(posts=4) == 3 * 1100
    assert left() - left(soft=1) == 7 + 100
    assert left() - left(soft=6) == 6 * 7 + 100
    stores = [
        StoreSpec(name="ram", depth=65, width=3, placement="distributed"),
        StoreSpec(name="block", depth=512, width=36, placement="block"),
        StoreSpec(name="rom", depth=64, width=5, rom=True, placement="distributed"),
    ]
    assert left() - left(stores=stores) == 8 + 3 + 5


@pytest.mark.parametrize("rows", [1, 2])
def test_broad_columns_take_the_longer_product_and_its_choice(rows):
    family = PARTS[PART].family
    terms = family.multiplier.adder.terms

    def taken(broad=2, *, bits=6, sums=18, family=family):
        weights = SimpleNamespace(broad=broad)
        own = {"rows": rows, "half_bits": 4, "soft_bits": 8, "soft_sum_bits": 16}
        geometry = SimpleNamespace(weights=weights, broad_bits=bits, broad_sum_bits=sums, **own)
        return soft_columns._broad_luts(SimpleNamespace(geometry=geometry, family=family))

    def luts(weight, total):
        return product_cost(weight, 8, total, terms).luts

    assert taken(0) == 0
    assert taken(family=PARTS["ice40up5k"].family) == 0
    assert taken() == rows * 2 * (luts(6, 18) - luts(4, 16) + 56)
    # of a shorter weight, or a shorter sum, the pair's own
    assert taken(3, bits=2, sums=20) == rows * 3 * (luts(4, 20) - luts(4, 16) + 56)
    assert taken(1, bits=8, sums=10) == rows * (luts(8, 16) - luts(4, 16) + 56)


def layers(*shapes, rows=1, half=4, hard=4):
    """A design of packed layers (rows, inputs, outputs, activation bits), and one that is not."""
    linears, tensors = [], {"bits": SimpleNamespace(bits=2)}
    for n, (count, inputs, outputs, bits) in enumerate(shapes):
        tensors |= {f"x{n}": SimpleNamespace(bits=bits)}
        tensors |= {f"y{n}": SimpleNamespace(rows=count, features=outputs)}
        weight = np.zeros((outputs, inputs))
        linears.append(SimpleNamespace(x=f"x{n}", y=f"y{n}", weight=weight))
    single = SimpleNamespace(x="bits", y="single", weight=np.zeros((9, 9)))
    return SimpleNamespace(
        packed={op.y: True for op in linears} | {"single": False},
        model=SimpleNamespace(linears=[*linears, single], tensors=tensors, bounds={}),
        geometry=SimpleNamespace(rows=rows, half_bits=half, hard=hard),
        part=PART,
    )


def test_layers_of_short_products_are_served():
    served = soft_columns._served(layers((1, 2, 2, 16), (1, 2, 2, 17), half=4))
    assert [op.y for op in served] == ["y0"]
    assert MOST_BITS == 64


@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("columns", [1, 3, 4, 7, 8])
def test_cycles_are_counted_group_by_group(rows, columns):
    """Two results a column; the next group begins when columns and inputs have passed."""
    design = layers((5, 6, 16, 8), (8, 3, 14, 8), rows=rows)
    found = 0
    for count, inputs, outputs in ((5, 6, 16), (8, 3, 14)):
        for _ in range(0, count, rows):
            groups = len(range(0, outputs, 2 * columns))
            found += sum(max(inputs, columns) for _ in range(groups - 1)) + inputs
    assert soft_columns._cycles(design, columns) == found


def test_a_column_is_as_wide_as_the_widest_layer_in_each_token_row():
    design = layers((1, 2, 2, 4), (1, 2, 2, 7), rows=3)
    design.model.bounds = {"y0": SimpleNamespace(dot=511), "y1": SimpleNamespace(dot=512)}
    design.model.bounds["single"] = SimpleNamespace(dot=10**6)
    own = column_luts(PARTS[PART], weight_bits=4, activation_bits=7, sum_bits=11)
    assert soft_columns._own_luts(design) == 3 * own
    design.model.bounds["y1"].dot = 511
    own = column_luts(PARTS[PART], weight_bits=4, activation_bits=7, sum_bits=10)
    assert soft_columns._own_luts(design) == 3 * own


def broad_of(
    monkeypatch, latency, *, soft=8, features=(20,), over=(), hard=2, apart=False, kept=()
):
    """How many columns multiply single weights, of designs of so many cycles by count."""
    asked = []
    linears = [SimpleNamespace(y=f"y{n}") for n in range(len(features))]
    tensors = {f"y{n}": SimpleNamespace(features=own) for n, own in enumerate(features)}
    linears.append(SimpleNamespace(y="packed"))
    tensors["packed"] = SimpleNamespace(features=999)

    def lower_with(broad):
        asked.append(broad)
        weights = SimpleNamespace(soft=soft, broad=0 if broad in kept else broad)
        return SimpleNamespace(
            geometry=SimpleNamespace(weights=weights, apart=apart, hard=hard),
            model=SimpleNamespace(linears=linears, tensors=tensors),
            packed={op.y: op.y == "packed" for op in linears},
            latency=latency.get(broad, 10**6),
            broad=broad,
        )

    monkeypatch.setattr(soft_columns, "_over", lambda design: design.broad in over)
    return asked_broad(None, soft, lower_with), asked


def test_broad_columns_are_as_many_as_take_the_fewest_cycles(monkeypatch):
    # 20 results in groups of 2 are ten; of 4, 6, 8 and 10 they are five, four, three and two
    cycles = {0: 900, 2: 700, 4: 600, 6: 500, 8: 590}
    assert broad_of(monkeypatch, cycles) == (6, [0, 2, 4, 6, 8])
    assert broad_of(monkeypatch, cycles, over=(6,)) == (8, [0, 2, 4, 6, 8])
    assert broad_of(monkeypatch, cycles, kept=(6, 8)) == (4, [0, 2, 4, 6, 8])
    assert broad_of(monkeypatch, cycles, soft=7) == (6, [0, 2, 4, 6])
    # counts that leave as many groups are not tried
    assert broad_of(monkeypatch, cycles, features=(8,)) == (6, [0, 2, 6])
    assert broad_of(monkeypatch, cycles, features=(2,)) == (0, [0])
    assert broad_of(monkeypatch, cycles, features=(3,)) == (2, [0, 2])
    assert broad_of(monkeypatch, cycles, apart=True) == (0, [0])


@pytest.mark.parametrize(("cycles", "found"), [(99_603, 0), (99_599, 2)])
def test_a_broad_column_must_save_a_five_hundredth(monkeypatch, cycles, found):
    assert broad_of(monkeypatch, {0: 100_000, 2: cycles})[0] == found


@pytest.mark.parametrize(
    ("memories", "left", "over"),
    [(0, 0.0, False), (1, 9.0, True), (0, -0.5, True), (0, 9.0, False)],
)
def test_a_design_is_over_by_memories_or_by_luts(monkeypatch, memories, left, over):
    monkeypatch.setattr(soft_columns, "crowding", lambda specs, part: (memories, 10**6))
    monkeypatch.setattr(soft_columns, "room", lambda design: left)
    assert soft_columns._over(SimpleNamespace(stores={}, part=PART)) == over


def test_few_multipliers_are_not_ahead_of_any_weight():
    multiplier = PARTS[PART].family.multiplier
    packing = SimpleNamespace(apart=False, half_bits=4)
    found = [longest_single(hard, packing, multiplier) for hard in range(9)]
    terms = multiplier.adder.terms
    for hard, bits in enumerate(found):
        assert ahead(bits, terms) <= hard
        assert ahead(bits + 1, terms) > hard or bits == MOST_BITS - 1
    assert longest_single(9, SimpleNamespace(apart=True, half_bits=4), multiplier) == 0


def test_a_column_takes_what_its_bits_ask_for():
    part = PARTS[PART]
    luts = [
        column_luts(part, weight_bits=w, activation_bits=a, sum_bits=s)
        for w, a, s in ((2, 8, 14), (4, 4, 13), (4, 8, 16), (8, 8, 20))
    ]
    assert luts == sorted(luts)
    # of etth1-48-24-ed and of grid-12-32-4, by Yosys with 16 columns and without
    assert luts[0] == pytest.approx(58, abs=6)
    assert luts[1] == pytest.approx(69, abs=6)
    with pytest.raises(UserError, match=r"^part ice40up5k must have no columns of LUTs but"):
        column_luts(PARTS["ice40up5k"], weight_bits=2, activation_bits=8, sum_bits=14)


def test_lanes_are_two_a_column():
    assert [soft_of(lanes) for lanes in (0, 2, 32, "auto")] == [0, 1, 16, "auto"]
    assert [soft_of(lanes, 4) for lanes in (0, 8, 32, "auto")] == [0, 1, 4, "auto"]
    assert soft_of(128) == soft_of(256, 2) == soft_of(512, 4) == 64
    with pytest.raises(UserError, match="lut_lanes must be auto or a multiple of 8 from 0 to 512"):
        soft_of(36, 4)
    with pytest.raises(
        UserError, match=r"^lut_lanes must be auto or a multiple of 4 from 0 to 256"
    ):
        soft_of(260, 2)
    with pytest.raises(UserError, match=r"^lut_lanes must be auto where rows are, not 4$"):
        soft_of(4, "auto")
    for lanes in (3, -2, 130, "x", False):
        with pytest.raises(UserError, match=r"^lut_lanes must be auto or an even number from 0 "):
            soft_of(lanes)


def test_broad_columns_are_compared_with_none():
    asked = []

    def lower_with(broad):
        asked.append(broad)
        weights = SimpleNamespace(soft=0)
        return SimpleNamespace(geometry=SimpleNamespace(weights=weights, apart=False))

    assert asked_broad(None, 4, lower_with) == 0
    assert asked == [0]
    assert [asked_broad(None, none, lower_with) for none in (0, None)] == [0, 0]
    assert [asked_broad(own, 4, lower_with) for own in (0, 4)] == [0, 4]
    for wrong in (-1, 5, True):
        with pytest.raises(UserError, match=r"^broad must be a number from 0 to the 4 columns"):
            asked_broad(wrong, 4, lower_with)


def test_products_in_luts_begin_so_many_columns_earlier():
    """Those of 8 bits a cycle or two before those of the first column."""

    def least(half, part):
        packing = Packing(packed={}, shift=16, half_bits=half)
        multiplier = PARTS[part].family.multiplier
        return next(n for n in range(9) if in_time(n, packing, multiplier))

    assert [least(half, PART) for half in (2, 4, 8)] == [0, 0, 1]
    assert [least(half, "lfe5u-25f") for half in (2, 4, 8)] == [0, 1, 2]
    assert [least(half, "ice40up5k") for half in (2, 4, 8)] == [0, 0, 0]
    apart = Packing(packed={}, shift=16, half_bits=8, apart=True)
    alone = Packing(packed={}, shift=16, half_bits=0)
    for packing in (apart, alone):
        assert in_time(0, packing, PARTS[PART].family.multiplier)
        assert longest_single(9, packing, PARTS[PART].family.multiplier) == 0
