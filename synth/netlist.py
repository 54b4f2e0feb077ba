"""A synthesized netlist: the cells of a design and the nets between them, as Yosys writes them.

Flattening keeps one name of each net, often that of the wire outside the units. The RTLIL of the
design says which unit's output that wire is joined to: :func:`output_names`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from bitformer.hw.families.family import Family, Kind
from bitformer.model.errors import UserError

__all__ = [
    "Bit",
    "Cell",
    "Netlist",
    "NetlistError",
    "output_names",
    "read_netlist",
    "signal_of",
]

#: A net's number, or a constant: ``"0"``, ``"1"``, and ``"x"`` where synthesis left it open.
Bit = int | str

#: Cells that stand for nothing on the chip.
_NOTES = frozenset({"$scopeinfo"})
#: Numbers of nets are below this.
_NETS = 1 << 31


class NetlistError(UserError):
    """What Yosys wrote is not such a netlist, or holds what bitformer does not know."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One primitive: the bits at each port, lowest first, and its place among the cells."""

    name: str
    kind: str
    inputs: Mapping[str, tuple[Bit, ...]]
    outputs: Mapping[str, tuple[Bit, ...]]
    parameters: Mapping[str, object] = field(default_factory=dict)
    number: int = 0

    @property
    def pins(self) -> dict[str, tuple[Bit, ...]]:
        """Inputs and outputs."""
        return {**self.inputs, **self.outputs}

    def bits(self, pin: str) -> tuple[Bit, ...]:
        """Return the bits at a pin, which must be connected."""
        found = self.inputs.get(pin) or self.outputs.get(pin)
        if not found:
            raise NetlistError(f"pin {pin} of cell {self.name} ({self.kind}) must be connected")
        return found

    def bit(self, pin: str) -> Bit:
        """Return the lowest bit at a pin, which must be connected."""
        return self.bits(pin)[0]


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A flat module.

    Parameters
    ----------
    family : whose primitives its cells are.
    cells : its primitives.
    inputs, outputs : the module's ports and their nets.
    names : every name of each net, hidden ones left out; a bit of a vector as ``name[3]``.
    """

    family: Family
    cells: tuple[Cell, ...]
    inputs: Mapping[str, tuple[Bit, ...]]
    outputs: Mapping[str, tuple[Bit, ...]]
    names: Mapping[int, tuple[str, ...]]

    @cached_property
    def driver(self) -> dict[int, tuple[Cell, str]]:
        """The cell and the output port that drive a net."""
        return {
            bit: (cell, port)
            for cell in self.cells
            for port, bits in cell.outputs.items()
            for bit in bits
            if isinstance(bit, int)
        }

    @cached_property
    def counts(self) -> Counter[str]:
        """How many cells of each kind there are."""
        return Counter(cell.kind for cell in self.cells)

    def name(self, bit: int) -> str:
        """Return the clearest name of a net: where it is driven rather than where it is used."""
        for port, bits in self.inputs.items():
            if bit in bits:
                return f"{port}[{bits.index(bit)}]" if len(bits) > 1 else port
        if self.names.get(bit):
            return min(self.names[bit], key=_clumsiness)
        if bit not in self.driver:
            return f"net {bit}"
        cell, port = self.driver[bit]
        if self.family.primitive(cell.kind).kind.logic:
            return f"logic of {', '.join(self._support(bit)[:4])}"
        return f"{self.title(cell)}/{port}"

    def title(self, cell: Cell) -> str:
        """Return a cell's name without Yosys' prefixes; that of a whole memory for a part."""
        name = re.sub(r"^\$flatten\\", "", cell.name).lstrip("\\")
        memory = self.family.primitive(cell.kind).kind in (Kind.LUT_RAM, Kind.BLOCK_RAM)
        return re.sub(r"(\.\d+)+$", "", name) if memory else name

    def _support(self, bit: int) -> list[str]:
        """Return the named signals that an unnamed net is a function of, nearest first."""
        found: list[str] = []
        seen, waiting = {bit}, [bit]
        while waiting:
            cell = self.driver[waiting.pop(0)][0]
            for before in (bit for bits in cell.inputs.values() for bit in bits):
                if not isinstance(before, int) or before in seen:
                    continue
                seen.add(before)
                if self.names.get(before) or before not in self.driver:
                    found.append(signal_of(self.name(before)))
                elif self.family.primitive(self.driver[before][0].kind).kind.logic:
                    waiting.append(before)
        return list(dict.fromkeys(found))


def signal_of(name: str) -> str:
    """Return a net's name without the number of its bit: ``unit.count`` for ``unit.count[3]``."""
    return re.sub(r"\[\d+\]", "", name)


def _clumsiness(name: str) -> tuple[bool, bool, bool, int, str]:
    unit, _, own = name.rpartition(".")
    given = own.startswith(("i_", "addr", "port_", "w_addr", "w_data", "w_en", "$"))
    return not unit, "$" in own, given, len(name), name


def _object(data: Any, key: str, *, of: str) -> Mapping[str, Any]:
    """Return the object under a key of another."""
    found = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(found, Mapping):
        raise NetlistError(f"{key} of {of} must be an object in Yosys' JSON, not {found!r}")
    return found


def _bits(bits: object, unknown: str, *, of: str) -> tuple[Bit, ...]:
    """Return nets by number, and constants; nothing else, as a simulator executes what it reads."""
    if not isinstance(bits, list):
        raise NetlistError(f"bits of {of} of a netlist must be a list, not {bits!r}")
    for bit in bits:
        if not ((type(bit) is int and 0 <= bit < _NETS) or bit in ("0", "1", "x", "z")):
            raise NetlistError(
                f"bits of {of} of a netlist must be numbers of nets, 0, 1, x or z, not {bit!r}"
            )
    return tuple(unknown if bit in ("x", "z") else bit for bit in bits)


def _cell(name: str, number: int, data: Mapping[str, Any], unknown: str) -> Cell:
    of, kind = f"cell {name}", data.get("type")
    if not isinstance(kind, str):
        raise NetlistError(f"type of {of} must be a text, not {kind!r}")
    directions = _object(data, "port_directions", of=of)
    pins: dict[str, dict[str, tuple[Bit, ...]]] = {"input": {}, "output": {}}
    for pin, bits in _object(data, "connections", of=of).items():
        if directions.get(pin) == "inout":  # of a pad: the ball, outside the chip
            continue
        if directions.get(pin) not in pins:
            raise NetlistError(f"pin {pin} of {of} ({kind}) must be an input or an output")
        pins[directions[pin]][pin] = _bits(bits, unknown, of=of)
    return Cell(
        name=name,
        kind=kind,
        number=number,
        inputs=pins["input"],
        outputs=pins["output"],
        parameters=_object({"parameters": {}, **data}, "parameters", of=of),
    )


def _names(nets: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    names: dict[int, list[str]] = {}
    for name, net in nets.items():
        if net.get("hide_name"):
            continue
        bits = net["bits"]
        for number, bit in enumerate(bits):
            if isinstance(bit, int):
                own = f"{name}[{number}]" if len(bits) > 1 else name
                names.setdefault(bit, []).append(own)
                if own in aliases:
                    names[bit].append(aliases[own])
    return {bit: tuple(found) for bit, found in names.items()}


def read_netlist(
    data: object,
    *,
    family: Family,
    module: str = "top",
    aliases: Mapping[str, str] = MappingProxyType({}),
    unknown: str = "x",
) -> Netlist:
    """Return a module of a netlist.

    Parameters
    ----------
    data
        The parsed JSON of Yosys' ``write_json``.
    family
        The family of the part that it was synthesized for.
    module
        Name of the module.
    aliases
        More names, by the names of nets.
    unknown
        Value of the bits that synthesis left open.

    Raises
    ------
    NetlistError
        If there is no such module, or one that is not as Yosys writes it.
    """
    modules = _object(data, "modules", of="netlist")
    if module not in modules:
        raise NetlistError(f"netlist must have a module {module}")
    found, of = _object(modules, module, of="netlist"), f"module {module}"
    ports: dict[str, dict[str, tuple[Bit, ...]]] = {"input": {}, "output": {}}
    own_ports, cells = (_object(found, part, of=of) for part in ("ports", "cells"))
    for name in own_ports:
        port = _object(own_ports, name, of=of)
        way = "output" if port.get("direction") == "output" else "input"
        ports[way][name] = _bits(port.get("bits"), unknown, of=f"port {name}")
    read = (
        _cell(name, number, _object(cells, name, of=of), unknown)
        for number, name in enumerate(cells)
    )
    return Netlist(
        family=family,
        cells=tuple(cell for cell in read if cell.kind not in _NOTES),
        inputs=ports["input"],
        outputs=ports["output"],
        names=_names(found.get("netnames", {}), aliases),
    )


_OUTPUT = re.compile(r"^  wire(?: width (\d+))?(?: signed)? (?:output|inout) \d+ +\\(\S+)$", re.M)
_CELL = re.compile(r"^  cell \\(\S+) \\(\S+)\n(.*?)^  end$", re.M | re.S)
_JOINED = re.compile(r"^    connect \\(\S+) \\(\S+)(?: \[(\d+)(?::(\d+))?\])?$", re.M)
_MODULE = re.compile(r"^module \\(\S+)\n(.*?)^end$", re.M | re.S)


def output_names(rtlil: str, *, top: str = "top") -> dict[str, str]:
    """Return names by the unit, ``engine.o_y[3]``, for bits of wires outside, ``o_y$12[3]``."""
    modules = dict(_MODULE.findall(rtlil))
    return dict(_unit_names(modules, top, ""))


def _unit_names(modules: dict[str, str], module: str, path: str) -> Iterator[tuple[str, str]]:
    for kind, instance, body in _CELL.findall(modules.get(module, "")):
        if kind not in modules:
            continue
        inside = f"{path}{instance}."
        outputs = {name: int(width or 1) for width, name in _OUTPUT.findall(modules[kind])}
        for port, wire, high, low in _JOINED.findall(body):
            if port not in outputs:
                continue
            first = int(low or high or 0)
            for bit in range(outputs[port]):
                suffix = f"[{bit}]" if outputs[port] > 1 else ""
                unit = f"{inside}{port}{suffix}"
                yield f"{path}{wire}[{first + bit}]", unit
                if outputs[port] == 1:
                    yield f"{path}{wire}", unit
        yield from _unit_names(modules, kind, inside)
