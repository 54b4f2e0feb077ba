"""The state machine that listens, from a frame's first byte to its CRC."""

from amaranth.hdl import Cat, Const, Module, Signal

from bitformer.boards.protocol import CRC_BYTES, HEADER_BYTES, SYNC, Reason
from bitformer.boards.shell.framed.exchange import Exchange, Hand, Machine

__all__ = ["receive"]


def refuse(m: Module, hand: Hand, why: Reason) -> None:
    """Refuse the frame for a reason, once the line is quiet."""
    hand.say(why)
    m.next = "DRAIN"


def receive(m: Module, x: Exchange) -> None:
    """Add the receiver, which puts the payload of a request at the beginning of the memory.

    A frame that is broken off, too long, damaged or does not begin like one is refused once the
    line is quiet. After a frame, nobody listens until an answer is sent.
    """
    line, link, header, cursor = x.line, x.line.link, x.header, x.cursor
    hand = Hand(x, Machine.RECEIVER)
    too_long, has_room = Signal(reset_less=True), Signal(reset_less=True)
    # compared while the next byte is waited for
    m.d.sync += has_room.eq(cursor.index != x.memory_map.registers.capacity)

    def unless_broken_off():
        with m.If(link.rx_error):
            refuse(m, hand, Reason.LINE)
        with m.Elif(link.quiet & ~link.rx.valid):
            refuse(m, hand, Reason.TRUNCATED)

    with m.FSM(name="receiver") as fsm:
        with m.State("LISTEN"):
            m.d.comb += line.crc_reset.eq(1)
            m.d.sync += line.lost.eq(0)
            header.restart()
            hand.say(Reason.ACCEPTED)
            with m.If(line.lost):
                refuse(m, hand, Reason.OVERRUN)
            with m.Elif(link.rx_error):
                refuse(m, hand, Reason.LINE)
            with m.Elif(link.rx.valid):
                m.next = "HEADER"
                with m.If(link.rx.payload != SYNC):
                    refuse(m, hand, Reason.START)

        with m.State("HEADER"):
            hand.go(0)
            with m.If(link.rx.valid):
                header.count()
                header.shift()
                m.d.sync += header.command.eq(link.rx.payload)
                with m.Switch(header.step):
                    with m.Case(0):
                        hand.expect(link.rx.payload)
                    with m.Case(1):
                        length = Cat((cursor.left | Const(0, 8))[:8], link.rx.payload)
                        hand.expect(length)
                        m.d.sync += too_long.eq(length[len(cursor.left) :] != 0)
                    with m.Case(HEADER_BYTES - 2):
                        header.restart()
                        m.next = "PAYLOAD"
                        with m.If(cursor.left == 0):
                            m.next = "CRC"
                        with m.If(too_long):
                            refuse(m, hand, Reason.LENGTH)
            unless_broken_off()

        with m.State("PAYLOAD"):
            cursor.store(link.rx.payload, when=link.rx.valid & has_room)
            with m.If(link.rx.valid):
                hand.advance()
                with m.If(cursor.last):
                    m.next = "CRC"
                with m.If(~has_room):
                    refuse(m, hand, Reason.LENGTH)
            unless_broken_off()

        with m.State("CRC"):
            with m.If(link.rx.valid):
                header.count()
                with m.If(header.step == CRC_BYTES - 1):
                    m.next = "CHECK"
            unless_broken_off()

        with m.State("CHECK"), m.If(line.crc_idle):
            m.next = "JUDGE"

        with m.State("JUDGE"):
            m.d.comb += x.received.eq(line.crc_matches)
            m.next = "WAIT"
            with m.If(~line.crc_matches):
                refuse(m, hand, Reason.CRC)

        with m.State("DRAIN"), m.If(link.quiet & ~line.arrived):
            m.d.comb += x.refused.eq(1)
            m.next = "WAIT"

        with m.State("WAIT"), m.If(x.sent):
            m.next = "LISTEN"
    busy = fsm.ongoing("CHECK") | fsm.ongoing("JUDGE") | fsm.ongoing("WAIT")
    m.d.comb += line.listening.eq(~busy)
    # one flip-flop for each state, which saves LUTs; the shell's reset gives it its first value
    fsm.state.attrs["fsm_encoding"] = "auto"
