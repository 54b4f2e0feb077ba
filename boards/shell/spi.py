"""An SPI slave, mode 0, most significant bit first, sampled by the design's own clock."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitformer.boards.shell.link import LinkSignature

__all__ = ["SPI_RATIO", "SpiLink"]

#: Clock cycles in a period of SCK, at least.
SPI_RATIO = 6


class SpiLink(wiring.Component):
    """Makes a link of an SPI slave; the end of a transfer, with chip select, ends a frame.

    *Requests and answers.* A transfer whose first byte from the host is not 0 is a request. One
    that begins with 0 reads: if an answer is waiting when chip select begins, it is sent from the
    first byte on; otherwise every byte is 0. What is left of an answer when chip select ends, and
    an answer that waits when a request comes, is dropped.

    *Rate.* No clock of the SPI enters the FPGA's clock network: SCK is sampled, so it may have any
    phase, and its period must be ``SPI_RATIO`` clock cycles or more, with a high and a low half of
    two or more. MISO changes after a rising edge of SCK has been seen, 2 to 3 cycles after that
    edge, and is there 2 cycles before the next. The host must wait 4 cycles from the start of chip
    select to the first edge, and 8 cycles between transfers. MISO is driven all the time: there
    can be no second slave on the bus.

    Members
    -------
    sck, mosi : In(1)
        Clock and data of the host, asynchronous.
    cs : In(1)
        Chip select, asynchronous; high is selected, whatever the pin's level.
    miso : Out(1)
        Data to the host, from a flip-flop.
    link : Out(LinkSignature())
        Bytes; the line is quiet while chip select is inactive.
    """

    def __init__(self):
        super().__init__(
            {
                "sck": In(1),
                "cs": In(1),
                "mosi": In(1),
                "miso": Out(1),
                "link": Out(LinkSignature()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sck, cs, mosi = Signal(), Signal(), Signal()
        m.submodules.sck = FFSynchronizer(self.sck, sck)
        m.submodules.cs = FFSynchronizer(self.cs, cs)
        m.submodules.mosi = FFSynchronizer(self.mosi, mosi)
        was_high, was_on = Signal(), Signal()
        m.d.sync += [was_high.eq(sck), was_on.eq(cs)]
        edge = Signal()
        m.d.comb += edge.eq(sck & ~was_high & cs)

        # in: a byte is whole with its eighth edge, and passed on two cycles after that, when
        # what a request makes void has been dropped
        received, place = Signal(8, reset_less=True), Signal(3)
        first, request, whole = Signal(init=1), Signal(), Signal()
        m.d.sync += [whole.eq(edge & (place == 7)), self.link.rx.valid.eq(0)]
        with m.If(edge):
            m.d.sync += [received.eq(Cat(mosi, received[:7])), place.eq(place + 1)]
        with m.If(whole):
            m.d.sync += first.eq(0)
            with m.If(first):
                m.d.sync += request.eq(received != 0)
        passing = Signal()
        m.d.sync += passing.eq(whole)
        m.d.sync += self.link.rx.valid.eq(passing & request)
        with m.If(passing):
            m.d.sync += self.link.rx.payload.eq(received)

        # out: the byte on the line, and whether this transfer is an answer
        sent, answering = Signal(8), Signal()
        following = self.link.tx.payload
        m.d.comb += self.miso.eq(sent[7])
        selected = cs & ~was_on
        m.d.sync += self.link.drop.eq(0)
        with m.If(edge):
            m.d.sync += sent.eq(sent << 1)
        with m.If(selected | (edge & (place == 7) & answering)):
            m.d.comb += self.link.tx.ready.eq(1)
            m.d.sync += [answering.eq(self.link.tx.valid), sent.eq(0)]
            with m.If(self.link.tx.valid):
                m.d.sync += sent.eq(following)
        with m.If(whole & first & (received != 0)):
            m.d.sync += [answering.eq(0), self.link.drop.eq(1)]

        # the last byte reaches the endpoint before it is told that the line is quiet
        ended = Signal(4, init=-1)
        m.d.sync += ended.eq(Cat(~cs, ended[:3]))
        m.d.comb += self.link.quiet.eq(ended[3])
        with m.If(~cs):
            m.d.sync += [place.eq(0), sent.eq(0)]
            with m.If(was_on & answering):
                m.d.sync += [answering.eq(0), self.link.drop.eq(1)]
        with m.If(ended[2]):
            m.d.sync += [first.eq(1), request.eq(0)]
        return m
