"""Interface of a line, UART or SPI: bytes in, bytes out, and when the line is quiet."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LinkSignature"]


class LinkSignature(wiring.Signature):
    """Interface of a link, seen from the line's side.

    Members
    -------
    rx : Out(stream of 8 bits, always ready)
        Bytes that arrive, 10 cycles apart or more; a byte stands until the next.
    rx_error : Out(1)
        High for one cycle when a byte arrives broken.
    quiet : Out(1)
        High while the host has stopped, and no frame can be under way; after the last byte.
    tx : In(stream of 8 bits)
        Bytes to send. A link may need those of a frame without a gap after the first.
    drop : Out(1)
        High for one cycle when nobody will hear the rest of the answer. A byte of the next request
        follows in the next cycle at the earliest.
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
