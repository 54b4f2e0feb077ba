"""Cells of the iCE40 UltraPlus, each against Yosys' own model of it.

Both come from the same Verilog, which wraps one cell: in one netlist the cell is left as it is, in
the other it is broken down to gates.
"""

import copy
import json
import random
from dataclasses import replace

import pytest
from gates_harness import GATE_MODELS, GATES, with_init
from needs import require

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.sim.netlist import simulator
from bitformer.sim.netlist.models import MODELLED
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.netlist import NetlistError
from bitformer.synth.yosys import find_tool, run_yosys

LUT = {"I0": 1, "I1": 1, "I2": 1, "I3": 1, "O": -1}


def flop(kind):
    pins = dict.fromkeys(("D", *"E" * kind.startswith("E"), *kind[-1:].strip("E")), 1)
    return f"SB_DFF{kind}", {}, {**pins, "Q": -1}, {}


def ram(read, write, high):
    """A block RAM of random contents, of which the rows from ``high`` on are written and read."""
    rng = random.Random(f"{read}{write}{high}")
    contents = {f"INIT_{k:X}": f"256'h{rng.getrandbits(256):064x}" for k in range(16)}
    pins = {"RDATA": -16, "WDATA": 16, "MASK": 16, "RADDR": 7, "WADDR": 7}
    pins |= dict.fromkeys(("RE", "RCLKE", "WE", "WCLKE"), 1)
    place = "{{{pin}[6:4], 4'd{high}, {pin}[3:0]}}"
    tied = {pin: place.format(pin=pin, high=high) for pin in ("RADDR", "WADDR")}
    modes = {"READ_MODE": f"{read}", "WRITE_MODE": f"{write}"}
    return "SB_RAM40_4K", modes | contents, pins, tied


MAC = dict.fromkeys("ABCD", 16) | {f"{pin}HOLD": 1 for pin in "ABCD"}
MAC |= {f"{pin}{half}": 1 for pin in ("OLOAD", "ADDSUB", "OHOLD") for half in ("TOP", "BOT")}
MAC |= {"CE": 1, "CI": 1, "ACCUMCI": 1, "SIGNEXTIN": 1, "O": -32}
RESETS = {f"{pin}{half}": "1'b0" for pin in ("IRST", "ORST") for half in ("TOP", "BOT")}


def mac(*registers, outputs=3, carries=False, **numbers):
    """A multiplier with these registers; ``numbers`` are its other parameters."""
    named = {"product": ["TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1"]}
    named |= {"sum": ["PIPELINE_16x16_MULT_REG2"]} | {pin: [f"{pin}_REG"] for pin in "ABCD"}
    parameters = {name: 1 for register in registers for name in named[register]}
    parameters |= {f"{half}OUTPUT_SELECT": outputs for half in ("TOP", "BOT")} | numbers
    sizes = {name: 2 if name.endswith(("SELECT", "LOWERINPUT")) else 1 for name in parameters}
    pins = MAC | (dict.fromkeys(("CO", "ACCUMCO", "SIGNEXTOUT"), -1) if carries else {})
    values = {name: f"{sizes[name]}'d{value}" for name, value in parameters.items()}
    return "SB_MAC16", values, pins, RESETS


def adders(lower, upper=0, carry=0, top=None):
    found = {}
    for half in ("TOP", "BOT"):
        found |= {f"{half}ADDSUB_LOWERINPUT": lower, f"{half}ADDSUB_UPPERINPUT": upper}
        found[f"{half}ADDSUB_CARRYSELECT"] = carry
    return found if top is None else found | {"TOPADDSUB_CARRYSELECT": top}


SIGNED = {"A_SIGNED": 1, "B_SIGNED": 1}
EIGHT = {"MODE_8x8": 1}
#: Kind, parameters, pins by width, those of outputs negative, and what pins carry otherwise.
CELLS = {
    "lut": ("SB_LUT4", {"LUT_INIT": "16'h6a3d"}, LUT, {}),
    "carry": ("SB_CARRY", {}, {"I0": 1, "I1": 1, "CI": 1, "CO": -1}, {}),
    **{
        f"flop {kind}".strip(): flop(kind)
        for kind in ("", "E", "R", "S", "SR", "SS", "ER", "ES", "ESR", "ESS")
    },
    **{
        f"ram {read} {write}": ram(read, write, high)
        for (read, write), high in zip(
            [(0, 0), (1, 1), (2, 2), (3, 3), (0, 2), (3, 0)], (0, 10, 15, 5, 1, 8), strict=True
        )
    },
    "product": mac("A", "B", "sum", **SIGNED),
    "unsigned product": mac("A", "B", "sum"),
    "product of both": mac("A", "B", "sum", A_SIGNED=1),
    "product at once": mac(**SIGNED),
    "pipelined product": mac("A", "B", "product", "sum", B_SIGNED=1),
    "two products": mac("A", "B", "product", outputs=2, **EIGHT, **SIGNED),
    "two unsigned products at once": mac(outputs=2, **EIGHT),
    "accumulator": mac("A", "B", outputs=1, **SIGNED, **adders(2, top=2)),
    "pipelined accumulator": mac(
        "A", "B", "product", "sum", outputs=1, **SIGNED, **adders(2, top=3)
    ),
    "two accumulators": mac("A", "product", outputs=1, **EIGHT, **SIGNED, **adders(1, carry=1)),
    "sum of a product": mac("C", "D", outputs=0, **adders(2, 1, 2), carries=True),
    "sum of operands": mac("B", outputs=0, **adders(0, 1, 3), carries=True),
    "sign of another": mac("A", "B", outputs=1, **adders(3, 0, 3), carries=True),
}
CLOCKS = {"SB_RAM40_4K": ("RCLK", "WCLK"), "SB_MAC16": ("CLK",), "SB_LUT4": (), "SB_CARRY": ()}


def wrapped(name, cell):
    """Verilog of a module with a cell of Yosys' library, and its pins as ports."""
    kind, parameters, pins, tied = cell
    ports = [
        f"{'input' if bits > 0 else 'output'} [{abs(bits) - 1}:0] {pin}"
        for pin, bits in pins.items()
    ]
    joined = [f".{pin}({tied.get(pin, pin)})" for pin in {**pins, **tied}]
    joined += [f".{clock}(clk)" for clock in CLOCKS.get(kind, ("C",))]
    given = ", ".join(f".{parameter}({value})" for parameter, value in parameters.items())
    return (
        f"module {name} (input clk, {', '.join(ports)});\n"
        f"{kind} #({given}) x ({', '.join(joined)});\nendmodule\n"
    )


SCRIPT = """\
read_verilog -D EQUIV {library} +/ice40/cells_sim.v
read_verilog top.v
hierarchy -check
proc
{steps}
select {names}
write_json -selected netlist.json
"""
STEPS = """\
select {names}
flatten
opt
techmap
opt
memory_collect
dfflegalize -cell $_DFF_P_ 01 -cell $_DFF_PP?_ 01
opt_clean
"""


def modules(library="", steps=""):
    require("yosys")
    names = [f"cell_{number}" for number in range(len(CELLS))]
    source = "".join(map(wrapped, names, CELLS.values()))
    chosen = " ".join(names)
    script = SCRIPT.format(names=chosen, library=library, steps=steps.format(names=chosen))
    text = run_yosys(find_tool(), script, {"top.v": source}, "netlist.json")
    found = json.loads(text)["modules"]
    return {name: found[module] for name, module in zip(CELLS, names, strict=True)}


@pytest.fixture(scope="module")
def of_yosys():
    """Yosys' models of ``CELLS``, broken down to gates."""
    return {name: {"modules": {"top": with_init(m)}} for name, m in modules(steps=STEPS).items()}


@pytest.fixture(scope="module")
def cells():
    """The cells as they are."""
    return {name: {"modules": {"top": module}} for name, module in modules("-lib").items()}


@pytest.fixture
def theirs(of_yosys, monkeypatch):
    monkeypatch.setitem(MODELLED, GATES, GATE_MODELS)
    monkeypatch.setattr(simulator, "_BITS", 1 << 13)  # contents of a memory in one piece
    return lambda name: NetlistSimulator(of_yosys[name], GATES)


def stimuli(name, steps):
    rng = random.Random(name)
    _, _, pins, _ = CELLS[name]
    inputs = {pin: bits for pin, bits in pins.items() if bits > 0}
    # words at the ends of their range are frequent, and so are what lets things happen
    for _ in range(steps):
        values = {}
        for pin, bits in inputs.items():
            ends = [0, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1]
            values[pin] = rng.choice([rng.choice(ends), rng.getrandbits(bits)])
        for pin in inputs.keys() & {"CE", "E", "RE", "RCLKE", "WE", "WCLKE"}:
            values[pin] = int(rng.random() < 0.85)
        for pin in inputs.keys() & {"AHOLD", "BHOLD", "OHOLDTOP", "OHOLDBOT", "OLOADTOP"}:
            values[pin] = int(rng.random() < 0.15)
        for pin in inputs.keys() & {"RADDR", "WADDR"}:
            values[pin] = rng.getrandbits(7) & ~12  # of the window's rows, four
        yield values


def collides(values):
    """Whether a block RAM is read where it is written."""
    if "WADDR" not in values:
        return False
    same = values["WADDR"] & 15 == values["RADDR"] & 15
    return same and all(values[pin] for pin in ("RE", "RCLKE", "WE", "WCLKE"))


def differences(one, other, name, steps=400):
    """How often two models differ, where what they say can be relied on."""
    found, relied = 0, True
    for values in stimuli(name, steps):
        outputs = one.step(**values), other.step(**values)
        found += relied and outputs[0] != outputs[1]
        if collides(values):
            relied = False
        elif values.get("RE", 1) and values.get("RCLKE", 1):
            relied = True
    return found


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_as_yosys_has_it(name, theirs, cells):
    assert differences(theirs(name), NetlistSimulator(cells[name], ICE40UP), name) == 0


def changed(netlist, **parameters):
    """The same netlist with other values of its cell's parameters, or with more of them."""
    mutant = copy.deepcopy(netlist)
    (cell,) = mutant["modules"]["top"]["cells"].values()
    cell["parameters"] |= parameters
    return mutant


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lut", {"LUT_INIT": f"{0x6A3C:016b}"}),
        ("ram 1 1", {"READ_MODE": "10"}),
        ("ram 2 2", {"WRITE_MODE": "11"}),
        ("ram 0 0", {"INIT_0": "0" * 256}),
        ("product", {"A_SIGNED": "0"}),
        ("product", {"B_REG": "0"}),
        ("product at once", {"PIPELINE_16x16_MULT_REG2": "1"}),
        ("two products", {"BOT_8x8_MULT_REG": "0", "TOP_8x8_MULT_REG": "0"}),
        ("accumulator", {"TOPADDSUB_CARRYSELECT": "11"}),
        ("pipelined accumulator", {"TOPADDSUB_CARRYSELECT": "10"}),
        ("two accumulators", {"BOTADDSUB_CARRYSELECT": "00"}),
        ("sum of a product", {"TOPADDSUB_UPPERINPUT": "0"}),
        ("sum of operands", {"BOTADDSUB_LOWERINPUT": "11"}),
        ("sign of another", {"C_REG": "1"}),
    ],
)
def test_another_parameter_is_another_cell(name, parameters, theirs, cells):
    wrong = NetlistSimulator(changed(cells[name], **parameters), ICE40UP)
    assert differences(theirs(name), wrong, name)


@pytest.mark.parametrize(
    ("name", "pins"),
    [
        ("lut", ("I1", "I3")),
        ("flop ESR", ("E", "R")),
        ("flop ES", ("E", "S")),
        ("flop SR", ("D", "R")),
        ("ram 0 0", ("WDATA", "MASK")),
        ("ram 3 3", ("RADDR", "WADDR")),
        ("ram 2 2", ("WE", "RE")),
        ("unsigned product", ("CE", "AHOLD")),
        ("product of both", ("A", "B")),
        ("sum of a product", ("C", "D")),
        ("two accumulators", ("ADDSUBTOP", "ADDSUBBOT")),
        ("sign of another", ("CI", "SIGNEXTIN")),
        ("sign of another", ("OLOADTOP", "OHOLDTOP")),
        ("accumulator", ("OLOADBOT", "OHOLDBOT")),
    ],
)
def test_pins_that_are_swapped_are_found(name, pins, theirs, cells, monkeypatch):
    """The mutant: a model that takes one pin for another."""
    kind, one, other = CELLS[name][0], *pins
    right = MODELLED[ICE40UP][kind]

    def wrong(cell, lines):
        inputs = {**cell.inputs, one: cell.inputs[other], other: cell.inputs[one]}
        right.emit(replace(cell, inputs=inputs), lines)

    monkeypatch.setitem(MODELLED, ICE40UP, {**MODELLED[ICE40UP], kind: replace(right, emit=wrong)})
    assert differences(theirs(name), NetlistSimulator(cells[name], ICE40UP), name)


@pytest.mark.parametrize("pin", ["I0", "I1", "CI"])
def test_a_carry_that_does_not_see_a_pin_is_found(pin, theirs, cells):
    mutant = changed(cells["carry"])
    (cell,) = mutant["modules"]["top"]["cells"].values()
    cell["connections"][pin] = ["0"]
    assert differences(theirs("carry"), NetlistSimulator(mutant, ICE40UP), "carry")


def test_what_is_read_where_it_is_written_comes_inverted(cells):
    """Of the bits that are written; those that a mask withholds are as they were."""
    dut = NetlistSimulator(cells["ram 0 0"], ICE40UP)
    enabled = dict.fromkeys(("RE", "RCLKE", "WE", "WCLKE"), 1)
    dut.step(**enabled, WADDR=3, WDATA=0xA5C3, RADDR=2)
    dut.step(**enabled, WADDR=3, WDATA=0x1234, MASK=0x00FF, RADDR=3)
    assert dut.step(RADDR=3, RE=1, RCLKE=1)["RDATA"] == 0xA5C3 ^ 0xFF00
    assert dut.step()["RDATA"] == 0x12C3


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("product", {"NEG_TRIGGER": "1"}, r"^NEG_TRIGGER of cell x .* must be one of 0, not 1$"),
        (
            "pipelined product",
            {"PIPELINE_16x16_MULT_REG1": "0"},
            r"^cell x \(SB_MAC16\) must have all parts of its products registered, or none$",
        ),
        ("product", {"MODE_8x8": "1"}, r"must show no product of 16 bits in its mode of 8$"),
        ("two products", {"MODE_8x8": "0"}, r"must show no product of 8 bits in its mode of 16$"),
        ("ram 0 0", {"INIT_FILE": "rom.hex"}, r"^INIT_FILE of cell x \(SB_RAM40_4K\) is not mod"),
    ],
)
def test_what_is_not_modelled_is_refused(name, parameters, message, cells):
    with pytest.raises(NetlistError, match=message):
        NetlistSimulator(changed(cells[name], **parameters), ICE40UP)


def test_a_reset_of_a_multiplier_and_another_edge_are_refused(cells):
    mutant = changed(cells["product"])
    (cell,) = mutant["modules"]["top"]["cells"].values()
    cell["connections"]["IRSTTOP"] = ["1"]
    with pytest.raises(NetlistError, match=r"^pin IRSTTOP of cell x \(SB_MAC16\) must be 0$"):
        NetlistSimulator(mutant, ICE40UP)
    mutant = changed(cells["flop"])
    (cell,) = mutant["modules"]["top"]["cells"].values()
    cell["type"] = "SB_DFFN"
    with pytest.raises(NetlistError, match=r"^cell x of a netlist must be one of .* not SB_DFFN$"):
        NetlistSimulator(mutant, ICE40UP)
