"""What does not fit, and changes that make it fit."""

import pytest

from bitformer.estimate.remedies import _narrower as narrower
from bitformer.estimate.remedies import diagnose, remedies
from bitformer.hw.memory import StoreSpec
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("grid-6-8-8"))


def test_what_fits_needs_no_fix(model):
    found = diagnose(model, part="xc7s15")
    assert not found.now.figures.over
    assert found.fixes == ()
    assert [one.change for one in found.placements] == [
        "all block",
        "all distributed",
        "auto",
        "auto, results one by one",
    ]


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
    assert {use.resource for use in found.now.figures.over} >= {"DSP"}
    assert found.fixes
    assert all(not fix.figures.over for fix in found.fixes)
    ranks = [(fix.larger, fix.retrain) for fix in found.fixes]
    assert ranks == sorted(ranks)


def test_other_placements_and_narrower_components_are_tried(model, predictor):
    """Beside what is tried of a design whose LUTs nobody predicts."""
    wanted = {"weights": "block", "dynamic": "block", "activations": "block"}
    tried: dict[bool, list[str]] = {True: [], False: []}

    def told(thorough):
        return lambda _done, _total, what: tried[thorough].append(what.removeprefix("trying "))

    asked = {"part": "xc7s6", "lanes": 32, "placement": wanted}
    diagnose(model, **asked, predictor=predictor, progress=told(True))
    remedies(model, **asked, progress=told(False))
    solved = ["all placements left to the solver", "results one by one"]
    common = [*solved, "no packing", "16 lanes", "8 lanes"]
    assert [one for one in tried[True] if one in tried[False]][:5] == common
    assert [one for one in tried[False] if one not in tried[True]] == [
        f"the placement of {store} left to the solver" for store in wanted
    ]
    more = set(tried[True]) - set(tried[False])
    assert {"weights in distributed", "MHA in 6/6 bits", "FFN in 4/4 bits"} <= more
    assert {"layers.0.hidden in distributed", "layers.0.k in distributed"} <= more
    assert "layers.0.hidden in block" not in more


def test_results_one_by_one_are_proposed_with_where_they_lie():
    """Beside a memory that leaves too few LUTs for a store of all results."""
    model = initialize(named_config("grid-24-64-8"), samples=4)
    other = StoreSpec(name="shell", depth=4096, width=9, placement="distributed")
    told = []
    found = remedies(
        model,
        part="xc7s15",
        most=99,
        beside=[other],
        progress=lambda _done, _total, what: told.append(what),
    )
    (change,) = [one.change for one in found if one.change.startswith("results one by one: ")]
    assert "; layers.0.q in distributed" in change
    assert change.endswith(("in distributed", "in block"))
    assert "trying results one by one" in told
    asked = {"placement": {"results": "auto"}, "part": "xc7s15", "beside": [other]}
    assert all("one by one" not in one.change for one in remedies(model, **asked, most=99))


def test_remedies_are_the_fastest_first_and_one_larger_part(model):
    found = remedies(model, part="xc7s6", lanes=64, most=99)
    assert all(not one.figures.over for one in found)
    here = [one for one in found if not one.larger]
    assert [one.figures.latency for one in here] == sorted(one.figures.latency for one in here)
    assert {one.figures.part for one in here} == {"xc7s6"}
    assert [one.change for one in found if one.larger] == [found[-1].change]
    assert str(found[0]).startswith(f"{found[0].change}: {found[0].figures.latency} cycles, ")
    assert found[:2] == remedies(model, part="xc7s6", lanes=64, most=2)
    assert remedies(model, part="xc7s15") == []


def test_errors_that_narrower_bits_add(model):
    eight, six = (Precision(weights=bits, activations=bits) for bits in (8, 6))
    sensitivity = {"MHA": {eight: 0.01, six: 0.04}, "FFN": {six: 0.5}}
    errors = {one.name: one.error for one in narrower(model, sensitivity)}
    assert errors["MHA in 6/6 bits"] == pytest.approx(0.03)
    assert errors["MHA in 4/4 bits"] is None  # not measured
    assert errors["FFN in 6/6 bits"] is None  # nor at its own bits


@pytest.mark.parametrize(
    ("bits", "known", "name", "error"),
    [
        ("8p/8", {"8p": 0.1, "6p": 0.3, "8": 0.0, "6": 9.0}, "FFN in 6p/6 bits", 0.2),
        ("8/8", {"8p": 0.1, "6p": 0.3, "8": 0.0, "6": 9.0}, "FFN in 6/6 bits", 9.0),
        # of 5 bits there are activations alone
        ("4/5", {"4": 0.1}, "FFN in 4/4 bits", None),
    ],
)
def test_narrower_weights_keep_their_scheme(bits, known, name, error):
    config = named_config("tiny").replace(default=Precision.parse(bits))
    sensitivity = {"FFN": {Precision.parse(one): value for one, value in known.items()}}
    changes = {one.name: one for one in narrower(initialize(config), sensitivity)}
    found = changes[name]
    assert found.error == (None if error is None else pytest.approx(error))
    assert found.model is not None
    assert found.model.config.bits("FFN").scheme == config.default.scheme
