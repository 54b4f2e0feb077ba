"""Shells compiled for the native simulator, and ports that damage what passes through them."""

import pytest

from bitformer.sim import native_build

__all__ = ["LossySpi", "LossyUart", "compiled_once", "corrupted"]


def compiled_once(tmp_path_factory, request):
    """A cache of all workers' for compiled designs, until the tests of a module are done."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if hasattr(request.config, "workerinput") else root) / "links"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_build, "default_cache", lambda: folder)
        yield


class LossyUart:
    """A serial port on a bad line: bytes are changed, lost, and broken off, both ways."""

    def __init__(self, port, rng, rate):
        self._port, self._rng, self._rate = port, rng, rate
        self.damages = 0
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))
        self._port.write(self._damaged(data))

    def read(self, size=1):
        return self._damaged(self._port.read(size))

    def _damaged(self, data):
        # a frame is read in parts: each is damaged as seldom as it is short
        if self._rng.random() >= self._rate * min(1, len(data) / 16):
            return data
        self.damages += 1
        return corrupted(data, self._rng)


class LossySpi(LossyUart):
    """An SPI bus of which the same is true."""

    def xfer2(self, data):
        self.written.append(bytes(data))
        data = self._damaged(bytes(data)) if any(data) else data
        return list(self._damaged(bytes(self._port.xfer2(list(data)))).ljust(len(data), b"\0"))


def corrupted(data, rng):
    """Bytes with something wrong about them: never the same, but the same may be within."""
    changed = bytearray(data)
    kind = rng.randrange(7)
    if kind == 0:
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        for _ in range(rng.randrange(2, 9)):
            changed[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    elif kind == 2:
        del changed[rng.randrange(len(data)) :]
    elif kind == 3:
        del changed[rng.randrange(len(data))]
    elif kind == 4:
        changed.insert(rng.randrange(len(data) + 1), rng.randrange(256))
    elif kind == 5:
        changed = bytearray(rng.randbytes(rng.randrange(1, 40)))
    else:
        changed[1:3] = rng.randbytes(2)
    return bytes(changed)
