"""The lines: whatever came before, a quiet line brings them back to idle within a bounded time."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from proofs.question import Induction, Question, Reach, inside, past

from bitformer.boards.shell.spi import SpiLink
from bitformer.boards.shell.uart import UartLink, UartReceiver, UartTransmitter

__all__ = [
    "spi",
    "spi_states",
    "uart_bytes",
    "uart_link",
    "uart_receiver",
    "uart_states",
    "uart_transmitter",
]

#: Bits of a frame on a serial line: start, eight of data, stop.
_FRAME = 10


def _legal(named) -> Value:
    """Return whether a receiver's machine is in one of its states, which need three bits."""
    machine = named("m")._generated["fsm"]
    return machine.state < len(machine.encoding)


def uart_receiver(divisor: int) -> Question:
    """From any state, a line that is high for a frame and a half bit: idle, with no byte."""
    m = Module()
    unit = UartReceiver(divisor=divisor)
    m.submodules.unit, named = inside(unit)
    steps = _FRAME * divisor + divisor // 2 + 4
    bad = ~unit.idle | unit.o.valid | unit.framing_error
    return Question(m, bad, [unit.rx], Reach(steps), given=unit.rx & _legal(named))


def uart_bytes(divisor: int) -> Question:
    """A frame of any byte on a line that was high: that byte, at its time, and no other one.

    The bits are as long as the receiver's, and come at any time from power-up on.
    """
    m = Module()
    unit = UartReceiver(divisor=divisor)
    m.submodules.unit = unit
    time, byte = Signal(range(12 * divisor)), Signal(8)
    started = Signal()
    start = Signal()
    with m.If(start | started):
        m.d.sync += [started.eq(1), time.eq(Mux(time == 12 * divisor - 1, time, time + 1))]
    frame = Cat(Const(0, 1), byte, Const(-1, 3))
    bit = Array(frame[n // divisor] for n in range(12 * divisor))[time]
    line = Mux(start | started, bit, 1)
    # the byte is the same in all cycles
    given = (unit.rx == line) & (byte == past(m, byte, 1)) & (~start | ~started)
    there = started & (time == unit.latency)
    bad = (unit.o.valid != there) | (there & (unit.o.payload != byte)) | unit.framing_error
    steps = unit.latency + 6
    return Question(m, bad, [unit.rx, byte, start], Reach(steps, from_reset=True), given)


def uart_transmitter(divisor: int) -> Question:
    """From any state, without another byte: the line is high, and the next byte is taken."""
    m = Module()
    unit = UartTransmitter(divisor=divisor)
    m.submodules.unit, named = inside(unit)
    steps = (_FRAME + 1) * divisor + 1
    bad = ~unit.i.ready | ~unit.tx
    # each frame ends with a one; this holds by itself
    legal = named("rest").any() | unit.tx
    given = ~unit.i.valid & legal
    return Question(m, bad, [unit.i.payload, unit.i.valid], Reach(steps), given=given)


def uart_states(divisor: int) -> Question:
    """What is given of the states above: a legal machine, and a frame that ends with a one."""
    m = Module()
    transmitter, receiver = UartTransmitter(divisor=divisor), UartReceiver(divisor=divisor)
    m.submodules.transmitter, sends = inside(transmitter)
    m.submodules.receiver, receives = inside(receiver)
    bad = ~_legal(receives) | ~(sends("rest").any() | transmitter.tx)
    inputs = [receiver.rx, transmitter.i.payload, transmitter.i.valid]
    return Question(m, bad, inputs, Induction(1), resets=True)


def uart_link(divisor: int, gap_bits: int) -> Question:
    """From any state, a line that is high for a frame and the gap is quiet."""
    m = Module()
    unit = UartLink(divisor=divisor, gap_bits=gap_bits)
    m.submodules.unit, named = inside(unit)
    receiver = named("receiver")
    whole, inner = inside(receiver)
    receiver.elaborate = lambda platform: whole
    steps = (_FRAME + 1 + gap_bits) * divisor + 6
    inputs = [unit.rx, unit.link.tx.payload, unit.link.tx.valid]
    return Question(m, ~unit.link.quiet, inputs, Reach(steps), given=unit.rx & _legal(inner))


def spi() -> Question:
    """From any state, without chip select: quiet, at a transfer's beginning, silent."""
    m = Module()
    unit = SpiLink()
    m.submodules.unit, named = inside(unit)
    idle = named("first") & ~named("request") & ~named("answering") & (named("place") == 0)
    idle &= unit.link.quiet & ~unit.link.rx.valid & ~unit.link.drop & ~unit.miso
    given = ~unit.cs & (~named("answering") | named("was_on"))
    return Question(m, ~idle, _pins(unit), Reach(9), given=given)


def spi_states() -> Question:
    """What is given of the states above: an answer only in a transfer."""
    m = Module()
    unit = SpiLink()
    m.submodules.unit, named = inside(unit)
    bad = named("answering") & ~named("was_on")
    return Question(m, bad, _pins(unit), Induction(1), resets=True)


def _pins(unit: SpiLink) -> list[Signal]:
    return [unit.sck, unit.cs, unit.mosi, unit.link.tx.payload, unit.link.tx.valid]
