"""The Elastic Node's SPI transfers as bytes at addresses."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitformer.boards.shell.elastic.address_map import READ, WRITE
from bitformer.hw.units.parameters import Integer

__all__ = ["ELASTIC_RATIO", "BusSignature", "ElasticBus"]

#: Clock cycles in a period of SCK, at least: between the last bit of an address and the first of
#: its byte there is one period.
ELASTIC_RATIO = 8


class BusSignature(wiring.Signature):
    """Interface of bytes at addresses, seen from the line's side.

    Members
    -------
    address : Out(16)
        Of the byte that is read or written, two cycles before it is.
    data : Out(8)
        Byte to be written.
    write : Out(1)
        High for the one cycle in which a byte is written.
    read : In(8)
        Byte at the address, a cycle later at the latest.
    unknown : Out(1)
        The last transfer began with no command.
    """

    def __init__(self):
        super().__init__(
            {
                "address": Out(16),
                "data": Out(8),
                "write": Out(1),
                "read": In(8),
                "unknown": Out(1),
            }
        )


class ElasticBus(wiring.Component):
    """Makes bytes at addresses of SPI transfers: a command, an address of 16 bits, and bytes.

    The address comes high byte first and grows by 1 with every byte. A byte counts when its eighth
    bit is there: what chip select cuts off within a byte is dropped, and what came before it stays.
    A transfer with another command does nothing. MISO is 0 where nothing is read.

    SCK is sampled by the design's clock; its period must be ``ELASTIC_RATIO`` cycles or more, with
    a high and a low half of two or more. MISO changes 3 to 6 cycles after the edge at which the
    bit before was read.

    Parameters
    ----------
    phase : int
        0 or 1: the SPI phase.

    Members
    -------
    sck, mosi : In(1)
        Clock, low between transfers, and data of the host, asynchronous.
    cs : In(1)
        Chip select, asynchronous; high is selected.
    miso : Out(1)
        Data to the host, from a flip-flop.
    link : Out(BusSignature())
        Bytes at addresses.

    Raises
    ------
    TypeError, ValueError
        If the phase is no integer, or neither 0 nor 1.
    """

    phase = Integer(0, 1)

    def __init__(self, *, phase: int = 1):
        self.phase = phase
        super().__init__(
            {
                "sck": In(1),
                "cs": In(1),
                "mosi": In(1),
                "miso": Out(1),
                "link": Out(BusSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sck, cs, mosi, before = Signal(), Signal(), Signal(), Signal()
        m.submodules.sck = FFSynchronizer(self.sck, sck)
        m.submodules.cs = FFSynchronizer(self.cs, cs)
        m.submodules.mosi = FFSynchronizer(self.mosi, mosi)
        m.d.sync += before.eq(sck)
        edge = Signal()
        m.d.comb += edge.eq(cs & (before & ~sck if self.phase else sck & ~before))

        received, place, whole = Signal(8, reset_less=True), Signal(3), Signal()
        m.d.sync += whole.eq(edge & (place == 7))
        with m.If(edge):
            m.d.sync += [received.eq(Cat(mosi, received)), place.eq(place + 1)]

        # kind of the next byte: command, high and low half of the address, data
        part, reading, writing = Signal(2), Signal(), Signal()
        m.d.comb += [self.link.data.eq(received), self.link.write.eq(whole & (part == 3) & writing)]
        with m.If(whole):
            m.d.sync += part.eq(part + (part != 3))
            with m.Switch(part):
                with m.Case(0):
                    m.d.sync += [
                        reading.eq(received == READ),
                        writing.eq(received == WRITE),
                        self.link.unknown.eq((received != READ) & (received != WRITE)),
                    ]
                with m.Case(1):
                    m.d.sync += self.link.address[8:].eq(received)
                with m.Case(2):
                    m.d.sync += self.link.address[:8].eq(received)
                with m.Default():
                    m.d.sync += self.link.address.eq(self.link.address + 1)

        # a cycle for the address, and one for the memory
        sent, addressed, fetched = Signal(8), Signal(), Signal()
        m.d.sync += [addressed.eq(whole & part[1]), fetched.eq(addressed & reading)]
        m.d.comb += self.miso.eq(sent[7])
        with m.If(edge):
            m.d.sync += sent.eq(sent << 1)
        with m.If(fetched):
            m.d.sync += sent.eq(self.link.read)

        with m.If(~cs):
            m.d.sync += [
                *(signal.eq(0) for signal in (place, part, whole, reading, writing)),
                *(signal.eq(0) for signal in (addressed, fetched, sent)),
            ]
        return m
