"""The clock of an accelerator, which stands still between requests."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    EnableInserter,
    Module,
    ResetInserter,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.units.parameters import Integer

__all__ = ["ACCELERATOR_DOMAIN", "TAIL", "Sleep"]

#: The clock domain of an accelerator whose clock stops.
ACCELERATOR_DOMAIN = "accelerator"
#: Cycles for which the clock goes on: what an accelerator does behind its last result, and new
#: weights on their way to its stores.
TAIL = 15


class Sleep(wiring.Component):
    """Stops an accelerator's clock while nothing is asked of it.

    A clock that stops changes no result, as all of the accelerator stands still with it, and no
    number passes its ports then: the endpoint wakes it before. On a platform that can stop a clock
    (``can_stop_clock``), the accelerator has a domain of its own, which the platform's
    ``stop_clock(enable, clock)`` drives. Without a platform, in simulation and in Verilog for
    everyone, an enable does the same to the cycle. On any other platform the clock runs on.

    Where the platform's tools do not time paths between two clocks (``clocks_apart``), whatever
    crosses is held by a flip-flop of the falling edge of the clock that it comes from. It takes no
    cycle more: what is computed in the first half of a cycle is sampled at its end, so one clock
    may be later than the other by almost half a cycle. No output of the shell that goes to the
    accelerator may then follow one of the accelerator's within a cycle, or the reverse.

    Latency: 1 cycle from ``i_wake`` to the clock.

    Parameters
    ----------
    tail : int
        Cycles for which the clock goes on when the accelerator is not needed any more.

    Members
    -------
    i_wake : In(1)
        The accelerator is needed.
    o_run : Out(1)
        The clock runs, from a flip-flop.
    """

    tail = Integer(1)

    def __init__(self, *, tail: int = TAIL):
        self.tail = tail
        super().__init__({"i_wake": In(1), "o_run": Out(1, init=1)})

    def add(self, m: Module, accelerator: wiring.Component, reset: Value, platform) -> Any:
        """Add the accelerator with a clock that stops, and return its ports.

        ``reset`` resets it. Without its clock, a reset does nothing: it is to wake it.
        """
        if platform is None:
            m.submodules.accelerator = EnableInserter(self.o_run)(ResetInserter(reset)(accelerator))
            return accelerator
        if not getattr(platform, "can_stop_clock", False):
            m.submodules.accelerator = ResetInserter(reset)(accelerator)
            return accelerator
        m.domains += ClockDomain(ACCELERATOR_DOMAIN, reset_less=True)
        m.submodules.clock = platform.stop_clock(self.o_run, ClockSignal(ACCELERATOR_DOMAIN))
        ports: Any = accelerator
        if getattr(platform, "clocks_apart", False):
            ports, reset = _half_a_cycle_apart(m, accelerator, reset)
        m.submodules.accelerator = DomainRenamer(ACCELERATOR_DOMAIN)(
            ResetInserter(reset)(accelerator)
        )
        return ports

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self.tail + 1))
        with m.If(self.i_wake):
            m.d.sync += left.eq(self.tail)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += self.o_run.eq(self.i_wake | (left != 0))
        return m


def _half_a_cycle_apart(m: Module, component: wiring.Component, reset: Value) -> tuple[Any, Signal]:
    """Hold what goes to a component and comes from it for half a cycle.

    Return ports as the component's, to be connected in its place, and its reset.
    """
    shell, own = (
        ClockDomain("ahead", reset_less=True, local=True, clk_edge="neg"),
        ClockDomain("back", reset_less=True, local=True, clk_edge="neg"),
    )
    m.domains += [shell, own]
    m.d.comb += [shell.clk.eq(ClockSignal("sync")), own.clk.eq(ClockSignal(ACCELERATOR_DOMAIN))]
    held = Signal(init=1)
    m.d.ahead += held.eq(reset)
    ports = component.signature.create()
    outside = {path: value for path, _, value in component.signature.flatten(ports)}
    for path, member, inner in component.signature.flatten(component):
        if member.flow == In:
            m.d.ahead += inner.eq(outside[path])
        else:
            m.d.back += outside[path].eq(inner)
    return ports, held
