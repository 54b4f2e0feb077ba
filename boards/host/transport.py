"""Frames over a serial port or an SPI bus: every wait ends, and every failure is a sentence."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from bitformer.boards.protocol import (
    HEADER_BYTES,
    OVERHEAD,
    REGISTER_BYTES,
    SYNC,
    Frame,
    FrameError,
    Reason,
    encode,
    find_frame,
)
from bitformer.model.errors import UserError

__all__ = ["LinkError", "SpiTransport", "Transport", "UartTransport", "connected", "sentence_case"]

#: Bits in a second unless asked otherwise.
DEFAULT_BAUD = 115_200
#: Seconds without an answer that a host waits. A shell needs 50 ms to see that a frame broke off.
DEFAULT_TIMEOUT = 0.5
#: Bits on a line for each byte.
BYTE_BITS = 10
#: Bytes that are read at once while a line is waited to fall silent.
_PART = 256


class LinkError(UserError):
    """The board does not answer, or not as it must."""


class Transport(Protocol):
    """Way to send a frame, and to hear one.

    Each raises `LinkError` if the port is lost.
    """

    @property
    def name(self) -> str:
        """The name of the port in a sentence."""

    def send(self, frame: Frame) -> None:
        """Send a request."""

    def receive(self, expected: int) -> Frame | None:
        """Hear the next answer, of at most ``expected`` payload bytes unless it is another's.

        None when nothing was heard in time. Raises `FrameError` when what was heard in time is no
        whole frame: for ``START`` if it does not even begin like one.
        """

    def settle(self) -> None:
        """Wait out what is under way: after this, what is heard was said later.

        Raises `LinkError` if the port never falls silent.
        """

    def close(self) -> None:
        """Give the port back."""


@contextmanager
def connected(name: str) -> Iterator[None]:
    """Turn the error of a system for a lost port into a sentence."""
    try:
        yield
    # pyserial's SerialException is an OSError; spidev's of too long a transfer is the other
    except (OSError, OverflowError) as error:
        lost = f"{sentence_case(name)} must stay connected, and was lost: {error}"
        raise LinkError(lost) from None


def sentence_case(name: str) -> str:
    """Return a port's name as it begins a sentence."""
    return name[:1].upper() + name[1:]


class UartTransport:
    """Frames over a serial port.

    An answer is over when the port has been silent for its own time-out, or ``timeout`` seconds
    after it could have been there, whatever else the port says.

    Parameters
    ----------
    port : object
        With ``write(bytes)`` and ``read(size) -> bytes``, which gives fewer when its own time-out
        is over: a ``serial.Serial``, or something like it. `LinkError` if that is None or 0.
    name : str
        What to call it in a sentence.
    baud : int
        Bits in a second: how long bytes take.
    timeout : float
        Seconds.
    clock : callable
        Gives seconds.
    """

    def __init__(
        self,
        port: Any,
        *,
        name: str = "the serial port",
        baud: int = DEFAULT_BAUD,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ):
        if not getattr(port, "timeout", timeout):
            raise LinkError(
                f"{sentence_case(name)} must have a time-out of its own, such as {DEFAULT_TIMEOUT} "
                "s: without one, a read has no end, or hears nothing"
            )
        self._port = port
        self._byte, self._timeout, self._clock = BYTE_BITS / baud, timeout, clock
        self.name = name
        #: What was read and is not yet taken.
        self._heard = bytearray()
        #: The longest payload: another program asks the same shell, and hears answers as long.
        self._longest = REGISTER_BYTES

    def send(self, frame: Frame) -> None:
        with connected(self.name):
            self._port.write(encode(frame))

    def receive(self, expected: int) -> Frame | None:
        self._longest = max(self._longest, expected)
        end = self._end(OVERHEAD + self._longest)
        first, passed = None, 0
        over = False
        while True:
            missing = 0
            while self._heard:
                if first is None:
                    first = self._heard[0]
                found = self._frame()
                if isinstance(found, Frame):
                    return found
                if found and not over:
                    missing = found
                    break
                del self._heard[0]  # not the beginning of a frame, or of one that broke off
                passed += 1
            if over:
                break
            data = self._read(missing or HEADER_BYTES)
            self._heard += data
            # what has arrived by now is looked through before it is given up
            over = not data or self._clock() >= end
        if not passed:
            return None
        raise FrameError(Reason.CRC if first == SYNC else Reason.START, heard=passed)

    def _frame(self) -> Frame | int:
        """Return the frame that begins what was heard, how many bytes it lacks, or 0."""
        heard = self._heard
        if heard[0] != SYNC:
            return 0
        if len(heard) < HEADER_BYTES:
            return HEADER_BYTES - len(heard)
        missing = OVERHEAD + int.from_bytes(heard[1:3], "little") - len(heard)
        if missing > 0:
            return missing if len(heard) + missing <= OVERHEAD + self._longest else 0
        try:
            found = find_frame(bytes(heard), longest=self._longest)
        except FrameError:
            return 0
        assert found is not None
        frame, rest = found
        self._heard[:] = rest
        return frame

    def settle(self) -> None:
        self._heard.clear()
        begin, end, count = self._clock(), self._end(2 * (OVERHEAD + self._longest)), 0
        while data := self._read(_PART):
            count += len(data)
            if self._clock() >= end:
                raise LinkError(
                    f"{sentence_case(self.name)} must fall silent when nothing is asked, and keeps "
                    f"sending: {count} bytes in {self._clock() - begin:.1f} s. Is its baud rate "
                    "another, or what is connected another device?"
                )

    def close(self) -> None:
        with connected(self.name):
            self._port.close()

    def _end(self, count: int) -> float:
        return self._clock() + self._timeout + count * self._byte

    def _read(self, size: int) -> bytes:
        with connected(self.name):
            return self._port.read(size)


class SpiTransport:
    """Frames over an SPI bus: a transfer with the request, then others until the answer is read.

    Parameters
    ----------
    device : object
        With ``xfer2(list) -> list``, during which chip select is active: a ``spidev.SpiDev``, or
        something like it.
    timeout : float
        Seconds.
    name : str
        What to call it in a sentence.
    clock : callable
        Gives seconds.
    """

    def __init__(
        self,
        device: Any,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        name: str = "the SPI bus",
        clock: Callable[[], float] = time.monotonic,
    ):
        self._device = device
        self._timeout, self._clock = timeout, clock
        self.name = name

    def send(self, frame: Frame) -> None:
        self._transfer(encode(frame))

    def receive(self, expected: int) -> Frame | None:
        longest = max(1, expected)
        end = self._clock() + self._timeout
        while not any(data := self._transfer(bytes(OVERHEAD + longest))):
            if self._clock() >= end:
                return None
        if data[0] != SYNC:
            raise FrameError(Reason.START, heard=len(data))
        found = find_frame(data, longest=longest)
        if found is None:
            raise FrameError(Reason.TRUNCATED, heard=len(data))
        return found[0]

    def settle(self) -> None:
        """Do nothing: an answer that nobody read is dropped when the next request comes."""

    def close(self) -> None:
        with connected(self.name):
            self._device.close()

    def _transfer(self, data: bytes) -> bytes:
        with connected(self.name):
            return bytes(self._device.xfer2(list(data)))
