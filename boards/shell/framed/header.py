"""The header of a frame: its sequence number and its command, byte by byte."""

from amaranth.hdl import Cat, Module, Signal

from bitformer.boards.protocol import HEADER_BYTES, SEQUENCE_BYTES

__all__ = ["Header"]


class Header:
    """Sequence number and command: of a request, and then of its answer.

    What follows the length in a header comes in through the command and goes out from the lowest
    byte of the sequence number: no byte is ever chosen out of several.

    Parameters
    ----------
    m : Module
        Where the registers go.

    Attributes
    ----------
    command : 8 bits.
    sequence : 4 bytes.
    step : bytes of a header, or of a CRC, that are done.
    """

    def __init__(self, m: Module):
        self._m = m
        self.command = Signal(8, reset_less=True)
        self.step = Signal(range(HEADER_BYTES), reset_less=True)
        self.sequence = Signal(8 * SEQUENCE_BYTES, reset_less=True)
        self._shift, self._count, self._restart = Signal(), Signal(), Signal()
        with m.If(self._shift):
            m.d.sync += self.sequence.eq(Cat(self.sequence[8:], self.command))
        with m.If(self._count):
            m.d.sync += self.step.eq(self.step + 1)
        with m.If(self._restart):
            m.d.sync += self.step.eq(0)

    def shift(self) -> None:
        """Move the sequence number on by a byte, and the command behind it."""
        self._m.d.comb += self._shift.eq(1)

    def count(self) -> None:
        """Count a byte."""
        self._m.d.comb += self._count.eq(1)

    def restart(self) -> None:
        """Count bytes from 0."""
        self._m.d.comb += self._restart.eq(1)
