"""Primitives of a slice, as far as they are modelled: LUTs, carries, flip-flops, memories in LUTs.

Written after Xilinx UG953 (primitives and their ports) and UG474 (LUTs as memory).
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
from bitformer.synth.netlist import Bit, Cell, NetlistError

__all__ = ["SLICE"]


def _lut(cell: Cell, lines: Lines) -> None:
    inputs = [cell.bit(f"I{k}") for k in range(int(cell.kind[3:]))]
    output = cell.bits("O")
    lines.give(
        output, inputs, [f"n{output[0]} = {number(cell, 'INIT')} >> ({join_bits(inputs)}) & 1"]
    )


def _double_lut(cell: Cell, lines: Lines) -> None:
    """Model it output by output: one may be an input of the cell that the other comes from."""
    inputs, init = [cell.bit(f"I{k}") for k in range(6)], number(cell, "INIT")
    for pin, count in (("O5", 5), ("O6", 6)):
        own = inputs[:count]
        for output in cell.outputs.get(pin, ()):
            table = init & ((1 << (1 << count)) - 1)
            lines.give([output], own, [f"{target(output)} = {table} >> ({join_bits(own)}) & 1"])


def _inverter(cell: Cell, lines: Lines) -> None:
    output, bit = cell.bits("O"), cell.bit("I")
    lines.give(output, [bit], [f"n{output[0]} = {variable(bit)} ^ 1"])


def _mux(cell: Cell, lines: Lines) -> None:
    output = cell.bits("O")
    zero, one, select = (cell.bit(pin) for pin in ("I0", "I1", "S"))
    line = f"n{output[0]} = {variable(one)} if {variable(select)} else {variable(zero)}"
    lines.give(output, [zero, one, select], [line])


def _carry(cell: Cell, lines: Lines) -> None:
    """Model it bit by bit: a sum may be among what its neighbour above adds."""
    ends = [bit for bit in (cell.bit("CI"), cell.bit("CYINIT")) if bit != "0"]
    if len(ends) > 1:
        raise NetlistError(f"cell {cell.name} (CARRY4) must have one carry into it, not two")
    carry: Bit = ends[0] if ends else "0"
    unused = ("x",) * 4
    outs, sums = cell.outputs.get("CO", unused), cell.outputs.get("O", unused)
    for k, (data, select) in enumerate(zip(cell.bits("DI"), cell.bits("S"), strict=True)):
        above = outs[k] if isinstance(outs[k], int) else hidden(cell, k)
        total = f"{target(sums[k])} = {variable(select)} ^ {variable(carry)}"
        onward = f"{target(above)} = {variable(carry)} if {variable(select)} else {variable(data)}"
        lines.give([sums[k]], [select, carry], [total])
        lines.give([above], [select, carry, data], [onward])
        carry = above


def _flip_flop(cell: Cell, lines: Lines) -> None:
    """Model a flip-flop: R sets to 0 and S to 1, regardless of the enable."""
    output, control = cell.bit("Q"), cell.bit("R" if cell.kind == "FDRE" else "S")
    q, value = f"n{output}", variable(cell.bit("D"))
    if cell.bit("CE") != "1":
        value = f"{value} if {variable(cell.bit('CE'))} else {q}"
    if control != "0":
        value = f"{int(cell.kind == 'FDSE')} if {variable(control)} else {value}"
    lines.setup.append(f"{q} = {number(cell, 'INIT')}")
    lines.sample.append(f"x{q} = {value}")
    lines.commit.append(f"{q} = x{q}")
    lines.clocks.add(cell.bit("C"))


def _shift_register(cell: Cell, lines: Lines) -> None:
    bits, output, long = inside(cell, "bits"), cell.bits("Q"), cell.kind == "SRLC32E"
    address = list(cell.bits("A")) if long else [cell.bit(f"A{k}") for k in range(4)]
    lines.setup.append(f"{bits} = {number(cell, 'INIT')}")
    lines.give(output, address, [f"n{output[0]} = {bits} >> ({join_bits(address)}) & 1"])
    shifted = f"{bits} << 1 & {(1 << (32 if long else 16)) - 1} | {variable(cell.bit('D'))}"
    lines.register(bits, shifted, enable=cell.bit("CE"))
    lines.clocks.add(cell.bit("CLK"))


def _lut_ram(cell: Cell, lines: Lines) -> None:
    """Model four LUTs of 32 words of 2 bits or 64 of 1; all are written at the fourth's address."""
    width = 2 if cell.kind == "RAM32M" else 1
    address, data = inside(cell, "address"), []
    for letter in "ABCD":
        if f"DO{letter}" not in cell.outputs:
            continue
        words, init = inside(cell, f"words_{letter}"), number(cell, f"INIT_{letter}")
        lines.memories[words] = [init >> k * width & (1 << width) - 1 for k in range(64 // width)]
        outputs, reads = cell.bits(f"DO{letter}"), cell.bits(f"ADDR{letter}")
        word = inside(cell, f"word_{letter}")
        lines.give(
            outputs, reads, [f"{word} = {words}[{join_bits(reads)}]", *split_bits(outputs, word)]
        )
        data.append((words, inside(cell, f"data_{letter}"), cell.bits(f"DI{letter}")))
    write = variable(cell.bit("WE"))
    lines.sample.append(f"{address} = ({join_bits(cell.bits('ADDRD'))}) if {write} else -1")
    lines.sample += [f"{name} = {join_bits(bits)}" for _, name, bits in data]
    lines.commit.append(f"if {address} >= 0:")
    lines.commit += [f"    {words}[{address}] = {name}" for words, name, _ in data]
    lines.clocks.add(cell.bit("WCLK"))


def _memory() -> Modelled:
    letters = "ABCD"
    return Modelled(
        emit=_lut_ram,
        pins=(*(f"{pin}{c}" for pin in ("ADDR", "DI", "DO") for c in letters), "WCLK", "WE"),
        free=tuple(f"INIT_{letter}" for letter in letters),
    )


SLICE = {
    **{
        f"LUT{size}": Modelled(
            emit=_lut, pins=("O", *(f"I{k}" for k in range(size))), free=("INIT",)
        )
        for size in range(1, 7)
    },
    "LUT6_2": Modelled(
        emit=_double_lut, pins=("O6", "O5", *(f"I{k}" for k in range(6))), free=("INIT",)
    ),
    "INV": Modelled(emit=_inverter, pins=("I", "O")),
    "MUXF7": Modelled(emit=_mux, pins=("I0", "I1", "S", "O")),
    "MUXF8": Modelled(emit=_mux, pins=("I0", "I1", "S", "O")),
    "CARRY4": Modelled(emit=_carry, pins=("CI", "CYINIT", "DI", "S", "CO", "O")),
    "FDRE": Modelled(emit=_flip_flop, pins=("C", "CE", "D", "R", "Q"), free=("INIT",)),
    "FDSE": Modelled(emit=_flip_flop, pins=("C", "CE", "D", "S", "Q"), free=("INIT",)),
    "SRL16E": Modelled(
        emit=_shift_register,
        pins=("A0", "A1", "A2", "A3", "CE", "CLK", "D", "Q"),
        free=("INIT",),
        optional={"IS_CLK_INVERTED": (0,)},
    ),
    "SRLC32E": Modelled(
        emit=_shift_register,
        pins=("A", "CE", "CLK", "D", "Q"),
        free=("INIT",),
        optional={"IS_CLK_INVERTED": (0,)},
    ),
    "RAM32M": _memory(),
    "RAM64M": _memory(),
}
