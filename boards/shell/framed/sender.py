"""The state machine that speaks: an answer, or a refusal."""

from amaranth.hdl import Cat, Const, Module

from bitformer.boards.protocol import (
    CONSTANT_BYTES,
    CRC_BYTES,
    HEADER_BYTES,
    NAK,
    REGISTER_BYTES,
    SYNC,
)
from bitformer.boards.shell.framed.exchange import Exchange, Hand, Machine

__all__ = ["send"]


def send(m: Module, x: Exchange, *, fault) -> None:
    """Add the sender, which answers a request that was served or refused.

    The two lowest bits of the command say with what: registers, bytes from the cursor's place on,
    or the verdict.

    Parameters
    ----------
    m : Module
        Where the state machine goes.
    x : Exchange
        What it shares with the others.
    fault : Signal
        Set by a refusal, and cleared by any other answer.
    """
    line, header, cursor = x.line, x.header, x.cursor
    hand = Hand(x, Machine.SENDER)
    length = Cat(cursor.left, Const(0, 16 - len(cursor.left)))
    says_verdict, says_registers = header.command[:2] == 3, header.command[:2] == 1

    def end():
        m.d.comb += x.sent.eq(1)
        m.next = "IDLE"

    def unless_dropped():
        with m.If(line.link.drop):
            line.drop()
            end()

    with m.FSM(name="sender") as fsm:
        with m.State("IDLE"):
            with m.If(x.refused):
                m.next = "REFUSE"
            with m.If(x.served):
                m.next = "START"

        with m.State("REFUSE"):
            m.d.comb += x.registers.i_count.eq(1)
            m.d.sync += header.command.eq(NAK)
            hand.expect(1)
            m.next = "START"

        with m.State("START"):
            m.d.comb += line.crc_reset.eq(1)
            m.d.sync += [header.command[7].eq(1), fault.eq(header.command[7])]
            header.restart()
            line.send(SYNC, covered=False)
            m.next = "HEADER"

        with m.State("HEADER"):
            with m.If(line.tx_ready):
                header.count()
                with m.If(header.step < 2):
                    line.send(length.word_select(header.step[0], 8))
                with m.Else():
                    line.send(header.sequence[:8])
                    header.shift()
                with m.If(header.step == HEADER_BYTES - 2):
                    header.restart()
                    m.next = "PAYLOAD"
            unless_dropped()

        with m.State("PAYLOAD"):
            with m.If(line.tx_ready):
                hand.advance()
                with m.If(says_verdict):
                    line.send(x.verdict)
                with m.Elif(says_registers & (cursor.left <= REGISTER_BYTES - CONSTANT_BYTES)):
                    line.send(x.registers.o_byte)
                with m.Else():
                    line.send(cursor.data)
                with m.If(cursor.last):
                    m.next = "CRC"
            unless_dropped()

        with m.State("CRC"):
            with m.If(line.tx_ready):
                header.count()
                line.send_crc(header.step[:2])
                with m.If(header.step == CRC_BYTES - 1):
                    m.next = "LAST"
            unless_dropped()

        with m.State("LAST"):
            with m.If(~line.tx_full):
                end()
            unless_dropped()
    m.d.comb += line.speaking.eq(~(fsm.ongoing("IDLE") | fsm.ongoing("REFUSE")))
    # one flip-flop for each state, which saves LUTs; the shell's reset gives it its first value
    fsm.state.attrs["fsm_encoding"] = "auto"
