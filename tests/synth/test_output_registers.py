"""Registers behind a block RAM of an ECP5 that go into it, and those that must stay."""

import copy

import pytest

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.synth.output_registers import with_output_registers


def flop(d, q, *, clock=2, lsr="0", **parameters):
    known = {"CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
    return {
        "type": "TRELLIS_FF",
        "parameters": known | parameters,
        "port_directions": dict.fromkeys(("CLK", "DI", "LSR"), "input") | {"Q": "output"},
        "connections": {"CLK": [clock], "DI": [d], "LSR": [lsr], "Q": [q]},
    }


def block(width, out):
    """A block that reads at port B; ``out`` has its nets, those of DOA first where it is wide."""
    pins = [f"DO{port}{bit}" for port in ("AB" if width == 36 else "B") for bit in range(18)]
    connections = {pin: [net] for pin, net in zip(pins, out, strict=False)}
    connections |= {"CLKA": [2], "CLKB": [2], "OCEA": ["0"], "OCEB": ["1"]}
    inputs = dict.fromkeys(("CLKA", "CLKB", "OCEA", "OCEB"), "input")
    return {
        "type": "DP16KD",
        "parameters": {
            "DATA_WIDTH_B": f"{width:032b}",
            "REGMODE_A": "NOREG",
            "REGMODE_B": "NOREG",
        },
        "port_directions": dict.fromkeys(connections, "output") | inputs,
        "connections": connections,
    }


def netlist(width=18, bits=4, **changes):
    """A block with a register behind each of so many bits: nets 100 on, and 200 on."""
    cells = {"ram": block(width, range(100, 100 + bits))}
    cells |= {f"q{bit}": flop(100 + bit, 200 + bit) for bit in range(bits)} | changes
    ports = {"o": {"direction": "output", "bits": list(range(200, 200 + bits))}}
    return {"creator": "test", "modules": {"top": {"ports": ports, "cells": cells}}}


@pytest.mark.parametrize(("width", "bits"), [(4, 4), (18, 18), (36, 36), (36, 20)])
def test_registers_go_into_the_block(width, bits):
    before = netlist(width, bits)
    kept = copy.deepcopy(before)
    cells = with_output_registers(before, ECP5)["modules"]["top"]["cells"]
    assert before == kept
    assert list(cells) == ["ram"]
    ram = cells["ram"]
    modes = [ram["parameters"][f"REGMODE_{port}"] for port in "AB"]
    assert modes == ["OUTREG" if width == 36 else "NOREG", "OUTREG"]
    assert ram["connections"]["OCEB"] == ["1"]
    first = "DOA" if width == 36 else "DOB"
    assert ram["connections"][f"{first}0"] == [200]
    assert ram["connections"][f"{first}3"] == [203]


@pytest.mark.parametrize(
    "changes",
    [
        {"q2": flop(102, 202, clock=3)},
        {"q2": flop(102, 202, lsr=5)},
        {"q2": flop(102, 202, REGSET="SET")},
        {"q2": flop(102, 202, CEMUX="CE")},
        {"q2": flop(102, 202, CLKMUX="INV")},
        {"again": flop(102, 300)},
        {
            "l": {
                "type": "LUT4",
                "parameters": {},
                "port_directions": {"A": "input", "Z": "output"},
                "connections": {"A": [101], "Z": [301]},
            }
        },
    ],
    ids=["clock", "reset", "set", "enable", "edge", "twice", "logic"],
)
def test_one_bit_that_is_not_so_leaves_all(changes):
    before = netlist(**changes)
    assert with_output_registers(before, ECP5) == before


def test_an_output_of_the_module_is_a_load():
    before = netlist()
    before["modules"]["top"]["ports"]["p"] = {"direction": "output", "bits": [103]}
    assert with_output_registers(before, ECP5) == before


def test_other_families_have_theirs_already():
    before = netlist()
    assert with_output_registers(before, SERIES7) is before
