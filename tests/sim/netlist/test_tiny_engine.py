"""A small design of each family, synthesized: the netlist against the integer reference.

A block RAM that is read where it is written answers the opposite of all it holds.
"""

import copy
import re
from dataclasses import replace

import pytest
from needs import require
from netlist_harness import compared, exact, is_caught

from bitformer.hw.families.family import Kind
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.sim.run import simulate
from bitformer.synth.synthesize import synthesized_netlist

pytestmark = pytest.mark.slow

PARTS = ("xc7s15", "lfe5u-25f", "ice40up5k")
#: Where a store's blocks are that is in a unit, which hands the results out.
UNITS = {"output": "output_port"}


@pytest.fixture(scope="module", params=PARTS)
def tiny(request, small_model):
    require("yosys")
    design = lower(small_model("tiny"), part=request.param)
    return design, synthesized_netlist(design)


def cells_of(design, netlist, kind):
    """Cells of a kind with their names."""
    cells = netlist["modules"]["top"]["cells"].items()
    primitive = design.family.primitive
    return [(name, cell) for name, cell in cells if primitive(cell["type"]).kind is kind]


@pytest.mark.parametrize("back_pressure", [0.0, 0.3])
def test_it_is_the_python_engine_in_every_cycle(tiny, inputs_of, back_pressure):
    design, netlist = tiny
    x = inputs_of(design.model, samples=3, seed=5)
    options = {"back_pressure": back_pressure, "seed": 3}
    found = simulate(design, x, engine="netlist", netlist=netlist, **options)
    python = simulate(design, x, **options)
    assert found.bit_exact
    assert (found.outputs == python.outputs).all()
    assert found.tensors == ["output"]
    assert replace(found, outputs=None) == replace(
        python, outputs=None, engine="netlist", tensors=["output"]
    )


@pytest.mark.parametrize("unknown", [0, 1])
@pytest.mark.parametrize("kind", ["lowest", "highest", "alternating"])
def test_from_configuration_whatever_synthesis_left_open(tiny, inputs_of, unknown, kind):
    design, netlist = tiny
    exact(design, netlist, inputs_of(design.model, kind, samples=3), unknown=unknown)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.99, 1.3])
def test_it_starts_anew_after_a_reset_in_its_work(tiny, inputs_of, share):
    design, netlist = tiny
    cycles = max(1, int(share * design.latency))
    x = inputs_of(design.model, samples=3, seed=cycles)
    exact(design, netlist, x, reset_after=cycles)


def test_it_takes_what_was_counted_before_synthesis(tiny):
    """A ROM may take less: of bits that are equal in all words, one is stored."""
    design, netlist = tiny
    multipliers = cells_of(design, netlist, Kind.MULTIPLIER)
    # synthesis drops what is inferred and has no use
    instantiated = design.family.multiplier.cell is not None
    assert len(multipliers) <= design.geometry.dsps
    assert len(multipliers) == design.geometry.dsps or not instantiated
    primitive, found = design.family.primitive, dict[str, int]()
    for name, cell in cells_of(design, netlist, Kind.BLOCK_RAM):
        store = name.partition(".")[0]
        found[store] = found.get(store, 0) + primitive(cell["type"]).size
    counted = {
        UNITS.get(store.name, f"store_{store.name}"): store
        for store in estimate(design).stores
        if store.ramb18
    }
    assert set(found) == set(counted)
    for name, store in counted.items():
        assert 0 < found[name] <= store.ramb18
        assert store.rom or found[name] == store.ramb18


def test_registers_without_their_reset_are_found(tiny, inputs_of):
    """Of two windows: the first one's results alone would be right."""
    design, netlist = tiny
    mutant, x = copy.deepcopy(netlist), inputs_of(design.model, samples=2, seed=5)
    (reset,) = mutant["modules"]["top"]["ports"]["rst"]["bits"]
    for _, cell in cells_of(design, mutant, Kind.REGISTER):
        for pin, bits in cell["connections"].items():
            if bits == [reset] and re.match(design.family.pins.reset, pin):
                cell["connections"][pin] = ["0"]
    assert compared(design, mutant, x).difference is None
    assert is_caught(design, mutant, x, reset_after=design.latency // 2)
