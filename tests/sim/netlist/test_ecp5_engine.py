"""Whole designs, synthesized for an ECP5: the netlist against the integer reference.

A block RAM that is read where it is written answers the opposite of all it holds.
"""

import copy
from dataclasses import replace

import pytest
from needs import require
from netlist_harness import compared, exact, is_caught

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.lowering.lower import lower
from bitformer.sim.netlist.models import MODELLED
from bitformer.synth.synthesize import synthesized_netlist

pytestmark = pytest.mark.slow


def synthesized(model):
    require("yosys")
    design = lower(model, part="lfe5u-25f")
    return design, synthesized_netlist(design)


@pytest.fixture(scope="module")
def tiny(small_model):
    return synthesized(small_model("tiny"))


@pytest.fixture(scope="module")
def grid(small_model):
    return synthesized(small_model("grid-12-32-4"))


@pytest.fixture(scope="module")
def oil(small_model):
    """The design of the oil temperature, four days to one."""
    return synthesized(small_model("etth1-96-24"))


def cells_of(netlist, kind):
    cells = netlist["modules"]["top"]["cells"].values()
    return [cell for cell in cells if cell["type"] == kind]


def test_grid_starts_anew_after_a_reset_in_its_work(grid, inputs_of):
    design, netlist = grid
    x = inputs_of(design.model, samples=2, seed=2)
    exact(design, netlist, x, reset_after=design.latency * 2 // 3, unknown=1)


def test_oil_is_the_reference_in_every_cycle(oil, inputs_of):
    """From configuration on, and after a reset in mid-inference with a stream that stalls."""
    design, netlist = oil
    x = inputs_of(design.model, samples=2, seed=2)
    exact(design, netlist, x, unknown=1)
    half = design.latency * 2 // 3
    stalled = compared(design, netlist, x, reset_after=half, back_pressure=0.3, seed=4)
    assert stalled.difference is None, str(stalled.difference)


@pytest.mark.parametrize(
    ("kind", "pin"), [("DP16KD", "ADB5"), ("TRELLIS_DPR16X4", "RAD"), ("CCU2C", "CIN")]
)
def test_a_wrong_model_is_found(tiny, inputs_of, monkeypatch, kind, pin):
    """It does not see a pin."""
    design, netlist = tiny
    right = MODELLED[ECP5][kind]

    def wrong(cell, lines):
        inputs = {**cell.inputs, pin: ("0",) * len(cell.inputs[pin])}
        right.emit(replace(cell, inputs=inputs), lines)

    monkeypatch.setitem(MODELLED, ECP5, {**MODELLED[ECP5], kind: replace(right, emit=wrong)})
    assert is_caught(design, netlist, inputs_of(design.model, samples=1, seed=5))


@pytest.mark.parametrize("register", ["REG_INPUTA_CLK", "REG_OUTPUT_CLK"])
def test_a_register_too_few_in_the_multipliers_is_found(tiny, inputs_of, register):
    design, netlist = tiny
    mutant = copy.deepcopy(netlist)
    for cell in cells_of(mutant, "MULT18X18D"):
        cell["parameters"][register] = "NONE"
    assert is_caught(design, mutant, inputs_of(design.model, samples=1, seed=5))
