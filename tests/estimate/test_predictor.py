"""Predictions: right on what they were fitted on and on new designs, exact where they must be."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from measurement_harness import drawn, invented

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import LEAST, Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize


def test_new_designs_are_predicted(predictor):
    for number, design in enumerate(drawn(4, 99)):
        truth, said = invented(design, key=str(number)), predictor.predict(design)
        for name in ("luts", "lutram", "ffs"):
            found = getattr(said, name)
            assert abs(found.value / getattr(truth, name) - 1) < 0.03
            assert found.low <= found.value <= found.high
        assert (said.ramb18, said.dsps) == (truth.ramb18, design.geometry.dsps)
        assert (said.latency, said.interval) == (design.latency, design.interval)
        assert not said.measured


def test_a_measured_design_is_taken_as_it_was(designs, entries, predictor):
    known = {id(design): entry for design, entry in zip(designs, entries, strict=True)}
    said = predictor.predict(designs[3], digest=lambda design: known[id(design)].key)
    assert said.measured
    assert said.luts.value == said.luts.low == said.luts.high == entries[3].luts
    assert not predictor.predict(designs[3], digest=lambda _design: "another").measured


def test_a_worker_process_predicts_the_same(designs, predictor):
    sent = pickle.loads(pickle.dumps(predictor))
    assert sent.predict(designs[3]) == predictor.predict(designs[3])


def test_noise_widens_the_interval(designs):
    noisy = [
        invented(design, key=f"k{n}", noise=0.1 if n % 2 else -0.1)
        for n, design in enumerate(designs)
    ]
    calm = [invented(design, key=f"k{n}") for n, design in enumerate(designs)]
    assert Predictor(noisy).spread["luts"] > 5 * Predictor(calm).spread["luts"]


@pytest.fixture(scope="module")
def normalizing():
    """Designs with a LayerNorm, which others have not."""
    changes = [{"d_model": d, "heads": 1, "name": f"t{d}"} for d in (4, 8, 12, 16)]
    return [lower(initialize(named_config("tiny").replace(**one))) for one in changes]


def test_margins_are_errors_by_other_families(designs, normalizing):
    """What only one family has is not known to a fit without it; one by one it would be."""
    known = [invented(design, key=f"k{n}") for n, design in enumerate(designs)]
    others = [invented(design, key=f"n{n}") for n, design in enumerate(normalizing)]
    dear = [replace(one, luts=one.luts + 600) for one in others]
    alone = [replace(one, details={"family": "a" if one in known else "b"}) for one in known + dear]
    together, apart = Predictor(known + dear), Predictor(alone)
    assert together.margins["luts"] < apart.margins["luts"]
    assert apart.margins["luts"] > 0.1
    # the estimates are those of all designs
    said = [one.predict(normalizing[1]).luts.value for one in (together, apart)]
    assert said[0] == said[1]


def test_designs_of_one_family_are_left_out_one_at_a_time(entries):
    """Of a base that has no other: a fit says too little of what it was fitted on."""
    together = [replace(one, details={"family": "grid"}) for one in entries]
    assert Predictor(together).margins == Predictor(entries).margins
    assert Predictor(together).spread["luts"] > 0


def test_designs_of_several_rows_have_intervals_of_their_own(designs):
    """As much wider as they are further off; others' stay as they are."""
    config = named_config("grid-12-8-4")
    rows = [
        lower(initialize(config.replace(name=f"r{n}", horizon=1 + n)), part="xc7s50", rows=2)
        for n in range(8)
    ]

    def measured(all_of, noise, name):
        signs = (1, -1)
        return [
            invented(one, key=f"{name}{n}", noise=noise * signs[n % 2])
            for n, one in enumerate(all_of)
        ]

    known = measured(designs, 0.02, "k")
    few, found = (Predictor(known + measured(rows[:n], 0.1, "r")) for n in (2, 8))
    assert few.wider["luts"] == 1
    assert 2 < found.wider["luts"] < 12
    single, several = (found.interval("luts", 5000, rows=n) for n in (1, 2))
    assert several.high - several.value > 2 * (single.high - single.value)
    said = found.predict(rows[0]).luts
    assert said == found.interval("luts", said.value, rows=2)


def test_the_margin_of_few_is_their_largest_error(designs):
    """A new design is one more than these: of a few, nobody is sure of 95 of 100."""
    some = [invented(one, key=f"k{n}", noise=0.02 * (n % 5)) for n, one in enumerate(designs)]
    few, many = Predictor(some[:LEAST]), Predictor(some)
    for one in (few, many):
        taken = np.array([(e.luts, e.lutram, e.ffs) for e in one.entries])
        errors = np.abs(one._errors(taken, 0 * taken)["luts"])
        inside = (errors <= one.margins["luts"]).mean()
        assert inside == 1 if one is few else 0.95 <= inside <= 1


def test_what_was_not_measured_is_told(designs, predictor, normalizing):
    assert predictor.predict(designs[0]).outside == ()
    found = predictor.predict(normalizing[3]).outside
    assert "LayerNorm" in found
    assert "attention" not in found
    several = lower(initialize(named_config("grid-12-8-4")), part="xc7s50", rows=2, lanes=32)
    assert "2 token rows (measured: 1 to 1)" in predictor.predict(several).outside


def test_too_few_measurements(entries):
    with pytest.raises(UserError, match=f"at least {LEAST} measured .*, not {LEAST - 1}"):
        Predictor([*entries[: LEAST - 1], entries[0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"luts": 0}, "entry 'k3' has 0 as its 'luts'$"),
        ({"features": {"columns": -4}}, "entry 'k3' has -4 as its 'columns'$"),
        ({"features": {"value_bits": 1e300}}, "entry 'k3' has 1e.300 as its 'value_bits'$"),
        ({"features": {"columns": None}}, "entry 'k3' has no 'columns' among its features$"),
    ],
)
def test_an_entry_that_is_no_design_is_named(entries, change, message):
    odd = next(entry for entry in entries if entry.key == "k3")
    kept = {**odd.features, **change.get("features", {})}
    kept = {name: value for name, value in kept.items() if value is not None}
    others = [entry for entry in entries if entry is not odd]
    with pytest.raises(UserError, match=message):
        Predictor([*others, replace(odd, **{**change, "features": kept})])


def test_no_memory_in_luts_is_predicted_where_a_family_has_none():
    """Nor is its share divided by the none of a part."""
    part = PARTS["ice40up5k"]
    predictor = Predictor(shipped_entries(), family=part.family)
    found = predictor.predict(lower(initialize(named_config("tiny")), part=part.name))
    assert (found.lutram.value, found.lutram.high) == (0, 0)
    assert found.luts.value > 0
    assert "LUT as memory" not in [use.resource for use in found.uses]
