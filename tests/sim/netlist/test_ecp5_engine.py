"""Whole designs, synthesized for an ECP5: the netlist against the integer reference.

A block RAM that is read where it is written answers the opposite of all it holds.
"""

import copy
from dataclasses import replace

import pytest
from needs import require
from netlist_harness import compared, exact, is_caught

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.sim.netlist.models import MODELLED
from bitformer.sim.run import simulate
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


@pytest.mark.parametrize("back_pressure", [0.0, 0.3])
def test_tiny_is_the_python_engine_in_every_cycle(tiny, inputs_of, back_pressure):
    design, netlist = tiny
    x = inputs_of(design.model, samples=3, seed=5)
    options = {"back_pressure": back_pressure, "seed": 3}
    found = simulate(design, x, engine="netlist", netlist=netlist, **options)
    python = simulate(design, x, **options)
    assert found.bit_exact
    assert (found.outputs == python.outputs).all()
    assert found.cycles == python.cycles


@pytest.mark.parametrize("unknown", [0, 1])
def test_tiny_from_configuration_whatever_synthesis_left_open(tiny, inputs_of, unknown):
    design, netlist = tiny
    exact(design, netlist, inputs_of(design.model, "alternating", samples=3), unknown=unknown)


@pytest.mark.parametrize("cycles", [1, 400, 749])
def test_tiny_starts_anew_after_a_reset_in_its_work(tiny, inputs_of, cycles):
    design, netlist = tiny
    x = inputs_of(design.model, samples=2, seed=cycles)
    exact(design, netlist, x, reset_after=cycles)


def test_tiny_takes_what_was_counted_before_synthesis(tiny):
    """A ROM may take less: of bits that are equal in all words, one is stored."""
    design, netlist = tiny
    assert len(cells_of(netlist, "MULT18X18D")) == design.geometry.dsps
    cells = netlist["modules"]["top"]["cells"].items()
    stores = [name.partition(".")[0] for name, cell in cells if cell["type"] == "DP16KD"]
    counted = {f"store_{store.name}": store for store in estimate(design).stores if store.ramb18}
    assert set(stores) == set(counted)
    for name, store in counted.items():
        most = store.ramb18
        assert 0 < stores.count(name) <= most if store.rom else stores.count(name) == most


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


def test_registers_without_their_reset_are_found(tiny, inputs_of):
    design, netlist = tiny
    mutant, x = copy.deepcopy(netlist), inputs_of(design.model, samples=2, seed=5)
    (reset,) = mutant["modules"]["top"]["ports"]["rst"]["bits"]
    for cell in cells_of(mutant, "TRELLIS_FF"):
        if cell["connections"].get("LSR") == [reset]:
            cell["connections"]["LSR"] = ["0"]
    assert compared(design, mutant, x).difference is None
    assert is_caught(design, mutant, x, reset_after=400)
