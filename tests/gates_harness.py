"""What Yosys breaks its models of cells down to: gates and flip-flops, for the simulator."""

from dataclasses import replace

from bitformer.hw.families.ecp5 import ECP5
from bitformer.sim.netlist.codegen import Modelled, inside, join_bits, split_bits, variable

__all__ = ["GATES", "GATE_MODELS", "with_init"]


def gate(expression):
    def emit(cell, lines):
        pins = {pin: variable(cell.bit(pin)) for pin in cell.inputs}
        output = cell.bits("Y")
        needs = [cell.bit(pin) for pin in cell.inputs]
        lines.give(output, needs, [f"n{output[0]} = {expression.format(**pins)}"])

    pins = tuple(pin for pin in "ABS" if f"{{{pin}}}" in expression)
    return Modelled(emit=emit, pins=(*pins, "Y"))


def register(cell, lines):
    q = variable(cell.bit("Q"))
    lines.setup.append(f"{q} = {cell.parameters['INIT']}")
    lines.sample.append(f"x{q} = {variable(cell.bit('D'))}")
    lines.commit.append(f"{q} = x{q}")
    lines.clocks.add(cell.bit("C"))


def reset_register(level):
    """A flip-flop whose reset waits for no edge."""

    def emit(cell, lines):
        q, reset = variable(cell.bit("Q")), variable(cell.bit("R"))
        state = f"state_{cell.number}"
        lines.setup.append(f"{state} = {cell.parameters['INIT']}")
        lines.give(cell.bits("Q"), cell.bits("R"), [f"{q} = {level} if {reset} else {state}"])
        lines.sample.append(f"x{state} = {level} if {reset} else {variable(cell.bit('D'))}")
        lines.commit.append(f"{state} = x{state}")
        lines.clocks.add(cell.bit("C"))

    return Modelled(emit=emit, pins=("C", "D", "R", "Q"), fixed={"INIT": (0, 1)})


def memory(cell, lines):
    """A memory with a port that is read at once, and ports that write bits at the clock's edge."""
    width = cell.parameters["WIDTH"]
    words, init = inside(cell, "words"), cell.parameters["INIT"]
    count, address = cell.parameters["SIZE"], cell.parameters["ABITS"]
    lines.memories[words] = [init >> k * width & (1 << width) - 1 for k in range(count)]
    read, word = cell.bits("RD_ADDR"), inside(cell, "word")
    out = cell.bits("RD_DATA")
    lines.give(out, read, [f"{word} = {words}[{join_bits(read)}]", *split_bits(out, word)])
    for port in range(cell.parameters["WR_PORTS"]):
        place, mask, new = (inside(cell, f"{name}{port}") for name in ("place", "mask", "new"))
        parts = (("WR_ADDR", address), ("WR_EN", width), ("WR_DATA", width))
        lines.sample += [
            f"{name} = {join_bits(cell.bits(pin)[port * size :][:size])}"
            for name, (pin, size) in zip((place, mask, new), parts, strict=True)
        ]
        at = f"{words}[{place}]"
        lines.commit.append(f"{at} = {at} & ~{mask} | {new} & {mask}")
    lines.clocks |= set(cell.bits("WR_CLK"))


_MEMORY_PARAMETERS = (
    *("MEMID", "SIZE", "OFFSET", "ABITS", "WIDTH", "INIT", "WR_PORTS"),
    *("RD_WIDE_CONTINUATION", "RD_CLK_POLARITY", "RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK"),
    *("RD_CE_OVER_SRST", "RD_INIT_VALUE", "RD_ARST_VALUE", "RD_SRST_VALUE"),
    *("WR_CLK_ENABLE", "WR_CLK_POLARITY", "WR_PRIORITY_MASK", "WR_WIDE_CONTINUATION"),
)
_MEMORY_PINS = (
    *("RD_ADDR", "RD_DATA", "RD_CLK", "RD_EN", "RD_ARST", "RD_SRST"),
    *("WR_ADDR", "WR_DATA", "WR_CLK", "WR_EN"),
)

#: What Yosys breaks its models down to.
GATES = replace(ECP5, name="gates", primitives={})
GATE_MODELS = {
    "$_NOT_": gate("{A} ^ 1"),
    "$_AND_": gate("{A} & {B}"),
    "$_OR_": gate("{A} | {B}"),
    "$_XOR_": gate("{A} ^ {B}"),
    "$_XNOR_": gate("{A} ^ {B} ^ 1"),
    "$_MUX_": gate("{B} if {S} else {A}"),
    "$_DFF_P_": Modelled(emit=register, pins=("C", "D", "Q"), fixed={"INIT": (0, 1)}),
    "$mem_v2": Modelled(
        emit=memory,
        pins=_MEMORY_PINS,
        free=_MEMORY_PARAMETERS,
        fixed={"RD_PORTS": (1,), "RD_CLK_ENABLE": (0,)},
    ),
    "$_DFF_PP0_": reset_register(0),
    "$_DFF_PP1_": reset_register(1),
}


def with_init(module):
    """Give each flip-flop what it begins with, which Yosys says of its net; 0 where it is open."""
    init = {}
    for net in module["netnames"].values():
        values = reversed(net["attributes"].get("init", ""))
        init |= dict(zip(net["bits"], values, strict=False))
    for cell in module["cells"].values():
        if cell["type"].startswith("$_DFF_"):
            (q,) = cell["connections"]["Q"]
            cell["parameters"]["INIT"] = init.get(q, "0").replace("x", "0")
    return module
