"""A netlist as Yosys writes it: cells, names and what they take of a part."""

import json
import re
from pathlib import Path

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.parts import PARTS, Use, known_uses
from bitformer.synth.depth import depth, fanouts
from bitformer.synth.netlist import output_names, read_netlist, signal_of
from bitformer.synth.resources import OWN, Resources, unit_resources

#: A 6-bit counter with an enable, and a register that is set when all its bits are.
STORED = json.loads((Path(__file__).parent / "netlist_counter.json").read_text())

RTLIL = """\
module \\top
  wire width 4 \\joined
  wire width 1 \\done$3
  cell \\top.unit \\unit$7
    connect \\clk \\clk [0]
    connect \\o_count \\joined [3:1]
    connect \\o_done \\done$3 [0]
    connect \\i_go \\go [0]
  end
end

module \\top.unit
  wire width 1 input 0  \\clk
  wire width 3 output 1  \\o_count
  wire width 1 output 2  \\o_done
  wire width 1 input 3  \\i_go
  cell \\top.unit.inner \\inner
    connect \\o \\deep
  end
end

module \\top.unit.inner
  wire width 2 output 0 \\o
end
"""


def read(data, **options):
    return read_netlist(data, family=SERIES7, **options)


def test_stored_netlist():
    netlist = read(STORED)
    assert netlist.counts == {"FDRE": 7, "CARRY4": 2, "LUT5": 1, "INV": 1}
    taken = Resources.of(netlist.counts, SERIES7)
    assert (taken.luts, taken.ffs, taken.carries, taken.inverters) == (1, 7, 2, 1)
    registers = {
        netlist.name(cell.outputs["Q"][0]) for cell in netlist.cells if "Q" in cell.outputs
    }
    assert registers == {"counter.o", *(f"counter.count[{bit}]" for bit in range(6))}


def test_stored_netlist_is_as_deep_as_it_looks():
    found = depth(read(STORED))
    by_end = {path.end: path for path in found.paths}
    count = next(path for end, path in by_end.items() if re.match(r"counter.count.*/D", end))
    assert (count.chains, count.carries) == (1, 2)
    assert count.start.startswith("counter.count[")
    flag = by_end["counter.o/D"]
    assert (flag.levels, flag.chains, flag.carries) == (2, 1, 1)
    enable = next(net for net in fanouts(read(STORED)) if net.name == "en")
    assert (enable.loads, enable.enables) == (6, 6)


def test_no_such_module_or_unknown_cell():
    with pytest.raises(ValueError, match=r"^netlist must have a module other$"):
        read(STORED, module="other")
    cells = {
        "x": {
            "type": "WONDER",
            "parameters": {},
            "connections": {"A": [2]},
            "port_directions": {},
        }
    }
    module = {"cells": cells, "netnames": {}, "ports": {}}
    with pytest.raises(
        ValueError, match=r"^pin A of cell x \(WONDER\) must be an input or an output$"
    ):
        read({"modules": {"top": module}})


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["o_act", "addresses.o_act"], "addresses.o_act"),
        (["store.addr_0", "addresses.o_act$3", "addresses.o_act"], "addresses.o_act"),
        (["unit.i_x", "other.count"], "other.count"),
        (["b.count", "a.count"], "a.count"),
    ],
)
def test_name_is_the_drivers(names, best):
    nets = {name: {"hide_name": 0, "bits": [5]} for name in names}
    nets["$hidden"] = {"hide_name": 1, "bits": [5]}
    module = {"cells": {}, "netnames": nets, "ports": {}}
    assert read({"modules": {"top": module}}).name(5) == best


def test_names_by_the_unit_that_drives():
    found = output_names(RTLIL)
    assert found["joined[1]"] == "unit$7.o_count[0]"
    assert found["joined[3]"] == "unit$7.o_count[2]"
    assert "joined[0]" not in found
    assert found["done$3"] == "unit$7.o_done"
    assert found["unit$7.deep[1]"] == "unit$7.inner.o[1]"
    assert not any(name.startswith(("clk", "go")) for name in found)
    nets = {"joined": {"hide_name": 0, "bits": [2, 3, 4, 5]}}
    module = {"cells": {}, "netnames": nets, "ports": {}}
    netlist = read({"modules": {"top": module}}, aliases=found)
    assert netlist.name(3) == "unit$7.o_count[0]"
    assert netlist.name(2) == "joined[0]"


def test_bits_of_a_signal_belong_together():
    assert signal_of("unit.count[12]/D") == "unit.count/D"


@pytest.mark.parametrize(
    ("cells", "logic", "memory", "srls"),
    [
        ({"LUT1": 1, "LUT6": 2}, 3, 0, 0),
        ({"RAM32M": 2}, 0, 8, 0),
        ({"RAM64M": 1, "RAM64X1D": 3}, 0, 10, 0),
        ({"RAM128X1D": 1, "RAM256X1S": 1}, 0, 8, 0),
        ({"SRL16E": 2, "SRLC32E": 1}, 0, 3, 3),
        ({"RAMB18E1": 1, "RAMB36E1": 1, "MUXF7": 4, "INV": 3, "CARRY4": 2}, 0, 0, 0),
    ],
)
def test_luts_by_use(cells, logic, memory, srls):
    taken = Resources.of(cells, SERIES7)
    assert (taken.luts_as_logic, taken.luts_as_memory, taken.srls) == (logic, memory, srls)
    assert taken.luts == logic + memory


def test_a_ramb36_is_two_ramb18():
    taken = Resources.of({"RAMB18E1": 3, "RAMB36E1": 2}, SERIES7)
    assert (taken.ramb18, taken.ramb36) == (7, 2)


def test_budget():
    part = PARTS["xc7s15"]
    cells = {"LUT6": 7_000, "RAM64M": 601, "RAMB36E1": 10, "DSP48E1": 21, "FDRE": 16_000}
    over = {use.resource: use.over for use in Resources.of(cells, SERIES7).uses(part) if use.over}
    assert over == {"LUT": 7_000 + 2_404 - 8_000, "LUT as memory": 4, "DSP": 1}


def test_a_budget_without_memory_in_luts():
    """What a part has not is not in its budget, until something is said to take it."""
    part = PARTS["ice40up5k"]
    cells = {"SB_LUT4": 5_281, "SB_DFF": 7, "SB_RAM40_4K": 30, "SB_MAC16": 8}
    uses = Resources.of(cells, part.family).uses(part)
    over = {use.resource: use.over for use in uses}
    assert over == {"logic cell": 0, "LUT": 1, "FF": 0, "EBR": 0, "DSP": 0}
    memory = Use(resource="LUT as memory", used=4, available=0)
    assert known_uses(memory, Use(resource="FF", used=0, available=0)) == (memory,)


def test_units():
    def module(**kinds):
        return {"cells": {name: {"type": kind} for name, kind in kinds.items()}}

    modules = {"top": module(a="top.a", b="LUT2", c="top.a", **{"d$12": "top.d"})}
    modules["top.a"] = module(x="LUT6", y="FDRE", z="$paramod")
    modules["$paramod"] = module(x="DSP48E1")
    modules["top.d"] = module(x="RAMB36E1")
    units = unit_resources({"modules": modules}, SERIES7)
    assert list(units) == ["a", "c", "d", OWN]
    assert units["a"] == units["c"] == Resources(luts_as_logic=1, ffs=1, dsps=1)
    assert units["d"] == Resources(ramb18=2, ramb36=1)
    assert units[OWN] == Resources(luts_as_logic=1)
