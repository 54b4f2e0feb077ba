"""The UART shell: an accelerator that talks bytes over a serial line."""

from amaranth.hdl import Module, ResetInserter, Shape, ShapeCastable, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from bitformer.boards.checks import check_int
from bitformer.boards.framing import NumberReader, NumberWriter, number_bytes
from bitformer.boards.uart import UartReceiver, UartTransmitter, uart_divisor

__all__ = ["UartShell", "stream_shape"]

#: A pause of the host's, in parts of a second, that ends an unfinished number. USB serial adapters
#: and operating systems pause for a few milliseconds in the middle of a write.
_PAUSES_PER_SECOND = 20
_LEAST_GAP_BITS = 20


class UartShell(wiring.Component):
    """An accelerator behind a serial line: numbers in, numbers out, no frames and no checksum.

    *Format.* Eight data bits, no parity, one stop bit. Inputs and results are two's complement, in
    as few whole bytes as hold them, least significant byte first; results are sign-extended.

    *Pace.* A UART has no flow control. Inputs wait in a queue of `queue` numbers while the
    accelerator is busy; results hold the accelerator back while the line is slower. A host that
    sends no more numbers than the queue and the accelerator hold before it reads the results never
    overruns it.

    *Keeping step.* A pause of `gap_bits` bit times inside a number drops the bytes of that
    number. A *break* restarts everything but a byte that is being sent: queue, accelerator and
    faults. To break, the host holds the line low for 20 bit times or more (``send_break`` in most
    libraries) and drops what it heard until then, which may end within a result. Hosts begin a
    session so. After a broken byte or a number that found the queue full, what follows would
    reach the accelerator shifted: the shell takes nothing more until a break or reset. So each
    result it sends belongs to the numbers sent since the last restart.

    Parameters
    ----------
    accelerator : wiring.Component
        Any component with members ``i: In(stream)`` and ``o: Out(stream)`` whose payloads are
        plain integers of 1 to 16 bits. It is reset by the shell, through ``ResetInserter``.
    clock_hz, baud : int
        The clock and the line rate; see `uart_divisor` for what is possible.
    queue : int
        Numbers that can wait for the accelerator.
    gap_bits : int or None
        See above. ``None`` stands for 50 ms.

    Members
    -------
    rx : In(1)
        The line from the host, asynchronous.
    tx : Out(1)
        The line to the host.
    i_reset : In(1)
        Restarts what a break restarts, for as long as it is high and one cycle more.
    framing_error, overflow : Out(1)
        Whether the shell has stopped, and why.

    Raises
    ------
    TypeError
        If `accelerator` is no such component, or another argument no integer.
    ValueError
        If its payloads are too wide, the line rate cannot be had, `queue` is below 1 or `gap_bits`
        below 20.
    """

    def __init__(
        self,
        *,
        accelerator: wiring.Component,
        clock_hz: int,
        baud: int,
        queue: int = 16,
        gap_bits: int | None = None,
    ):
        self._input_shape = stream_shape(accelerator, "i", In)
        self._result_shape = stream_shape(accelerator, "o", Out)
        self._divisor = uart_divisor(clock_hz=clock_hz, baud=baud)
        self._clock_hz = clock_hz
        self._baud = baud
        self._queue = check_int("Queue", queue)
        if gap_bits is None:
            gap_bits = max(baud // _PAUSES_PER_SECOND, _LEAST_GAP_BITS)
        self._gap_bits = check_int("Gap", gap_bits, least=_LEAST_GAP_BITS)
        self._accelerator = accelerator
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "i_reset": In(1),
                "framing_error": Out(1),
                "overflow": Out(1),
            }
        )

    @property
    def accelerator(self) -> wiring.Component:
        return self._accelerator

    @property
    def clock_hz(self) -> int:
        return self._clock_hz

    @property
    def baud(self) -> int:
        return self._baud

    @property
    def divisor(self) -> int:
        """Clock cycles in a bit."""
        return self._divisor

    @property
    def queue(self) -> int:
        return self._queue

    @property
    def gap_bits(self) -> int:
        return self._gap_bits

    @property
    def input_bytes(self) -> int:
        """Bytes of an input number."""
        return number_bytes(self._input_shape)

    @property
    def result_bytes(self) -> int:
        """Bytes of a result."""
        return number_bytes(self._result_shape)

    def elaborate(self, platform):
        m = Module()

        m.submodules.receiver = receiver = UartReceiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)

        # One flip-flop resets all that a break restarts; it is set when configuration ends.
        restart = Signal(init=1)
        m.d.sync += restart.eq(self.i_reset | receiver.line_break)
        restartable = ResetInserter(restart)

        reader = NumberReader(shape=self._input_shape, gap=self._gap_bits * self._divisor)
        fifo = SyncFIFO(width=self._input_shape.width, depth=self._queue)
        writer = NumberWriter(shape=self._result_shape)
        m.submodules.reader = restartable(reader)
        m.submodules.fifo = restartable(fifo)
        m.submodules.accelerator = restartable(self._accelerator)
        m.submodules.writer = restartable(writer)

        m.d.comb += [
            receiver.rx.eq(self.rx),
            reader.i.valid.eq(receiver.o.valid),
            reader.i.payload.eq(receiver.o.payload),
            reader.i_idle.eq(receiver.idle),
            reader.i_error.eq(receiver.framing_error),
            self.framing_error.eq(reader.framing_error),
            self.overflow.eq(reader.overflow),
            fifo.w_en.eq(reader.o.valid),
            fifo.w_data.eq(reader.o.payload),
            reader.o.ready.eq(fifo.w_rdy),
            self._accelerator.i.valid.eq(fifo.r_rdy),
            self._accelerator.i.payload.eq(fifo.r_data),
            fifo.r_en.eq(self._accelerator.i.ready),
            writer.i.valid.eq(self._accelerator.o.valid),
            writer.i.payload.eq(self._accelerator.o.payload),
            self._accelerator.o.ready.eq(writer.i.ready),
            self.tx.eq(transmitter.tx),
        ]
        wiring.connect(m, writer.o, transmitter.i)

        return m


def stream_shape(accelerator: wiring.Component, name: str, flow) -> Shape:
    """The payload's shape of the accelerator's stream `name`, whose direction is `flow`.

    Raises
    ------
    TypeError
        If `accelerator` is no component, or has no such stream of plain integers.
    ValueError
        If the payload has no bits, or more than 16.
    """
    if not isinstance(accelerator, wiring.Component):
        raise TypeError(f"Accelerator must be a component, not {accelerator!r}")
    member = accelerator.signature.members.get(name)
    if (
        member is None
        or not member.is_signature
        or member.flow != flow
        or not isinstance(member.signature, stream.Signature)
        or member.signature.always_valid
        or member.signature.always_ready
    ):
        raise TypeError(f"Accelerator must have a stream {name!r} with valid and ready")
    shape = member.signature.members["payload"].shape
    if isinstance(shape, ShapeCastable):
        raise TypeError(f"Accelerator must have plain integers in {name!r}, not {shape!r}")
    shape = Shape.cast(shape)
    number_bytes(shape)
    return shape
