"""A synthesized netlist, cycle by cycle.

A netlist becomes one Python function, of a line or a few for each cell in the order in which
signals run, with models of the cells that are this project's own. So nothing of what is checked,
neither the design nor the synthesizer, has a part in the check; and nothing has to be compiled.

What a netlist says comes into that function as numbers only, of nets, cells and ports: none of its
texts can be code.
"""

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bitformer.hw.families.family import Family
from bitformer.sim.netlist.codegen import Lines, Modelled, join_bits
from bitformer.sim.netlist.models import MODELLED
from bitformer.synth.netlist import Bit, Cell, NetlistError, read_netlist

__all__ = ["NetlistSimulator"]

_NET = re.compile(r"\bn(\d+)\b")
#: Numbers in parameters have at most as many bits as a memory's row.
_BITS = 320


class NetlistSimulator:
    """Runs the flat module ``top`` of a netlist in Yosys' JSON, from its state after configuration.

    Parameters
    ----------
    netlist : mapping
        What ``write_json`` wrote. It has one clock, its input ``clk``.
    family : Family
        Of the part that it was synthesized for.
    unknown : int
        0 or 1: what contents and pins are that synthesis left open (``x``). A result that depends
        on it is no result.

    Raises
    ------
    NetlistError
        For a cell, a parameter's value or a pin in use that is not modelled; for more than one
        clock, a net that nothing drives, or logic that feeds back into itself.
    """

    def __init__(self, netlist: Mapping[str, Any], family: Family, *, unknown: int = 0):
        if unknown not in (0, 1):
            raise ValueError(f"Unknown must be 0 or 1, not {unknown!r}")
        found = read_netlist(netlist, family=family, unknown=str(unknown))
        inputs, outputs = dict(found.inputs), found.outputs
        for name, bits in inputs.items():
            if not bits or not all(isinstance(bit, int) for bit in bits):
                raise NetlistError(f"input {name} of a netlist must be nets, not {bits}")
        clock = inputs.pop("clk", [None])[0]
        models, lines = MODELLED[family], Lines()
        for cell in found.cells:
            if cell.kind not in models:
                raise NetlistError(
                    f"cell {cell.name} of a netlist must be one of {', '.join(models)},"
                    f" not {cell.kind}"
                )
            model = models[cell.kind]
            model.emit(_checked(cell, model, str(unknown)), lines)
        if lines.clocks - {clock}:
            raise NetlistError("all cells of a netlist must have the clock clk")
        #: Widths of the ports.
        self.inputs = {name: len(bits) for name, bits in inputs.items()}
        self.outputs = {name: len(bits) for name, bits in outputs.items()}
        self._state = self._start(_source(inputs, outputs, lines), lines.memories)

    def step(self, **inputs: int) -> dict[str, int]:
        """Return the outputs while ``inputs`` are held, and let the clock rise.

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


def _checked(cell: Cell, model: Modelled, unknown: str) -> Cell:
    """Return a cell with its parameters as values, once all of it is known to be modelled."""
    of = f"cell {cell.name} ({cell.kind})"
    limits = {**model.fixed, **model.optional}
    parameters: dict[str, int | str] = {}
    for name, text in cell.parameters.items():
        if name not in limits and name not in model.free:
            raise NetlistError(f"{name} of {of} is not modelled")
        value = _value(text, "0" if name in limits else unknown, of=cell.name)
        if name in limits and value not in limits[name]:
            allowed = ", ".join(map(str, limits[name]))
            raise NetlistError(f"{name} of {of} must be one of {allowed}, not {value}")
        parameters[name] = value
    for name in model.fixed:
        if name not in parameters:
            raise NetlistError(f"{name} of {of} must be given")
    for pin, bits in cell.pins.items():
        if pin in model.tied:
            if set(bits) != {model.tied[pin]}:
                raise NetlistError(f"pin {pin} of {of} must be {model.tied[pin]}")
        elif pin not in model.pins:
            raise NetlistError(f"pin {pin} of {of} is not modelled")
    return replace(cell, parameters=parameters)


def _value(value: object, unknown: str, *, of: str) -> int | str:
    """Return the value of a parameter in Yosys' JSON: bits in a string, or a text."""
    if isinstance(value, str):
        if not value or set(value) - set("01xz"):
            # a text that could be bits has a space behind it
            return re.sub("^([01xz]*) $", r"\1", value)
        if len(value) <= _BITS:
            return int(value.replace("x", unknown).replace("z", unknown), 2)
    elif type(value) is int and abs(value) < 1 << _BITS:
        return value
    raise NetlistError(f"a parameter of cell {of} must be a text or {_BITS} bits, not {value!r}")


def _source(
    inputs: Mapping[str, Sequence[Bit]], outputs: Mapping[str, Sequence[Bit]], lines: Lines
) -> str:
    """Return a generator function, which is sent the inputs of a cycle and yields the outputs."""
    start = {bit for bits in inputs.values() for bit in bits if isinstance(bit, int)}
    names = [f"i{number}" for number in range(len(inputs))]
    given = [
        f"n{bit} = {name} >> {k} & 1"
        for name, bits in zip(names, inputs.values(), strict=True)
        for k, bit in enumerate(bits)
    ]
    taken = [join_bits(bits) for bits in outputs.values()]
    registers = _nets(lines.setup)
    driven_by = {net: group for group, (gives, _, _) in enumerate(lines.logic) for net in gives}
    wanted = _nets([*lines.sample, *taken, *(line for *_, text in lines.logic for line in text)])
    undriven = wanted - start - registers - driven_by.keys()
    if undriven:
        raise NetlistError(f"net {min(undriven)} of a netlist must be driven")
    before = {
        group: {driven_by[net] for net in needs if net in driven_by}
        for group, (_, needs, _) in enumerate(lines.logic)
    }
    try:
        groups = list(TopologicalSorter(before).static_order())
    except CycleError:
        raise NetlistError("a netlist must have no logic that feeds back into itself") from None
    logic = [line for group in groups for line in lines.logic[group][2]]
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
    """Return the nets in lines."""
    return {int(net) for line in lines for net in _NET.findall(line)}
