"""Whole designs, synthesized for an iCE40UP5K: the netlist against the integer reference.

A block RAM that is read where it is written answers the opposite of all it holds.
"""

import copy
from dataclasses import replace

import pytest
from needs import require
from netlist_harness import compared, exact, is_caught

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.lowering.lower import lower
from bitformer.model.precision import Precision
from bitformer.sim.netlist.models import MODELLED
from bitformer.synth.synthesize import synthesized_netlist

pytestmark = pytest.mark.slow


def synthesized(model):
    require("yosys")
    design = lower(model, part="ice40up5k")
    return design, synthesized_netlist(design)


@pytest.fixture(scope="module")
def tiny(small_model):
    return synthesized(small_model("tiny"))


@pytest.fixture(scope="module")
def grid(small_model):
    return synthesized(small_model("grid-12-32-4"))


@pytest.fixture(scope="module")
def oil(small_model):
    return synthesized(small_model("etth1-96-24-w2a8"))


@pytest.fixture(scope="module")
def halves(small_model):
    """A design whose blocks make two products of 8 bits each."""
    bits = Precision(weights=6, activations=6)
    shape = {"window": 6, "block": "mlp", "pooling": "flatten", "norm": "batch"}
    ends = {"input_bits": 8, "output_bits": 8}
    return synthesized(small_model(None, default=bits, **shape | ends))


def cells_of(netlist, kind):
    cells = netlist["modules"]["top"]["cells"].values()
    return [cell for cell in cells if cell["type"] == kind]


def test_products_in_halves_of_blocks_are_the_reference(halves, inputs_of):
    """And where a block's half loses the register behind its product, that is found."""
    design, netlist = halves
    assert design.geometry.halves
    x = inputs_of(design.model, samples=3, seed=5)
    exact(design, netlist, x, unknown=1)
    exact(design, netlist, x, reset_after=design.latency // 2, unknown=0)
    mutant = copy.deepcopy(netlist)
    eight = [c for c in cells_of(mutant, "SB_MAC16") if int(c["parameters"]["MODE_8x8"], 2)]
    assert len(eight) == design.geometry.columns
    for cell in eight:
        cell["parameters"] |= {"TOP_8x8_MULT_REG": "0", "BOT_8x8_MULT_REG": "0"}
    assert is_caught(design, mutant, x)


@pytest.mark.parametrize("name", ["grid", "oil"])
def test_a_design_is_the_reference_in_every_cycle(name, request, inputs_of):
    """From configuration on, and after a reset in mid-inference with a stream that stalls."""
    design, netlist = request.getfixturevalue(name)
    x = inputs_of(design.model, samples=2, seed=2)
    exact(design, netlist, x, unknown=1)
    half = design.latency * 2 // 3
    stalled = compared(design, netlist, x, reset_after=half, back_pressure=0.3, seed=4)
    assert stalled.difference is None, str(stalled.difference)


@pytest.mark.parametrize(
    ("kind", "pin"),
    [("SB_RAM40_4K", "RADDR"), ("SB_RAM40_4K", "WDATA"), ("SB_CARRY", "CI"), ("SB_MAC16", "B")],
)
def test_a_wrong_model_is_found(tiny, inputs_of, monkeypatch, kind, pin):
    """It does not see a pin."""
    design, netlist = tiny
    right = MODELLED[ICE40UP][kind]

    def wrong(cell, lines):
        inputs = {**cell.inputs, pin: ("0",) * len(cell.inputs[pin])}
        right.emit(replace(cell, inputs=inputs), lines)

    monkeypatch.setitem(MODELLED, ICE40UP, {**MODELLED[ICE40UP], kind: replace(right, emit=wrong)})
    assert is_caught(design, netlist, inputs_of(design.model, samples=1, seed=5))


@pytest.mark.parametrize("register", ["A_REG", "PIPELINE_16x16_MULT_REG2"])
def test_a_register_too_few_in_the_multipliers_is_found(tiny, inputs_of, register):
    design, netlist = tiny
    mutant = copy.deepcopy(netlist)
    for cell in cells_of(mutant, "SB_MAC16"):
        cell["parameters"][register] = "0"
    assert is_caught(design, mutant, inputs_of(design.model, samples=1, seed=5))
