"""What a shell remembers for an accelerator that remembers windows: a detector."""

from amaranth.hdl import Cat, Module, Signal, Value

from bitformer.boards.shell.framed.exchange import Exchange

__all__ = ["Remembered"]


class Remembered:
    """The last result, and the number of the request that it answered.

    A request that comes again, as its answer was lost, is answered with that: a window that the
    accelerator took twice would count twice in its flags.

    Parameters
    ----------
    m : Module
        Where the registers go.
    x : Exchange
    restart : Signal
        Makes the accelerator begin anew.

    Attributes
    ----------
    again : 1 bit, the request at hand is the one that was answered last.
    """

    def __init__(self, m: Module, x: Exchange, *, restart: Signal):
        self._m, self._x, self._restart = m, x, restart
        self._known = Signal()
        self._number = Signal.like(x.header.sequence, reset_less=True)
        self._result = Signal(8 * x.memory_map.answer, reset_less=True)
        self.again = Signal(reset_less=True)
        # compared while the CRC is waited for, as lengths are
        m.d.sync += self.again.eq(self._known & (self._number == x.header.sequence))

    def keep(self, byte: Value) -> None:
        """Keep the next byte of the result to the request at hand."""
        self._m.d.sync += [
            self._known.eq(1),
            self._number.eq(self._x.header.sequence),
            self._result.eq(Cat(self._result[8:], byte)),
        ]

    def next_byte(self) -> Value:
        """Return a byte of the result, and put it behind the others."""
        byte = self._result[:8]
        self._m.d.sync += self._result.eq(Cat(self._result[8:], byte))
        return byte

    def begin_anew(self) -> None:
        """Let the accelerator forget all windows, and the shell its last answer."""
        self._m.d.comb += self._restart.eq(1)
        self._m.d.sync += self._known.eq(0)
