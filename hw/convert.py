"""Conversions of a design to other languages, always with Amaranth's own Yosys."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.lib.wiring import Component

__all__ = ["builtin_yosys", "to_verilog"]

_VARIABLE = "AMARANTH_USE_YOSYS"


@contextmanager
def builtin_yosys() -> Iterator[None]:
    """Inside, Amaranth takes its own Yosys: another on the PATH would write other code."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "builtin"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def to_verilog(component: Component, *, name: str) -> str:
    """``component`` as a Verilog module called ``name``."""
    from amaranth.back import verilog

    with builtin_yosys():
        return verilog.convert(component, name=name, emit_src=False)
