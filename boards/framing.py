"""Between the bytes of a serial line and the numbers of an accelerator.

A number is sent as a two's complement integer in as few whole bytes as hold it, the least
significant byte first.
"""

from amaranth.hdl import Cat, Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.checks import check_int

__all__ = ["NumberReader", "NumberWriter", "number_bytes"]

_BYTE = 8
_MOST_BITS = 16


def number_bytes(shape) -> int:
    """The bytes that a number of `shape` takes on the line.

    Raises
    ------
    TypeError
        If `shape` is no plain integer shape.
    ValueError
        If it has no bits, or more than 16.
    """
    if not isinstance(shape, Shape):
        raise TypeError(f"Number shape must be signed or unsigned, not {shape!r}")
    if not 1 <= shape.width <= _MOST_BITS:
        raise ValueError(f"Number must have 1 to {_MOST_BITS} bits, not {shape.width}")
    return -(-shape.width // _BYTE)


class NumberReader(wiring.Component):
    """Numbers from bytes that cannot wait.

    Bits beyond the number's width are ignored. Where the line falls silent for `gap` cycles
    in the middle of a number, the bytes before the silence are dropped and the next one starts
    a number.

    A number that is lost would shift all that follow. Therefore a fault stops the reader for good:
    it takes nothing more until reset.

    Parameters
    ----------
    shape : Shape
        The number, 1 to 16 bits.
    gap : int
        Cycles of silence after which an unfinished number is dropped.

    Members
    -------
    i : In(stream of 8 bits, always ready)
        The bytes.
    i_idle : In(1)
        Whether the line is silent.
    i_error : In(1)
        A byte arrived broken, for one cycle: a fault.
    o : Out(stream of `shape`)
        The numbers, valid the cycle after their last byte.
    framing_error : Out(1)
        Whether the reader has stopped because a byte arrived broken.
    overflow : Out(1)
        Whether the reader has stopped because a number was complete before the one
        before it was taken.

    Raises
    ------
    TypeError, ValueError
        If `shape` or `gap` is none of the above.
    """

    def __init__(self, *, shape: Shape, gap: int):
        self._bytes = number_bytes(shape)
        self._shape = shape
        self._gap = check_int("Gap", gap)
        super().__init__(
            {
                "i": In(stream.Signature(_BYTE, always_ready=True)),
                "i_idle": In(1),
                "i_error": In(1),
                "o": Out(stream.Signature(shape)),
                "framing_error": Out(1),
                "overflow": Out(1),
            }
        )

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def gap(self) -> int:
        return self._gap

    def elaborate(self, platform):
        m = Module()

        silence = Signal(range(self._gap + 1))
        index = Signal(range(self._bytes))
        earlier = Signal(_BYTE * (self._bytes - 1), reset_less=True)
        stopped = Signal()
        m.d.comb += stopped.eq(self.framing_error | self.overflow)

        with m.If(~self.i_idle):
            m.d.sync += silence.eq(0)
        with m.Elif(silence != self._gap):
            m.d.sync += silence.eq(silence + 1)
        with m.Else():
            m.d.sync += index.eq(0)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(~stopped & self.i_error):
            m.d.sync += self.framing_error.eq(1)
        with m.If(~stopped & self.i.valid):
            with m.If(index != self._bytes - 1):
                m.d.sync += [
                    index.eq(index + 1),
                    earlier.eq(Cat(earlier, self.i.payload) >> _BYTE),
                ]
            with m.Elif(self.o.valid & ~self.o.ready):
                m.d.sync += self.overflow.eq(1)
            with m.Else():
                m.d.sync += [
                    index.eq(0),
                    self.o.valid.eq(1),
                    self.o.payload.eq(Cat(earlier, self.i.payload)),
                ]

        return m


class NumberWriter(wiring.Component):
    """Bytes from numbers, which are sign-extended to whole bytes.

    Takes the next number the cycle after the last byte of the one before it was taken.

    Parameters
    ----------
    shape : Shape
        The number, 1 to 16 bits.

    Members
    -------
    i : In(stream of `shape`)
        The numbers.
    o : Out(stream of 8 bits)
        The bytes; the first is valid the cycle after its number was taken.

    Raises
    ------
    TypeError, ValueError
        If `shape` is none of the above.
    """

    def __init__(self, *, shape: Shape):
        self._bytes = number_bytes(shape)
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(_BYTE))})

    @property
    def shape(self) -> Shape:
        return self._shape

    def elaborate(self, platform):
        m = Module()

        wide = Signal(Shape(_BYTE * self._bytes, self._shape.signed), reset_less=True)
        bytes_left = Signal(range(self._bytes + 1))

        m.d.comb += [
            self.i.ready.eq(bytes_left == 0),
            self.o.valid.eq(bytes_left != 0),
            self.o.payload.eq(wide[:_BYTE]),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [wide.eq(self.i.payload), bytes_left.eq(self._bytes)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [wide.eq(wide >> _BYTE), bytes_left.eq(bytes_left - 1)]

        return m
