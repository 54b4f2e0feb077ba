"""A request and its answer: the registers that the phases of a framed endpoint share."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.utils import bits_for

from bitformer.boards.protocol import CONSTANT_BYTES, HEADER_BYTES, REGISTER_BYTES, SEQUENCE_BYTES
from bitformer.boards.shell.counters import ChangingRegisters
from bitformer.boards.shell.framed.memory_map import MemoryMap
from bitformer.hw.memory import placement_attributes

__all__ = ["Exchange"]


class Exchange:
    """Adds the memory, the CRC and the registers to ``m``, with what every phase does with them.

    Parameters
    ----------
    m : Module
    link : the link's members.
    layout : MemoryMap
    """

    def __init__(self, m: Module, link: wiring.PureInterface, layout: MemoryMap):
        self.m, self.link, self.layout = m, link, layout
        m.submodules.memory = store = memory.Memory(
            shape=8,
            depth=layout.depth,
            init=layout.contents(),
            attrs=placement_attributes(layout.memory.placement, rom=False),
        )
        self.write, self.read = store.write_port(), store.read_port()
        m.submodules.registers = self.registers = ChangingRegisters()

        # a place in the memory, and the bytes that are left of what goes through it
        self.index = Signal(range(layout.depth + 1), reset_less=True)
        self.following = Signal.like(self.index)
        self.left = Signal(
            range(max(layout.registers.capacity, REGISTER_BYTES) + 1), reset_less=True
        )
        m.d.comb += [
            self.following.eq(self.index),
            self.read.addr.eq(self.following),
            self.write.addr.eq(self.index),
        ]
        m.d.sync += self.index.eq(self.following)
        self.step = Signal(range(HEADER_BYTES), reset_less=True)
        # what follows the length in a header goes through the command to the sequence number, and
        # out from its lowest byte the same way: no byte is ever chosen out of several
        self.sequence = Signal(8 * SEQUENCE_BYTES, reset_less=True)
        self.command = Signal(8, reset_less=True)
        # an answer of one byte: why a frame is refused, or how many golden vectors were right
        self.verdict = Signal(8, reset_less=True)
        self.counted = self.verdict[: bits_for(len(layout.contract.vectors))]
        self.testing = self.command[0]
        self.running = Signal(reset_less=True)
        # which image of the weights is live, which a reset must not change: the other may be half
        # an image; and whether that is on trial
        self.bank, self.trial = Signal(reset_less=True), Signal()
        m.d.comb += [
            self.registers.i_reason.eq(self.verdict[:3]),
            self.registers.i_run.eq(self.running),
            self.registers.i_address.eq(self.index),
            self.registers.i_status.eq(self.bank),
        ]
        self._watch()
        self._check()

    def _watch(self) -> None:
        """What arrives while nobody listens is lost, and refused later."""
        self.listening, self.lost = Signal(), Signal()
        self.arrived = self.link.rx.valid | self.link.rx_error
        with self.m.If(self.arrived & ~self.listening):
            self.m.d.sync += self.lost.eq(1)

    def _check(self) -> None:
        """An outgoing byte waits in a register; there, or on the link, a byte passes the CRC.

        It takes a bit a cycle, and begins anew by a reset: both are cheaper.
        """
        m, link = self.m, self.link
        self.byte, self.full = Signal(8, reset_less=True), Signal()
        self.passed, self.room, self.speaking = Signal(4, init=8), Signal(), Signal()
        self.anew, clean = Signal(), Signal()
        m.d.sync += clean.eq(self.anew)
        self.crc = CRC32_ETHERNET(data_width=1).create()
        m.submodules.crc = ResetInserter(clean)(self.crc)
        place = Cat(self.passed[:3], ~self.speaking)
        m.d.comb += [
            link.tx.payload.eq(self.byte),
            link.tx.valid.eq(self.full),
            self.room.eq(~self.full & self.passed[3]),
            self.crc.data.eq(Cat(self.byte, link.rx.payload).bit_select(place, 1)),
            self.crc.valid.eq(~self.passed[3]),
        ]
        with m.If(~self.passed[3]):
            m.d.sync += self.passed.eq(self.passed + 1)
        with m.If(self.listening & link.rx.valid):
            m.d.sync += self.passed.eq(0)
        with m.If(self.anew):
            m.d.sync += self.passed.eq(8)
        with m.If(self.full & link.tx.ready):
            m.d.sync += self.full.eq(0)

    def region(self, *, other: int = 0, past: int = 0):
        """Where the constants of the live image are, or of the ``other``, and ``past`` bytes on."""
        starts = [Const(start + past, len(self.index)) for start in self.layout.regions]
        return Mux(self.bank ^ other, starts[1], starts[0]) if len(starts) > 1 else starts[0]

    def golden(self, *, other: int = 0):
        """Where the golden vectors are."""
        return self.region(other=other, past=CONSTANT_BYTES)

    def send(self, value, *, covered: bool = True) -> None:
        """Offer a byte to the link; the CRC covers it unless told otherwise."""
        self.m.d.sync += [self.byte.eq(value), self.full.eq(1)]
        if covered:
            self.m.d.sync += self.passed.eq(0)

    def move_on(self) -> None:
        """Move the sequence number on by a byte, and the command behind it."""
        self.m.d.sync += self.sequence.eq(Cat(self.sequence[8:], self.command))

    def advance(self) -> None:
        """One byte on in the memory."""
        self.m.d.comb += self.following.eq(self.index + 1)
        self.m.d.sync += self.left.eq(self.left - 1)

    def refuse(self, why, *, to: str = "DRAIN") -> None:
        """The frame is refused for a reason, once the line is quiet or at once."""
        self.m.d.sync += self.verdict.eq(why)
        self.m.next = to
