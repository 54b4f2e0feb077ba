"""Frames over a serial port or an SPI bus."""

import importlib
import time
from typing import Any, Protocol

from bitformer.boards.protocol import (
    CRC_BYTES,
    HEADER_BYTES,
    OVERHEAD,
    SYNC,
    Frame,
    FrameError,
    Reason,
    encode,
    find_frame,
)
from bitformer.model.errors import UserError

__all__ = ["SpiTransport", "Transport", "UartTransport", "open_transport"]

#: Bits in a second, and SCK in hertz, unless asked otherwise.
DEFAULT_BAUD, DEFAULT_SCK_HZ = 115_200, 1_000_000
#: Seconds without an answer that a host waits. A shell needs 50 ms to see that a frame broke off.
DEFAULT_TIMEOUT = 0.5


class Transport(Protocol):
    """What a client needs: a way to send a frame, and to hear one."""

    @property
    def name(self) -> str:
        """What to call it in a sentence."""

    def send(self, frame: Frame) -> None:
        """Send a request."""

    def receive(self, expected: int) -> Frame | None:
        """The next answer, of at most ``expected`` payload bytes unless it is shorter; None when
        the time is over. Raises `FrameError` for a damaged one."""

    def settle(self) -> None:
        """Wait out what is under way: after this, what is heard was said later."""

    def close(self) -> None:
        """Give the port back."""


class UartTransport:
    """Frames over a serial port.

    Parameters
    ----------
    port : object
        With ``write(bytes)`` and ``read(size) -> bytes``, which gives fewer when its own time-out
        is over: a ``serial.Serial``, or something like it.
    name : str
        What to call it in a sentence.
    """

    def __init__(self, port: Any, *, name: str = "the serial port"):
        self._port = port
        self.name = name

    def send(self, frame: Frame) -> None:
        self._port.write(encode(frame))

    def receive(self, expected: int) -> Frame | None:
        data = self._port.read(1)
        while data and data[0] != SYNC:
            data = self._port.read(1)
        data += self._port.read(HEADER_BYTES - 1) if data else b""
        if len(data) < HEADER_BYTES:
            return None
        length = int.from_bytes(data[1:3], "little")
        if length > max(1, expected):
            raise FrameError(Reason.LENGTH)
        data += self._port.read(length + CRC_BYTES)
        found = find_frame(data)
        return None if found is None else found[0]

    def settle(self) -> None:
        while self._port.read(256):
            pass

    def close(self) -> None:
        self._port.close()


class SpiTransport:
    """Frames over an SPI bus: a transfer with the request, then transfers that read until the
    answer is there.

    Parameters
    ----------
    device : object
        With ``xfer2(list) -> list``, during which chip select is active: a ``spidev.SpiDev``, or
        something like it.
    timeout : float
        Seconds.
    name : str
        What to call it in a sentence.
    """

    def __init__(self, device: Any, *, timeout: float = DEFAULT_TIMEOUT, name: str = "the SPI bus"):
        self._device = device
        self._timeout = timeout
        self.name = name

    def send(self, frame: Frame) -> None:
        self._device.xfer2(list(encode(frame)))

    def receive(self, expected: int) -> Frame | None:
        end = time.monotonic() + self._timeout
        while True:
            data = bytes(self._device.xfer2([0] * (OVERHEAD + max(1, expected))))
            if any(data):
                break
            if time.monotonic() >= end:
                return None
        found = find_frame(data, longest=max(1, expected))
        if data[0] != SYNC or found is None:
            raise FrameError(Reason.START)
        return found[0]

    def settle(self) -> None:
        """Nothing: an answer that nobody read is dropped when the next request comes."""

    def close(self) -> None:
        self._device.close()


def open_transport(
    port: str,
    *,
    baud: int = DEFAULT_BAUD,
    sck_hz: int = DEFAULT_SCK_HZ,
    timeout: float = DEFAULT_TIMEOUT,
) -> Transport:
    """The port called ``port``: ``spi:BUS.DEVICE``, or a serial port by its name or pyserial URL.

    Raises `UserError` if it is not there, or the package that opens it is not.
    """
    if port.startswith("spi:"):
        return _open_spi(port, sck_hz=sck_hz, timeout=timeout)
    serial = _package("serial", "pyserial", "serial")
    try:
        opened = serial.serial_for_url(port, baudrate=baud, timeout=timeout, write_timeout=timeout)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise UserError(f"Port {port} must be a serial port that can be opened: {error}") from None
    return UartTransport(opened, name=f"port {port}")


def _open_spi(port: str, *, sck_hz: int, timeout: float) -> SpiTransport:
    bus, _, device = port.removeprefix("spi:").partition(".")
    if not bus.isdecimal() or not device.isdecimal():
        raise UserError(f"Port must be spi:BUS.DEVICE, such as spi:0.0, not {port!r}")
    spidev = _package("spidev", "spidev", "spi")
    opened = spidev.SpiDev()
    try:
        opened.open(int(bus), int(device))
    except OSError as error:
        raise UserError(f"Port {port} must be an SPI device that can be opened: {error}") from None
    opened.mode, opened.max_speed_hz = 0, sck_hz
    return SpiTransport(opened, timeout=timeout, name=f"port {port}")


def _package(module: str, package: str, extra: str):
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(
            f"Package {package} must be installed to open this port: "
            f"pip install 'bitformer[{extra}]'"
        ) from None
