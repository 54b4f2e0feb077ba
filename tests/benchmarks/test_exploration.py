"""The page of searches: who was beaten at what cost, which score was better, misses said."""

from pathlib import Path

import pytest

from bitformer.study.workers import WorkerPool

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import exploration_page

    return exploration_page


def design(name, val, **more):
    figures = dict.fromkeys(("luts", "ramb18", "dsps", "latency"), 7) | {"energy_j": 2e-6}
    proof = {"error": None, "bit_exact": True, "cycles_as_predicted": True}
    return {
        "name": f"m-{name}",
        "engine": {"lanes": None, "pack": True},
        "trial": f"trial-{name}",
        "val": val,
        "predicted": figures,
        "came_out": figures,
        "synthesized": False,
        "proof": proof,
        **more,
    }


def search(vals, *, beats=(), fits=True):
    """A result whose first candidates beat uniform 4, by ``beats``."""
    candidates = [
        design(
            f"c{n}",
            val,
            rank=n + 1,
            sound=fits,
            beats=["uniform 4"] if n in beats else [],
            beats_in_time_and_energy=["uniform 4", "uniform 8"],
        )
        for n, val in enumerate(vals)
    ]
    won = {"rank": 1, "val": vals[0], "test": 0.5, "float_test": 0.4}
    return {
        "question": {"config": {"name": "m"}, "top": len(vals), "limits": {"part": "xc7s15"}},
        "candidates": candidates,
        "baselines": [design("u4", 0.2, why="uniform 4"), design("u8", 0.1, why="uniform 8")],
        "chosen": won if fits else None,
    }


RESULTS = {
    ("open", "xc7s15", 0): search([0.11, 0.12], beats=(1,)),
    ("narrow", "xc7s15", 0): search([0.13, 0.14], beats=(0,)),
    ("fast-loss", "xc7s15", 0): search([0.11, 0.15]),
    ("fast-bits", "xc7s15", 0): search([0.12, 0.13]),
    ("fast-loss", "xc7s15", 1): search([0.11, 0.15]),
    ("fast-bits", "xc7s15", 1): search([0.10, 0.11]),
}


def costs(luts):
    return {"luts": luts, "lutram": 1, "ramb18": 7, "dsps": 1, "latency": 7}


def test_the_best_of_all_searches_beats_and_a_miss_is_a_miss(page):
    lines = list(page.beaten_table(RESULTS, "beats", {}))
    won = "| xc7s15 | uniform 4 | 0 | 0.20000 | -40.0% | 0.12000 |"
    assert f"{won} 7 → 7, pred. | 7 → 7 | 7 → 7 | `c1`, open |" in lines
    assert "| xc7s15 | uniform 8 | 0 | 0.10000 | **none** | – | – | – | – | – |" in lines
    assert page.verdict(RESULTS, "beats", {}) == (
        "Beaten in 1 of 4 cases; not: uniform 8 on xc7s15, seed 0;"
        " uniform 4 on xc7s15, seed 1; uniform 8 on xc7s15, seed 1."
    )
    only = {key: one for key, one in RESULTS.items() if key[2] == 0}
    assert page.verdict(only, "beats_in_time_and_energy", {}) == (
        "Beaten in 1 of 2 cases; not: uniform 8 on xc7s15, seed 0."  # of a smaller error
    )


def test_what_was_measured_counts(page):
    only = {key: one for key, one in RESULTS.items() if key[2] == 0}
    measured = {"trial-u4 xc7s15": costs(9), "trial-c1 xc7s15": costs(10)}
    lines = list(page.beaten_table(only, "beats", measured))
    # c1 takes more, so that the other search's c0, which is only predicted, is the best
    assert "0.13000 | 7 → 7, pred. | 7 → 7 | 7 → 7 | `c0`, narrow |" in lines[2]
    measured["trial-c0 xc7s15"] = costs(8)
    lines = list(page.beaten_table(only, "beats", measured))
    assert "-45.0% | 0.11000 | 9 → 8 | 7 → 7 | 7 → 7 | `c0`, open |" in lines[2]
    measured["trial-c0 xc7s15"] = costs(10)
    assert page.verdict(only, "beats", measured).startswith("Beaten in 0 of 2 cases")


def test_only_what_a_claim_rests_on_is_measured(page, monkeypatch, tmp_path):
    import exploration_measure

    asked = []

    def taken(model, part, engine):
        asked.append((Path(model).name, part))
        return costs({"trial-u4": 9, "trial-c1": 10}.get(Path(model).stem, 8))

    monkeypatch.setattr(exploration_measure, "_taken", taken)
    only = {key: one for key, one in RESULTS.items() if key[2] == 0}
    measured = exploration_measure.measure(only, tmp_path, WorkerPool())
    names = [name.removesuffix(".safetensors") for name, _ in asked]
    assert names == ["trial-u4", "trial-c1", "trial-c0"]  # c1 turns out to cost more
    assert page.best({"n": RESULTS["narrow", "xc7s15", 0]}, "uniform 4", "beats", measured)
    assert exploration_measure.measure(only, tmp_path, None) == measured  # from the file


def test_scores_are_compared_over_seeds(page):
    lines = list(page.score_table(RESULTS))
    assert lines[2:] == [
        "| xc7s15 | 0 | 2, 2 | 0.11000 | 0.12000 | -8.33% |",
        "| xc7s15 | 1 | 2, 2 | 0.11000 | 0.10000 | +10.00% |",
    ]
    assert page.score_verdict(RESULTS) == (
        "On xc7s15 the predicted loss is better for 1 of 2 seeds (0 equal),"
        " its mean no lower: 0.11000 against 0.11000."
    )


def test_the_page(page):
    space = {"combinations": 59049, "seconds": 9.0, "both_seconds": 9.5, "megabytes": 200.0}
    lost = {("fast-bits", "xc7s15", 1): search([0.10, 0.11], fits=False)}
    text = page.markdown({**RESULTS, **lost}, space, "*open* (all)", "m", "g", {})
    assert "| fast-bits | xc7s15 | 1 | **nothing fits** |" in text
    assert "24 simulations of trained candidates and baselines: 24 equal bit for bit" in text
    assert "10 of 12 candidates fit" in text
    assert text.count("test MSE") == 1


def over_seeds(seeds, bits, val, *, uniform=None, part="xc7s15", **costs):
    figures = {"luts": 100, "lutram": 10, "ramb18": 5, "dsps": 9, "latency": 50, "energy_j": 1e-6}
    return seeds.Design(
        bits=bits, engine="", part=part, uniform=uniform, val=val, costs=figures | costs
    )


def test_means_over_seeds_decide(page):
    import exploration_seeds as seeds

    uniform = over_seeds(seeds, "444", 0.2, uniform="uniform 4")
    fast = over_seeds(seeds, "468", 0.1, luts=101, latency=40)
    small = over_seeds(seeds, "446", 0.15)
    worse = over_seeds(seeds, "447", 0.2, luts=1)
    large = over_seeds(seeds, "888", 0.01, ramb18=21, latency=1)
    elsewhere = over_seeds(seeds, "448", 0.01, part="xc7s6")
    designs = [uniform, fast, small, worse, large, elsewhere]
    assert list(seeds.winners(designs, seeds.COSTS)) == [(uniform, small)]
    assert list(seeds.winners(designs, ("latency", "energy_j"))) == [(uniform, fast)]
    assert list(seeds.winners([uniform, worse], seeds.COSTS)) == [(uniform, None)]
    text = "\n".join(seeds.seeds_section(designs))
    row = "| xc7s15 | uniform 4 | 0.20000 | `446` | 0.15000 (-25.0%) | 100 → 100 |"
    assert row in text
    assert text.count("beaten in 1 of 1 cases") == 2
