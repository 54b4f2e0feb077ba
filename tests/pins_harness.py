"""The pins of a compiled shell, played in time: what a host's port would be to the real one."""

import ctypes
from collections.abc import Iterable
from pathlib import Path

from amaranth.lib import wiring

from bitformer.sim.native_build import NativeError, build

__all__ = ["SimulatedSpi", "SimulatedUart"]

_DRIVER = Path(__file__).with_suffix(".cpp")
#: Bytes that one call can hear.
_ROOM = 1 << 16


class _Simulated:
    """A compiled component and the calls that drive its pins."""

    def __init__(self, shell: wiring.Component, defines: tuple[str, ...], cache: Path | None):
        path = build(shell, driver=_DRIVER, defines=defines, cache=cache)
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise NativeError(f"compiled design must be loadable, and gave: {error}") from error
        self._library.bitformer_link_new.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._library.bitformer_link_new())

    def restart(self) -> None:
        """Begin anew: the design as it is right after configuration."""
        self.close()
        self._handle = ctypes.c_void_p(self._library.bitformer_link_new())

    def idle(self, cycles: int) -> None:
        """Let time pass."""
        self._library.bitformer_link_idle(self._handle, ctypes.c_int64(cycles))

    def reset(self, cycles: int = 20) -> None:
        """Press the reset button."""
        self._library.bitformer_link_reset(self._handle, ctypes.c_int64(cycles))

    def close(self) -> None:
        """End the simulation."""
        if self._handle:
            self._library.bitformer_link_delete(self._handle)
            self._handle = ctypes.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class SimulatedUart(_Simulated):
    """A serial port whose other end is a simulated shell; reads and writes like pyserial's.

    Time passes only while bytes are written, and while a read waits for them: ``timeout`` seconds
    at most, of simulated time.

    Parameters
    ----------
    shell : wiring.Component
        With members ``rx`` and ``tx`` and the properties ``divisor`` and ``baud``.
    timeout : float
        Seconds.
    cache : path, optional
        Where compiled designs are kept.
    """

    def __init__(self, shell: wiring.Component, *, timeout: float = 0.5, cache: Path | None = None):
        self._divisor, self._baud = shell.divisor, shell.baud
        self.timeout = timeout
        self._heard = bytearray()
        super().__init__(shell, ("BITFORMER_UART",), cache)
        self._out = (ctypes.c_uint8 * _ROOM)()
        self._library.bitformer_link_uart.restype = ctypes.c_int64
        self._library.bitformer_link_broken.restype = ctypes.c_int64
        self.levels([1] * 4)

    def restart(self) -> None:
        super().restart()
        self._heard.clear()
        self.levels([1] * 4)

    def levels(self, levels: Iterable[int], *, room: int = _ROOM) -> None:
        """Play line levels, a bit time each."""
        played = bytes(levels)
        count = self._library.bitformer_link_uart(
            self._handle,
            played,
            ctypes.c_int64(len(played)),
            ctypes.c_int64(self._divisor),
            self._out,
            ctypes.c_int64(room),
        )
        self._heard += bytes(self._out[:count])
        if self._library.bitformer_link_broken(self._handle):
            raise RuntimeError("a shell must send whole bytes, and one had no start or stop bit")

    def write(self, data: bytes) -> int:
        """Send bytes, each with a start and a stop bit."""
        self.levels(level for byte in data for level in (0, *(byte >> k & 1 for k in range(8)), 1))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes; fewer if the time is over first."""
        left = round(self.timeout * self._baud)
        while len(self._heard) < size and left > 0:
            bits = min(left, 10 * (size - len(self._heard)))
            self.levels([1] * bits)
            left -= bits
        data = bytes(self._heard[:size])
        del self._heard[:size]
        return data


class SimulatedSpi(_Simulated):
    """An SPI master whose slave is a simulated shell; transfers like spidev's ``xfer2``.

    Parameters
    ----------
    shell : wiring.Component
        With members ``sck``, ``cs``, ``mosi`` and ``miso``; perhaps ``busy``.
    ratio : float
        Clock cycles in a period of SCK.
    lead : float
        Cycles from chip select to the first edge of SCK.
    rest : float
        Cycles between transfers.
    phase : float
        What every transfer is later than a clock edge, in cycles.
    falls : bool
        Whether bits are read where SCK falls, as in SPI's phase 1; where it rises by default.
    cache : path, optional
        Where compiled designs are kept.
    """

    def __init__(
        self,
        shell: wiring.Component,
        *,
        ratio: float = 6.0,
        lead: float = 8.0,
        rest: float = 10.0,
        phase: float = 0.0,
        falls: bool = False,
        cache: Path | None = None,
    ):
        self.ratio, self.lead, self.rest, self.phase = ratio, lead, rest, phase
        self._falls = falls
        has_busy = "busy" in shell.signature.members
        defines = ("BITFORMER_SPI", *(("BITFORMER_BUSY",) if has_busy else ()))
        super().__init__(shell, defines, cache)
        self.idle(16)

    def restart(self) -> None:
        super().restart()
        self.idle(16)

    def transfer(self, data: bytes, *, bits: int | None = None) -> bytes:
        """Send ``data``, or its first ``bits`` bits, and return as many bytes."""
        into = (ctypes.c_uint8 * max(1, len(data)))()
        self._library.bitformer_link_spi(
            self._handle,
            bytes(data),
            into,
            ctypes.c_int64(8 * len(data) if bits is None else bits),
            *(ctypes.c_double(v) for v in (self.ratio, self.lead, self.rest, self.phase)),
            ctypes.c_int64(self._falls),
        )
        return bytes(into[: len(data)])

    def xfer2(self, data: list[int]) -> list[int]:
        """A transfer of integers, as spidev has it."""
        return list(self.transfer(bytes(data)))

    def busy(self) -> bool:
        """The level of the busy pin, ten cycles later."""
        self.idle(10)
        return bool(self._library.bitformer_link_busy(self._handle))
