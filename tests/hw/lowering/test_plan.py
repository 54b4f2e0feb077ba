"""What follows from the choices of a design."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from bitformer.hw.lowering import plan as module
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.parts import PARTS
from bitformer.hw.program import Destination
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import GAMMA_BITS
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """As much of a geometry as a plan adds to, or reads of one."""

    ways: int = 2
    dynamic_parts: int = 2
    dynamic_slots: int = 6
    rows: int = 1
    posts: int = 1
    patch: int = 0
    pair_bits: int = 0
    value_pitch: int = 16
    dsps: int = 5
    norm_features: int = 0
    norm_bits: int = 0
    gamma_block: bool = False
    soft_squares: bool = False


def plan_of(model=None, part="xc7s15", destinations=None, **fields):
    fields = {"packing": None, "weights": None, **fields}
    return Plan(model=model, part=PARTS[part], destinations=destinations or {}, **fields)


@pytest.mark.parametrize(
    ("shapes", "pair_bits", "pitch"),
    [
        # half as many words as features, and as parts of so many rows
        ({}, 0, 1),
        ({"k": (1, 2)}, 0, 1),
        ({"k": (3, 3)}, 1, 2),
        ({"k": (4, 4), "v": (5, 4)}, 1, 4),
        ({"k": (9, 5), "v": (2, 17)}, 4, 8),
    ],
)
def test_words_of_keys_and_values_are_told_apart(monkeypatch, shapes, pair_bits, pitch):
    monkeypatch.setattr(module, "patch_of", lambda model: 12)
    tensors = {n: SimpleNamespace(rows=r, features=f) for n, (r, f) in shapes.items()}
    tensors["x"] = SimpleNamespace(rows=99, features=99)
    where = {"k": Destination.KEY, "v": Destination.VALUE}
    plan = plan_of(
        SimpleNamespace(tensors=tensors),
        destinations={n: where.get(n, Destination.ACTIVATION) for n in tensors},
    )
    found = plan._with_lanes(Lanes())
    assert (found.patch, found.pair_bits, found.value_pitch) == (12, pair_bits, pitch)


@pytest.mark.parametrize(
    ("part", "dsps", "features", "gamma"),
    [
        ("ice40up5k", 7, 8, True),
        ("ice40up5k", 8, 8, False),
        ("ice40up5k", 7, 0, False),
        # elsewhere a multiplier makes no two products of short numbers
        ("xc7s15", 7, 8, False),
    ],
)
def test_a_multiplier_that_is_left_serves_a_norm(monkeypatch, part, dsps, features, gamma):
    found = Lanes(dsps=dsps, norm_features=features, norm_bits=8)
    monkeypatch.setattr(module, "geometry_of", lambda model, **_: found)
    plan = plan_of(part=part)
    plan.__dict__["shifts"] = {}
    assert plan.geometry.gamma_block == gamma
    assert PARTS["ice40up5k"].family.multiplier.half_bits == GAMMA_BITS


@pytest.mark.parametrize(
    ("rows", "dsps", "features", "soft"),
    [(2, 21, 8, True), (2, 20, 8, False), (1, 21, 8, False), (2, 21, 32, False), (2, 21, 0, False)],
)
def test_sums_are_squared_in_luts_where_multipliers_are_short(
    monkeypatch, rows, dsps, features, soft
):
    found = Lanes(dsps=dsps, norm_features=features, norm_bits=8 if features else 0)
    monkeypatch.setattr(module, "geometry_of", lambda model, **_: found)
    monkeypatch.setattr(module, "patch_of", lambda model: 1)
    plan = plan_of(SimpleNamespace(tensors={}), rows=rows, posts=rows)
    plan.__dict__["shifts"] = {}
    assert plan.geometry.soft_squares == soft
    assert (plan.geometry.rows, plan.geometry.posts) == (rows, rows)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_lane_has_its_share_of_the_terms(monkeypatch, rows):
    """Of rows of six terms, row n in lane n % rows: as many as the fullest lane has."""
    monkeypatch.setattr(module, "lane_features", lambda model, op: 6)
    monkeypatch.setattr(module, "is_split", lambda model, op: True)
    plan = plan_of(rows=rows)
    for count in range(1, 9):
        op = SimpleNamespace(weight=np.zeros((2, 6 * count)))
        assert plan.lane_length(op) == 6 * len(range(0, count, rows))
        assert plan.is_split(op) == (rows > 1)


@pytest.mark.parametrize(("features", "step"), [(5, 1), (6, 1), (7, 2), (13, 3)])
def test_values_go_on_by_words_of_a_row(features, step):
    plan = plan_of()
    plan.__dict__["geometry"] = Lanes()
    values = SimpleNamespace(features=features)
    assert plan.values_of(values) == {"weight_step": step, "weight_group": 1}
    plan.__dict__["geometry"] = Lanes(rows=4)
    assert plan.values_of(values) == {"weight_step": 1, "weight_group": 32}


def test_columns_and_shifts_of_an_operation():
    kind = WeightFormat(pair=True, field=8)
    weights = WeightLayout(bits=48, columns=6, formats={"y": kind}, half_bits=4, even=False, soft=2)
    packing = SimpleNamespace(packed={"y": True, "pool": False})
    plan = plan_of(weights=weights, packing=packing)
    plan.__dict__["shifts"] = {"y": 9, "pool": 2}
    own, pool = SimpleNamespace(y="y", shift=7), SimpleNamespace(y="pool", shift=4)
    assert (plan.columns_of(own), plan.columns_of(pool)) == (4, 4)
    assert (plan.per_column(own), plan.per_column(pool)) == (2, 1)
    assert (plan.power(own), plan.power(pool)) == (2, -2)
    own.multipliers, pool.multipliers = [3, 5], [4, 8]
    assert plan.multipliers(own).tolist() == [12, 20]
    assert plan.multipliers(pool).tolist() == [1, 2]


def test_channels_are_each_there_once():
    operations = [SimpleNamespace(adds_channels=own) for own in ((), (3, 1), (1,))]
    assert plan_of(SimpleNamespace(operations=operations)).last_channels == (1, 3)


def test_parameters_are_at_the_hardwares_shift():
    def step(y, values, factors, fixed=True):
        factors = np.array(factors)
        return SimpleNamespace(
            y=y,
            matrix=True,
            shift=5,
            parameters=None if values is None else (np.array(values), factors),
            multipliers=factors if fixed else None,
        )

    operations = [step("y", [1, 2], [4, 8]), step("n", [3, 4], [5, 6], False), step("z", None, [1])]
    plan = plan_of(SimpleNamespace(operations=operations))
    plan.__dict__["shifts"] = {"y": 7, "n": 9, "z": 5}
    found = {name: table.tolist() for name, table in plan.parameters.items()}
    # what a row's statistics multiply is not scaled
    assert found == {"y": [[1, 16], [2, 32]], "n": [[3, 5], [4, 6]]}
    same = step("s", [0, 0], [4, 4])
    assert plan.is_uniform(same)
    assert not plan_of(immediate=False).is_uniform(same)


def test_a_norm_of_an_ice40_takes_the_multiplier_that_is_left():
    model = initialize(named_config("tiny").replace(norm="layer"), samples=8)
    found = lower(model, part="ice40up5k", lanes=2).geometry
    assert found.gamma_block
    assert found.dsps <= PARTS["ice40up5k"].dsps
