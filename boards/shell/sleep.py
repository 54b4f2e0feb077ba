"""The clock of an accelerator, which stands still between requests."""

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Elaboratable,
    EnableInserter,
    Module,
    Signal,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ACCELERATOR_DOMAIN", "Sleep"]

#: The clock domain of an accelerator whose clock stops.
ACCELERATOR_DOMAIN = "accelerator"
#: Cycles for which the clock goes on: what an accelerator does behind its last result, and new
#: weights on their way to its stores.
_TAIL = 15


class Sleep(wiring.Component):
    """Stops an accelerator's clock while nothing is asked of it.

    A clock that stops changes no result, as all of the accelerator stands still with it, and no
    number passes its ports then: the endpoint wakes it before. On a platform that can stop a clock
    (``can_stop_clock``), the accelerator has a domain of its own, which the platform's
    ``stop_clock(enable, clock)`` drives. Without a platform, in simulation and in Verilog for
    everyone, an enable does the same to the cycle. On any other platform the clock runs on.

    Latency: 1 cycle from ``i_wake`` to the clock.

    Members
    -------
    i_wake : In(1)
        The accelerator is needed.
    o_run : Out(1)
        The clock runs, from a flip-flop.
    """

    def __init__(self):
        super().__init__({"i_wake": In(1), "o_run": Out(1, init=1)})

    def stops(self, m: Module, accelerator: Elaboratable, platform):
        """Return the accelerator with a clock that stops; its domain goes to ``m``.

        Its reset is to be in it already: without the clock, a reset does nothing either.
        """
        if platform is None:
            return EnableInserter(self.o_run)(accelerator)
        if not getattr(platform, "can_stop_clock", False):
            return accelerator
        m.domains += ClockDomain(ACCELERATOR_DOMAIN, reset_less=True)
        m.submodules.clock = platform.stop_clock(self.o_run, ClockSignal(ACCELERATOR_DOMAIN))
        return DomainRenamer(ACCELERATOR_DOMAIN)(accelerator)

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(_TAIL + 1))
        with m.If(self.i_wake):
            m.d.sync += left.eq(_TAIL)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += self.o_run.eq(self.i_wake | (left != 0))
        return m
