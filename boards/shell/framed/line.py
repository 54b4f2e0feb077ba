"""The line of a framed endpoint: bytes both ways, and the CRC of those that belong to a frame."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET

__all__ = ["CheckedLine"]


class CheckedLine:
    """Bytes from and to the host, which the CRC takes a bit in a cycle.

    Parameters
    ----------
    m : Module
        Where the CRC and the registers go.
    link : interface of `LinkSignature`

    Attributes
    ----------
    link : the interface.
    arrived : 1 bit, a byte has arrived, whole or broken.
    listening, speaking : 1 bit each, driven by who takes bytes, and by who sends them.
    lost : 1 bit, a byte has arrived while nobody was listening.
    crc_reset : 1 bit, set to begin a CRC.
    crc_idle : 1 bit, the CRC has taken all bytes so far.
    crc_matches : 1 bit, the last four bytes were the CRC of those before; a cycle late.
    tx_full : 1 bit, a byte waits for the link.
    tx_ready : 1 bit, another byte can be sent.
    """

    def __init__(self, m: Module, link: wiring.PureInterface):
        self._m, self.link = m, link
        self.arrived = link.rx.valid | link.rx_error
        self.listening, self.speaking, self.lost = Signal(), Signal(), Signal()
        with m.If(self.arrived & ~self.listening):
            m.d.sync += self.lost.eq(1)

        # a reset begins a CRC, and it takes a bit in a cycle: both are cheaper
        self.crc_reset, clean = Signal(), Signal()
        m.d.sync += clean.eq(self.crc_reset)
        crc = CRC32_ETHERNET(data_width=1).create()
        m.submodules.crc = ResetInserter(clean)(crc)
        self._crc, self.crc_matches = crc.crc, Signal()
        m.d.sync += self.crc_matches.eq(crc.match_detected)
        self._byte, self.tx_full = Signal(8, reset_less=True), Signal()
        self._bits = Signal(4, init=8)  # that the CRC has taken of a byte
        self.crc_idle = self._bits[3]
        self.tx_ready = ~self.tx_full & self.crc_idle
        bit = Cat(self._bits[:3], ~self.speaking)
        m.d.comb += [
            crc.data.eq(Cat(self._byte, link.rx.payload).bit_select(bit, 1)),
            crc.valid.eq(~self.crc_idle),
            link.tx.payload.eq(self._byte),
            link.tx.valid.eq(self.tx_full),
        ]
        with m.If(~self.crc_idle):
            m.d.sync += self._bits.eq(self._bits + 1)
        with m.If(self.listening & link.rx.valid):
            m.d.sync += self._bits.eq(0)
        with m.If(self.crc_reset):
            m.d.sync += self._bits.eq(8)
        with m.If(self.tx_full & link.tx.ready):
            m.d.sync += self.tx_full.eq(0)

    def send(self, byte, *, covered: bool = True) -> None:
        """Offer a byte to the link; the CRC takes it if it is covered."""
        self._m.d.sync += [self._byte.eq(byte), self.tx_full.eq(1)]
        if covered:
            self._m.d.sync += self._bits.eq(0)

    def send_crc(self, number) -> None:
        """Offer a byte of the CRC by its number, the lowest first."""
        self.send(self._crc.word_select(number, 8), covered=False)

    def drop(self) -> None:
        """Take back the byte that waits."""
        self._m.d.sync += self.tx_full.eq(0)
