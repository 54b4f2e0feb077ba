"""Primitives of ECP5's slices, each against Yosys' own model of it."""

import json
import random
from dataclasses import replace

import pytest
from gates_harness import GATE_MODELS, GATES, with_init
from needs import require

from bitformer.hw.families.ecp5 import ECP5
from bitformer.sim.netlist.models import MODELLED
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.netlist import NetlistError
from bitformer.synth.yosys import find_tool, run_yosys

#: Cells and their parameters, in Verilog; pins by width.
LUT = {"A": 1, "B": 1, "C": 1, "D": 1, "Z": -1}
CARRY = {f"{pin}{half}": 1 for pin in "ABCD" for half in "01"} | {"CIN": 1}
CARRY |= {"S0": -1, "S1": -1, "COUT": -1}
FLOP = {"DI": 1, "CE": 1, "LSR": 1, "Q": -1}
RAM = {"DI": 4, "WAD": 4, "WRE": 1, "RAD": 4, "DO": -4}


def flop(**changes):
    known = {"CEMUX": "CE", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR"}
    known |= {"REGSET": "RESET", "SRMODE": "LSR_OVER_CE"}
    return "TRELLIS_FF", {name: f'"{v}"' for name, v in (known | changes).items()}, FLOP


def carry(low, high, *cuts):
    inits = {"INIT0": f"16'h{low:04x}", "INIT1": f"16'h{high:04x}"}
    injects = {f"INJECT1_{half}": '"YES"' if half in cuts else '"NO"' for half in (0, 1)}
    return "CCU2C", inits | injects, CARRY


CELLS = {
    "lut": ("LUT4", {"INIT": "16'h6a3d"}, LUT),
    "pair": ("PFUMX", {}, {"ALUT": 1, "BLUT": 1, "C0": 1, "Z": -1}),
    "four": ("L6MUX21", {}, {"D0": 1, "D1": 1, "SD": 1, "Z": -1}),
    "adder": carry(0x96AA, 0x96AA),
    "any logic": carry(0x3C57, 0xE81A),
    "cut below": carry(0x96AA, 0xE81A, 0),
    "cut in it": carry(0x3C57, 0x96AA, 1),
    "flop": flop(),
    "flop that is set": flop(REGSET="SET"),
    "flop without enable": flop(CEMUX="1"),
    "ram": (
        "TRELLIS_DPR16X4",
        {"INITVAL": "64'h0f1e_2d3c_4b5a_6978", "WCKMUX": '"WCK"', "WREMUX": '"WRE"'},
        RAM,
    ),
}
CLOCKS = {"TRELLIS_FF": "CLK", "TRELLIS_DPR16X4": "WCK"}


def wrapped(name, cell):
    """Verilog of a module with a cell of Yosys' library, and its pins as ports."""
    kind, parameters, pins = cell
    ports = [
        f"{'input' if bits > 0 else 'output'} [{abs(bits) - 1}:0] {pin}"
        for pin, bits in pins.items()
    ]
    joined = [f".{pin}({pin})" for pin in pins]
    if kind in CLOCKS:
        joined.append(f".{CLOCKS[kind]}(clk)")
    given = ", ".join(f".{parameter}({value})" for parameter, value in parameters.items())
    return (
        f"module {name} (input clk, {', '.join(ports)});\n"
        f"{kind} #({given}) x ({', '.join(joined)});\nendmodule\n"
    )


SCRIPT = """\
read_verilog -D NO_INCLUDES +/lattice/cells_sim_ecp5.v
read_verilog top.v
hierarchy -check
proc
memory_map
flatten
opt
simplemap
dfflegalize -cell $_DFF_P_ 01
opt_clean
select {names}
write_json -selected netlist.json
"""


@pytest.fixture(scope="module")
def of_yosys():
    """Simulators of Yosys' models of ``CELLS``, broken down to gates."""
    require("yosys")
    names = [f"cell_{number}" for number in range(len(CELLS))]
    source = "".join(map(wrapped, names, CELLS.values()))
    script = SCRIPT.format(names=" ".join(names))
    text = run_yosys(find_tool(), script, {"top.v": source}, "netlist.json")
    modules = json.loads(text)["modules"]
    return {
        name: {"modules": {"top": with_init(modules[module])}}
        for name, module in zip(CELLS, names, strict=True)
    }


def ours(kind, parameters, pins, *, family=ECP5):
    """The same cell by itself, in our simulator."""
    net, ports, connected = 3, {"clk": {"direction": "input", "bits": [2]}}, {}
    for pin, bits in pins.items():
        connected[pin] = list(range(net, net + abs(bits)))
        net += abs(bits)
        direction = "input" if bits > 0 else "output"
        ports[pin] = {"direction": direction, "bits": connected[pin]}
    if kind in CLOCKS:
        connected[CLOCKS[kind]] = [2]
    values = {name: bits_of(value) for name, value in parameters.items()}
    cell = {
        "type": kind,
        "parameters": values,
        "port_directions": {p: ports.get(p, ports["clk"])["direction"] for p in connected},
        "connections": connected,
    }
    return NetlistSimulator({"modules": {"top": {"ports": ports, "cells": {"x": cell}}}}, family)


def bits_of(value):
    """A parameter as Yosys writes it: bits, or a text, and a space if that could be bits."""
    if value.startswith('"'):
        text = value.strip('"')
        return text if set(text) - set("01xz") else f"{text} "
    width, digits = value.split("'h")
    return f"{int(digits.replace('_', ''), 16):0{width}b}"


def stimuli(pins, steps=700):
    rng = random.Random(str(pins))
    inputs = {pin: bits for pin, bits in pins.items() if bits > 0}
    return [{pin: rng.getrandbits(bits) for pin, bits in inputs.items()} for _ in range(steps)]


def differences(one, other, pins):
    return sum(one.step(**values) != other.step(**values) for values in stimuli(pins))


@pytest.fixture
def gates(monkeypatch):
    monkeypatch.setitem(MODELLED, GATES, GATE_MODELS)
    return GATES


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_as_yosys_has_it(name, of_yosys, gates):
    kind, parameters, pins = CELLS[name]
    theirs = NetlistSimulator(of_yosys[name], gates)
    assert differences(theirs, ours(kind, parameters, pins), pins) == 0


def changed(value):
    """A parameter with another value: other bits, or the other text."""
    texts = {"RESET": "SET", "SET": "RESET", "NO": "YES", "YES": "NO"}
    if value.startswith('"'):
        return f'"{texts[value.strip(chr(34))]}"'
    width, digits = value.split("'h")
    return f"{width}'h{int(digits.replace('_', ''), 16) ^ 0x1111111111111111 % (1 << int(width)):x}"


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        *(("lut", "INIT"), ("adder", "INIT0"), ("any logic", "INIT1"), ("adder", "INJECT1_0")),
        *(("cut in it", "INJECT1_1"), ("flop", "REGSET"), ("ram", "INITVAL")),
    ],
)
def test_another_parameter_is_another_cell(name, parameter, of_yosys, gates):
    kind, parameters, pins = CELLS[name]
    wrong = parameters | {parameter: changed(parameters[parameter])}
    assert differences(NetlistSimulator(of_yosys[name], gates), ours(kind, wrong, pins), pins)


@pytest.mark.parametrize("name", ["pair", "four", "any logic", "flop", "ram"])
def test_pins_that_are_swapped_are_found(name, of_yosys, gates, monkeypatch):
    """The mutant: a model that takes one pin for another."""
    kind, parameters, pins = CELLS[name]
    swapped = {
        "PFUMX": ("ALUT", "BLUT"),
        "L6MUX21": ("D0", "SD"),
        "CCU2C": ("A0", "CIN"),
        "TRELLIS_FF": ("CE", "LSR"),
        "TRELLIS_DPR16X4": ("RAD", "WAD"),
    }[kind]
    right = MODELLED[ECP5][kind]

    def wrong(cell, lines):
        one, other = swapped
        inputs = {**cell.inputs, one: cell.inputs[other], other: cell.inputs[one]}
        right.emit(replace(cell, inputs=inputs), lines)

    monkeypatch.setitem(MODELLED, ECP5, {**MODELLED[ECP5], kind: replace(right, emit=wrong)})
    assert differences(NetlistSimulator(of_yosys[name], gates), ours(kind, parameters, pins), pins)


def test_what_is_not_modelled_is_refused():
    kind, parameters, pins = flop(LSRMUX="INV")
    with pytest.raises(
        NetlistError, match=r"^LSRMUX of cell x \(TRELLIS_FF\) must be one of LSR, "
    ):
        ours(kind, parameters, pins)
    kind, parameters, pins = flop(SRMODE="ASYNC")
    with pytest.raises(NetlistError, match=r"^SRMODE of cell x .* must be LSR_OVER_CE$"):
        ours(kind, parameters, pins)
