"""What nextpnr's report says, with the names of units and signals."""

import copy
import dataclasses
import json

import pytest

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.model.errors import UserError
from bitformer.synth.netlist import read_netlist
from bitformer.synth.router import target_of
from bitformer.synth.routing import NetNames, Routing, read_report

CLOCK = "$glbnet$unit.clk$TRELLIS_IO_IN"
REGISTER = {"CLK": "input", "DI": "input", "Q": "output"}
MULTIPLIER = {"A0": "input", "P20": "output"}
MODULE = {
    "ports": {},
    "cells": {
        "engine.a_12[1]_TRELLIS_FF_Q": {
            "type": "TRELLIS_FF",
            "port_directions": REGISTER,
            "connections": {"CLK": [2], "DI": [9], "Q": [3]},
        },
        "engine.a_12[6]_MULT18X18D_A6": {
            "type": "MULT18X18D",
            "port_directions": MULTIPLIER,
            "connections": {"A0": [3], "P20": [4]},
        },
        "engine.m_12[20]_TRELLIS_FF_Q": {
            "type": "TRELLIS_FF",
            "port_directions": REGISTER,
            "connections": {"CLK": [2], "DI": [4], "Q": [5]},
        },
    },
    "netnames": {
        # a vector of which bit 1 is net 3, seen outside the unit under another name
        "o_a$7": {"hide_name": 0, "bits": [8, 3]},
        "top.engine.a": {"hide_name": 0, "bits": [8, 3]},
        "top.engine.m": {"hide_name": 0, "bits": [5], "offset": 20},
        "unit.clk": {"hide_name": 0, "bits": [2]},
        "$abc$hidden": {"hide_name": 1, "bits": [4]},
    },
}


def step(kind, delay, start, end, net=None):
    found = {
        "type": kind,
        "delay": delay,
        "from": dict(zip(("cell", "port"), start, strict=True)),
        "to": dict(zip(("cell", "port"), end, strict=True)),
    }
    return found if net is None else {**found, "net": net}


START = ("engine.a_12[1]_TRELLIS_FF_Q", "Q")
IN, OUT = (("engine.a_12[6]_MULT18X18D_A6", port) for port in ("A1", "P20"))
END = ("engine.m_12[20]_TRELLIS_FF_Q", "M")
PATH = [
    step("clk-to-q", 0.5, START, START),
    step("routing", 3.3, START, IN, "o_a$7[1]"),
    step("logic", 3.9, IN, OUT),
    step("routing", 2.25, OUT, END, "$abc$hidden"),
    step("setup", 0.05, END, END),
]
EDGE = f"posedge {CLOCK}"
REPORT = {
    "fmax": {
        "$glbnet$raw": {"achieved": 900.0, "constraint": 25.0},
        CLOCK: {"achieved": 100.0, "constraint": 120.0048},
    },
    "critical_paths": [
        {"from": "<async>", "to": EDGE, "path": [{**PATH[0], "delay": 99.0}]},
        {"from": EDGE, "to": EDGE, "path": PATH},
    ],
    "utilization": {
        "TRELLIS_COMB": {"used": 40, "available": 24288},
        "MULT18X18D": {"used": 1, "available": 28},
    },
}


@pytest.fixture(scope="module")
def names():
    data = {"modules": {"top": MODULE}}
    netlist = read_netlist(data, family=ECP5)
    return NetNames(netlist, MODULE["netnames"], inside="top.")


def read(names, report=REPORT, **more):
    return read_report(report, names, seed=1, asked_hz=120e6, **more)


def test_clocks_and_the_worst_path(names):
    found = read(names, seconds=2.5)
    assert [(clock.name, clock.reached_mhz, clock.met) for clock in found.clocks] == [
        ("clk", 100.0, False),
        ("raw", 900.0, True),
    ]
    assert (found.mhz, found.met, found.seconds) == (100.0, False, 2.5)
    path = found.path
    assert (path.start, path.end) == ("engine.a[1]", "engine.m")
    assert (path.delay_ns, path.logic_ns, path.routing_ns, path.levels) == (10.0, 4.45, 5.55, 1)
    assert (found.used["MULT18X18D"], found.available["MULT18X18D"]) == (1, 28)


def crossing(*ends):
    """A report with a path of 3 ns between two edges of clocks, and longer ones of one clock."""
    paths = [{"from": a, "to": b, "path": [{**PATH[0], "delay": 3.0}]} for a, b in ends]
    return {**REPORT, "critical_paths": [*REPORT["critical_paths"], *paths]}


@pytest.mark.parametrize(
    ("start", "end", "delay"),
    [
        (f"negedge {CLOCK}", "posedge $glbnet$raw", 3.0),
        ("negedge $glbnet$raw", EDGE, 3.0),
        ("posedge $glbnet$raw", "negedge $glbnet$raw", 0.0),
        (EDGE, "<async>", 0.0),
    ],
)
def test_paths_from_one_clock_to_the_other(names, start, end, delay):
    assert read(names, crossing((start, end))).crossing_ns == delay


@pytest.mark.parametrize(("most", "late"), [(3.0, False), (2.9, True)])
def test_what_crosses_late_is_not_good(names, most, late):
    report = crossing((f"negedge {CLOCK}", "posedge $glbnet$raw"))
    report["fmax"] = {**report["fmax"], CLOCK: {"achieved": 121.0, "constraint": 120.0048}}
    found = read(names, report, crossing_most_ns=most)
    assert found.met != late
    problems = (
        f"paths from one clock to the other take 3.0 ns of the {most} ns that half a cycle leaves",
    )
    routing = Routing.of(target_of("lfe5u-25f"), "nextpnr-ecp5 0.99", 120e6, [found], {})
    assert routing.problems == (problems if late else ())


def test_a_path_of_half_a_cycle_counts_twice(names):
    half = {"from": EDGE, "to": f"negedge {CLOCK}", "path": [{**PATH[0], "delay": 5.1}]}
    report = {**REPORT, "critical_paths": [*REPORT["critical_paths"], half]}
    assert read(names, report).path.delay_ns == 5.1


def test_cells_that_are_no_registers_have_their_pin(names):
    assert names.place(*OUT) == "engine.a_12[6]_MULT18X18D_A6 (MULT18X18D)/P20" or (
        names.place(*OUT) == "engine.a_12[6] (MULT18X18D)/P20"
    )
    # what nextpnr has packed, and what nobody knows
    assert names.place("engine.m_12[20]_TRELLIS_FF_Q$PACKED_1", "M") == "engine.m"
    assert names.place("alu.sum_CCU2C_S0$CCU2_COMB0", "A") == "alu.sum/A"
    assert names.net("alu.sum_LUT4_Z_3_D[2]") == "alu.sum"
    assert names.net("top.engine.m") == "engine.m"


def small_names():
    """A register with the LUT before it, one without, and a memory, as the smaller family has."""
    register = {"C": "input", "D": "input", "Q": "output"}
    cells = {
        "top.sum_SB_DFF_Q": ("SB_DFF", register, {"C": [2], "D": [7], "Q": [3]}),
        "top.sum_SB_DFF_Q_D_SB_LUT4_O": (
            "SB_LUT4",
            {"I0": "input", "O": "output"},
            {"I0": [4], "O": [7]},
        ),
        "top.held_SB_DFF_Q": ("SB_DFF", register, {"C": [2], "D": [3], "Q": [4]}),
        "top.rom.0.0": ("SB_RAM40_4K", {"RDATA": "output"}, {"RDATA": [5]}),
        "top.logic_SB_LUT4_O": ("SB_LUT4", {"I0": "input", "O": "output"}, {"I0": [4], "O": [8]}),
    }
    module = {
        "ports": {},
        "cells": {
            name: {"type": kind, "port_directions": ways, "connections": pins}
            for name, (kind, ways, pins) in cells.items()
        },
        "netnames": {
            name: {"hide_name": 0, "bits": [bit]}
            for name, bit in {"clk": 2, "top.sum": 3, "top.held": 4}.items()
        },
    }
    netlist = read_netlist({"modules": {"top": module}}, family=ICE40UP)
    return NetNames(netlist, module["netnames"], inside="top.")


@pytest.mark.parametrize(
    ("cell", "port", "name"),
    [
        ("top.sum_SB_DFF_Q_D_SB_LUT4_O_LC", "O", "sum"),
        ("top.sum_SB_DFF_Q_D_SB_LUT4_O_LC", "I2", "sum"),
        ("top.held_SB_DFF_Q_DFFLC", "O", "held"),
        ("top.rom.0.0_RAM", "RDATA_3", "rom (SB_RAM40_4K)/RDATA_3"),
        ("top.logic_SB_LUT4_O_LC", "I0", "logic (SB_LUT4)/I0"),
    ],
)
def test_a_logic_cell_is_the_register_in_it(cell, port, name):
    assert small_names().place(cell, port) == name


def test_nets_that_nextpnr_made_are_not_shown(names):
    report = copy.deepcopy(REPORT)
    report["critical_paths"][1]["path"][3]["net"] = "$nextpnr_ICESTORM_LC_0$O"
    assert read(names, report).path.through == ()
    assert small_names().clock("clk$SB_IO_IN_$glb_clk") == "clk"


def test_a_path_of_another_clock_is_not_the_worst(names):
    report = copy.deepcopy(REPORT)
    report["critical_paths"][1]["from"] = "posedge $glbnet$raw"
    assert read(names, report).path is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fmax": {}}, r"must have a clock, and has none"),
        ({"fmax": {"clk": {"achieved": 3}}}, r"is not as nextpnr .* write it: 'constraint'"),
        ({"utilization": {"X": {"used": "many", "available": 1}}}, r"is not as nextpnr"),
        ({"critical_paths": [{"from": EDGE, "to": EDGE, "path": []}]}, r"is not as nextpnr"),
        ({"critical_paths": None}, r"is not as nextpnr"),
    ],
)
def test_damaged_reports_are_one_sentence(names, change, sentence):
    with pytest.raises(UserError, match=sentence):
        read(names, {**REPORT, **change})


def several(names, *mhz):
    seeds = []
    for number, reached in enumerate(mhz, 1):
        report = copy.deepcopy(REPORT)
        report["fmax"][CLOCK]["achieved"] = reached
        seeds.append(dataclasses.replace(read(names, report), seed=number))
    return Routing.of(target_of("lfe5u-25f"), "nextpnr-ecp5 0.99", 120e6, seeds, {9: "why"})


def test_seeds_as_one(names):
    routing = several(names, 110.0, 90.0, 100.0)
    assert (routing.best.seed, routing.best_mhz) == (1, 110.0)
    assert (routing.median_mhz, routing.worst_mhz) == (100.0, 90.0)
    assert routing.problems == ("clock clk reaches 110.0 MHz of the 120.0 MHz asked for",)
    assert [(use.resource, use.used, use.available) for use in routing.uses] == [
        ("LUT", 40, 24288),
        ("multiplier", 1, 28),
    ]
    assert several(names, 110.0, 121.0).problems == ()


def test_a_seed_that_misses_another_clock_is_not_the_best(names):
    routing = several(names, 125.0, 130.0)
    slow = dataclasses.replace(routing.seeds[1].clocks[1], reached_mhz=24.0)
    second = dataclasses.replace(routing.seeds[1], clocks=(routing.seeds[1].clocks[0], slow))
    routing = dataclasses.replace(routing, seeds=(routing.seeds[0], second))
    assert routing.best.seed == 1


def test_json_and_back(names):
    routing = several(names, 110.0, 90.0)
    data = json.loads(json.dumps(routing.to_dict()))
    assert (data["best_mhz"], data["median_mhz"], data["best_seed"]) == (110.0, 100.0, 1)
    assert data["seeds"][1]["mhz"] == 90.0
    assert Routing.from_dict(data) == routing


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seeds": []}, r"^routing must have a seed, and each a clock$"),
        ({"seeds": 3}, r"^routing: seeds must be a list, not 3$"),
        ({"tool": 3}, r"^routing: tool must be text, not 3$"),
        (None, r"^routing must be an object, not None$"),
    ],
)
def test_damaged_routings_are_one_sentence(names, change, sentence):
    data = None if change is None else {**several(names, 110.0).to_dict(), **change}
    with pytest.raises(UserError, match=sentence):
        Routing.from_dict(data)
