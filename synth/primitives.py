"""The primitives of 7-series parts as logic depth sees them: ways through, clocks, controls.

Sources: Xilinx UG953 (the primitives and their ports) and UG474 (how a slice is made).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bitformer.synth.netlist import Cell, Netlist

__all__ = ["Arc", "arcs", "is_clock", "lut_count", "pin_role", "start_levels"]

_LUT = re.compile(r"LUT[1-6]$")
_SHIFT = re.compile(r"SRL")
_LUTRAM = re.compile(r"RAM(?!B)\d")
_BUFFERS = frozenset({"IBUF", "OBUF", "BUFG", "BUF"})
_CLOCK = re.compile(r"(C|CLK|WCLK|CLK\w*)$")
_ENABLE = re.compile(r"(CE\w*|WE\w*|EN\w*|REGCE\w*)$")
_RESET = re.compile(r"(R|S|CLR|PRE|RST\w*)$")
#: LUTs of a memory or shift register in LUTs; others of the family take one.
_MEMORY_LUTS = {
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
}


@dataclass(frozen=True, slots=True)
class Arc:
    """A way from a net into a cell and out on another: LUT levels, carry chains begun, CARRY4s."""

    start: int
    end: int
    levels: int = 0
    chains: int = 0
    carries: int = 0


def is_lut(cell: Cell) -> bool:
    """Whether the cell is a LUT as logic."""
    return _LUT.match(cell.kind) is not None


def lut_count(kind: str) -> tuple[int, int, int]:
    """LUTs that a cell takes as logic, as memory, and as shift register."""
    if _LUT.match(kind):
        return 1, 0, 0
    if _SHIFT.match(kind):
        return 0, 0, 1
    if _LUTRAM.match(kind):
        return 0, _MEMORY_LUTS.get(kind, 1), 0
    return 0, 0, 0


def is_clock(cell: Cell, port: str) -> bool:
    """Whether a port takes a clock."""
    return _CLOCK.match(port) is not None and not (is_lut(cell) or cell.kind.startswith("CARRY"))


def pin_role(cell: Cell, port: str) -> str:
    """What an input does: ``enable``, ``reset``, ``logic`` (a LUT's) or ``data``."""
    if is_lut(cell) or cell.kind in ("INV", "MUXF7", "MUXF8", "CARRY4"):
        return "logic"
    if _ENABLE.match(port):
        return "enable"
    return "reset" if _RESET.match(port) else "data"


def start_levels(cell: Cell) -> int:
    """LUT levels behind an output that a clock sets: 1 of a memory or shift register in LUTs.

    Their clock-to-output time is that of a flip-flop and a LUT together.
    """
    return 1 if _LUTRAM.match(cell.kind) or _SHIFT.match(cell.kind) else 0


def arcs(netlist: Netlist, cell: Cell) -> Iterator[Arc]:
    """The combinational ways through a cell; none through flip-flops, DSPs and block RAMs."""
    if cell.kind == "CARRY4":
        yield from _carry_arcs(netlist, cell)
    elif cell.kind == "INV":
        for start, end in _all(cell, cell.inputs, cell.outputs):
            yield Arc(start, end, levels=_inverter_level(netlist, start))
    elif is_lut(cell):
        for start, end in _all(cell, cell.inputs, cell.outputs):
            yield Arc(start, end, levels=0 if _takes_inverter(netlist, start) else 1)
    elif cell.kind in _BUFFERS or cell.kind in ("MUXF7", "MUXF8"):
        # a MUXF7 or MUXF8 is in the slice of the LUTs before it
        for start, end in _all(cell, cell.inputs, cell.outputs):
            yield Arc(start, end)
    elif _LUTRAM.match(cell.kind) or _SHIFT.match(cell.kind):
        for address, data in _reads(cell):
            for start, end in _all(cell, (address,), (data,)):
                yield Arc(start, end, levels=1)


def _all(cell: Cell, inputs, outputs) -> Iterator[tuple[int, int]]:
    for output in outputs:
        for end in cell.outputs.get(output, ()):
            for port in inputs:
                for start in cell.inputs.get(port, ()):
                    if start is not None and end is not None:
                        yield start, end


def _inverter_level(netlist: Netlist, start: int) -> int:
    """An inverter behind a LUT costs nothing: the LUT can be had inverted, from the same inputs."""
    driver = netlist.driver.get(start)
    return 0 if driver is not None and is_lut(driver[0]) else 1


def _takes_inverter(netlist: Netlist, start: int) -> bool:
    """Whether a LUT swallows the inverter that drives its input, whose level then is the LUT's."""
    driver = netlist.driver.get(start)
    if driver is None or driver[0].kind != "INV":
        return False
    behind = driver[0].inputs["I"][0]
    return behind is not None and _inverter_level(netlist, behind) == 1


def _reads(cell: Cell) -> Iterator[tuple[str, str]]:
    """Address ports of asynchronous reads, and the outputs that follow them."""
    kind = cell.kind
    if _SHIFT.match(kind):
        for port in ("A", "A0", "A1", "A2", "A3"):
            yield port, "Q"
    elif kind.endswith("M"):
        for letter in "ABCD":
            yield f"ADDR{letter}", f"DO{letter}"
    else:
        for port in cell.inputs:
            if port.startswith("DPR"):
                yield port, "DPO"
            elif re.match(r"A\d*$", port):
                for data in ("O", "SPO"):
                    yield port, data


def _carry_arcs(netlist: Netlist, cell: Cell) -> Iterator[Arc]:
    """From each input to the sums and carries that follow it; carry to carry in one chain."""

    def into(bit: int | None, first: int, *, chains: int, sums: int = 0) -> Iterator[Arc]:
        if bit is None:
            return
        for port, offset in (("O", sums), ("CO", 0)):
            for end in cell.outputs.get(port, ())[first + offset :]:
                if end is not None:
                    yield Arc(bit, end, chains=chains, carries=1)

    carry = cell.inputs.get("CI", (None,))[0]
    yield from into(carry, 0, chains=0 if _continues(netlist, carry) else 1)
    yield from into(cell.inputs.get("CYINIT", (None,))[0], 0, chains=1)
    for number, bit in enumerate(cell.inputs.get("S", ())):
        yield from into(bit, number, chains=1)
    for number, bit in enumerate(cell.inputs.get("DI", ())):
        yield from into(bit, number, chains=1, sums=1)


def _continues(netlist: Netlist, carry: int | None) -> bool:
    """Whether a carry input is the carry output of the CARRY4 below."""
    if carry not in netlist.driver:
        return False
    below, port = netlist.driver[carry]
    return below.kind == "CARRY4" and port == "CO" and below.outputs["CO"][3] == carry
