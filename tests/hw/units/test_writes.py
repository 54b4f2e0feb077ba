# amaranth: UnusedElaboratable=no
"""What becomes of results: the memory beside the stores."""

import pytest
from amaranth.hdl import Module

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.assembly import Units
from bitformer.hw.units.writes import follow_scores
from bitformer.model.config import TransformerConfig
from bitformer.model.initialize import initialize


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_each_row_of_scores_has_a_maximum_of_its_own(heads):
    config = TransformerConfig(name="small", window=5, horizon=2, d_model=4, heads=heads, ffn=6)
    design = lower(initialize(config, samples=16))
    units = Units(Module(), design, None)
    follow_scores(Module(), units)
    rows = design.stores["scores"].depth // design.geometry.score_pitch
    assert units.stores["maxima"].spec.depth == rows
    assert 1 <= rows <= heads * config.tokens
