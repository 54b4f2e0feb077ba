"""The top of a board's design: the shell between the board's pins."""

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from bitformer.boards.shell import UartShell

__all__ = ["BoardTop"]

#: Cycles for which the design is held in reset after configuration, and after the button.
_RESET_CYCLES = 15


class BoardTop(Elaboratable):
    """A UART shell on a board.

    The shell starts 15 cycles after configuration, and restarts when the reset button, if there is
    one, is let go. The LED ``alive`` blinks once a second; ``fault`` is lit while the shell has
    stopped (see `UartShell`).

    Parameters
    ----------
    shell : UartShell

    Raises
    ------
    TypeError
        If `shell` is no `UartShell`.
    """

    def __init__(self, *, shell: UartShell):
        if not isinstance(shell, UartShell):
            raise TypeError(f"Shell must be a UartShell, not {shell!r}")
        self._shell = shell

    @property
    def shell(self) -> UartShell:
        return self._shell

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

        uart = platform.request("uart", dir="-")
        m.d.comb += shell.rx.eq(listen(uart.rx))
        drive(uart.tx, shell.tx)

        pressed = Signal()
        if "reset" in pins:
            button = listen(platform.request("reset", dir="-"))
            m.submodules.button = FFSynchronizer(button, pressed)
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
            m.d.sync += fault.eq(shell.framing_error | shell.overflow)
            drive(platform.request("fault", dir="-"), fault)

        return m
