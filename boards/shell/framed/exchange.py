"""A request and its answer: what the state machines of a framed endpoint share."""

from enum import IntEnum

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring

from bitformer.boards.protocol import CONSTANT_BYTES
from bitformer.boards.shell.counters import ChangingRegisters
from bitformer.boards.shell.framed.cursor import OneOf, cursor_for
from bitformer.boards.shell.framed.header import Header
from bitformer.boards.shell.framed.line import CheckedLine
from bitformer.boards.shell.framed.memory_map import MemoryMap

__all__ = ["Exchange", "Hand", "Machine"]


class Machine(IntEnum):
    """The state machines, in the order of a request."""

    RECEIVER = 0
    SERVER = 1
    WEIGHTS = 2
    SENDER = 3


class Exchange:
    """Line, header, memory and registers, and the turns of the machines that use them.

    One machine works at a time. It ends its turn with one of four strobes, each high for a cycle.

    Parameters
    ----------
    m : Module
        Where all of it goes.
    link : interface of `LinkSignature`
    memory_map : MemoryMap

    Attributes
    ----------
    line, header, cursor, registers : see their classes.
    received : 1 bit, a whole frame is there.
    refused : 1 bit, the frame is refused for the reason that is the verdict.
    served : 1 bit, the cursor is at the answer, and counts its bytes.
    sent : 1 bit, the answer is sent, or dropped.
    verdict : 8 bits, an answer of one byte.
    bank, trial : 1 bit each, the image of the weights that is live, and whether the other is tried.
    """

    def __init__(self, m: Module, link: wiring.PureInterface, memory_map: MemoryMap):
        self.memory_map = memory_map
        self.line, self.header = CheckedLine(m, link), Header(m)
        self.cursor = cursor_for(m, memory_map, machines=len(Machine))
        rejects = bool(memory_map.contract.classes)
        m.submodules.registers = self.registers = ChangingRegisters(
            rejects=rejects,
            pipelined=memory_map.contract.pipelined,
            block=memory_map.contract.all_in_blocks,
        )
        self.received, self.refused, self.served, self.sent = (Signal() for _ in range(4))
        self.verdict, self.verdicts = (
            Signal(8, reset_less=True), OneOf(m, 8, machines=len(Machine))
        )  # fmt: skip
        with m.If(self.verdicts.given):
            m.d.sync += self.verdict.eq(self.verdicts.value)
        # a reset must not change the bank: the other may be half an image
        self.bank, self.trial = Signal(reset_less=True), Signal()
        m.d.comb += [
            self.registers.i_reason.eq(self.verdict[:3]),
            self.registers.i_address.eq(self.cursor.index),
            self.registers.i_status.eq(self.bank),
        ]

    def region(self, *, other: int = 0, past: int = 0):
        """Return where the constants of the live image are, or of the other, and ``past`` bytes."""
        starts = [Const(start + past, len(self.cursor.index)) for start in self.memory_map.regions]
        return Mux(self.bank ^ other, starts[1], starts[0]) if len(starts) > 1 else starts[0]

    def golden(self, *, other: int = 0):
        """Return where the golden vectors of an image are."""
        return self.region(other=other, past=CONSTANT_BYTES)


class Hand:
    """The micro-operations of one machine on the memory and the verdict.

    Parameters
    ----------
    x : Exchange
    machine : Machine
    """

    def __init__(self, x: Exchange, machine: Machine):
        self._x, self._machine = x, machine

    def go(self, place) -> None:
        """Move the cursor to a place, for the next cycle on."""
        self._x.cursor.place.give(self._machine, place)

    def expect(self, count) -> None:
        """Set how many bytes are left."""
        self._x.cursor.count.give(self._machine, count)

    def advance(self) -> None:
        """Move the cursor on by a byte."""
        self._x.cursor.advance.give(self._machine, 1)

    def say(self, verdict) -> None:
        """Set the verdict."""
        self._x.verdicts.give(self._machine, verdict)
