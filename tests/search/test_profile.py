"""What profile measures, and that it takes up where it was."""

import pytest

from bitformer.boards import yosys
from bitformer.boards.netlist_depth import Depth
from bitformer.boards.netlist_resources import Resources
from bitformer.model.errors import UserError
from bitformer.search.knowledge import KnowledgeBase
from bitformer.search.profile import Job, family, mixed, parse_bits, profile
from bitformer.search.workers import Pool

BITS = [parse_bits("4"), parse_bits("8")]


@pytest.fixture
def synthesizer(monkeypatch):
    """In place of Yosys: a count by the design's shape, and a list of what was asked for."""
    asked = []

    def synthesize(design, **_options):
        asked.append(design.model.config.name)
        return yosys.Synthesis(
            part=None,
            digest=yosys.digest(design),
            tool="yosys 9.9",
            seconds=float(len(asked)),
            cells={},
            resources=Resources(luts_as_logic=design.latency, ffs=7),
            depth=Depth(levels=5, chains=1, paths=()),
            fanouts=(),
        )

    def digest(design):
        return f"{design.model.config.name}/{design.part}/{design.geometry.columns}"

    monkeypatch.setattr(yosys, "synthesize", synthesize)
    monkeypatch.setattr(yosys, "digest", digest)
    return asked


def test_bits():
    assert (parse_bits("2/8").weights, parse_bits("2/8").activations) == (2, 8)
    for text in ("", "x", "4/", "5/4/3", "32", "5"):
        with pytest.raises(UserError, match="bits must be"):
            parse_bits(text if text != "4/" else "/4")


def test_family_begins_with_the_small_ones():
    names = [config.name for config in family([24, 12], [16, 8], BITS)]
    assert names[0] == "grid-12-8-4/4"
    assert names[-1] == "grid-24-16-8/8"
    assert len(names) == 8


def test_mixed_designs_do_not_depend_on_how_many():
    draw = {"seed": 3, "windows": [12, 24], "widths": [8, 16], "bits": BITS}
    few, many = mixed(2, **draw), mixed(5, **draw)
    assert many[:2] == few
    assert len({str(config.precision) for config in many}) == 5
    assert mixed(2, **{**draw, "seed": 4}) != few


def jobs():
    return [Job(config=config) for config in family([6], [8], BITS)]


def test_a_broken_run_goes_on(tmp_path, synthesizer):
    whole = KnowledgeBase(tmp_path / "whole.sqlite")
    assert profile(jobs(), whole, Pool()) == 2
    synthesizer.clear()
    broken = KnowledgeBase(tmp_path / "broken.sqlite")

    def stop(done, _name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile(jobs(), broken, Pool(), stop)
    assert len(broken) == 1
    said = []
    assert profile(jobs(), broken, Pool(), lambda done, name: said.append((done, name))) == 1
    assert synthesizer == ["grid-6-8-4/4", "grid-6-8-8/8"]
    assert [done for done, _ in said] == [1, 2]
    assert broken.entries() == whole.entries()


def test_an_unknown_part_is_refused():
    with pytest.raises(UserError, match="part must be one of"):
        Job(config=family([6], [8], BITS)[0], part="xc7s16")
