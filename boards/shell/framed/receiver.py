"""The phases in which a framed endpoint listens: from a frame's first byte to its CRC."""

from amaranth.hdl import Cat, Const, Signal

from bitformer.boards.protocol import CRC_BYTES, HEADER_BYTES, SYNC, Reason
from bitformer.boards.shell.framed.exchange import Exchange

__all__ = ["receive_states"]


def receive_states(x: Exchange, *, right: str) -> None:
    """States from LISTEN to CHECK; a frame that is right goes on to the state called ``right``.

    A frame that is broken off, too long, damaged or does not begin like one waits in DRAIN until
    the line is quiet, and is refused then, in REFUSE.
    """
    m, link = x.m, x.link
    too_long = Signal(reset_less=True)

    def broken():
        """What ends a frame before its time."""
        with m.If(link.rx_error):
            x.refuse(Reason.LINE)
        with m.Elif(link.quiet & ~link.rx.valid):
            x.refuse(Reason.TRUNCATED)

    with m.State("LISTEN"):
        m.d.comb += [x.listening.eq(1), x.anew.eq(1)]
        m.d.sync += [x.verdict.eq(Reason.ACCEPTED), x.step.eq(0)]
        m.d.sync += [x.lost.eq(0), x.speaking.eq(0)]
        with m.If(x.lost):
            x.refuse(Reason.OVERRUN)
        with m.Elif(link.rx_error):
            x.refuse(Reason.LINE)
        with m.Elif(link.rx.valid):
            m.next = "HEADER"
            with m.If(link.rx.payload != SYNC):
                x.refuse(Reason.START)

    with m.State("HEADER"):
        m.d.comb += [x.listening.eq(1), x.following.eq(0)]
        with m.If(link.rx.valid):
            m.d.sync += [x.step.eq(x.step + 1), x.command.eq(link.rx.payload)]
            x.move_on()
            with m.Switch(x.step):
                with m.Case(0):
                    m.d.sync += x.left.eq(link.rx.payload)
                with m.Case(1):
                    length = Cat((x.left | Const(0, 8))[:8], link.rx.payload)
                    m.d.sync += [x.left.eq(length), too_long.eq(length[len(x.left) :] != 0)]
                with m.Case(HEADER_BYTES - 2):
                    m.d.sync += x.step.eq(0)
                    m.next = "PAYLOAD"
                    with m.If(x.left == 0):
                        m.next = "CRC"
                    with m.If(too_long):
                        x.refuse(Reason.LENGTH)
        broken()

    with m.State("PAYLOAD"):
        room_left = x.index != x.layout.registers.capacity
        m.d.comb += [
            x.listening.eq(1),
            x.write.data.eq(link.rx.payload),
            x.write.en.eq(link.rx.valid & room_left),
        ]
        with m.If(link.rx.valid):
            x.advance()
            with m.If(x.left == 1):
                m.next = "CRC"
            with m.If(~room_left):
                x.refuse(Reason.LENGTH)
        broken()

    with m.State("CRC"):
        m.d.comb += x.listening.eq(1)
        with m.If(link.rx.valid):
            m.d.sync += x.step.eq(x.step + 1)
            with m.If(x.step == CRC_BYTES - 1):
                m.next = "CHECK"
        broken()

    with m.State("CHECK"), m.If(x.passed[3]):
        m.next = right
        with m.If(~x.crc.match_detected):
            x.refuse(Reason.CRC)

    with m.State("DRAIN"):
        m.d.comb += x.listening.eq(1)
        with m.If(link.quiet & ~x.arrived):
            m.next = "REFUSE"
