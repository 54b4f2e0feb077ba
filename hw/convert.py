"""Conversions of a design to other languages, always with Amaranth's own Yosys."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.lib.wiring import Component

from bitformer.model.cache import tools_environment
from bitformer.model.errors import UserError

__all__ = ["FOR_SYNTHESIS", "builtin_yosys", "to_verilog"]


class Target:
    """The platform of a conversion that is no simulator's and no board's."""


#: Give it as ``platform`` to a conversion whose result is synthesized: what synthesis would not
#: find by itself is instantiated, as it is on the platform of a board. None is for simulators.
FOR_SYNTHESIS = Target()


@contextmanager
def builtin_yosys() -> Iterator[None]:
    """Inside, Amaranth takes its own Yosys: another on the PATH would write other code.

    It runs without a cache of the user's, too.

    Raises
    ------
    UserError
        If it does not start, for want of a place where it can write.
    """
    from amaranth._toolchain.yosys import YosysError

    variables = {"AMARANTH_USE_YOSYS": "builtin", **tools_environment()}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    except YosysError as error:
        if not str(error).startswith("Traceback"):
            raise  # what it says of the design: a defect
        reason = str(error).splitlines()[-1]
        raise UserError(f"Amaranth's Yosys must be able to start, and gave: {reason}") from None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def to_verilog(component: Component, *, name: str) -> str:
    """Return ``component`` as a Verilog module called ``name``."""
    from amaranth.back import verilog

    with builtin_yosys():
        return verilog.convert(component, name=name, emit_src=False)
