"""Ports as systems have them: a terminal's other end through pyserial, and locks."""

import errno
import os
import sys
import threading
from types import SimpleNamespace

import pytest
from link_harness import ShellPort

from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.ports import open_transport
from bitformer.boards.protocol import Feature, Registers
from bitformer.model.errors import UserError

FACTS = Registers(
    features=Feature.SELF_TEST,
    input_bits=8,
    result_bits=16,
    inputs=3,
    results=2,
    capacity=4,
    vectors=1,
    latency=9,
    model_hash=b"12345678",
    structure=bytes(4),
    clock_hz=1000,
)


class Terminal:
    """A pseudo-terminal with a shell behind it."""

    def __init__(self):
        self._end, port = os.openpty()
        self.name = os.ttyname(port)
        self._port = port
        shell = ShellPort(FACTS, lambda window: [sum(window), min(window)])
        self._thread = threading.Thread(target=self._serve, args=(shell,))
        self._thread.start()

    def _serve(self, shell):
        try:
            while data := os.read(self._end, 100):
                shell.write(data)
                os.write(self._end, shell.read(1000))
                if b"stop" in data:
                    break
        except OSError:
            pass
        os.close(self._end)

    def unplug(self):
        """Pull the plug: both ends are gone."""
        if self._port is not None:
            os.write(self._port, b"stop\n")
            self._thread.join()
            os.close(self._port)
            self._port = None


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    made.unplug()


@pytest.mark.needs("posix")
@pytest.mark.needs("pyserial")
def test_port_of_pyserial(terminal):
    with Client(open_transport(terminal.name)) as client:
        assert client.infer([1, -2, 300]) == [126, -2]
        assert client.confirm().model_hash == b"12345678"
        with pytest.raises(UserError, match=r"must be this program's alone, and another has it"):
            open_transport(terminal.name)
        assert client.infer([1, 2, 3]) == [6, 1]
    with Client(open_transport(terminal.name)) as client:  # it was given back
        assert client.self_test() is None
        terminal.unplug()
        with pytest.raises(LinkError, match=r"Port /dev/\S+ must stay connected, and was lost: "):
            client.self_test()


class Device:
    """What spidev is to a transport, on a file."""

    path = None

    def open(self, bus, device):
        if (bus, device) != (0, 1):
            raise OSError(errno.ENOENT, "No such file or directory")
        self.file = self.path.open("r+b")

    def fileno(self):
        return self.file.fileno()

    def xfer2(self, data):
        return [0] * len(data)

    def close(self):
        if hasattr(self, "file"):
            self.file.close()


@pytest.mark.needs("posix")
def test_spi_device_is_one_programs(monkeypatch, tmp_path):
    Device.path = tmp_path / "spidev0.1"
    Device.path.touch()
    monkeypatch.setitem(sys.modules, "spidev", SimpleNamespace(SpiDev=Device))
    first = open_transport("spi:0.1", sck_hz=5)
    assert (first._device.mode, first._device.max_speed_hz) == (0, 5)
    with pytest.raises(UserError, match=r"^Port spi:0.1 must be this program's alone, and another"):
        open_transport("spi:0.1")
    first.close()
    open_transport("spi:0.1").close()
    with pytest.raises(UserError, match=r"^Port spi:0.0 must be an SPI device .* No such file"):
        open_transport("spi:0.0")


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_spi_elsewhere_is_a_sentence(monkeypatch, system):
    """Where no program has an SPI bus, that is said before a package is asked for."""
    monkeypatch.setattr("bitformer.boards.host.ports.sys.platform", system)
    with pytest.raises(UserError, match=f"spi:0.0 must be on Linux, .* not on {system}: connect"):
        open_transport("spi:0.0")
