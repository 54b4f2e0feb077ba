"""Primitives of the iCE40's logic cells, as far as they are modelled: LUTs, carries, flip-flops.

Written after the Lattice ICE technology library. Flip-flops of the falling edge are not modelled: a
netlist has one clock, which rises.
"""

import re

from bitformer.sim.netlist.codegen import Lines, Modelled, join_bits, number, variable
from bitformer.synth.netlist import Bit, Cell

__all__ = ["SLICE"]


def _input(cell: Cell, pin: str, missing: Bit) -> Bit:
    """Return the bit at a pin, or what one that is not connected carries."""
    return (cell.inputs.get(pin) or (missing,))[0]


def _lut(cell: Cell, lines: Lines) -> None:
    inputs = [_input(cell, f"I{k}", "0") for k in range(4)]
    output = cell.bits("O")
    value = f"{number(cell, 'LUT_INIT')} >> ({join_bits(inputs)}) & 1"
    lines.give(output, inputs, [f"n{output[0]} = {value}"])


def _carry(cell: Cell, lines: Lines) -> None:
    """Model the majority of three bits."""
    bits = [_input(cell, pin, "0") for pin in ("I0", "I1", "CI")]
    one, other, below = map(variable, bits)
    output = cell.bits("CO")
    lines.give(output, bits, [f"n{output[0]} = {one} & {other} | ({one} | {other}) & {below}"])


#: Letters of a flip-flop's name: an enable; a reset or set, at the clock's edge where S is before.
_NAME = re.compile(r"SB_DFF(?P<enabled>E?)(?P<clocked>S(?=[RS])|)(?P<to>[RS]?)$")


def _flip_flop(cell: Cell, lines: Lines) -> None:
    """Model a flip-flop that begins as 0.

    A reset at the clock's edge waits for the enable, one that waits for no edge does not.
    """
    match = _NAME.match(cell.kind)
    assert match is not None
    output = cell.bit("Q")
    state, value = f"n{output}", variable(cell.bit("D"))
    to, clocked = match["to"], bool(match["clocked"])
    reset = _input(cell, to, "0") if to else "0"
    level = int(to == "S")
    if reset != "0" and not clocked:
        state = f"s{output}"
        held = f"{level} if {variable(reset)} else {state}"
        lines.give([output], [reset], [f"n{output} = {held}"])
    if reset != "0" and clocked:
        value = f"{level} if {variable(reset)} else {value}"
    if match["enabled"] and (enable := _input(cell, "E", "1")) != "1":
        value = f"({value}) if {variable(enable)} else {state}"
    if reset != "0" and not clocked:
        value = f"{level} if {variable(reset)} else {value}"
    lines.setup.append(f"{state} = 0")
    lines.sample.append(f"x{state} = {value}")
    lines.commit.append(f"{state} = x{state}")
    lines.clocks.add(cell.bit("C"))


def _registers() -> dict[str, Modelled]:
    found = {}
    for enabled in ("", "E"):
        for reset in ("", "R", "S", "SR", "SS"):
            pins = ("C", "D", "Q", *enabled, *reset[-1:])
            found[f"SB_DFF{enabled}{reset}"] = Modelled(emit=_flip_flop, pins=pins)
    return found


SLICE = {
    "SB_LUT4": Modelled(emit=_lut, pins=("I0", "I1", "I2", "I3", "O"), free=("LUT_INIT",)),
    "SB_CARRY": Modelled(emit=_carry, pins=("I0", "I1", "CI", "CO")),
    **_registers(),
}
