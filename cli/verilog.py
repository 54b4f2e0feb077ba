"""A design as Verilog, with the program's own Yosys."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

__all__ = ["to_verilog"]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def to_verilog(component: "Component", *, name: str) -> str:
    """``component`` as a Verilog module ``name``; another Yosys on the PATH would write another."""
    from amaranth.back import verilog

    with _environment("AMARANTH_USE_YOSYS", "builtin"):
        return verilog.convert(component, name=name, emit_src=False)
