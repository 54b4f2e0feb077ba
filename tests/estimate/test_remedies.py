"""What does not fit, and changes that make it fit."""

import pytest

from bitformer.estimate.remedies import diagnose
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("grid-6-8-8"))


def test_what_fits_needs_no_fix(model):
    found = diagnose(model, part="xc7s15")
    assert not found.now.over
    assert found.fixes == ()
    assert [one.change for one in found.placements] == ["all block", "all distributed", "auto"]


def test_fixes_make_it_fit(model, predictor):
    wanted = {"weights": "block", "dynamic": "block", "activations": "block"}
    told = []
    found = diagnose(
        model,
        part="xc7s6",
        lanes=32,
        placement=wanted,
        predictor=predictor,
        progress=lambda *said: told.append(said),
    )
    assert told[0] == (0, None, "trying all placements left to the solver")
    assert [done for done, _, _ in told] == [*range(len(told))]
    assert {f"trying {fix.change}" for fix in found.fixes} <= {what for *_, what in told}
    assert {use.resource for use in found.now.over} >= {"DSP"}
    assert found.now.shortage > 0
    assert found.fixes
    assert all(not fix.over for fix in found.fixes)
    ranks = [(fix.larger, fix.retrain) for fix in found.fixes]
    assert ranks == sorted(ranks)
