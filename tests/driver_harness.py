"""Three drivers behind one face, an accelerator for their shell, and ports that are no good."""

import ctypes
import itertools
import re

import pytest
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from link_harness import ShellPort

from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.protocol import NAK, Feature, Frame, Reason, Registers, encode
from bitformer.boards.shell.contract import Contract

__all__ = [
    "BAUD",
    "CONTRACT",
    "FACTS",
    "INPUTS",
    "RESULTS",
    "SHIM",
    "WINDOWS",
    "CDriver",
    "Chatterbox",
    "MicroDriver",
    "PythonDriver",
    "Scripted",
    "Sums",
    "Unplugged",
    "answer",
    "problem",
    "refusal",
    "sums",
    "ticking",
]

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


FACTS = Registers(
    features=Feature.SELF_TEST,
    input_bits=5,
    result_bits=12,
    inputs=INPUTS,
    results=RESULTS,
    capacity=8,
    vectors=2,
    latency=9,
    model_hash=b"12345678",
    structure=bytes(4),
    clock_hz=1000,
)


SHIM = """
#include "bitformer.h"
typedef void (*send_type)(void *, const uint8_t *, size_t);
typedef size_t (*receive_type)(void *, uint8_t *, size_t);
static uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];
static bitformer_registers facts;
static bitformer_port port;
void start(send_type send, receive_type receive, unsigned spi, unsigned retries, uint32_t session) {
    port = (bitformer_port){.send = send, .receive = receive, .spi = spi, .retries = retries,
                            .sequence = session};
}
int read_registers(void) { return bitformer_read(&port, buffer, sizeof buffer, &facts); }
unsigned field(int which) {
    unsigned all[] = {facts.inputs, facts.results, facts.vectors, facts.counters[0],
                      facts.counters[5], facts.clock_hz, facts.model_hash[7], facts.cycles,
                      facts.input_ends, facts.result_ends, port.clipped, port.ends,
                      facts.rejected};
    return all[which];
}
int infer(const int16_t *window, int16_t *results) {
    return bitformer_infer(&port, buffer, sizeof buffer, &facts, window, results);
}
int self_test(uint8_t *wrong) { return bitformer_self_test(&port, buffer, sizeof buffer, wrong); }
int small(void) { return bitformer_read(&port, buffer, 20, &facts); }
"""


def ticking():
    """A clock by which whatever is done takes a hundredth of a second."""
    return itertools.count(0, 0.01).__next__


class PythonDriver:
    """Time stands still on a serial port, whose silence ends a wait, unless there is a clock."""

    error = LinkError

    def __init__(self, port, kind="uart", session=None, clock=None, retries=8):
        if kind == "uart":
            transport = UartTransport(port, clock=clock or (lambda: 0.0))
        else:
            transport = SpiTransport(port, timeout=0.3, clock=ticking())
        self.client = Client(transport, retries=retries)
        if session is not None:
            self.client._sequence = session

    def read(self):
        facts = self.client.read()
        return facts.inputs, facts.results, facts.vectors, facts.model_hash[7]

    def at_ends(self):
        facts = self.client.read()
        return facts.input_ends, facts.result_ends

    def rejected(self):
        return self.client.read().rejected

    def infer(self, window):
        before = self.client.clipped
        results = self.client.infer(window)
        self.clipped = self.client.clipped - before
        return results

    def self_test(self):
        return self.client.self_test()


class MicroDriver:
    def __init__(self, port, kind, micro, session=0):
        self.shell = micro.Shell(self.link(port, kind, micro), retries=8, session=session)
        self.error = micro.ShellError

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

    def at_ends(self):
        facts = self.shell.registers()
        return facts["input_ends"], facts["result_ends"]

    def rejected(self):
        return self.shell.registers()["rejected"]

    @property
    def clipped(self):
        return self.shell.clipped

    @property
    def ends(self):
        return self.shell.ends

    def infer(self, window):
        return self.shell.infer(window)

    def self_test(self):
        return self.shell.self_test()


class CError(Exception):
    """What a function in C returned."""


class CDriver:
    error = CError

    def __init__(self, port, kind, shim, session=0):
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
        shim.start(send, receive, 30 if kind == "spi" else 0, 8, session)

    @staticmethod
    def check(code):
        if code:
            raise CError(code)

    def read(self):
        self.check(self.shim.read_registers())
        return tuple(self.shim.field(k) for k in (0, 1, 2, 6))

    def at_ends(self):
        self.check(self.shim.read_registers())
        return self.shim.field(8), self.shim.field(9)

    def rejected(self):
        self.check(self.shim.read_registers())
        return self.shim.field(12)

    @property
    def clipped(self):
        return self.shim.field(10)

    @property
    def ends(self):
        return self.shim.field(11)

    def infer(self, window):
        results = (ctypes.c_int16 * RESULTS)()
        self.check(self.shim.infer((ctypes.c_int16 * INPUTS)(*window), results))
        return list(results)

    def self_test(self):
        wrong = ctypes.c_uint8()
        self.check(self.shim.self_test(ctypes.byref(wrong)))
        return None if wrong.value == 0xFF else wrong.value


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


#: What went wrong, as each driver puts it.
PROBLEMS = {
    "nothing": (r"nothing was heard", -1),
    "noise": (r"bytes that are no frames|falls? silent|answer something else", -5),
    "damaged": (r"damaged", -2),
    "crc": (r"\(crc\)|refused: crc", Reason.CRC),
    "command": (r"must know command|does not know the command", Reason.COMMAND),
    "foreign": (r"another's requests", -6),
    "lost": (r"must stay connected, and was lost: \[Errno 5\] gone|port is lost: .*gone", None),
}


def problem(driver):
    """The name of what keeps a driver from its self-test."""
    with pytest.raises(driver.error) as caught:
        driver.self_test()
    if isinstance(caught.value, CError):
        (name,) = (name for name, (_, code) in PROBLEMS.items() if code == caught.value.args[0])
        return name
    (name,) = (name for name, (text, _) in PROBLEMS.items() if re.search(text, str(caught.value)))
    return name


class Chatterbox:
    """A port that says the same again and again, and never stops."""

    def __init__(self, said):
        self.said, self.reads = itertools.cycle(said), 0

    def write(self, data):
        pass

    def read(self, size=1):
        self.reads += 1
        assert self.reads < 20_000, "a driver must give up"
        return bytes(itertools.islice(self.said, size))


class Unplugged(ShellPort):
    """A port that is lost after so many bytes, either way."""

    def __init__(self, left):
        super().__init__(FACTS, sums)
        self.left = left

    def _use(self, count):
        self.left -= count
        if self.left < 0:
            raise OSError(5, "gone")

    def write(self, data):
        self._use(len(data))
        super().write(data)

    def read(self, size=1):
        data = super().read(size)
        self._use(len(data) or 1)
        return data
