"""Netlists that are refused, and that no text of one is ever executed."""

import builtins
import re

import pytest
from cell_harness import (
    DSP_ENABLES,
    DSP_PINS,
    DSP_RESETS,
    OUTPUTS,
    block_parameters,
    block_pins,
    dsp_parameters,
    one_cell,
    simulator,
)

from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.netlist import NetlistError


def rom(**changes):
    parameters = block_parameters(READ_WIDTH_A=18) | changes
    return one_cell("RAMB18E1", parameters, **block_pins(False))


def dsp(opmode="0100101", **changes):
    widths = DSP_PINS | dict.fromkeys(DSP_ENABLES + DSP_RESETS, 1)
    parameters = dsp_parameters(1, 1, 0, 1, 1) | changes
    return one_cell("DSP48E1", parameters, tied={"OPMODE": opmode}, **widths)


def with_pin(net, pin, bits):
    cell = net["modules"]["top"]["cells"]["x"]
    cell["connections"][pin] = bits
    cell["port_directions"].setdefault(pin, "output" if pin in OUTPUTS else "input")
    return net


def with_cell(net, **changes):
    net["modules"]["top"]["cells"]["x"].update(changes)
    return net


REFUSED = {
    "kind": (
        with_cell(one_cell("FDRE"), type="FDCE"),
        "cell x of a netlist must be one of .*, not FDCE",
    ),
    "no top": ({"modules": {}}, "netlist must have a module top"),
    "parameter": (rom(EN_ECC_READ="FALSE"), r"EN_ECC_READ of cell x \(RAMB18E1\) is not modelled"),
    "write mode": (
        rom(WRITE_MODE_A="WRITE_FIRST"),
        r"WRITE_MODE_A of cell x \(RAMB18E1\) must be one of READ_FIRST, not WRITE_FIRST",
    ),
    "output register": (rom(DOA_REG="1"), "DOA_REG of cell x .* must be one of 0, not 1"),
    "initial output": (rom(INIT_A="100"), "INIT_A of cell x .* must be one of 0, not 4"),
    "width": (
        rom(READ_WIDTH_A=f"{6:032b}"),
        "ports of cell x .* must be of one width in 1, 2, 4, 9, 18, not {'READ_WIDTH_A': 6}",
    ),
    "two widths": (
        rom(WRITE_WIDTH_B=f"{9:032b}"),
        "ports of cell x .* must be of one width in 1, 2, 4, 9, 18, not {.*: 18, .*: 9}",
    ),
    "reset of a RAM": (with_pin(rom(), "RSTRAMARSTRAM", [3]), "pin RSTRAMARSTRAM .* must be 0"),
    "pin": (with_pin(rom(), "INJECTDBITERR", ["0"]), "pin INJECTDBITERR .* is not modelled"),
    "pre-adder": (dsp(USE_DPORT="TRUE"), "USE_DPORT of cell x .* must be one of FALSE, not TRUE"),
    "carry": (with_pin(dsp(), "CARRYIN", ["1"]), "pin CARRYIN of cell x .* must be 0"),
    "cascade": (with_pin(dsp(), "PCIN", [3] * 48), "pin PCIN of cell x .* must be 0"),
    "no product": (dsp("0100010"), "OPMODE of cell x .* must be 0zz0101"),
    "shifted P": (dsp("1100101"), "OPMODE of cell x .* must be 0zz0101"),
    "cascade as Z": (dsp("0010101"), "OPMODE of cell x .* must select 0, P or C as Z"),
    "no P": (dsp(PREG="0"), "cell x .* must have register P to add to it"),
    "left out": (one_cell("DSP48E1", {}), "AREG of cell x .* must be given"),
    "open": (one_cell("LUT2", {"INIT": "0110"}, I0=1, O=1), "pin I1 of cell x .* must be conn"),
    "two carries": (one_cell("CARRY4", CI=1, CYINIT=1, DI=4, S=4, O=4), "must have one carry"),
    "other clock": (with_pin(one_cell("FDRE", D=1, CE=1, R=1, Q=1), "C", [3]), "the clock clk"),
    "feedback": (with_pin(one_cell("INV", O=1), "I", [3]), "no logic that feeds back"),
    "undriven": (with_pin(one_cell("INV", O=1), "I", [9]), "net 9 of a netlist must be driven"),
    "a bit twice": (with_pin(one_cell("INV", O=1), "I", [True]), "must be numbers .*, not True"),
    "below 0": (with_pin(one_cell("INV", O=1), "I", [-1]), "must be numbers of nets, .*, not -1"),
    "no list": (with_pin(one_cell("INV", O=1), "I", "01"), "bits of cell x .* a list, not '01'"),
    "too wide": (one_cell("LUT1", {"INIT": "1" * 321}, I0=1, O=1), "must be a text or 320 bits"),
    "no parameters": (with_cell(one_cell("INV", O=1), parameters=3), "parameters of cell x must"),
    "no ports": ({"modules": {"top": {"ports": 1, "cells": {}}}}, "ports of module top must be an"),
    "no modules": ({"modules": []}, r"modules of netlist must be an object .*, not \[\]"),
    "no netlist": ([], "modules of netlist must be an object"),
    "text": (one_cell("LUT1", {"INIT": "no"}, I0=1, O=1), "INIT .* must be a number, not 'no'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    net, message = REFUSED[case]
    with pytest.raises(NetlistError, match=message):
        NetlistSimulator(net, SERIES7)


def test_unknown_is_a_bit():
    with pytest.raises(ValueError, match=re.escape("Unknown must be 0 or 1, not 2")):
        simulator("INV", I=1, O=1, unknown=2)


HOSTILE = {
    "lut": one_cell("LUT2", {"INIT": "0110"}, I0=1, I1=1, O=1),
    "mux": one_cell("MUXF7", I0=1, I1=1, S=1, O=1),
    "carry": one_cell("CARRY4", tied={"CYINIT": "0"}, CI=1, DI=4, S=4, CO=4, O=4),
    "flip-flop": one_cell("FDRE", {"INIT": "0"}, D=1, CE=1, R=1, Q=1),
    "shift": one_cell("SRL16E", {"INIT": "0"}, A0=1, A1=1, A2=1, A3=1, CE=1, D=1, Q=1),
    "memory": one_cell("RAM32M", {"INIT_A": "0"}, ADDRA=5, ADDRD=5, DIA=2, DOA=2, WE=1),
    "multiplier": dsp(),
    "block": with_pin(rom(READ_WIDTH_B=f"{18:032b}"), "WEA", ["0"] * 2),
}
#: As an expression, as a line of its own, and as more lines than one.
INJECTIONS = (
    "RUN",
    "0 or RUN",
    "1 = RUN; n1",
    "0\n        RUN\n",
    "):\n    RUN\n    _ = (0",
    "0] if RUN else [0",
)


def changed_texts(data, path=()):
    """(what, copy) with one text of a netlist, key or value or number, changed to another."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        for text in INJECTIONS:
            text = text.replace("RUN", "__import__('builtins').injected.append(1)")
            if not isinstance(value, dict | list):
                yield (*path, key), _with(data, key, text)
            if isinstance(data, dict):
                yield (*path, key), {text if k == key else k: v for k, v in items}
        if isinstance(value, dict | list):
            for where, inner in changed_texts(value, (*path, key)):
                yield where, _with(data, key, inner)


def _with(data, key, value):
    new = data.copy()
    new[key] = value
    return new


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_of_a_netlist_is_executed(kind, monkeypatch):
    """Each name, type, parameter and bit is code in turn: it is refused, or comes to nothing."""
    injected, refused = [], 0
    monkeypatch.setattr(builtins, "injected", injected, raising=False)
    NetlistSimulator(HOSTILE[kind], SERIES7).step()
    for where, netlist in changed_texts(HOSTILE[kind]):
        try:
            NetlistSimulator(netlist, SERIES7).step()
        except NetlistError:
            refused += 1
        assert injected == [], where
    assert refused > 50
