"""A synthesized netlist: the cells of a design and the nets between them, as Yosys writes them.

Flattening keeps one name of each net, often that of the wire outside the units. The RTLIL of the
design says which unit's output that wire is joined to: :func:`output_names`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

__all__ = ["Cell", "Netlist", "output_names", "read_netlist", "signal_of"]

#: Cells that stand for nothing on the chip.
_NOTES = frozenset({"$scopeinfo"})


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One primitive. A port's bits are numbers of nets; constants are None."""

    name: str
    kind: str
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as a person knows it: no prefix of Yosys' passes, no part of a memory."""
        name = re.sub(r"^\$flatten\\", "", self.name).lstrip("\\")
        return re.sub(r"(\.\d+)+$", "", name) if self.kind.startswith("RAM") else name


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A flat module.

    Parameters
    ----------
    cells : its primitives.
    inputs, outputs : the module's ports and their nets.
    names : every name of each net, hidden ones left out; a bit of a vector as ``name[3]``.
    """

    cells: tuple[Cell, ...]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    names: Mapping[int, tuple[str, ...]]

    @cached_property
    def driver(self) -> dict[int, tuple[Cell, str]]:
        """The cell and the output port that drive a net."""
        return {
            bit: (cell, port)
            for cell in self.cells
            for port, bits in cell.outputs.items()
            for bit in bits
            if bit is not None
        }

    @cached_property
    def counts(self) -> Counter[str]:
        """How many cells of each kind there are."""
        return Counter(cell.kind for cell in self.cells)

    def name(self, bit: int) -> str:
        """The name of a net that says most: where it is driven rather than where it is used."""
        for port, bits in self.inputs.items():
            if bit in bits:
                return f"{port}[{bits.index(bit)}]" if len(bits) > 1 else port
        if self.names.get(bit):
            return min(self.names[bit], key=_clumsiness)
        if bit not in self.driver:
            return f"net {bit}"
        cell, port = self.driver[bit]
        if re.match(r"LUT|INV|MUXF|CARRY", cell.kind):
            return f"logic of {', '.join(self._support(bit)[:4])}"
        return f"{cell.title}/{port}"

    def _support(self, bit: int) -> list[str]:
        """The named signals that an unnamed net is a function of, nearest first."""
        found: list[str] = []
        seen, waiting = {bit}, [bit]
        while waiting:
            cell = self.driver[waiting.pop(0)][0]
            for before in (bit for bits in cell.inputs.values() for bit in bits):
                if before is None or before in seen:
                    continue
                seen.add(before)
                if self.names.get(before) or before not in self.driver:
                    found.append(signal_of(self.name(before)))
                elif re.match(r"LUT|INV|MUXF|CARRY", self.driver[before][0].kind):
                    waiting.append(before)
        return list(dict.fromkeys(found))


def signal_of(name: str) -> str:
    """A net's name without the number of the bit: ``unit.count[3]`` is ``unit.count``'s."""
    return re.sub(r"\[\d+\]", "", name)


def _clumsiness(name: str) -> tuple[bool, bool, bool, int, str]:
    unit, _, own = name.rpartition(".")
    given = own.startswith(("i_", "addr", "port_", "w_addr", "w_data", "w_en", "$"))
    return not unit, "$" in own, given, len(name), name


def _bits(bits: Iterable[int | str]) -> tuple[int | None, ...]:
    return tuple(bit if isinstance(bit, int) else None for bit in bits)


def _cell(name: str, data: Mapping[str, Any]) -> Cell:
    ports: dict[str, dict[str, tuple[int | None, ...]]] = {"input": {}, "output": {}}
    for port, bits in data["connections"].items():
        try:
            direction = data["port_directions"][port]
        except KeyError:
            raise ValueError(f"Cell {name} of kind {data['type']} is not a known one") from None
        ports["output" if direction == "output" else "input"][port] = _bits(bits)
    return Cell(
        name=name,
        kind=data["type"],
        inputs=ports["input"],
        outputs=ports["output"],
        parameters=data.get("parameters", {}),
    )


def read_netlist(
    data: Mapping[str, Any],
    *,
    module: str = "top",
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> Netlist:
    """The module ``module`` of what ``write_json`` wrote; ``aliases`` are more names for names.

    Raises
    ------
    ValueError
        If there is no such module, or it has a cell whose ports have no direction.
    """
    try:
        found = data["modules"][module]
    except (KeyError, TypeError):
        raise ValueError(f"Netlist must have a module {module!r}") from None
    names: dict[int, list[str]] = {}
    for name, net in found["netnames"].items():
        if net.get("hide_name"):
            continue
        bits = _bits(net["bits"])
        for number, bit in enumerate(bits):
            if bit is None:
                continue
            own = f"{name}[{number}]" if len(bits) > 1 else name
            names.setdefault(bit, []).append(own)
            if own in aliases:
                names[bit].append(aliases[own])
    ports: dict[str, dict[str, tuple[int | None, ...]]] = {"input": {}, "output": {}}
    for name, port in found["ports"].items():
        ports["output" if port["direction"] == "output" else "input"][name] = _bits(port["bits"])
    return Netlist(
        cells=tuple(
            _cell(name, cell) for name, cell in found["cells"].items() if cell["type"] not in _NOTES
        ),
        inputs=ports["input"],
        outputs=ports["output"],
        names={bit: tuple(found) for bit, found in names.items()},
    )


_OUTPUT = re.compile(r"^  wire(?: width (\d+))?(?: signed)? (?:output|inout) \d+ +\\(\S+)$", re.M)
_CELL = re.compile(r"^  cell \\(\S+) \\(\S+)\n(.*?)^  end$", re.M | re.S)
_JOINED = re.compile(r"^    connect \\(\S+) \\(\S+)(?: \[(\d+)(?::(\d+))?\])?$", re.M)
_MODULE = re.compile(r"^module \\(\S+)\n(.*?)^end$", re.M | re.S)


def output_names(rtlil: str, *, top: str = "top") -> dict[str, str]:
    """Names by the unit, ``walker.o_act[3]``, of bits of wires outside, ``o_act$12[3]``."""
    modules = dict(_MODULE.findall(rtlil))
    return dict(_names(modules, top, ""))


def _names(modules: dict[str, str], module: str, path: str) -> Iterator[tuple[str, str]]:
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
        yield from _names(modules, kind, inside)
