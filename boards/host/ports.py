"""Ports by their names, each for one program alone."""

import errno
import importlib
import sys

from bitformer.boards.host.transport import (
    BYTE_BITS,
    DEFAULT_BAUD,
    DEFAULT_TIMEOUT,
    SpiTransport,
    Transport,
    UartTransport,
)
from bitformer.boards.protocol import MOST_BYTES, OVERHEAD
from bitformer.model.errors import UserError

__all__ = ["open_transport"]

#: SCK in hertz unless asked otherwise.
DEFAULT_SCK_HZ = 1_000_000
#: Errors of a system for a port that another program has.
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EBUSY)


def open_transport(
    port: str,
    *,
    baud: int = DEFAULT_BAUD,
    sck_hz: int = DEFAULT_SCK_HZ,
    timeout: float = DEFAULT_TIMEOUT,
) -> Transport:
    """Open a port: ``spi:BUS.DEVICE``, or a serial port by its name or pyserial URL.

    It is this program's alone where the system has locks for it. A URL may have none, and there
    sequence numbers tell one program's answers from another's.

    Raises `UserError` if it is not there, another program has it, or the package that opens it is
    missing.
    """
    if port.startswith("spi:"):
        return _open_spi(port, sck_hz=sck_hz, timeout=timeout)
    serial = _package("serial", "pyserial", "serial")
    options = {"baudrate": baud, "timeout": timeout, "exclusive": True}
    try:
        try:
            opened = serial.serial_for_url(
                port, write_timeout=timeout + (OVERHEAD + MOST_BYTES) * BYTE_BITS / baud, **options
            )
        except NotImplementedError:  # of rfc2217://, which has its own
            opened = serial.serial_for_url(port, **options)
    except (OSError, ValueError) as error:  # SerialException is an OSError
        if getattr(error, "errno", None) in _TAKEN:
            raise _taken(port, error) from None
        raise UserError(f"Port {port} must be a serial port that can be opened: {error}") from None
    return UartTransport(opened, name=f"port {port}", baud=baud, timeout=timeout)


def _open_spi(port: str, *, sck_hz: int, timeout: float) -> SpiTransport:
    bus, _, device = port.removeprefix("spi:").partition(".")
    if not bus.isdecimal() or not device.isdecimal():
        raise UserError(f"Port must be spi:BUS.DEVICE, such as spi:0.0, not {port!r}")
    if not sys.platform.startswith("linux"):
        raise UserError(
            f"Port {port} must be on Linux, whose SPI buses programs can use, not on"
            f" {sys.platform}: connect the board's UART, or another machine"
        )
    spidev = _package("spidev", "spidev", "spi")
    fcntl = importlib.import_module("fcntl")  # where there is spidev, there is this
    opened = spidev.SpiDev()
    try:
        opened.open(int(bus), int(device))
        fcntl.flock(opened.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened.mode, opened.max_speed_hz = 0, sck_hz
    except OSError as error:
        opened.close()
        if error.errno in _TAKEN:
            raise _taken(port, error) from None
        raise UserError(f"Port {port} must be an SPI device that can be opened: {error}") from None
    return SpiTransport(opened, timeout=timeout, name=f"port {port}")


def _taken(port: str, error: Exception) -> UserError:
    return UserError(
        f"Port {port} must be this program's alone, and another has it, or you may not open it: "
        f"{error}"
    )


def _package(module: str, package: str, extra: str):
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UserError(
            f"Package {package} must be installed to open this port: "
            f"pip install 'bitformer[{extra}]'"
        ) from None
