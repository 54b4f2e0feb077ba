"""The phases in which a framed endpoint speaks: an answer, or a refusal."""

from amaranth.hdl import Cat, Const

from bitformer.boards.protocol import (
    CONSTANT_BYTES,
    CRC_BYTES,
    HEADER_BYTES,
    NAK,
    REGISTER_BYTES,
    SYNC,
)
from bitformer.boards.shell.framed.exchange import Exchange

__all__ = ["answer_states"]


def answer_states(x: Exchange, *, fault) -> None:
    """States REFUSE and ANSWER to LAST, which goes on to LISTEN; ``fault`` is set by a refusal."""
    m, link = x.m, x.link
    says_verdict, says_registers = x.command[:2] == 3, x.command[:2] == 1

    def dropped():
        with m.If(link.drop):
            m.d.sync += x.full.eq(0)
            m.next = "LISTEN"

    with m.State("REFUSE"):
        m.d.comb += x.registers.i_count.eq(1)
        m.d.sync += [x.command.eq(NAK), x.left.eq(1)]
        m.next = "ANSWER"

    with m.State("ANSWER"):
        m.d.comb += x.anew.eq(1)
        m.d.sync += [x.command[7].eq(1), x.step.eq(0), fault.eq(x.command[7]), x.speaking.eq(1)]
        x.send(SYNC, covered=False)
        m.next = "HEAD"

    with m.State("HEAD"):
        with m.If(x.room):
            length = Cat(x.left, Const(0, 16 - len(x.left)))
            m.d.sync += x.step.eq(x.step + 1)
            with m.If(x.step < 2):
                x.send(length.word_select(x.step[0], 8))
            with m.Else():
                x.send(x.sequence[:8])
                x.move_on()
            with m.If(x.step == HEADER_BYTES - 2):
                m.d.sync += x.step.eq(0)
                m.next = "BODY"
        dropped()

    with m.State("BODY"):
        with m.If(x.room):
            x.advance()
            with m.If(says_verdict):
                x.send(x.verdict)
            with m.Elif(says_registers & (x.left <= REGISTER_BYTES - CONSTANT_BYTES)):
                x.send(x.registers.o_byte)
            with m.Else():
                x.send(x.read.data)
            with m.If(x.left == 1):
                m.next = "TAIL"
        dropped()

    with m.State("TAIL"):
        with m.If(x.room):
            x.send(x.crc.crc.word_select(x.step[:2], 8), covered=False)
            m.d.sync += x.step.eq(x.step + 1)
            with m.If(x.step == CRC_BYTES - 1):
                m.next = "LAST"
        dropped()

    with m.State("LAST"):
        with m.If(~x.full):
            m.next = "LISTEN"
        dropped()
