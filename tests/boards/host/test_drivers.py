# amaranth: UnusedElaboratable=no
"""Three drivers, in Python, MicroPython and C, against one simulated shell, byte for byte."""

import ctypes
import importlib.util
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from link_harness import LossySpi, LossyUart, compiled_once
from needs import require

import bitformer.boards.host.client as client_module
from bitformer.boards.contract import Contract
from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.protocol import NAK, Command, Frame, Reason, encode
from bitformer.boards.shell import SpiShell, UartShell
from bitformer.sim.native_link import SimulatedSpi, SimulatedUart

pytestmark = pytest.mark.needs("compiler")

HOST = Path(client_module.__file__).parent
INPUTS, RESULTS, BAUD = 4, 3, 10_000
WINDOWS = [(1, 2, 3, 4), (-128, -128, -128, -128), (127, 127, 127, 127), (0, -1, 0, 5)]


class Sums(wiring.Component):
    """Results s, -2 s, s … of a window's sum s."""

    def __init__(self):
        super().__init__(
            {"i": In(stream.Signature(signed(8))), "o": Out(stream.Signature(signed(12)))}
        )

    def elaborate(self, platform):
        m = Module()
        total, taken, given = Signal(signed(12)), Signal(range(8)), Signal(range(8))
        m.d.comb += [
            self.i.ready.eq(taken != INPUTS),
            self.o.valid.eq(taken == INPUTS),
            self.o.payload.eq(Mux(given == 1, -2 * total, total)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [taken.eq(taken + 1), total.eq(total + self.i.payload)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += given.eq(given + 1)
            with m.If(given == RESULTS - 1):
                m.d.sync += [given.eq(0), taken.eq(0), total.eq(0)]
        return m


def sums(window):
    total = sum(window)
    return [total, -2 * total, total]


CONTRACT = Contract(
    inputs=INPUTS,
    results=RESULTS,
    model_hash=b"12345678",
    vectors=tuple((w, tuple(sums(w))) for w in WINDOWS[:2]),
)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


@pytest.fixture(scope="module")
def compiled_uart():
    shell = UartShell(
        accelerator=Sums(), clock_hz=8 * BAUD, baud=BAUD, gap_bits=20, contract=CONTRACT
    )
    with SimulatedUart(shell, timeout=1000 / BAUD) as port:
        yield port


@pytest.fixture(scope="module")
def compiled_spi():
    shell = SpiShell(accelerator=Sums(), clock_hz=100_000_000, contract=CONTRACT)
    with SimulatedSpi(shell) as port:
        yield port


@pytest.fixture
def uart(compiled_uart):
    compiled_uart.restart()
    return compiled_uart


@pytest.fixture
def spi(compiled_spi):
    compiled_spi.restart()
    return compiled_spi


@pytest.fixture(scope="module")
def micro():
    spec = importlib.util.spec_from_file_location("bitformer_micro", HOST / "bitformer_micro.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHIM = """
#include "bitformer.h"
typedef void (*send_type)(void *, const uint8_t *, size_t);
typedef size_t (*receive_type)(void *, uint8_t *, size_t);
static uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];
static bitformer_registers facts;
static bitformer_port port;
void start(send_type send, receive_type receive, unsigned spi, unsigned retries) {
    port = (bitformer_port){.send = send, .receive = receive, .spi = spi, .retries = retries};
}
int read_registers(void) { return bitformer_read(&port, buffer, sizeof buffer, &facts); }
unsigned field(int which) {
    unsigned all[] = {facts.inputs, facts.results, facts.vectors, facts.counters[0],
                      facts.counters[5], facts.clock_hz, facts.model_hash[7], facts.cycles};
    return all[which];
}
int infer(const int16_t *window, int16_t *results) {
    return bitformer_infer(&port, buffer, sizeof buffer, &facts, window, results);
}
int self_test(uint8_t *wrong) { return bitformer_self_test(&port, buffer, sizeof buffer, wrong); }
int small(void) { return bitformer_read(&port, buffer, 20, &facts); }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    require("c-compiler")
    compiler = shutil.which("gcc") or shutil.which("cc")
    folder = tmp_path_factory.mktemp("c")
    (folder / "shim.c").write_text(SHIM)
    flags = "-std=c99 -Wall -Wextra -Wconversion -Wshadow -Werror -pedantic -O1 -fPIC -shared"
    subprocess.run(
        [compiler, *flags.split(), f"-I{HOST}", "shim.c", "-o", "shim.so"], cwd=folder, check=True
    )
    return ctypes.CDLL(str(folder / "shim.so"))


class PythonDriver:
    def __init__(self, port, kind):
        transport = UartTransport(port) if kind == "uart" else SpiTransport(port, timeout=0.05)
        self.client = Client(transport, retries=8)

    def read(self):
        facts = self.client.read()
        return facts.inputs, facts.results, facts.vectors, facts.model_hash[7]

    def infer(self, window):
        return self.client.infer(window)

    def self_test(self):
        return self.client.self_test()


class MicroDriver:
    def __init__(self, port, kind, micro):
        self.shell = micro.Shell(self.link(port, kind, micro), retries=8)

    @staticmethod
    def link(port, kind, micro):
        if kind == "uart":
            return micro.Uart(port)

        class Bus:
            def write_readinto(self, out, into):
                into[:] = bytes(port.xfer2(list(out)))

        return micro.Spi(Bus(), lambda level: None, polls=30)

    def read(self):
        facts = self.shell.registers()
        return facts["inputs"], facts["results"], facts["vectors"], facts["model_hash"][7]

    def infer(self, window):
        return self.shell.infer(window)

    def self_test(self):
        return self.shell.self_test()


class CDriver:
    def __init__(self, port, kind, shim):
        pointer, byte = ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint8)
        self.shim = shim

        @ctypes.CFUNCTYPE(None, pointer, byte, ctypes.c_size_t)
        def send(_, data, count):
            (port.write if kind == "uart" else port.xfer2)(bytes(data[:count]))

        @ctypes.CFUNCTYPE(ctypes.c_size_t, pointer, byte, ctypes.c_size_t)
        def receive(_, into, count):
            got = port.read(count) if kind == "uart" else port.xfer2([0] * count)
            for k, value in enumerate(got):
                into[k] = value
            return len(got)

        self.kept = send, receive
        shim.start(send, receive, 30 if kind == "spi" else 0, 8)

    def read(self):
        assert self.shim.read_registers() == 0
        return tuple(self.shim.field(k) for k in (0, 1, 2, 6))

    def infer(self, window):
        results = (ctypes.c_int16 * RESULTS)()
        assert self.shim.infer((ctypes.c_int16 * INPUTS)(*window), results) == 0
        return list(results)

    def self_test(self):
        wrong = ctypes.c_uint8()
        assert self.shim.self_test(ctypes.byref(wrong)) == 0
        return None if wrong.value == 0xFF else wrong.value


@pytest.fixture(params=["python", "micro", "c"])
def driver(request):
    def make(port, kind):
        if request.param == "python":
            return PythonDriver(port, kind)
        if request.param == "micro":
            return MicroDriver(port, kind, request.getfixturevalue("micro"))
        return CDriver(port, kind, request.getfixturevalue("shim"))

    return make


@pytest.fixture(params=["uart", "spi"])
def line(request):
    return request.param, request.getfixturevalue(request.param)


def lossy(line, rate, seed=3):
    kind, port = line
    return (LossyUart if kind == "uart" else LossySpi)(port, random.Random(seed), rate)


def use(driver):
    """A session: everything that a driver can do."""
    assert driver.read() == (INPUTS, RESULTS, 2, ord("8"))
    assert driver.self_test() is None
    for window in WINDOWS:
        assert driver.infer(window) == sums(window)


def test_driver_on_a_good_line_sends_these_bytes(driver, line):
    port = lossy(line, 0.0)
    use(driver(port, line[0]))
    sent = b"".join(data for data in port.written if any(data))
    commands = [(Command.READ, b""), (Command.SELF_TEST, b"")]
    commands += [(Command.INFER, bytes(value & 0xFF for value in w)) for w in WINDOWS]
    assert sent == b"".join(
        encode(Frame(sequence=number, command=command, payload=payload))
        for number, (command, payload) in enumerate(commands, 1)
    )


def test_driver_on_a_bad_line_is_never_wrong(driver, line):
    port = lossy(line, 0.15)
    made = driver(port, line[0])
    for _ in range(8):
        use(made)
    assert port.damages > 5


def test_driver_without_a_shell(driver):
    class Silent:
        def write(self, data):
            pass

        def read(self, size=1):
            return b""

    with pytest.raises((Exception, AssertionError)) as caught:
        driver(Silent(), "uart").read()
    if isinstance(caught.value, LinkError):
        assert str(caught.value) == (
            "Shell on the serial port must answer, but nothing was heard in 9 tries"
        )


class Scripted:
    """A port that answers each request as it is told."""

    def __init__(self, *answers):
        self.answers, self.heard, self.requests = list(answers), b"", []

    def write(self, data):
        self.requests.append(bytes(data))
        self.heard += self.answers.pop(0) if self.answers else b""

    def read(self, size=1):
        data, self.heard = self.heard[:size], self.heard[size:]
        return data


def answer(sequence, verdict=0xFF, command=0x83):
    return encode(Frame(sequence=sequence, command=command, payload=bytes([verdict])))


def refusal(reason, sequence=1):
    return answer(sequence, reason, NAK)


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([answer(1)], 1),
        ([b"\x00\x13" + answer(1)], 1),  # noise before
        ([answer(0) + answer(1)], 1),  # an answer to an earlier request
        ([b"", answer(1)], 2),
        ([answer(9), answer(1)], 2),
        ([answer(1, command=0x82), answer(1)], 2),
        ([refusal(Reason.CRC), answer(1)], 2),
        ([refusal(Reason.OVERRUN, 200), answer(1)], 2),
        ([answer(1)[:-1] + b"\x00", answer(1)], 2),
        ([answer(1)[:5], answer(1)], 2),
        ([b"\xa5\xff\xff\x01\x83", refusal(Reason.LINE), answer(1)], 3),
    ],
)
def test_retries(answers, tries):
    port = Scripted(*answers)
    client = Client(UartTransport(port))
    assert client.self_test() is None
    assert len(port.requests) == tries == 1 + client.resent
    assert set(port.requests) == {encode(Frame(sequence=1, command=3))}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], r"must answer, but nothing was heard in 4 tries"),
        ([refusal(Reason.CRC)] * 4, r"but it refused every try \(crc\) in 4 tries"),
        ([b"\xa5\xff\xff\x01\x83"] * 4, r"but its answers arrived damaged in 4 tries"),
        ([refusal(Reason.COMMAND)], r"must know command 0x03, which it does not"),
    ],
)
def test_sentences(answers, message):
    with pytest.raises(LinkError, match=message):
        Client(UartTransport(Scripted(*answers), name="port X")).self_test()


def test_other_devices():
    other = encode(Frame(sequence=1, command=0x81, payload=bytes(52)))
    with pytest.raises(LinkError, match=r"Device on the serial port must be a bitformer shell"):
        Client(UartTransport(Scripted(other))).read()
    later = encode(Frame(sequence=1, command=0x81, payload=b"BF\x02" + bytes(49)))
    with pytest.raises(LinkError, match=r"must speak version 1 of the protocol, not 2"):
        Client(UartTransport(Scripted(later))).read()


def test_sequence_numbers_go_round():
    port = Scripted(*(answer(n % 256) for n in range(1, 301)))
    client = Client(UartTransport(port))
    for _ in range(300):
        client.self_test()
    assert client.resent == 0


def test_micro_file_imports_nothing(micro):
    source = (HOST / "bitformer_micro.py").read_text()
    assert "import " not in source.replace('"""', "").split("SYNC, NAK")[1]
    assert micro.crc32(b"123456789") == 0xCBF43926
