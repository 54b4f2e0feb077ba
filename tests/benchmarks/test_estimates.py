"""The scripts that hold estimates against syntheses: what they draw, and what they say of it."""

from pathlib import Path

import pytest

from bitformer.estimate.knowledge import Entry, shipped_entries
from bitformer.estimate.predictor import Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model.initialize import initialize

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder is where they run."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import deployable
    import estimates

    return estimates, deployable


@pytest.fixture(scope="module")
def predictor():
    return Predictor(shipped_entries())


def test_draws_do_not_depend_on_how_many(scripts):
    draw = scripts[0].draw
    few, many = draw(4, 7), draw(30, 7)
    assert [job.config for job in many[:4]] == [job.config for job in few]
    assert len({job.name for job in many}) == 30
    assert sum(job.part == "xc7s6" for job in many) == 7
    assert len({bits for job in many for bits in job.config.precision.values()}) == 6
    assert draw(4, 8)[0].config != few[0].config


def row(estimates, predictor, job, **changes):
    """A row that came out as predicted, but for ``changes``."""
    said = predictor.predict(lower(initialize(job.config), part=job.part))
    taken = {"luts": said.luts.value, "ffs": said.ffs.value, "ramb18": said.ramb18}
    entry = {"key": job.name, "name": job.name, "part": job.part, "lanes": 1, "lutram": 1}
    found = Entry(**entry, **taken | changes, dsps=said.dsps, tool="invented", version="1")
    cycles = {"latency": said.latency, "interval": said.interval, "exact": True}
    return estimates.Row(job=job, said=said, found=found, cycles=cycles)


def test_what_is_too_far_off_is_not_kept(scripts, predictor):
    estimates = scripts[0]
    job = next(job for job in estimates.draw(30, 7) if job.config.d_model <= 16)
    good = row(estimates, predictor, job)
    assert estimates.kept([good])
    assert (good.luts, good.ffs, good.exact, good.within) == (0, 0, True, True)
    assert estimates.kept([good] * 9 + [row(estimates, predictor, job, luts=good.found.luts - 99)])
    assert not estimates.kept(
        [good] * 9 + [row(estimates, predictor, job, luts=good.found.luts * 2)]
    )
    wrong = row(estimates, predictor, job, ramb18=good.found.ramb18 + 1)
    assert not wrong.exact
    assert not estimates.kept([good, wrong])
    text = estimates.markdown({7: [good, wrong], 77: [good]}, shipped_entries())
    assert "2 designs, 2 of them simulated" in text
    assert "cycles are as predicted in 1;" in text
    assert text.count(job.config.name) == 3
    assert text.count("nothing was changed after it") == 1


def test_what_makes_it_fit(scripts, predictor):
    deployable = scripts[1]
    assert deployable.find("grid-6-8-4", "xc7s15", predictor) is None
    case = deployable.find("grid-24-64-8", "xc7s15", predictor)
    assert case.fix == "automatic placement"
    block, luts, auto = case.placed
    assert {use.resource for use in block.over} == {"RAMB18"}
    assert "LUT" in {use.resource for use in luts.over}
    assert not auto.over
