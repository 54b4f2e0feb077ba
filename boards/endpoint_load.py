"""The phases in which a framed endpoint takes new weights, block by block, and tries them."""

from amaranth.hdl import Signal

from bitformer.boards.endpoint_exchange import Exchange
from bitformer.boards.loader import Loader
from bitformer.boards.protocol import INCOMPLETE

__all__ = ["load_region", "load_states"]


def load_states(x: Exchange, loader: Loader, *, restart) -> None:
    """States LOAD and TRIAL; a trial goes on to FEED.

    ``restart`` makes the accelerator begin anew.
    """
    m, byte = x.m, x.read.data
    block = Signal(16)  # the next
    first, fits = Signal(reset_less=True), Signal(reset_less=True)

    with m.State("LOAD"):
        # block 0 begins anew; any other is taken if it is the next, and ignored if not
        x.advance()
        with m.If(x.index == 0):
            m.d.sync += [first.eq(byte == 0), fits.eq(byte == block[:8])]
        with m.Elif(x.index == 1):
            m.d.sync += [first.eq(first & (byte == 0)), fits.eq(fits & (byte == block[8:]))]
            m.d.comb += loader.i_start.eq(first & (byte == 0))
        with m.Else():
            m.d.comb += loader.i_valid.eq(first | fits)
        with m.If(x.left == 1):
            with m.If(first):
                m.d.sync += block.eq(1)
            with m.Elif(fits):
                m.d.sync += block.eq(block + 1)
            m.next = "LOADED"

    with m.State("LOADED"):
        m.d.sync += [x.verdict.eq(block), x.left.eq(1)]
        m.next = "ANSWER"

    with m.State("TRIAL"):
        m.next = "RESTART"
        with m.If(loader.o_done):
            m.d.sync += x.trial.eq(1)
            m.d.comb += restart.eq(1)
        with m.Else():
            m.d.sync += [x.verdict.eq(INCOMPLETE), x.left.eq(1)]
            m.next = "ANSWER"

    with m.State("RESTART"):  # the accelerator's reset comes a cycle late
        m.next = "FEED"


def load_region(x: Exchange, loader: Loader) -> None:
    """The loader, and its way to the memory: new constants and vectors go to their own region."""
    m = x.m
    m.submodules.loader = loader
    m.d.comb += loader.i_byte.eq(x.read.data)
    pointer = Signal.like(x.index)
    with m.If(loader.i_start):
        m.d.sync += pointer.eq(x.region(other=1))
    with m.If(loader.o_memory_en):
        m.d.sync += pointer.eq(pointer + 1)
        m.d.comb += [
            x.write.addr.eq(pointer),
            x.write.data.eq(loader.o_data[-8:]),
            x.write.en.eq(1),
        ]
