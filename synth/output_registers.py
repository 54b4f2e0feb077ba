"""Registers behind block RAMs, taken into them, where a family's synthesis leaves them outside.

An EBR's output comes 5.8 ns after the clock, that of its own register 1 ns after it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Family

__all__ = ["with_output_registers"]

#: Enables of a block's output registers.
_ENABLES = {"A": "OCEA", "B": "OCEB"}

_Cells = dict[str, dict[str, Any]]


def with_output_registers(netlist: dict[str, Any], family: Family) -> dict[str, Any]:
    """Return a netlist whose block RAMs have the registers behind all of a port's bits in them.

    What is behind an output must be that one register, without enable and reset, of the port's own
    clock; where that is not so of a single bit, the port stays as it is.
    """
    take = _PASSES.get(family)
    if take is None:
        return netlist
    return {**netlist, "modules": {n: take(one) for n, one in netlist["modules"].items()}}


def _of_ecp5(module: dict[str, Any]) -> dict[str, Any]:
    cells: _Cells = dict(module["cells"])
    loads = Counter(_loads(module))
    registers = {
        cell["connections"]["DI"][0]: name
        for name, cell in cells.items()
        if cell["type"] == "TRELLIS_FF" and _plain(cell)
    }
    for name, cell in module["cells"].items():
        if cell["type"] != "DP16KD":
            continue
        width = int(cell["parameters"]["DATA_WIDTH_B"], 2)
        # words of 36 bits leave by the pins of both ports, at the clock of port B
        for ports in ("AB",) if width == 36 else ("A", "B"):
            _take(cells, name, ports, registers, loads)
    return {**module, "cells": cells}


def _take(
    cells: _Cells, name: str, ports: str, registers: dict[Any, str], loads: Counter[Any]
) -> None:
    """Take the registers behind a port of a block into it."""
    cell = cells[name]
    connections, parameters = dict(cell["connections"]), dict(cell["parameters"])
    pins = [f"DO{port}{bit}" for port in ports for bit in range(18)]
    used = [pin for pin in pins if loads[connections.get(pin, ["x"])[0]]]
    behind = [registers.get(connections[pin][0]) for pin in used]
    clock = connections[f"CLK{ports[-1]}"]
    if not used or not all(
        register is not None
        and loads[connections[pin][0]] == 1
        and cells[register]["connections"]["CLK"] == clock
        for pin, register in zip(used, behind, strict=True)
    ):
        return
    for pin, register in zip(used, behind, strict=True):
        connections[pin] = cells.pop(str(register))["connections"]["Q"]
    for port in ports:
        parameters[f"REGMODE_{port}"] = "OUTREG"
        connections[_ENABLES[port]] = ["1"]
    cells[name] = {**cell, "connections": connections, "parameters": parameters}


def _plain(cell: dict[str, Any]) -> bool:
    """Return whether a register begins as 0, always takes what is there, and is never reset."""
    parameters, connections = cell.get("parameters", {}), cell["connections"]
    return (
        parameters.get("CEMUX", "").strip() == "1"
        and parameters.get("REGSET") == "RESET"
        and parameters.get("CLKMUX") == "CLK"
        and connections.get("LSR", ["0"])[0] in ("0", "x")
    )


def _loads(module: dict[str, Any]) -> Iterator[Any]:
    """Yield each net once for every pin and output that takes it."""

    def nets(bits: Iterable[Any]) -> Iterator[Any]:
        yield from (bit for bit in bits if isinstance(bit, int))

    for cell in module["cells"].values():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) == "input":
                yield from nets(bits)
    for port in module["ports"].values():
        if port["direction"] != "input":
            yield from nets(port["bits"])


_PASSES: dict[Family, Callable[[dict[str, Any]], dict[str, Any]]] = {ECP5: _of_ecp5}
