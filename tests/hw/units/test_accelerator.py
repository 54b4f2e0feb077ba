# amaranth: UnusedElaboratable=no
"""The accelerator as a unit: its model, and what it is made from."""

import numpy as np
import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.sim.run import simulate


@pytest.fixture(scope="module")
def design():
    return lower(initialize(named_config("tiny")))


def test_results_are_those_of_the_model(design):
    spec = design.model.input
    shape = (2, spec.rows, spec.features)
    windows = np.random.default_rng(0).integers(spec.low, spec.high, shape, endpoint=True)
    windows[1] = spec.low
    unit = Accelerator(design=design)
    result = simulate(design, windows, accelerator=unit)
    assert result.outputs.reshape(2, -1).tolist() == unit.model(windows).tolist()
    assert result.latency[0] == design.latency
    assert result.interval == [design.interval]


def test_words_are_loaded_with_two_banks_only(design):
    loads = {"i_bank", "i_load_addr", "i_load_data", "i_load_en"}
    reloadable = Accelerator(design=lower_reloadable(design.model))
    assert loads <= {*reloadable.signature.members}
    assert reloadable.reloaded == ["weights", "parameters", "position"]
    assert not loads & {*Accelerator(design=design).signature.members}


@pytest.mark.parametrize(("rows", "posts"), [(1, 1), (4, 2)])
def test_a_trace_has_what_every_post_processor_gives_and_every_row_is_given(design, rows, posts):
    geometry = lower(design.model, rows=rows, posts=posts).geometry
    unit = Accelerator(design=lower(design.model, rows=rows, posts=posts))
    assert (geometry.rows, geometry.posts, geometry.ways) == (rows, posts, 2)
    assert len(unit.o_trace_y) == 2 * posts * geometry.activation_bits
    assert len(unit.o_trace_valid) == 2 * posts
    assert len(unit.o_trace_x) == rows * geometry.operand_bits


def test_what_is_no_design_is_refused():
    with pytest.raises(TypeError, match=r"^Design must be a Design, not 3$"):
        Accelerator(design=3)
