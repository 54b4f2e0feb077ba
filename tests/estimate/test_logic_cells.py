"""Logic cells of a family where LUTs and flip-flops share them: from designs that ship."""

from dataclasses import replace

import pytest

from bitformer.estimate.features import quantities
from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.logic_cells import CELLS
from bitformer.estimate.predictor import LEAST, Predictor, luts_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize

PART = PARTS["ice40up5k"]


@pytest.fixture(scope="module")
def base():
    return [one for one in shipped_entries() if one.part == PART.name and one.kind == "design"]


@pytest.fixture(scope="module")
def predictor(base):
    return Predictor(base, family=PART.family)


def test_the_designs_that_ship_are_of_all_kinds(base):
    assert len(base) >= LEAST
    seen = {name: {one.shape[name] for one in base} for name in ("d_model", "horizon", "window")}
    assert {8, 16, 24, 32} <= seen["d_model"]
    assert {1, 12, 24} <= seen["horizon"]
    assert {6, 12, 24, 48, 96} <= seen["window"]
    weights = {bits.partition("/")[0] for one in base for bits in one.widths.values()}
    assert {"1", "2", "3", "4", "6", "8"} <= weights
    assert len({one.lanes for one in base}) >= 4
    for quantity in ("soft", "wide", "layer_norm", "score_rows"):
        assert {bool(one.features[quantity]) for one in base} == {False, True}


def test_designs_left_out_lie_in_their_intervals(base, predictor):
    """Each is predicted by a fit without it; of 20 designs one may lie outside."""
    assert predictor.spread["luts"] < 0.06
    assert predictor.spread["ffs"] < 0.06
    inside = 0
    for entry in base:
        others = Predictor([one for one in base if one is not entry], family=PART.family)
        value = int(others.counts(entry.features)["luts"])
        found = predictor.interval("luts", value)
        inside += found.low <= luts_of(entry) <= found.high
    assert len(base) - 2 <= inside


def test_a_cell_is_no_lut(base, predictor):
    """Where they were not counted, a design of such a family says nothing of them."""
    for entry in base:
        assert entry.luts < luts_of(entry) < entry.luts + entry.ffs
    uncounted = [
        replace(one, features={n: v for n, v in one.features.items() if n != CELLS}) for one in base
    ]
    with pytest.raises(UserError, match="not 0"):
        Predictor(uncounted, family=PART.family)
    design = lower(initialize(named_config("etth1-96-24-w2a8")), part=PART.name)
    own = next(one for one in base if one.name == "etth1-96-24-w2a8")
    said = predictor.predict(design, digest=lambda _: own.key)
    assert (said.measured, said.luts.value) == (True, own.features[CELLS])


def test_other_families_have_no_such_quantities():
    model = initialize(named_config("tiny"))
    own, other = (quantities(lower(model, part=part)) for part in (PART.name, "xc7s15"))
    assert "halves" in own
    assert "halves" not in other
