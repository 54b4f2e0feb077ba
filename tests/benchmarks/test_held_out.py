"""Predictions beside what Yosys counts: of designs that the predictor does not know."""

from pathlib import Path

import pytest
from measurement_harness import drawn, invented

from bitformer.estimate.knowledge import shipped_entries
from bitformer.estimate.measure import entries_of
from bitformer.estimate.predictor import Predictor, luts_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.synth.depth import Depth
from bitformer.synth.resources import Resources
from bitformer.synth.synthesize import Synthesis

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import held_out

    return held_out


def test_what_is_in_the_base_is_not_held_out(script, monkeypatch):
    def synthesize(design, progress):
        return Synthesis(
            part=None,
            digest="d",
            tool="yosys 9",
            seconds=1.0,
            cells={},
            resources=Resources(luts_as_logic=4_000, ffs=2_000),
            depth=Depth(levels=5, chains=1, paths=()),
            fanouts=(),
        )

    monkeypatch.setattr(script, "synthesize", synthesize)
    rows = dict(list(script.BIT_ROWS.items())[:2])
    monkeypatch.setattr(script, "BIT_ROWS", rows)
    own = [lower(design.model, part=script.PART) for design in drawn(13, 7)]
    first = rows["grid-12-32", "4"].design()
    known = entries_of(first, synthesize(first, None))
    base = [*(invented(design, key=f"k{n}") for n, design in enumerate(own)), *known]
    predictor = Predictor(base, family=PARTS[script.PART].family)
    found = script.compared(predictor)
    assert [name for name, *_ in found] == ["grid-12-32, 6 bits"]
    ((_, luts, ffs),) = found
    assert (luts[1], ffs[1]) == (4_000, 2_000)
    page = "\n".join(script.section(found, predictor.entries, predictor))
    assert f"| grid-12-32, 6 bits | {luts[0]} | 4000 | {luts[0] / 4_000 - 1:+.1%} |" in page
    assert f"LUTs are {abs(luts[0] / 4_000 - 1):.1%} off in the mean" in page
    assert f"ships has {len(base)} designs of" in page


def test_a_design_is_predicted_by_a_base_without_it(script):
    family = PARTS[script.OWN_PART].family
    base = [one for one in shipped_entries() if one.part == script.OWN_PART]
    found = script.left_out(base)
    assert len(found) == len(base)
    # a fit that knew all of them would be nearer to each
    known = Predictor(base, family=family)
    wrong = {
        f"{one.name} | {one.lanes}": abs(int(known.counts(one.features)["luts"]) / luts_of(one) - 1)
        for one in base
    }
    errors = {name: abs(said / cells - 1) for name, (said, cells), _ in found}
    assert sum(errors.values()) > 1.2 * sum(wrong.values())
    page = "\n".join(script.own_section(found, known))
    assert f"cells are {sum(errors.values()) / len(found):.1%} off in the mean" in page
