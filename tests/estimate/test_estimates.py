"""Estimates from the base that ships, held against real syntheses that are not in it."""

from collections import Counter
from itertools import islice

import pytest

from bitformer.estimate.clock import PREDICTED, reached
from bitformer.estimate.features import VERSION
from bitformer.estimate.jobs import Job
from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.predictor import LEAST, Predictor
from bitformer.estimate.profile import mixed
from bitformer.estimate.shapes import FAMILIES, drawn
from bitformer.hw.parts import PARTS
from bitformer.model.precision import Precision
from bitformer.synth.synthesize import synthesize

BITS = [Precision.parse(one) for one in ("2/4", "2/8", "4", "4/8", "6", "8")]
#: Small ones: each takes Yosys some twenty seconds.
DRAWN = [
    *(Job(config=one) for one in mixed(2, seed=5, windows=[12, 18], widths=[8, 16], bits=BITS)),
    *islice(drawn(5, ("mlp", "decoder", "columns")), 3),
]


@pytest.fixture(scope="module")
def predictor():
    return Predictor(shipped_entries())


def test_the_base_that_ships_is_of_this_version():
    entries = shipped_entries()
    designs = [entry for entry in entries if entry.kind == "design"]
    assert {entry.features["version"] for entry in designs} == {VERSION}
    assert len({entry.key for entry in entries}) == len(entries)
    usual = PARTS["xc7s15"].family
    own = [entry for entry in designs if PARTS[entry.part].family is usual]
    assert len(own) >= 80
    assert {entry.part for entry in own} >= {"xc7s6", "xc7s15", "xc7s25", "xc7s50"}
    assert all(entry.ramb18 == entry.features["ramb18"] for entry in own)
    of_family = Counter(entry.details["family"] for entry in own)
    assert set(of_family) == set(FAMILIES)
    assert min(of_family.values()) >= 4
    # an open part's, whose clocks were measured, too
    assert sum(entry.part == "lfe5u-25f" for entry in designs) >= LEAST
    found = reached(entries, "lfe5u-25f")
    assert (found.by, 120 < found.low < found.mhz < found.high < 160) == (PREDICTED, True)
    routed = [entry for entry in entries if entry.kind == "routed"]
    assert len(routed) >= 9
    assert all(entry.details["worst_path"] and entry.features["seeds"] == 3 for entry in routed)


def test_families_left_out_of_the_fit_are_predicted(predictor):
    """Each family by designs of the others alone: intervals are made of these errors."""
    assert predictor.spread["luts"] < 0.036
    assert predictor.spread["ffs"] < 0.036
    assert predictor.margins["luts"] < 0.1
    assert predictor.margins["ffs"] < 0.1


def test_multipliers_of_every_family_are_known(predictor):
    """By the lowered design alone: two for statistics, one for a wide multiplicand, none too many.

    What they were measured to be is in the base; here they are counted anew for one of each.
    """
    taken = {entry.name: entry for entry in predictor.entries}
    jobs = islice(drawn(1), len(FAMILIES))
    for job in jobs:
        entry, design = taken[job.config.name], job.lowered()
        assert (design.geometry.dsps, design.part) == (entry.dsps, entry.part)


@pytest.mark.slow
@pytest.mark.needs("yosys")
def test_random_designs(predictor):
    """LUTs and flip-flops within 10 %, 5 % on average; block RAMs and DSP blocks exact."""
    known = {entry.key for entry in shipped_entries()}
    errors = []
    for job in DRAWN:
        design = job.lowered()
        said, found = predictor.predict(design), synthesize(design)
        assert found.digest not in known
        taken = found.resources
        assert (said.ramb18, said.dsps) == (taken.ramb18, taken.dsps)
        errors.append((abs(said.luts.value / taken.luts - 1), abs(said.ffs.value / taken.ffs - 1)))
    for one in zip(*errors, strict=True):
        assert max(one) <= 0.10
        assert sum(one) / len(one) <= 0.05
