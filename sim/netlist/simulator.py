"""A synthesized netlist, cycle by cycle: cells of a 7-series part, as Yosys writes them.

A netlist becomes one Python function, of a line or a few for each cell in the order in which
signals run, with models of the cells that are this project's own. So nothing of what is checked,
neither the design nor the synthesizer, has a part in the check; and nothing has to be compiled.

What a netlist says comes into that function as numbers only, of nets, cells and ports: none of its
texts can be code.
"""

import re
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from bitformer.sim.netlist.block_cells import BLOCKS
from bitformer.sim.netlist.codegen import Bit, Cell, Lines, Modelled, NetlistError, join_bits
from bitformer.sim.netlist.slice_cells import SLICE

__all__ = ["MODELLED", "NetlistSimulator"]

#: The primitives that are modelled.
MODELLED: Mapping[str, Modelled] = {**SLICE, **BLOCKS}
#: Cells that stand for nothing on the chip.
_NOTES = frozenset({"$scopeinfo"})

_NET = re.compile(r"\bn(\d+)\b")
#: Numbers of nets are below this, those in parameters within as many bits as a memory's row has.
_NETS, _BITS = 1 << 31, 256


class NetlistSimulator:
    """Runs the flat module ``top`` of a netlist in Yosys' JSON, from its state after configuration.

    Parameters
    ----------
    netlist : mapping
        What ``write_json`` wrote. It has one clock, its input ``clk``.
    unknown : int
        0 or 1: what contents and pins are that synthesis left open (``x``). A result that depends
        on it is no result.

    Raises
    ------
    NetlistError
        For a cell, a parameter's value or a pin in use that is not modelled; for more than one
        clock, a net that nothing drives, or logic that feeds back into itself.
    """

    def __init__(self, netlist: Mapping[str, Any], *, unknown: int = 0):
        if unknown not in (0, 1):
            raise ValueError(f"Unknown must be 0 or 1, not {unknown!r}")
        self._unknown = str(unknown)
        modules = _object(netlist, "modules", of="netlist")
        if "top" not in modules:
            raise NetlistError("netlist must have a module top")
        module = _object(modules, "top", of="netlist")
        ports, cells = (_object(module, part, of="module top") for part in ("ports", "cells"))
        inputs, outputs = (self._ports(ports, way) for way in ("input", "output"))
        for name, bits in inputs.items():
            if not bits or not all(isinstance(bit, int) for bit in bits):
                raise NetlistError(f"input {name} of a netlist must be nets, not {bits}")
        clock = inputs.pop("clk", [None])[0]
        lines = Lines()
        for number, name in enumerate(cells):
            cell = _object(cells, name, of="module top")
            if cell.get("type") not in _NOTES:
                checked = self._cell(name, number, cell)
                MODELLED[checked.kind].emit(checked, lines)
        if lines.clocks - {clock}:
            raise NetlistError("all cells of a netlist must have the clock clk")
        #: Widths of the ports.
        self.inputs = {name: len(bits) for name, bits in inputs.items()}
        self.outputs = {name: len(bits) for name, bits in outputs.items()}
        self._state = self._start(_source(inputs, outputs, lines), lines.memories)

    def step(self, **inputs: int) -> dict[str, int]:
        """One cycle: the outputs while ``inputs`` are held, then a rising edge of the clock.

        Numbers are unsigned, of as many bits as the port; an input that is not given is 0.
        """
        values = tuple(
            inputs.get(name, 0) & ((1 << width) - 1) for name, width in self.inputs.items()
        )
        return dict(zip(self.outputs, self._state.send(values), strict=True))

    @staticmethod
    def _start(source: str, memories: Mapping[str, list[int]]) -> Generator[Any, Any, None]:
        scope: dict[str, Any] = {}
        exec(compile(source, "<netlist>", "exec"), scope)
        state: Generator[Any, Any, None] = scope["run"](**memories)
        next(state)
        return state

    def _ports(self, ports: Mapping[str, Any], direction: str) -> dict[str, list[Bit]]:
        """Bits of the ports of a direction."""
        found = {name: _object(ports, name, of="module top") for name in ports}
        return {
            name: self._bits(port.get("bits"), of=f"port {name}")
            for name, port in found.items()
            if port.get("direction") == direction
        }

    def _bits(self, bits: object, *, of: str) -> list[Bit]:
        """Nets by number, and constants: nothing else, as they become text that is executed."""
        if not isinstance(bits, list):
            raise NetlistError(f"bits of {of} of a netlist must be a list, not {bits!r}")
        checked: list[Bit] = []
        for bit in bits:
            if bit in ("x", "z"):
                checked.append(self._unknown)
            elif bit in ("0", "1") or (type(bit) is int and 0 <= bit < _NETS):
                checked.append(bit)
            else:
                raise NetlistError(
                    f"bits of {of} of a netlist must be numbers of nets, 0, 1, x or z, not {bit!r}"
                )
        return checked

    def _cell(self, name: str, number: int, data: Mapping[str, Any]) -> Cell:
        """A cell, once it is known that all of it is modelled."""
        kind = data.get("type")
        if not isinstance(kind, str) or kind not in MODELLED:
            raise NetlistError(
                f"cell {name} of a netlist must be one of {', '.join(MODELLED)}, not {kind}"
            )
        modelled = MODELLED[kind]
        limits = {**modelled.fixed, **modelled.optional}
        parameters: dict[str, int | str] = {}
        for parameter, value in _object(data, "parameters", of=f"cell {name}").items():
            known = parameter in limits
            if not known and parameter not in modelled.free:
                raise NetlistError(f"{parameter} of cell {name} ({kind}) is not modelled")
            parameters[parameter] = _value(value, "0" if known else self._unknown, of=name)
            if known and parameters[parameter] not in limits[parameter]:
                raise NetlistError(
                    f"{parameter} of cell {name} ({kind}) must be one of"
                    f" {', '.join(map(str, limits[parameter]))}, not {parameters[parameter]}"
                )
        for parameter in modelled.fixed:
            if parameter not in parameters:
                raise NetlistError(f"{parameter} of cell {name} ({kind}) must be given")
        connections = _object(data, "connections", of=f"cell {name}")
        pins = {pin: self._bits(bits, of=f"cell {name}") for pin, bits in connections.items()}
        for pin, bits in pins.items():
            if pin in modelled.tied:
                if set(bits) != {modelled.tied[pin]}:
                    raise NetlistError(
                        f"pin {pin} of cell {name} ({kind}) must be {modelled.tied[pin]}"
                    )
            elif pin not in modelled.pins:
                raise NetlistError(f"pin {pin} of cell {name} ({kind}) is not modelled")
        return Cell(name=name, kind=kind, number=number, pins=pins, parameters=parameters)


def _object(data: Any, key: str, *, of: str) -> Mapping[str, Any]:
    """The object under a key of another."""
    found = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(found, Mapping):
        raise NetlistError(f"{key} of {of} must be an object in Yosys' JSON, not {found!r}")
    return found


def _value(value: object, unknown: str, *, of: str) -> int | str:
    """A parameter in Yosys' JSON: bits in a string, or a text."""
    if isinstance(value, str):
        if not value or set(value) - set("01xz"):
            return value
        if len(value) <= _BITS:
            return int(value.replace("x", unknown).replace("z", unknown), 2)
    elif type(value) is int and abs(value) < 1 << _BITS:
        return value
    raise NetlistError(f"a parameter of cell {of} must be a text or {_BITS} bits, not {value!r}")


def _source(inputs: Mapping[str, list[Bit]], outputs: Mapping[str, list[Bit]], lines: Lines) -> str:
    """A generator function: it is sent the inputs of a cycle and yields the outputs."""
    start = {bit for bits in inputs.values() for bit in bits if isinstance(bit, int)}
    names = [f"i{number}" for number in range(len(inputs))]
    given = [
        f"n{bit} = {name} >> {k} & 1"
        for name, bits in zip(names, inputs.values(), strict=True)
        for k, bit in enumerate(bits)
    ]
    taken = [join_bits(bits) for bits in outputs.values()]
    registers = _nets(lines.setup)
    given_nets = {net for gives, _, _ in lines.logic for net in gives}
    wanted = _nets([*lines.sample, *taken, *(line for *_, text in lines.logic for line in text)])
    undriven = wanted - start - registers - given_nets
    if undriven:
        raise NetlistError(f"net {min(undriven)} of a netlist must be driven")
    logic = _ordered(lines, start | registers)
    receive = f"({', '.join(names)}{',' if names else ''}) = "
    tuple_of = f"({', '.join(taken)}{',' if taken else ''})"
    body = [
        *given,
        *logic,
        f"inputs = yield {tuple_of}",
        *lines.sample,
        *lines.commit,
        f"{receive}inputs",
    ]
    return "\n".join(
        [
            f"def run({', '.join(lines.memories)}):",
            *(f"    {line}" for line in lines.setup),
            f"    {receive}yield",
            "    while True:",
            *(f"        {line}" for line in body),
            "",
        ]
    )


def _nets(lines: Iterable[str]) -> set[int]:
    """Nets that lines speak of."""
    return {int(net) for line in lines for net in _NET.findall(line)}


def _ordered(lines: Lines, known: set[int]) -> list[str]:
    """The logic's lines, each after those that it needs."""
    missing: list[int] = []
    readers: dict[int, list[int]] = {}
    ready: list[int] = []
    for number, (_, needs, _) in enumerate(lines.logic):
        waits = {net for net in needs if net not in known}
        missing.append(len(waits))
        for net in waits:
            readers.setdefault(net, []).append(number)
        if not waits:
            ready.append(number)
    ordered: list[str] = []
    done = 0
    while ready:
        gives, _, text = lines.logic[ready.pop()]
        done += 1
        ordered += text
        for net in gives:
            for reader in readers.pop(net, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    ready.append(reader)
    if done < len(lines.logic):
        raise NetlistError("a netlist must have no logic that feeds back into itself")
    return ordered
