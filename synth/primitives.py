"""A family's primitives as logic depth sees them: ways through, clocks, controls."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bitformer.hw.families.family import Carry, Kind
from bitformer.synth.netlist import Bit, Cell, Netlist

__all__ = ["Arc", "arcs", "is_clock", "late_steps", "pin_role", "start_levels"]

_IN_LUTS = (Kind.LUT_RAM, Kind.SHIFT_REGISTER)


@dataclass(frozen=True, slots=True)
class Arc:
    """A way from a net into a cell and out on another: LUT levels, and carries.

    ``chains`` are carry chains that begin, ``carries`` their pieces.
    """

    start: int
    end: int
    levels: int = 0
    chains: int = 0
    carries: int = 0


def is_clock(netlist: Netlist, cell: Cell, port: str) -> bool:
    """Return True if a port takes a clock."""
    kind = netlist.family.primitive(cell.kind).kind
    clocked = kind not in (Kind.LUT, Kind.CARRY)
    return clocked and re.match(netlist.family.pins.clock, port) is not None


def pin_role(netlist: Netlist, cell: Cell, port: str) -> str:
    """Return what an input does: ``enable``, ``reset``, ``logic`` (a LUT's) or ``data``."""
    pins = netlist.family.pins
    if netlist.family.primitive(cell.kind).kind.logic:
        return "logic"
    if re.match(pins.enable, port):
        return "enable"
    return "reset" if re.match(pins.reset, port) else "data"


def start_levels(netlist: Netlist, cell: Cell) -> int:
    """Return the LUT levels behind an output that a clock sets: 1 of a memory in LUTs.

    Its clock-to-output time, or that of a shift register in LUTs, is that of a flip-flop and a LUT.
    """
    return int(netlist.family.primitive(cell.kind).kind in _IN_LUTS)


def late_steps(netlist: Netlist, cell: Cell) -> int:
    """Return how late a register's output is after the clock, in steps of a LUT and a wire.

    1 of a memory or a shift register in LUTs, 2 of a multiplier that is not registered behind its
    product, 0 of all others.
    """
    primitive = netlist.family.primitive(cell.kind)
    if primitive.late is not None:
        parameter, value = primitive.late
        found = cell.parameters.get(parameter)
        return 2 if found is not None and str(found).lstrip("0") == value.lstrip("0") else 0
    return int(primitive.kind in _IN_LUTS)


def arcs(netlist: Netlist, cell: Cell) -> Iterator[Arc]:
    """Yield the combinational ways through a cell; none through registers and hard blocks."""
    primitive = netlist.family.primitive(cell.kind)
    if primitive.carry is not None:
        yield from _carry_arcs(netlist, cell, primitive.carry)
    elif primitive.kind in _IN_LUTS:
        for address, data in primitive.reads:
            yield from _through(cell, (address,), (data,), lambda _: 1)
    elif primitive.tables is not None:
        parameter, tables = primitive.tables
        for output, size in tables:
            # Yosys writes a number of more than 32 bits as a text of these
            table = int(str(cell.parameters[parameter]), 2) & ((1 << size) - 1)
            pins = [pin for n, pin in enumerate(sorted(cell.inputs)) if _depends(table, size, n)]
            yield from _through(
                cell, pins, (output,), lambda start: _levels(netlist, primitive.kind, start)
            )
    elif primitive.kind.logic or primitive.kind is Kind.BUFFER:
        yield from _through(
            cell, cell.inputs, cell.outputs, lambda start: _levels(netlist, primitive.kind, start)
        )


def _depends(table: int, size: int, number: int) -> bool:
    """Return True if a table of ``size`` bits differs with an input of that number."""
    rows = (row for row in range(size) if not row >> number & 1 and row | 1 << number < size)
    return any((table >> row ^ table >> (row | 1 << number)) & 1 for row in rows)


def _through(cell: Cell, inputs: Iterable[str], outputs: Iterable[str], levels) -> Iterator[Arc]:
    for output in outputs:
        for end in cell.outputs.get(output, ()):
            for port in inputs:
                for start in cell.inputs.get(port, ()):
                    if isinstance(start, int) and isinstance(end, int):
                        yield Arc(start, end, levels=levels(start))


def _levels(netlist: Netlist, kind: Kind, start: int) -> int:
    """Return the LUT levels of a way: none of buffers and of multiplexers behind LUTs."""
    if kind is Kind.INVERTER:
        return _inverter_level(netlist, start)
    return int(kind is Kind.LUT and not _takes_inverter(netlist, start))


def _driver(netlist: Netlist, net: Bit) -> tuple[Cell | None, Kind]:
    """Return the cell that drives a net, and its kind; that of a port is ``OTHER``."""
    if not isinstance(net, int) or net not in netlist.driver:
        return None, Kind.OTHER
    cell, _ = netlist.driver[net]
    return cell, netlist.family.primitive(cell.kind).kind


def _inverter_level(netlist: Netlist, start: Bit) -> int:
    """Return 0 behind a LUT, which can be had inverted, from the same inputs; else 1."""
    return int(_driver(netlist, start)[1] is not Kind.LUT)


def _takes_inverter(netlist: Netlist, start: int) -> bool:
    """Return True if a LUT swallows the inverter that drives its input: its level is the LUT's."""
    cell, kind = _driver(netlist, start)
    if cell is None or kind is not Kind.INVERTER:
        return False
    (behind,) = next(iter(cell.inputs.values()))
    return isinstance(behind, int) and _inverter_level(netlist, behind) == 1


def _carry_arcs(netlist: Netlist, cell: Cell, carry: Carry) -> Iterator[Arc]:
    """Yield ways from each input to the sums and carries that follow it."""

    def into(bit: Bit, first: int, sums: int, chains: int) -> Iterator[Arc]:
        for pins, begin in ((carry.sums, first + sums), (carry.carries, first)):
            for end in _vector(cell.outputs, pins)[begin:]:
                if isinstance(bit, int) and isinstance(end, int):
                    yield Arc(bit, end, chains=chains, carries=1)

    for bit in cell.inputs.get(carry.below, ()):
        yield from into(bit, 0, 0, int(not _continues(netlist, bit)))
    for pins, sums in carry.inputs.items():
        for number, bit in enumerate(_vector(cell.inputs, pins)):
            yield from into(bit, number, sums, 1)


def _continues(netlist: Netlist, net: Bit) -> bool:
    """Return True if a net is the highest carry of the piece below."""
    below, _ = _driver(netlist, net)
    if below is None:
        return False
    carry = netlist.family.primitive(below.kind).carry
    return carry is not None and _vector(below.outputs, carry.carries)[-1] == net


def _vector(connected: Mapping[str, tuple[Bit, ...]], pins: Iterable[str]) -> tuple[Bit, ...]:
    """Return the bits at pins, lowest first; an open bit for a pin that is not there."""
    return tuple(bit for pin in pins for bit in connected.get(pin, ("x",)))
