"""Between the bytes of a frame and the numbers of an accelerator.

A number is sent as a two's complement integer in as few whole bytes as hold it, the least
significant byte first.
"""

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import MOST_BITS, whole_bytes
from bitformer.hw.units.parameters import Parameter

__all__ = ["NumberReader", "NumberWriter", "at_end", "number_bytes"]

_BYTE = 8


def number_bytes(shape) -> int:
    """Return how many bytes a number of ``shape`` takes in a frame.

    Raises
    ------
    TypeError
        If `shape` is no plain integer shape.
    ValueError
        If it has no bits, or more than 16.
    """
    if not isinstance(shape, Shape):
        raise TypeError(f"Number shape must be signed or unsigned, not {shape!r}")
    if not 1 <= shape.width <= MOST_BITS:
        raise ValueError(f"Number must have 1 to {MOST_BITS} bits, not {shape.width}")
    return whole_bytes(shape.width)


def at_end(number: Value) -> Value:
    """Return 1 if a number is the lowest or the highest of its shape, where it may be clipped."""
    high = ~number[-1] if number.shape().signed else number[-1]
    return number[:-1].all() & high | ~(number[:-1].any() | high)


class NumberReader(wiring.Component):
    """Makes numbers of bytes; bits beyond a number's width are ignored.

    Of two bytes, the first is kept.

    Latency: none, a number is there in the cycle of its last byte. Throughput: a byte a cycle.

    Parameters
    ----------
    shape : Shape
        The number, 1 to 16 bits.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes, the least significant first.
    o : Out(stream of shape)
        Numbers.

    Raises
    ------
    TypeError, ValueError
        If `shape` is none of the above.
    """

    shape = Parameter(Shape, "signed or unsigned")

    def __init__(self, *, shape: Shape):
        self._bytes = number_bytes(shape)
        self.shape = shape
        super().__init__({"i": In(stream.Signature(_BYTE)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        if self._bytes == 1:
            m.d.comb += [
                self.o.payload.eq(self.i.payload),
                self.o.valid.eq(self.i.valid),
                self.i.ready.eq(self.o.ready),
            ]
            return m
        low = Signal(_BYTE, reset_less=True)
        kept = Signal()
        m.d.comb += [
            self.o.payload.eq(Cat(low, self.i.payload)),
            self.o.valid.eq(self.i.valid & kept),
            self.i.ready.eq(self.o.ready | ~kept),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [low.eq(self.i.payload), kept.eq(~kept)]
        return m


class NumberWriter(wiring.Component):
    """Makes bytes of numbers, which are sign-extended to whole bytes.

    A number is held until its last byte is taken.

    Latency: none, the first byte is there in the cycle of its number. Throughput: a byte a cycle.

    Parameters
    ----------
    shape : Shape
        The number, 1 to 16 bits.

    Members
    -------
    i : In(stream of shape)
        Numbers.
    o : Out(stream of 8 bits)
        Bytes, the least significant first.

    Raises
    ------
    TypeError, ValueError
        If `shape` is none of the above.
    """

    shape = Parameter(Shape, "signed or unsigned")

    def __init__(self, *, shape: Shape):
        self._bytes = number_bytes(shape)
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(_BYTE))})

    def elaborate(self, platform):
        m = Module()
        wide = Signal(Shape(_BYTE * self._bytes, self.shape.signed))
        m.d.comb += [wide.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        if self._bytes == 1:
            m.d.comb += [self.o.payload.eq(wide), self.i.ready.eq(self.o.ready)]
            return m
        second = Signal()
        m.d.comb += [
            self.o.payload.eq(wide.word_select(second, _BYTE)),
            self.i.ready.eq(self.o.ready & second),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += second.eq(~second)
        return m
