"""The top of a board's design: the shell between the board's pins."""

from amaranth.hdl import Const, Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Component, In

__all__ = ["BoardTop"]

#: Cycles for which the design is held in reset after configuration, and after the button.
_RESET_CYCLES = 15

#: The wires of each host link that a shell has as members of the same name; where those of two
#: fit, it is the later one.
_WIRES = {
    "uart": ("rx", "tx"),
    "spi": ("sck", "cs", "mosi", "miso"),
    "elastic": ("sck", "cs", "mosi", "miso", "busy"),
}


class BoardTop(Elaboratable):
    """A shell on a board.

    The shell starts 15 cycles after configuration, or after a platform's ``starting`` is low, and
    restarts when the reset button, if there is one, is let go. The LED ``alive`` blinks once a
    second; ``fault`` is lit while the shell's last request was refused. Balls that the board wants
    held are driven.

    Parameters
    ----------
    shell : wiring.Component
        A `UartShell`, or any other component with the wires of a host link (``rx`` and ``tx``, or
        ``sck``, ``cs``, ``mosi`` and ``miso``; high in ``cs`` is selected; with ``busy``, the
        Elastic Node's), ``i_reset``, ``fault`` and a property ``clock_hz``. Its inputs are
        asynchronous.

    Raises
    ------
    TypeError
        If `shell` is no such component.
    """

    def __init__(self, *, shell: Component):
        members = shell.signature.members if isinstance(shell, Component) else {}
        links = [link for link in _WIRES if all(wire in members for wire in _WIRES[link])]
        if not links or "i_reset" not in members:
            raise TypeError(f"Shell must have a host link and i_reset, not {shell!r}")
        self._link = links[-1]
        self._shell = shell

    @property
    def shell(self) -> Component:
        return self._shell

    @property
    def link(self) -> str:
        """The shell's host link, one of `LINKS`."""
        return self._link

    def elaborate(self, platform):
        m = Module()
        m.submodules.shell = shell = self._shell
        pins = platform.board.pins

        def listen(port):
            buffer = io.Buffer("i", port)
            m.submodules += buffer
            return buffer.i

        def drive(port, value):
            buffer = io.Buffer("o", port)
            m.submodules += buffer
            m.d.comb += buffer.o.eq(value)

        link = platform.request(self._link, dir="-")
        for wire in _WIRES[self._link]:
            port, member = getattr(link, wire), getattr(shell, wire)
            if shell.signature.members[wire].flow == In:
                m.d.comb += member.eq(listen(port))
            else:
                drive(port, member)

        pressed = Signal()
        if "reset" in pins:
            button = listen(platform.request("reset", dir="-"))
            m.submodules.button = FFSynchronizer(button, pressed)
        starting = getattr(platform, "starting", None)
        if starting is not None:
            pressed |= starting
        reset_left = Signal(range(_RESET_CYCLES + 1), init=_RESET_CYCLES)
        with m.If(pressed):
            m.d.sync += reset_left.eq(_RESET_CYCLES)
        with m.Elif(reset_left != 0):
            m.d.sync += reset_left.eq(reset_left - 1)
        m.d.comb += shell.i_reset.eq(reset_left != 0)

        if "alive" in pins:
            half_second = shell.clock_hz // 2
            timer = Signal(range(half_second), init=half_second - 1)
            lit = Signal()
            m.d.sync += timer.eq(timer - 1)
            with m.If(timer == 0):
                m.d.sync += [timer.eq(half_second - 1), lit.eq(~lit)]
            drive(platform.request("alive", dir="-"), lit)
        if "fault" in pins:
            fault = Signal()
            m.d.sync += fault.eq(shell.fault)
            drive(platform.request("fault", dir="-"), fault)
        for use in pins:
            if use.startswith("held_"):
                drive(platform.request(use, dir="-"), Const(1))

        return m
