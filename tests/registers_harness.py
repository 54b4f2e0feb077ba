# amaranth: UnusedElaboratable=no
"""The registers of a unit: which there are, and how much of each is ever used."""

import re

from amaranth.hdl import Elaboratable, Fragment
from unit_harness import COMPONENTS

__all__ = ["Followed", "registers"]


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


class Followed:
    """Plays scripts to units as ``play``, and follows their registers."""

    def __init__(self, play):
        self._play, self._values = play, {}

    def __call__(self, dut, script, watch):
        """Return what ``play`` does."""
        unit = _Elaborated(dut)
        found = [signal for _, signal in registers(unit.fragment)]
        for signal in found:
            self._values[id(signal)] = signal, []

        def look(ctx):
            for signal in found:
                self._values[id(signal)][1].append(ctx.get(signal))

        return self._play(unit, script, watch, look=look)

    @property
    def idle(self):
        """Bits at the top of each register that no number has needed, where there are any.

        But for delays, which are as wide as what they delay.
        """
        left: dict[str, int] = {}
        for signal, values in self._values.values():
            most = max(_bits(value, signal.shape().signed) for value in values)
            left[signal.name] = max(left.get(signal.name, 0), len(signal) - most)
        return {n: bits for n, bits in left.items() if bits and not re.search(r"_d\d+$", n)}

    def histories(self, name):
        """All that registers have held from the first cycle on whose names begin so, in order."""
        found = self._values.values()
        return [tuple(values) for signal, values in found if signal.name.startswith(name)]
