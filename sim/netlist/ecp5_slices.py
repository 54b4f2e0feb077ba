"""Primitives of ECP5's slices, as far as they are modelled: LUTs, carries, flip-flops, memories.

Written after Lattice's FPGA-TN-02204 (memories in LUTs) and the ECP5 library of its primitives.
"""

from bitformer.sim.netlist.codegen import (
    Lines,
    Modelled,
    hidden,
    inside,
    join_bits,
    number,
    split_bits,
    target,
    variable,
)
from bitformer.synth.netlist import Cell, NetlistError

__all__ = ["SLICE"]


def _lut(cell: Cell, lines: Lines) -> None:
    inputs = [cell.bit(pin) for pin in "ABCD"]
    output = cell.bits("Z")
    lines.give(
        output, inputs, [f"n{output[0]} = {number(cell, 'INIT')} >> ({join_bits(inputs)}) & 1"]
    )


def _mux(cell: Cell, lines: Lines) -> None:
    """Model the multiplexers of LUTs: a high select takes ALUT, or D1."""
    pins = ("BLUT", "ALUT", "C0") if cell.kind == "PFUMX" else ("D0", "D1", "SD")
    zero, one, select = (cell.bit(pin) for pin in pins)
    output = cell.bits("Z")
    line = f"n{output[0]} = {variable(one)} if {variable(select)} else {variable(zero)}"
    lines.give(output, [zero, one, select], [line])


def _carry(cell: Cell, lines: Lines) -> None:
    """Model both halves: a LUT of four inputs propagates, one of A and B alone generates."""
    carry = cell.bit("CIN")
    for half in (0, 1):
        init = number(cell, f"INIT{half}")
        inputs = [cell.bit(f"{pin}{half}") for pin in "ABCD"]
        cut = cell.parameters[f"INJECT1_{half}"] == "YES"
        propagate = inside(cell, f"propagate_{half}")
        onward = cell.outputs.get("COUT", ("x",))[0] if half else hidden(cell, 0)
        onward = onward if isinstance(onward, int) else hidden(cell, 1)
        total = cell.outputs.get(f"S{half}", ("x",))[0]
        given = f"{propagate} = {init} >> ({join_bits(inputs)}) & 1"
        both = [*inputs, carry]
        sums = propagate if cut else f"{propagate} ^ {variable(carry)}"
        generate = "0" if cut else f"{init & 15} >> ({join_bits(inputs[:2])}) & 1"
        lines.give([total], inputs if cut else both, [given, f"{target(total)} = {sums}"])
        lines.give(
            [onward],
            both,
            [given, f"{target(onward)} = {variable(carry)} if {propagate} else {generate}"],
        )
        carry = onward


def _flip_flop(cell: Cell, lines: Lines) -> None:
    """Model a flip-flop that begins as its reset leaves it; a reset goes before an enable."""
    q, value = f"n{cell.bit('Q')}", variable(cell.bit("DI"))
    init = int(cell.parameters["REGSET"] == "SET")
    if cell.parameters["CEMUX"] == "CE":
        value = f"{value} if {variable(cell.bit('CE'))} else {q}"
    reset = cell.inputs.get("LSR", ("0",))[0]
    if reset != "0":
        if cell.parameters.get("SRMODE") != "LSR_OVER_CE":
            raise NetlistError(f"SRMODE of cell {cell.name} (TRELLIS_FF) must be LSR_OVER_CE")
        value = f"{init} if {variable(reset)} else {value}"
    lines.setup.append(f"{q} = {init}")
    lines.sample.append(f"x{q} = {value}")
    lines.commit.append(f"{q} = x{q}")
    lines.clocks.add(cell.bit("CLK"))


def _lut_ram(cell: Cell, lines: Lines) -> None:
    """Model 16 words of 4 bits, read at one address and written at another."""
    words, address, data = (inside(cell, name) for name in ("words", "address", "data"))
    init = number(cell, "INITVAL")
    lines.memories[words] = [init >> 4 * k & 15 for k in range(16)]
    outputs, reads, word = cell.bits("DO"), cell.bits("RAD"), inside(cell, "word")
    lines.give(
        outputs, reads, [f"{word} = {words}[{join_bits(reads)}]", *split_bits(outputs, word)]
    )
    write = variable(cell.bit("WRE"))
    lines.sample.append(f"{address} = ({join_bits(cell.bits('WAD'))}) if {write} else -1")
    lines.sample.append(f"{data} = {join_bits(cell.bits('DI'))}")
    lines.commit += [f"if {address} >= 0:", f"    {words}[{address}] = {data}"]
    lines.clocks.add(cell.bit("WCK"))


SLICE = {
    "LUT4": Modelled(emit=_lut, pins=(*"ABCD", "Z"), free=("INIT",)),
    "PFUMX": Modelled(emit=_mux, pins=("ALUT", "BLUT", "C0", "Z")),
    "L6MUX21": Modelled(emit=_mux, pins=("D0", "D1", "SD", "Z")),
    "CCU2C": Modelled(
        emit=_carry,
        pins=(*(f"{pin}{half}" for pin in "ABCD" for half in "01"), "CIN", "S0", "S1", "COUT"),
        free=("INIT0", "INIT1"),
        fixed={f"INJECT1_{half}": ("NO", "YES") for half in "01"},
    ),
    "TRELLIS_FF": Modelled(
        emit=_flip_flop,
        pins=("CLK", "LSR", "CE", "DI", "Q"),
        fixed={
            "CEMUX": ("1", "CE"),
            "CLKMUX": ("CLK",),
            "GSR": ("DISABLED",),
            "LSRMUX": ("LSR",),
            "REGSET": ("RESET", "SET"),
        },
        optional={"SRMODE": ("LSR_OVER_CE", "ASYNC")},
    ),
    "TRELLIS_DPR16X4": Modelled(
        emit=_lut_ram,
        pins=("DI", "DO", "RAD", "WAD", "WCK", "WRE"),
        free=("INITVAL",),
        fixed={"WCKMUX": ("WCK",), "WREMUX": ("WRE",)},
    ),
}
