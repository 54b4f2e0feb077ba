"""An asynchronous serial line: eight data bits, no parity, one stop bit, no flow control."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from bitformer.boards.checks import check_int
from bitformer.boards.shell.link import LinkSignature
from bitformer.hw.units.parameters import Integer

__all__ = ["UartLink", "UartReceiver", "UartTransmitter", "uart_divisor"]

_DATA_BITS = 8
#: Fewer clock cycles in a bit leave too little of it after synchronisation.
_LEAST_DIVISOR = 8
_MOST_ERROR = 0.02


def uart_divisor(*, clock_hz: int, baud: int) -> int:
    """Return the clock cycles in a bit: ``clock_hz`` / ``baud``, rounded.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is not positive, a bit has fewer than 8 clock cycles, or the rounded rate is
        off by more than 2 %: half a bit after the ten bits of a frame is 5 %, for both ends.
    """
    check_int("Clock frequency", clock_hz)
    check_int("Baud rate", baud)
    divisor = round(clock_hz / baud)
    if divisor < _LEAST_DIVISOR:
        raise ValueError(
            f"Baud rate must be at most {clock_hz // _LEAST_DIVISOR} at a clock of {clock_hz} Hz, "
            f"not {baud}"
        )
    error = abs(clock_hz / (divisor * baud) - 1)
    if error > _MOST_ERROR:
        raise ValueError(
            f"Baud rate {baud} would be off by {error:.1%} at a clock of {clock_hz} Hz; "
            f"at most {_MOST_ERROR:.0%} is allowed"
        )
    return divisor


class UartReceiver(wiring.Component):
    """Takes bytes from a serial line.

    The line passes two flip-flops and every bit is sampled once, in its middle. A start bit that is
    over by its middle is taken for a glitch. The byte stands at ``o`` for one cycle, in the middle
    of the stop bit, whether somebody takes it or not. After a frame without a stop bit the receiver
    waits until the line is high again.

    Latency: see `latency`. Throughput: a byte in ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles in a bit, at least 8; see `uart_divisor`.

    Members
    -------
    rx : In(1)
        The line, asynchronous; high when idle.
    o : Out(stream of 8 bits, always ready)
        Bytes.
    framing_error : Out(1)
        High for one cycle when a frame has no stop bit.
    idle : Out(1)
        High while the line is high and no frame is under way.
    tick : Out(1)
        High for one cycle in every bit time of that.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is no integer, or below 8.
    """

    divisor = Integer(_LEAST_DIVISOR)

    def __init__(self, *, divisor: int):
        self.divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(_DATA_BITS, always_ready=True)),
                "framing_error": Out(1),
                "idle": Out(1),
                "tick": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the one in which the line falls to the one in which ``o`` is valid."""
        synchroniser, detection, output = 2, 1, 1
        return synchroniser + detection + self.divisor // 2 + 9 * self.divisor + output - 1

    def elaborate(self, platform):
        m = Module()

        line = Signal(init=1)
        m.submodules.line = FFSynchronizer(self.rx, line, init=1)

        # one constant to begin with, for a bit and for the half of the first: it is the register's
        # reset
        timer = Signal(range(self.divisor), init=self.divisor - 1)
        middle = Signal()
        m.d.comb += middle.eq(timer == self.divisor - self.divisor // 2)
        # a one before the first bit falls out with the eighth
        data = Signal(_DATA_BITS, reset_less=True)

        m.d.comb += self.o.payload.eq(data)
        m.d.sync += [
            self.o.valid.eq(0),
            self.framing_error.eq(0),
            timer.eq(Mux(timer == 0, self.divisor - 1, timer - 1)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(line), self.tick.eq(middle)]
                with m.If(~line):
                    m.d.sync += timer.eq(self.divisor - 1)
                    m.next = "START"
            with m.State("START"), m.If(middle):
                with m.If(line):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "FIRST"
            with m.State("FIRST"), m.If(middle):
                m.d.sync += data.eq(Cat(Const(0, _DATA_BITS - 2), 1, line))
                m.next = "DATA"
            with m.State("DATA"), m.If(middle):
                m.d.sync += data.eq(Cat(data[1:], line))
                with m.If(data[0]):
                    m.next = "STOP"
            with m.State("STOP"), m.If(middle):
                with m.If(line):
                    m.d.sync += self.o.valid.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.d.sync += self.framing_error.eq(1)
                    m.next = "RECOVER"
            with m.State("RECOVER"), m.If(line):
                m.next = "IDLE"

        return m


class UartTransmitter(wiring.Component):
    """Sends bytes over a serial line, without a gap while the stream has bytes.

    Latency: 1 cycle from taking a byte to its start bit. Throughput: a byte in ``10 * divisor``
    cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles in a bit, at least 8; see `uart_divisor`.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes.
    tx : Out(1)
        The line, from a flip-flop; high when idle.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is no integer, or below 8.
    """

    divisor = Integer(_LEAST_DIVISOR)

    def __init__(self, *, divisor: int):
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(_DATA_BITS)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()

        # A reset would be a second constant to begin with, and break its carry chain where those
        # differ: it runs out by itself, before the next byte.
        timer = Signal(range(self.divisor), reset_less=True)
        # The bits that follow the one on the line, and the stop bit; behind it are only zeros.
        rest = Signal(_DATA_BITS + 1)

        m.d.comb += self.i.ready.eq((rest == 0) & (timer == 0))
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(rest != 0):
            m.d.sync += [Cat(self.tx, rest).eq(rest), timer.eq(self.divisor - 1)]
        with m.Elif(self.i.valid):
            m.d.sync += [
                self.tx.eq(0),
                rest.eq(Cat(self.i.payload, 1)),
                timer.eq(self.divisor - 1),
            ]

        return m


class UartLink(wiring.Component):
    """Makes a link of a serial line: bytes both ways, and silence.

    Parameters
    ----------
    divisor : int
        Clock cycles in a bit, at least 8; see `uart_divisor`.
    gap_bits : int
        Bit times without a start bit after which the line is quiet, at least 2: a host that pauses
        as long within a frame has broken it off.

    Members
    -------
    rx : In(1)
        The line from the host, asynchronous; high when idle.
    tx : Out(1)
        The line to the host.
    link : Out(LinkSignature())
        Bytes; none is ever dropped.

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer, or too small.
    """

    divisor = Integer(_LEAST_DIVISOR)
    gap_bits = Integer(2)

    def __init__(self, *, divisor: int, gap_bits: int):
        self.divisor = divisor
        self.gap_bits = gap_bits
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "link": Out(LinkSignature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(divisor=self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self.divisor)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.link.rx_error.eq(receiver.framing_error),
        ]
        wiring.connect(m, receiver.o, wiring.flipped(self.link.rx))
        wiring.connect(m, wiring.flipped(self.link.tx), transmitter.i)

        # counts down to a negative number: its sign is the answer
        silence = Signal(range(-1, self.gap_bits), init=-1, reset_less=True)
        m.d.comb += self.link.quiet.eq(silence < 0)
        with m.If(~receiver.idle):
            m.d.sync += silence.eq(self.gap_bits - 1)
        with m.Elif(~self.link.quiet & receiver.tick):
            m.d.sync += silence.eq(silence - 1)
        return m
