"""A netlist of one cell, in the netlist simulator, and the parameters of cells that have many."""

from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.models import MODELLED
from bitformer.sim.netlist.simulator import NetlistSimulator

CLOCKS = {"CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}
OUTPUTS = {"O", "O5", "O6", "Q", "P", "CO", *(f"DO{c}" for c in "ABCD")}
OUTPUTS |= {"DOADO", "DOBDO", "DOPADOP", "DOPBDOP"}


def one_cell(kind, parameters=None, *, tied=None, **widths):
    """A netlist with a cell whose pins, of these ``widths``, are ports; ``tied`` are constants."""
    ports, pins, net = {"clk": {"direction": "input", "bits": [2]}}, {}, 3
    for pin, width in widths.items():
        pins[pin] = [*range(net, net + width)]
        net += width
        direction = "output" if pin in OUTPUTS else "input"
        ports[pin] = {"direction": direction, "bits": pins[pin]}
    clocks = {"C"} if kind.startswith("FD") else CLOCKS
    pins |= {pin: [2] for pin in clocks & {*MODELLED[SERIES7][kind].pins}}
    pins |= {pin: list(reversed(bits)) for pin, bits in (tied or {}).items()}
    cell = {
        "type": kind,
        "parameters": dict(parameters or {}),
        "port_directions": {pin: "output" if pin in OUTPUTS else "input" for pin in pins},
        "connections": pins,
    }
    return {"modules": {"top": {"ports": ports, "cells": {"x": cell}}}}


def simulator(*args, unknown=0, **kwargs):
    return NetlistSimulator(one_cell(*args, **kwargs), SERIES7, unknown=unknown)


def dsp_parameters(a, b, c, m, p):
    zero = dict.fromkeys(
        ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "DREG", "INMODEREG", "OPMODEREG"],
        "0",
    )
    counts = {"AREG": a, "BREG": b, "CREG": c, "MREG": m, "PREG": p}
    texts = {"A_INPUT": "DIRECT", "B_INPUT": "DIRECT", "USE_DPORT": "FALSE"}
    texts |= {"USE_MULT": "MULTIPLY", "USE_SIMD": "ONE48"}
    return zero | {name: f"{count:032b}" for name, count in counts.items()} | texts


DSP_PINS = {"A": 30, "B": 18, "C": 48, "P": 48}
DSP_ENABLES = [*(f"CE{x}" for x in ("A1", "A2", "B1", "B2", "C", "M", "P"))]
DSP_RESETS = [f"RST{x}" for x in "ABCMP"]


def block_parameters(mode="TDP", *, init=(), parity=(), big=False, **widths):
    names = [f"{access}_WIDTH_{side}" for access in ("READ", "WRITE") for side in "AB"]
    fixed = {f"WRITE_MODE_{side}": "READ_FIRST" for side in "AB"}
    fixed |= {f"DO{side}_REG": "0" for side in "AB"} | {f"INIT_{side}": "0" for side in "AB"}
    contents = {f"INIT_{k:02X}": f"{row:0256b}" for k, row in enumerate(init)}
    contents |= {f"INITP_{k:02X}": f"{row:0256b}" for k, row in enumerate(parity)}
    counts = {name: f"{widths.get(name, 0):032b}" for name in names}
    return {"RAM_MODE": mode} | fixed | contents | counts


def block_pins(big):
    scale, address = (2, 16) if big else (1, 14)
    return {
        **dict.fromkeys(("ADDRARDADDR", "ADDRBWRADDR"), address),
        **dict.fromkeys(("DIADI", "DIBDI", "DOADO", "DOBDO"), 16 * scale),
        **dict.fromkeys(("DIPADIP", "DIPBDIP", "DOPADOP", "DOPBDOP", "WEA"), 2 * scale),
        "WEBWE": 4 * scale,
        "ENARDEN": 1,
        "ENBWREN": 1,
    }
