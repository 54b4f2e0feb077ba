"""A host that speaks the Elastic Node's own protocol: what its firmware's stub does, in Python."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bitformer.boards.elastic_map import ID_BYTES, READ, RESET, V2, WRITE, ElasticMap
from bitformer.boards.host.client import LinkError

__all__ = ["ElasticNode"]

#: Seconds that an inference may take.
_PATIENCE = 0.5


class ElasticNode:
    """A shell on an SPI bus, and the pin that says whether it is busy.

    The protocol has no checksum: what a bad line makes of a byte is taken as it is.

    Parameters
    ----------
    device : object
        With ``xfer2(list) -> list``, during which chip select is active: a ``spidev.SpiDev`` in the
        mode of the addresses' phase, or something like it.
    busy : callable
        Gives the level of the busy pin.
    addresses : ElasticMap
    input_bytes, result_bytes : int
        Of a number, as ``bitformer.json`` of the build says.
    """

    def __init__(
        self,
        device: Any,
        busy: Callable[[], bool],
        *,
        addresses: ElasticMap = V2,
        input_bytes: int = 1,
        result_bytes: int = 1,
    ):
        self._device, self._busy, self._map = device, busy, addresses
        self._bytes = input_bytes, result_bytes

    def write(self, address: int, data: bytes) -> None:
        """Write bytes from an address on, in one transfer."""
        self._device.xfer2([WRITE, address >> 8, address & 0xFF, *data])

    def read(self, address: int, count: int) -> bytes:
        """Read bytes from an address on, in one transfer."""
        head = [READ, address >> 8, address & 0xFF]
        return bytes(self._device.xfer2([*head, *[0] * count])[len(head) :])

    def model_id(self) -> bytes:
        """The 16 bytes that name the model: its hash, then zeros."""
        self.hold(False)
        return self.read(self._map.base + self._map.model_id, ID_BYTES)

    def hold(self, held: bool) -> None:
        """Keep the accelerator in reset, or let it go."""
        self.write(RESET, bytes([held]))

    def infer(self, window: Sequence[int], results: int) -> list[int]:
        """The results for one window of integers; `LinkError` if the busy pin never falls."""
        size, result_size = self._bytes
        data = b"".join(int(value).to_bytes(size, "little", signed=True) for value in window)
        start, place = self._map.base + self._map.start, self._map.base + self._map.data
        self.hold(True)  # whatever an earlier host has left: a start counts from 0 to 1
        self.hold(False)
        self.write(place, data)
        self.write(start, b"\1")
        end = time.monotonic() + _PATIENCE
        while self._busy():
            if time.monotonic() >= end:
                raise LinkError("Elastic Node must end an inference, and its busy pin stays high")
        self.write(start, b"\0")
        answer = self.read(place, results * result_size)
        self.hold(True)
        return [
            int.from_bytes(answer[k : k + result_size], "little", signed=True)
            for k in range(0, len(answer), result_size)
        ]
