"""What was measured is told apart by what it was measured of."""

from pathlib import Path

import pytest

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("soft", [0, 2])
def test_what_is_synthesized_has_a_source_of_its_own(soft, tmp_path, monkeypatch):
    """Only where synthesis is given primitives does it differ from what is simulated."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import measure

    design = lower(initialize(named_config("tiny")), lanes=4, soft=soft)
    results = measure.Results(tmp_path / "results.jsonl")
    simulated = measure._rtlil(design, "xc7s15", results, soft=soft)
    synthesized = measure._rtlil(design, "xc7s15", results, FOR_SYNTHESIS, soft=soft)
    assert (simulated != synthesized) == (soft > 0)
