"""The page of searches: which found less error within the limits, who was beaten, misses said."""

from pathlib import Path

import pytest

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import Predictor
from bitformer.model.config import named_config
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision
from bitformer.search.limits import Limits
from bitformer.search.request import SearchRequest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import exploration_page

    return exploration_page


def model(name, val, **more):
    names = ("luts", "lutram", "ffs", "ramb18", "dsps", "latency")
    return {"name": f"m-{name}", "val": val, "costs": dict.fromkeys(names, 7) | more}


def cell(seed, *, bits=0.12, loss_luts=7, proofs=()):
    return {
        "set": "S",
        "seed": seed,
        "trained": 2,
        "limits": {"cycles": 10.0, "luts": 9},
        "uniform": {
            "4": model("44", 0.20),
            "6": model("66", 0.15, luts=6),
            "8": model("88", 0.10),
        },
        "searches": {
            "loss": [model("48", 0.11, luts=loss_luts), model("46", 0.14)],
            "two": [model("64", 0.13)],
            "schemes": [model("4pa8.4", 0.12)],
            "bits": [model("84", bits)],
            "nsga": [model("86", 0.16), model("68", 0.01, latency=11)],
        },
        "proofs": list(proofs),
    }


def test_only_what_is_within_the_limits_by_its_own_design_counts(page):
    one = cell(0)
    assert page.fits(one, model("a", 0.1, luts=9, latency=10))
    for name, most in {"luts": 9, "latency": 10, "ramb18": 20, "dsps": 20}.items():
        assert page.fits(one, model("a", 0.1, **{name: most}))
        assert not page.fits(one, model("a", 0.1, **{name: most + 1})), name
    assert page.best(one, "nsga") == 0.16  # the one of less error is too slow
    assert page.won(one, "nsga")["name"] == "m-86"
    assert page.best(cell(0, loss_luts=10), "loss") == 0.14


def test_searches_are_compared_over_sets_and_seeds(page):
    cells = [cell(0), cell(1, bits=0.11), cell(2, bits=0.10)]
    said = page.duel(cells, "loss", "bits")
    assert "in 1 of 3 cases, equal in 1, its error +0.56% in the mean of 3." in said
    lost = cell(0)
    lost["searches"]["loss"] = [model("48", 0.11, luts=10)]
    assert page.won(lost, "loss") is None
    assert page.duel([lost], "loss", "bits").endswith("in 0 of 1 cases.")
    assert page.duel([lost], "bits", "loss").endswith("in 1 of 1 cases.")
    text = page.markdown([lost], 9)
    assert "| S | 0 | 0.13000 | none within | – | – |" in text
    assert "| S | 0 | none within | 0.12000 | – | `4pa8.4` |" in text


def test_beaten_is_who_has_no_smaller_cost_and_a_larger_error(page):
    one = cell(0)
    assert page.beaten(one, "4")["name"] == "m-48"
    assert page.beaten(one, "6") is None  # all take more LUTs
    assert page.beaten(one, "8") is None  # of a smaller error
    for name in ("luts", "lutram", "ramb18", "dsps", "latency"):
        dear = cell(0)
        dear["searches"]["loss"][0]["costs"][name] = 8
        assert page.beaten(dear, "4")["name"] == "m-4pa8.4", name
    text = page.markdown([one, cell(1)], 9)
    assert "2 of 9 pairs of a set and a seed are measured: seeds 0, 1." in text
    assert "each search trains 2 models with rounding" in text
    assert "Beaten is uniform 4 in 2 of 2 cases, uniform 6 in 0 of 2 cases" in text
    assert "| S | 4 | 0.20000 | 2 of 2 | -45.00% | `48` | 7 → 7 | 7 → 7 |" in text
    assert "| S | 8 | 0.10000 | 0 of 2 | – | – | – | – |" in text


def test_estimates_are_held_against_synthesis(page):
    taken = model("44", 0.2)["costs"]
    proof = {"name": "m-44", "predicted": taken, "exact": True, "on_time": True}
    found = [
        {**proof, "synthesized": {**taken, "luts": 8}},
        {**proof, "synthesized": {**taken, "dsps": 8}, "on_time": False},
    ]
    text = page.markdown([cell(0, proofs=found)], 9)
    assert "LUT 6.2% off in the mean, 12.5% at most; FF 0.0% off" in text
    assert "DSP blocks equal in 1. 1 are bit-exact in simulation" in text
    assert "| S | `44` | 7, 8 (-12.5%) | 7, 7 (+0.0%) | 7, 7 | 7, 7 |" in text
    assert "Not measured." in page.markdown([cell(0)], 9)


def test_nsga_trains_as_many_as_it_is_told_and_none_over_a_limit(page, monkeypatch):
    import exploration_nsga

    predictor = Predictor(shipped_entries())
    bits = tuple(map(Precision.parse, ("4", "8")))
    config = named_config("tiny")
    asked = SearchRequest(
        config=config, source=DataSource(data="etth1"), limits=Limits(), bits=bits, top=3
    )
    seen = []

    def error_of(config):
        seen.append(config.name)
        return float(len(seen))

    found = exploration_nsga.evolved(asked, predictor, error_of)
    assert [one.name for one in found] == seen
    assert len(set(seen)) == 3
    again = exploration_nsga.evolved(asked, predictor, lambda config: 1.0)
    assert [one.name for one in again] == seen  # the same seed draws the same
    monkeypatch.setattr(exploration_nsga, "DRAWN", 20)
    tight = SearchRequest(
        config=config, source=asked.source, limits=Limits(luts=1), bits=bits, top=3
    )
    with pytest.raises(UserError, match="NSGA-II drew 20 designs; 0 are within the limits"):
        exploration_nsga.evolved(tight, predictor, error_of)
    assert len(seen) == 3
