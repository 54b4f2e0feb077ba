"""Which unit drives a net that bears only its user's name: read from the hierarchy in RTLIL.

Flattening keeps one name of each net, often that of the wire outside the units. The RTLIL of the
design says which unit's output the wire is joined to.
"""

import re
from collections.abc import Iterator

__all__ = ["output_names"]

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
