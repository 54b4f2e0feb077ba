"""Whole designs, synthesized for the part: the netlist against the integer reference."""

import copy
import random
import re
from dataclasses import replace

import pytest
from needs import require
from netlist_harness import exact, is_caught

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.lower import lower
from bitformer.sim.netlist.models import MODELLED
from bitformer.synth.synthesize import synthesized_netlist


def synthesized(model):
    require("yosys")
    design = lower(model)
    return design, synthesized_netlist(design)


@pytest.fixture(scope="module")
def tiny(small_model):
    return synthesized(small_model("tiny"))


@pytest.fixture(scope="module")
def grid(small_model):
    return synthesized(small_model("grid-12-32-4"))


@pytest.mark.slow
def test_grid_from_configuration(grid, inputs_of):
    design, netlist = grid
    exact(design, netlist, inputs_of(design.model, samples=3, seed=1))


@pytest.mark.slow
def test_grid_starts_anew_after_a_reset_in_its_work(grid, inputs_of):
    design, netlist = grid
    x = inputs_of(design.model, samples=3, seed=2)
    exact(design, netlist, x, reset_after=design.latency * 2 // 3, unknown=1)


def cells_of(netlist, *kinds):
    cells = netlist["modules"]["top"]["cells"].values()
    return [cell for cell in cells if cell["type"].startswith(kinds)]


def columns_of(netlist):
    """The engine's multipliers, in order; tiny has no use for the last of them."""
    cells = netlist["modules"]["top"]["cells"]
    names = [
        name
        for name, cell in cells.items()
        if re.search(r"engine.*\d$", name) and cell["type"] == "DSP48E1"
    ]
    return [cells[name] for name in sorted(names, key=lambda n: int(n.rpartition("$")[2]))]


@pytest.fixture
def mutant(tiny, inputs_of):
    design, netlist = tiny
    return design, copy.deepcopy(netlist), inputs_of(design.model, samples=1, seed=5)


@pytest.mark.slow
def test_bits_of_block_ram_that_flip_are_found(mutant):
    """Not every bit counts in every sample, or at all: words are padded, results are rounded."""
    design, netlist, x = mutant
    rows = [
        (cell["parameters"], name)
        for cell in cells_of(netlist, "RAMB")
        for name, row in cell["parameters"].items()
        if name.startswith(("INIT_0", "INITP_0")) and "1" in row
    ]
    found = 0
    for parameters, name in random.Random(0).sample(rows, 6):
        row = parameters[name]
        at = row.index("1")
        parameters[name] = row[:at] + "0" + row[at + 1 :]
        found += is_caught(design, netlist, x)
        parameters[name] = row
    assert found >= 3


@pytest.mark.slow
def test_weights_of_two_columns_swapped_are_found(mutant):
    design, netlist, x = mutant
    one, two = (cell["connections"] for cell in columns_of(netlist)[:2])
    one["A"], two["A"] = two["A"], one["A"]
    assert is_caught(design, netlist, x)


@pytest.mark.slow
def test_a_register_too_few_in_a_multiplier_is_found(mutant):
    design, netlist, x = mutant
    parameters = columns_of(netlist)[1]["parameters"]
    assert int(parameters["BREG"], 2) == 2
    parameters["BREG"] = f"{1:032b}"
    assert is_caught(design, netlist, x)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RAMB18E1", "RAMB36E1", "RAM32M"])
def test_a_wrong_model_of_a_memory_is_found(mutant, monkeypatch, kind):
    """It does not see the lowest bit of an address."""
    design, netlist, x = mutant
    right = MODELLED[SERIES7][kind]

    low = 1 if kind == "RAM32M" else 7  # a block RAM's address counts bits, of words of 64 at most

    def wrong(cell, lines):
        inputs = {
            pin: ("0",) * low + bits[low:] if pin.startswith("ADDR") else bits
            for pin, bits in cell.inputs.items()
        }
        right.emit(replace(cell, inputs=inputs), lines)

    models = {**MODELLED[SERIES7], kind: replace(right, emit=wrong)}
    monkeypatch.setitem(MODELLED, SERIES7, models)
    assert is_caught(design, netlist, x)


@pytest.mark.slow
def test_logic_that_is_wrong_is_found(mutant):
    design, netlist, x = mutant
    luts = cells_of(netlist, "LUT6")
    found = 0
    for cell in random.Random(1).sample(luts, 5):
        init = cell["parameters"]["INIT"]
        cell["parameters"]["INIT"] = "".join("10"[int(bit)] for bit in init)
        found += is_caught(design, netlist, x)
        cell["parameters"]["INIT"] = init
    assert found >= 2
