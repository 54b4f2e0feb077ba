"""Shells: an accelerator behind a host link."""

from collections.abc import Callable
from functools import partial
from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import Feature
from bitformer.boards.shell.contract import Contract, contract_of
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.sleep import TAIL, Sleep
from bitformer.boards.shell.spi import SPI_RATIO, SpiLink
from bitformer.boards.shell.uart import UartLink, uart_divisor
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.parameters import Integer
from bitformer.hw.units.streams import stream_shape

__all__ = ["BoardShell", "SpiShell", "UartShell"]

#: A pause of the host's, in parts of a second, that ends an unfinished frame. USB serial adapters
#: and operating systems pause for a few milliseconds in the middle of a write.
_PAUSES_PER_SECOND = 20
_LEAST_GAP_BITS = 20


def _contract(accelerator: wiring.Component, contract: Contract | None) -> Contract:
    """Return the contract given, or that of a design, or a number in and a number out."""
    if contract is not None:
        return contract
    design = accelerator.design if isinstance(accelerator, Accelerator) else None
    return contract_of(design) if design is not None else Contract()


def _awake(accelerator: wiring.Component) -> int:
    """Return the cycles for which an accelerator's clock goes on behind its last result.

    A stream's step that sums ahead works on for so many.
    """
    design = accelerator.design if isinstance(accelerator, Accelerator) else None
    return TAIL if design is None else TAIL + max(0, design.interval - design.latency)


class BoardShell(wiring.Component):
    """Puts an accelerator behind a host link: link, endpoint, and a restart for all of them.

    Between requests the accelerator's clock stands still, see :class:`Sleep`.

    Parameters
    ----------
    accelerator : wiring.Component
        Any component with members ``i: In(stream)`` and ``o: Out(stream)`` whose payloads are
        plain integers of 1 to 16 bits. It is reset by the shell, through ``ResetInserter``.
    clock_hz : int
        The clock.
    contract : Contract or None
        What the accelerator takes and gives; ``None`` for that of a design's `Accelerator`, or,
        for another component, a number in and a number out.
    pins : dict
        The members of the link's line.
    link : callable
        Makes the link: a component with a member ``link`` for the endpoint and those of ``pins``.
    endpoint : callable
        Makes the endpoint from ``contract``, ``input_shape`` and ``result_shape``. It has a member
        ``link`` for the link, ``to_model`` and ``from_model``, ``o_fault``, ``o_wake`` from the
        cycle before it gives the accelerator a number until it has taken the last result, and,
        where it restarts the accelerator, ``o_restart``.

    Members
    -------
    i_reset : In(1)
        Restarts accelerator and endpoint, for as long as it is high and one cycle more.
    fault : Out(1)
        The last request was refused.
    """

    clock_hz = Integer(1)

    def __init__(
        self,
        *,
        accelerator: wiring.Component,
        clock_hz: int,
        contract: Contract | None,
        pins: dict,
        link: Callable[[], wiring.Component],
        endpoint: Callable[..., Any],
    ):
        input_shape = stream_shape(accelerator, "i", In)
        result_shape = stream_shape(accelerator, "o", Out)
        self._accelerator = accelerator
        self.clock_hz = clock_hz
        self._bits = input_shape.width, result_shape.width
        self._link = link
        self._endpoint = endpoint(
            contract=_contract(accelerator, contract),
            input_shape=input_shape,
            result_shape=result_shape,
        )
        super().__init__({**pins, "i_reset": In(1), "fault": Out(1)})

    @property
    def accelerator(self) -> wiring.Component:
        return self._accelerator

    @property
    def endpoint(self) -> Any:
        return self._endpoint

    @property
    def input_bits(self) -> int:
        """Bits of an input number."""
        return self._bits[0]

    @property
    def result_bits(self) -> int:
        """Bits of a result."""
        return self._bits[1]

    def front(self, m: Module, outside: wiring.Component) -> tuple[Value, Sleep]:
        """Put link and endpoint between the pins of ``outside`` and the accelerator's streams.

        Return the accelerator's reset, and what stops its clock.
        """
        link, endpoint = self._link(), self._endpoint
        # one flip-flop resets all; it is set when configuration ends
        reset = Signal(init=1)
        m.d.sync += reset.eq(outside.i_reset)
        restartable = ResetInserter(reset)
        m.submodules.link = restartable(link)
        m.submodules.endpoint = restartable(endpoint)
        wiring.connect(m, link.link, endpoint.link)
        for name, member in link.signature.members.items():
            if member.is_port:
                inner, outer = getattr(link, name), getattr(outside, name)
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += outside.fault.eq(endpoint.o_fault)
        restart: Value = outside.i_reset
        if "o_restart" in endpoint.signature.members:
            between = Signal(init=1)
            restart = outside.i_reset | endpoint.o_restart
            m.d.sync += between.eq(restart)
            reset = between
        m.submodules.sleep = sleep = Sleep(tail=_awake(self._accelerator))
        m.d.comb += sleep.i_wake.eq(endpoint.o_wake | restart)
        return reset, sleep

    def elaborate(self, platform):
        m = Module()
        reset, sleep = self.front(m, self)
        accelerator, endpoint = sleep.add(m, self._accelerator, reset, platform), self._endpoint
        if "o_bank" in endpoint.signature.members:
            m.d.comb += [
                accelerator.i_bank.eq(endpoint.o_bank),
                accelerator.i_load_addr.eq(endpoint.o_load_addr),
                accelerator.i_load_data.eq(endpoint.o_load_data),
                accelerator.i_load_en.eq(endpoint.o_load_en),
            ]
        wiring.connect(m, endpoint.to_model, accelerator.i)
        wiring.connect(m, accelerator.o, endpoint.from_model)
        return m


class UartShell(BoardShell):
    """Puts an accelerator behind a serial line: eight data bits, no parity, one stop bit.

    Requests and answers are the frames of docs/protocol.md.

    Parameters
    ----------
    accelerator, clock_hz, contract
        See `BoardShell`.
    baud : int
        The line rate; see `uart_divisor` for what is possible.
    gap_bits : int or None
        Bit times of silence that end a frame, at least 20. ``None`` stands for 50 ms.

    Members
    -------
    rx : In(1)
        The line from the host, asynchronous.
    tx : Out(1)
        The line to the host.
    i_reset : In(1)
        Restarts accelerator and endpoint.
    fault : Out(1)
        The last request was refused.

    Raises
    ------
    TypeError
        If `accelerator` is no such component, or another argument no integer.
    ValueError
        If its payloads are too wide, the line rate cannot be had, or `gap_bits` is below 20.
    """

    baud = Integer(1)
    divisor = Integer(1)
    gap_bits = Integer(_LEAST_GAP_BITS)

    def __init__(
        self,
        *,
        accelerator: wiring.Component,
        clock_hz: int,
        baud: int,
        contract: Contract | None = None,
        gap_bits: int | None = None,
    ):
        self.divisor = uart_divisor(clock_hz=clock_hz, baud=baud)
        self.baud = baud
        if gap_bits is None:
            gap_bits = max(baud // _PAUSES_PER_SECOND, _LEAST_GAP_BITS)
        self.gap_bits = gap_bits
        super().__init__(
            accelerator=accelerator,
            clock_hz=clock_hz,
            contract=contract,
            pins={"rx": In(1, init=1), "tx": Out(1, init=1)},
            link=partial(UartLink, divisor=self.divisor, gap_bits=self.gap_bits),
            endpoint=partial(Endpoint, clock_hz=clock_hz),
        )


class SpiShell(BoardShell):
    """Puts an accelerator behind an SPI slave: mode 0, most significant bit first; see `SpiLink`.

    Requests and answers are the frames of docs/protocol.md.

    Parameters
    ----------
    accelerator, clock_hz, contract
        See `BoardShell`.

    Members
    -------
    sck, mosi : In(1)
        Clock and data of the host, asynchronous.
    cs : In(1)
        Chip select, asynchronous; high is selected.
    miso : Out(1)
        Data to the host.
    i_reset : In(1)
        Restarts accelerator and endpoint.
    fault : Out(1)
        The last request was refused.

    Raises
    ------
    TypeError, ValueError
        If `accelerator` is no such component, its payloads are too wide, or another argument is
        no integer.
    """

    def __init__(
        self, *, accelerator: wiring.Component, clock_hz: int, contract: Contract | None = None
    ):
        super().__init__(
            accelerator=accelerator,
            clock_hz=clock_hz,
            contract=contract,
            pins={"sck": In(1), "cs": In(1), "mosi": In(1), "miso": Out(1)},
            link=SpiLink,
            endpoint=partial(Endpoint, clock_hz=clock_hz, features=Feature.SPI),
        )

    @property
    def highest_sck_hz(self) -> int:
        """The fastest SPI clock."""
        return self.clock_hz // SPI_RATIO
