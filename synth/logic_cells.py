"""Logic cells: how LUTs, flip-flops and carries share them where flip-flops have no other way in.

A cell is a LUT, the flip-flop behind it and the carry beside it. A flip-flop that takes what no LUT
gives it alone has a cell to itself, and so has a carry whose operands and carry are not those of a
LUT's inputs. A chain that begins with a signal takes a cell more, which lets it in.
"""

from collections import Counter
from collections.abc import Iterator

from bitformer.hw.families.family import Kind
from bitformer.synth.netlist import Bit, Cell, Netlist
from bitformer.synth.primitives import is_clock, pin_role

__all__ = ["logic_cells"]


def logic_cells(netlist: Netlist) -> int:
    """Return the logic cells of a netlist before it is packed; 0 where its family has none.

    A packer may need a few more: for constants, and where a carry leaves its chain.
    """
    if not netlist.family.luts.holds_register:
        return 0
    luts = list(_of_kind(netlist, Kind.LUT))
    loads = Counter(bit for cell in netlist.cells for pin in cell.inputs.values() for bit in pin)
    given = {bit for lut in luts for pin in lut.outputs.values() for bit in pin if loads[bit] == 1}
    registers = _of_kind(netlist, Kind.REGISTER)
    alone = sum(given.isdisjoint(_data(netlist, cell)) for cell in registers)
    return len(luts) + alone + _for_carries(netlist, luts)


def _of_kind(netlist: Netlist, kind: Kind) -> Iterator[Cell]:
    return (cell for cell in netlist.cells if netlist.family.primitive(cell.kind).kind is kind)


def _data(netlist: Netlist, cell: Cell) -> Iterator[Bit]:
    """Yield the bits that a flip-flop takes: its clock, its enable and its reset are none."""
    for pin, bits in cell.inputs.items():
        if not is_clock(netlist, cell, pin) and pin_role(netlist, cell, pin) == "data":
            yield from bits


def _for_carries(netlist: Netlist, luts: list[Cell]) -> int:
    """Return the cells of carries beside no LUT, and those that let a signal into a chain."""
    alone = begun = 0
    tops, beside = set(), dict[tuple[str, ...], set[tuple[Bit, ...]]]()
    carries = []
    for cell in _of_kind(netlist, Kind.CARRY):
        if (carry := netlist.family.primitive(cell.kind).carry) is not None:
            carries.append((cell, carry))
            tops |= {bit for pin in carry.carries for bit in cell.outputs.get(pin, ())}
    for cell, carry in carries:
        pins = tuple(carry.beside.values())
        if pins not in beside:
            beside[pins] = {tuple(_input(lut, pin) for pin in pins) for lut in luts}
        alone += tuple(_input(cell, pin) for pin in carry.beside) not in beside[pins]
        below = _input(cell, carry.below)
        begun += isinstance(below, int) and below not in tops
    return alone + begun


def _input(cell: Cell, pin: str) -> Bit:
    """Return the bit at a pin; an open one is low."""
    return (cell.inputs.get(pin) or ("0",))[0]
