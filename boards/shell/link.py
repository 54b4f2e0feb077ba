"""What a line, UART or SPI, gives an endpoint: bytes in, bytes out, and when the line is quiet."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LinkSignature"]


class LinkSignature(wiring.Signature):
    """A link, seen from the line's side.

    Members
    -------
    rx : bytes that arrived; they cannot wait, come 10 cycles apart or more, and stand until the
    next. rx_error : one arrived broken, for one cycle.
    quiet : a level: the host has stopped, so no frame can be going on. It comes after the last
    byte. tx : bytes to send, in frames; a link may need a frame's bytes without a gap once it has
    taken the first. drop : nobody will hear the rest of the frame that is on offer, for one cycle;
    a byte of the next request follows two cycles later at the earliest.
    """

    def __init__(self):
        super().__init__(
            {
                "rx": Out(stream.Signature(8, always_ready=True)),
                "rx_error": Out(1),
                "quiet": Out(1),
                "tx": In(stream.Signature(8)),
                "drop": Out(1),
            }
        )
