# amaranth: UnusedElaboratable=no
"""The registers of a unit: which there are, and how much of each is ever used."""

import re

from amaranth.hdl import Elaboratable, Fragment
from unit_harness import COMPONENTS

__all__ = ["Filled", "registers"]


def registers(fragment, own=""):
    """The unit and the register, of all in a fragment and below it."""
    for origin in fragment.origins:
        if type(origin).__name__ in COMPONENTS:
            own = type(origin).__name__
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            found = (signal for one in statements for signal in one._lhs_signals())
            yield from (
                (own, signal) for signal in {id(signal): signal for signal in found}.values()
            )
    for inner, *_ in fragment.subfragments:
        yield from registers(inner, own)


class _Elaborated(Elaboratable):
    """A unit, elaborated once; its ports are still those of the unit."""

    def __init__(self, dut):
        self._dut, self.fragment = dut, Fragment.get(dut, None)

    def __getattr__(self, name):
        return getattr(self._dut, name)

    def elaborate(self, platform):
        return self.fragment


def _bits(value, signed):
    """The bits that a number needs."""
    return (value if value >= 0 else ~value).bit_length() + signed


class Filled:
    """Plays scripts to units as ``play``, and follows their registers."""

    def __init__(self, play):
        self._play, self._bits = play, {}

    def __call__(self, dut, script, watch):
        """Return what ``play`` does."""
        unit = _Elaborated(dut)
        found = [signal for _, signal in registers(unit.fragment)]

        def look(ctx):
            for signal in found:
                value, (_, most) = ctx.get(signal), self._bits.get(id(signal), (0, 0))
                self._bits[id(signal)] = signal, max(most, _bits(value, signal.shape().signed))

        return self._play(unit, script, watch, look=look)

    @property
    def idle(self):
        """Bits at the top of each register that no number has needed, where there are any.

        But for delays, which are as wide as what they delay.
        """
        left = ((signal.name, len(signal) - most) for signal, most in self._bits.values())
        return {name: bits for name, bits in left if bits and not re.search(r"_d\d+$", name)}
