"""A host that speaks the Elastic Node's own protocol: what its firmware's stub does, in Python."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bitformer.boards.host.client import packed
from bitformer.boards.host.transport import LinkError, connected
from bitformer.boards.protocol import unpack, whole_bytes
from bitformer.boards.shell.elastic.address_map import ID_BYTES, READ, RESET, V2, WRITE, ElasticMap

__all__ = ["ElasticNode"]

#: Seconds that an inference may take.
_PATIENCE = 0.5


class ElasticNode:
    """A shell on an SPI bus, and the pin that says whether it is busy.

    The protocol has no checksum: what a bad line makes of a byte is taken as it is, and so is what
    another program makes of the node. A bus that is lost is a `LinkError`.

    Parameters
    ----------
    device : object
        With ``xfer2(list) -> list``, during which chip select is active: a ``spidev.SpiDev`` in the
        mode of the addresses' phase, or something like it.
    busy : callable
        Gives the level of the busy pin.
    addresses : ElasticMap
    input_bits, result_bits : int
        Of a number, as ``bitformer.json`` of the build says.
    """

    def __init__(
        self,
        device: Any,
        busy: Callable[[], bool],
        *,
        addresses: ElasticMap = V2,
        input_bits: int = 8,
        result_bits: int = 8,
    ):
        self._device, self._busy, self._map = device, busy, addresses
        self._bits = input_bits, result_bits

    def write(self, address: int, data: bytes) -> None:
        """Write bytes from an address on, in one transfer."""
        self._transfer(bytes([WRITE, address >> 8, address & 0xFF]) + data)

    def read(self, address: int, count: int) -> bytes:
        """Read bytes from an address on, in one transfer."""
        head = bytes([READ, address >> 8, address & 0xFF])
        return self._transfer(head + bytes(count))[len(head) :]

    def _transfer(self, data: bytes) -> bytes:
        with connected("the Elastic Node"):
            return bytes(self._device.xfer2(list(data)))

    def model_id(self) -> bytes:
        """The 16 bytes that name the model: its hash, then zeros."""
        self.hold(False)
        return self.read(self._map.base + self._map.model_id, ID_BYTES)

    def hold(self, held: bool) -> None:
        """Keep the accelerator in reset, or let it go."""
        self.write(RESET, bytes([held]))

    def infer(self, window: Sequence[int], results: int) -> list[int]:
        """The results for one window of integers, see `Client.infer`.

        Raises `LinkError` if the busy pin never falls.
        """
        bits, result_bits = self._bits
        data = packed(window, bits)
        start, place = self._map.base + self._map.start, self._map.base + self._map.data
        self.hold(True)  # whatever an earlier host has left: a start counts from 0 to 1
        self.hold(False)
        self.write(place, data)
        self.write(start, b"\1")
        end = time.monotonic() + _PATIENCE
        while self._is_busy():
            if time.monotonic() >= end:
                raise LinkError("Elastic Node must end an inference, and its busy pin stays high")
        self.write(start, b"\0")
        answer = self.read(place, results * whole_bytes(result_bits))
        self.hold(True)
        return unpack(answer, result_bits)

    def _is_busy(self) -> bool:
        with connected("the Elastic Node"):
            return self._busy()
