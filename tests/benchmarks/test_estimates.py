"""The scripts that hold estimates against syntheses: what they draw, and what they say of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from bitformer.estimate.knowledge import Entry, KnowledgeBase, shipped_entries
from bitformer.estimate.measure import entries_of
from bitformer.estimate.predictor import Predictor
from bitformer.study.workers import WorkerPool

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


def row(estimates, predictor, job, **changes):
    """A row that came out as predicted, but for ``changes``."""
    said = predictor.predict(job.lowered())
    taken = {"luts": said.luts.value, "ffs": said.ffs.value, "ramb18": said.ramb18}
    entry = {"key": job.name, "name": job.name, "part": job.part, "lanes": 1, "lutram": 1}
    found = Entry(**entry, **taken | changes, dsps=said.dsps, tool="invented", version="1")
    return estimates.Row(job=job, said=said, found=found)


def test_what_is_too_far_off_is_not_kept(scripts, predictor, monkeypatch):
    estimates = scripts[0]
    monkeypatch.setattr(estimates, "HALF", 1)
    job = estimates.draw(1, 7)[0]
    good = row(estimates, predictor, job)
    assert estimates.kept([good])
    assert (good.luts, good.ffs, good.exact) == (0, 0, True)
    assert good.within("luts")
    far = row(estimates, predictor, job, luts=good.found.luts * 5 // 4)
    # one of twenty lies outside, one of ten is too many
    assert not far.within("luts")
    assert far.within("ffs")
    assert estimates.kept([good] * 19 + [far])
    assert not estimates.kept([good] * 9 + [far])
    wrong = row(estimates, predictor, job, ramb18=good.found.ramb18 + 1)
    assert not wrong.exact
    assert not estimates.kept([good, wrong])
    assert estimates.half_width([good], "luts") == pytest.approx(
        predictor.margins["luts"], rel=0.05
    )
    monkeypatch.setattr(estimates, "HALF", 0.01)
    assert not estimates.kept([good])


def test_the_page(scripts, predictor):
    estimates = scripts[0]
    job = estimates.draw(1, 7)[0]
    good = row(estimates, predictor, job)
    far = row(estimates, predictor, job, luts=good.found.luts * 5 // 4, ramb18=0)
    text = estimates.markdown({7: [good, far]}, shipped_entries(), predictor)
    assert "2 designs. Error: LUT 10.0% mean, 20.0% worst; FF 0.0% mean, 0.0% worst." in text
    assert "LUTs lie within their interval in 1 (50%), flip-flops in 2 (100%)" in text
    assert "RAMB18 and DSP blocks are as predicted in 1." in text
    assert text.count("| not LUT |") == 1
    (line,) = (one for one in text.splitlines() if one.startswith("| decoder |"))
    assert line.split(" | ")[2:5] == ["2", "1", "2"]


def test_what_was_measured_is_not_measured_again(scripts, predictor, tmp_path, monkeypatch):
    """A design of the same name that is another one now is."""
    estimates = scripts[0]
    (job,) = estimates.draw(1, 7)
    asked = []

    class Pool(WorkerPool):
        def run(self, _function, tasks):
            for name, (described,) in tasks.items():
                asked.append(name)
                yield name, measured(estimates.Job.of(described)).to_dict()

    def measured(one):
        from bitformer.synth.depth import Depth
        from bitformer.synth.resources import Resources
        from bitformer.synth.synthesize import Synthesis

        taken = Synthesis(
            part=None,
            digest=f"k{len(asked)}",
            tool="yosys 9",
            seconds=1.0,
            cells={},
            resources=Resources(luts_as_logic=2000, ffs=2000),
            depth=Depth(levels=5, chains=1, paths=()),
            fanouts=(),
        )
        return entries_of(one.lowered(), taken, family=one.family)[0]

    def rows(one):
        return estimates.measure([one], tmp_path, Pool(), predictor, lambda *_: None)

    assert [found.found.luts for found in rows(job) + rows(job)] == [2000, 2000]
    assert asked == [job.name]
    assert len(KnowledgeBase(tmp_path / "synthesis.sqlite")) == 1
    other = replace(job, config=job.config.replace(output_bits=job.config.output_bits + 2))
    assert rows(other)[0].found.key == "k2"
    assert len(asked) == 2


def test_what_makes_it_fit(scripts, predictor):
    deployable = scripts[1]
    assert deployable.find("grid-6-8-4", "xc7s15", predictor) is None
    case = deployable.find("grid-24-64-8", "xc7s15", predictor)
    assert case.fix == "automatic placement"
    block, luts, auto = case.placed
    assert {use.resource for use in block.over} == {"RAMB18"}
    assert "LUT" in {use.resource for use in luts.over}
    assert not auto.over
