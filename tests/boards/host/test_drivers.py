# amaranth: UnusedElaboratable=no
"""Three drivers, in Python, MicroPython and C, against one simulated shell, byte for byte."""

import ctypes
import importlib.util
import itertools
import random
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st
from link_harness import LossySpi, LossyUart, ShellPort, compiled_once, together
from needs import require

import bitformer.boards.host.client as client_module
from bitformer.boards.contract import Contract
from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.protocol import NAK, Command, Feature, Frame, Reason, Registers, encode
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


@pytest.fixture(autouse=True)
def first_session(monkeypatch):
    """Sequence numbers of drivers in Python begin with 1, as the others' do unless told."""
    monkeypatch.setattr(client_module.secrets, "randbelow", lambda count: 0)


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
void start(send_type send, receive_type receive, unsigned spi, unsigned retries, uint32_t session) {
    port = (bitformer_port){.send = send, .receive = receive, .spi = spi, .retries = retries,
                            .sequence = session};
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


def ticking():
    """A clock by which whatever is done takes a hundredth of a second."""
    return itertools.count(0, 0.01).__next__


class PythonDriver:
    """Time stands still on a serial port, whose silence ends a wait, unless there is a clock."""

    error = LinkError

    def __init__(self, port, kind="uart", session=None, clock=None):
        if kind == "uart":
            transport = UartTransport(port, clock=clock or (lambda: 0.0))
        else:
            transport = SpiTransport(port, timeout=0.3, clock=ticking())
        self.client = Client(transport, retries=8)
        if session is not None:
            self.client._sequence = session

    def read(self):
        facts = self.client.read()
        return facts.inputs, facts.results, facts.vectors, facts.model_hash[7]

    def infer(self, window):
        return self.client.infer(window)

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

    def infer(self, window):
        results = (ctypes.c_int16 * RESULTS)()
        self.check(self.shim.infer((ctypes.c_int16 * INPUTS)(*window), results))
        return list(results)

    def self_test(self):
        wrong = ctypes.c_uint8()
        self.check(self.shim.self_test(ctypes.byref(wrong)))
        return None if wrong.value == 0xFF else wrong.value


@pytest.fixture(params=["python", "micro", "c"])
def driver(request):
    def make(port, kind="uart", session=0, clock=None):
        if request.param == "python":
            return PythonDriver(port, kind, session, clock)
        if request.param == "micro":
            return MicroDriver(port, kind, request.getfixturevalue("micro"), session)
        return CDriver(port, kind, request.getfixturevalue("shim"), session)

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


@pytest.mark.parametrize("session", [0, 0x12345678, 0xFFFFFFFD])
def test_driver_on_a_good_line_sends_these_bytes(driver, line, session):
    port = lossy(line, 0.0)
    use(driver(port, line[0], session))
    sent = b"".join(data for data in port.written if any(data))
    commands = [(Command.READ, b""), (Command.SELF_TEST, b"")]
    commands += [(Command.INFER, bytes(value & 0xFF for value in w)) for w in WINDOWS]
    assert sent == b"".join(
        encode(Frame(sequence=(session + number) % 2**32, command=command, payload=payload))
        for number, (command, payload) in enumerate(commands, 1)
    )


def test_driver_on_a_bad_line_is_never_wrong(driver, line):
    port = lossy(line, 0.15)
    made = driver(port, line[0])
    for _ in range(8):
        use(made)
    assert port.damages > 5


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


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ([], "nothing"),
        ([b"\x00\x13\x37"] * 9, "noise"),
        ([b"", b"", b"\x00" * 40], "noise"),  # silence is not the last word
        ([b"\x13" * 100 + b"\xa5"] * 9, {"python": "noise", "micro": "noise", "c": "damaged"}),
        ([answer(1)[:-1]] * 9, "damaged"),
        ([b"\xa5\xff\xff\x01\x83\x00\x00\x00\x00"] * 9, "damaged"),
        ([refusal(Reason.CRC)] * 9, "crc"),
        ([refusal(Reason.COMMAND)], "command"),
    ],
)
def test_what_is_wrong_is_told_apart(driver, request, answers, name):
    if isinstance(name, dict):
        name = name[request.node.callspec.params["driver"]]
    assert problem(driver(Scripted(*answers))) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"\x55", "noise"),
        (b"\xa5", "noise"),
        (b"\xa5\x01\x00", "noise"),
        (bytes(range(256)), "noise"),
        (answer(200), "foreign"),
        (refusal(Reason.CRC), "noise"),
    ],
)
def test_port_that_never_stops_is_given_up(driver, said, name):
    assert problem(driver(Chatterbox(said), clock=ticking())) == name


def test_port_that_trickles_is_given_up(driver):
    class Trickle(Chatterbox):
        def read(self, size=1):
            return super().read(1)

    port = Trickle(b"\x55")
    assert problem(driver(port, clock=ticking())) == "noise"
    assert port.reads < 9 * 200


def test_line_that_echoes_is_not_silent(driver):
    class Echo(Scripted):
        def write(self, data):
            self.heard += data

    assert problem(driver(Echo())) == "noise"


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


@pytest.mark.parametrize("driver", ["python", "micro"], indirect=True)
@pytest.mark.parametrize("left", range(0, 25, 5))
def test_port_that_is_lost_is_a_sentence(driver, left):
    assert problem(driver(Unplugged(left))) == "lost"
    assert driver(Unplugged(25)).self_test() is None


@pytest.mark.parametrize("failing", ["write", "close"])
def test_port_that_cannot_be_written_or_closed_is_a_sentence(failing):
    class Port(ShellPort):
        pass

    def fails(self, *data):
        raise OSError(5, "gone")

    setattr(Port, failing, fails)
    sentence = r"^Port X must stay connected, and was lost: \[Errno 5\] gone$"
    with (
        pytest.raises(LinkError, match=sentence),
        Client(UartTransport(Port(FACTS, sums), name="port X")) as client,
    ):
        client.self_test()


def test_lost_bus_is_a_sentence():
    class Bus:
        def xfer2(self, data):
            raise OverflowError("Argument list size exceeds 4096 bytes.")

    with pytest.raises(LinkError, match=r"^The SPI bus must stay connected, .*exceeds 4096 bytes"):
        Client(SpiTransport(Bus())).self_test()


def test_first_mishap_is_told_and_not_that_of_closing():
    class Port(Unplugged):
        def close(self):
            raise OSError(9, "closed")

    with pytest.raises(LinkError, match="gone"), Client(UartTransport(Port(3))) as client:
        client.read()


@pytest.mark.parametrize(
    ("window", "sent"),
    [
        ((-16, 15, 0, -1), (-16, 15, 0, -1)),
        ((-17, 16, 31, -32), (-16, 15, 15, -16)),
        ((32767, -32768, 255, -128), (15, -16, 15, -16)),
        ((10**30, -(10**30), 2**63, -(2**63) - 1), (15, -16, 15, -16)),
    ],
)
def test_integers_beyond_the_bits_go_as_the_nearest(driver, request, window, sent):
    if request.node.callspec.params["driver"] == "c" and max(window) > 32767:
        window = (32767, -32768, 32767, -32768)  # no int16_t is larger
    port = ShellPort(FACTS, sums)
    made = driver(port)
    made.read()
    assert made.infer(window) == sums(sent)
    assert port.written[-1][8:12] == bytes(value & 0xFF for value in sent)


@pytest.mark.parametrize("driver", ["python", "micro"], indirect=True)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1.5, "1", None])
def test_what_is_no_integer_is_refused(driver, bad):
    port = ShellPort(FACTS, sums)
    made = driver(port)
    made.read()
    sentence = rf"[Ww]indow (must hold|has) integers, (and holds|not) {re.escape(repr(bad))}"
    with pytest.raises(Exception, match=sentence):
        made.infer((1, 2, bad, 4))
    assert len(port.written) == 1


def session_of(windows, driver=PythonDriver):
    """A session, as a function of the port: the windows' results."""

    def session(port):
        made = driver(port)
        made.read()
        return [made.infer(window) for window in windows]

    return session


def both(port, seed, driver=PythonDriver, errors=LinkError):
    """Two programs on one port, each with windows of its own; what came out and what is right."""
    rng = random.Random(seed)
    windows = [[[rng.randrange(-99, 99) for _ in range(4)] for _ in range(6)] for _ in range(2)]
    part = 40 if seed % 2 else 9  # requests go out whole, or meet each other
    outcomes = together(
        port, seed, *(session_of(w, driver) for w in windows), part=part, errors=errors
    )
    return list(zip(outcomes, ([sums(w) for w in ws] for ws in windows), strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_two_programs_on_one_port_are_never_wrong(compiled_uart, monkeypatch, seed):
    sessions = random.Random(seed)
    monkeypatch.setattr(client_module.secrets, "randbelow", sessions.randrange)
    compiled_uart.restart()

    for outcome, right in both(compiled_uart, seed):
        assert isinstance(outcome, LinkError) or outcome == right


@pytest.mark.parametrize("seed", range(6))
def test_two_microcontrollers_on_one_port_are_never_wrong(compiled_uart, micro, seed):
    sessions = random.Random(seed)
    compiled_uart.restart()

    def driver(port):
        return MicroDriver(port, "uart", micro, sessions.getrandbits(32))

    for outcome, right in both(compiled_uart, seed, driver, micro.ShellError):
        assert isinstance(outcome, micro.ShellError) or outcome == right


def test_numbers_that_begin_alike_are_the_mutant_of_that(compiled_uart):
    """The sessions that answers could not be told apart by: some are wrong, and nobody says so."""
    wrong = 0
    for seed in range(12):
        compiled_uart.restart()
        outcomes = both(compiled_uart, seed)
        wrong += any(isinstance(outcome, list) and outcome != right for outcome, right in outcomes)
    assert wrong


def test_one_program_at_a_time_is_right(compiled_uart):
    compiled_uart.restart()
    windows = [(1, 2, 3, k) for k in range(5)]
    for _ in range(2):
        assert together(compiled_uart, 1, session_of(windows)) == [[sums(w) for w in windows]]


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([answer(1)], 1),
        ([b"\x00\x13" + answer(1)], 1),  # noise before
        ([answer(0) + answer(1)], 1),  # an answer to an earlier request
        ([b"\xa5\x01\x00\x13" + answer(1)], 1),  # noise that begins like a frame
        ([b"\xa5" * 20 + answer(1)], 1),
        ([answer(1)[:7] + answer(1)], 1),
        ([refusal(Reason.COMMAND, 200) + answer(1)], 1),  # of another's request
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
        ([b"", refusal(Reason.CRC), b"\0"], r"but it refused 1 \(crc\) in 4 tries"),
        ([b"\0\1", b"", b"\2"], r"but 3 bytes that are no frames were heard in 4 tries: is the"),
        ([answer(9)], r"but frames that answer something else were heard in 4 tries: does the"),
    ],
)
def test_sentences(answers, message):
    with pytest.raises(LinkError, match=message):
        Client(UartTransport(Scripted(*answers), name="port X")).self_test()


def test_late_answer_is_not_taken_for_the_next(driver):
    # the first answer is late, so the request is sent again, and answered twice
    port = Scripted(b"", answer(1, 7) * 2, answer(2, 9), answer(1, 7) + answer(3))
    made = driver(port)
    assert [made.self_test(), made.self_test(), made.self_test()] == [7, 9, None]
    assert len(port.requests) == 4


def test_answers_of_another_session_are_passed_over_until_ones_own(driver):
    port = Scripted(answer(0x80000001, 5) + answer(77, 5) + answer(1, 7), answer(2, 9))
    made = driver(port)
    assert [made.self_test(), made.self_test()] == [7, 9]


@pytest.mark.parametrize("other", [3, 200, 0x80000001, 0])
def test_answer_to_another_program_ends_the_session(driver, other):
    made = driver(Scripted(answer(1, 7), answer(other, 9) + answer(2, 7)))
    assert made.self_test() == 7
    assert problem(made) == "foreign"


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (lambda port: None, None),
        (lambda port: Client(UartTransport(port)).self_test(), r"served 4 requests where 3 were"),
        (lambda port: port.counts.__setitem__(0, 0), r"served 0 requests where 3 were"),
        (
            lambda port: setattr(port, "facts", replace(FACTS, model_hash=b"other---")),
            r"must keep its model .* from 3132333435363738 to 6f746865722d2d2d",
        ),
    ],
)
@pytest.mark.parametrize("before", [0, 0xFFFE])  # the count wraps
def test_shell_is_held_to_what_it_was_asked(happens, sentence, before):
    port = ShellPort(FACTS, sums)
    port.counts[0] = before
    client = Client(UartTransport(port))
    client.read()
    client.infer((1, 2, 3, 4))
    client.self_test()
    if sentence and before and "served 0" in sentence:
        port.counts[0] = 5
        sentence = r"must serve this program alone, and has served \d+ requests where 3 were"
    else:
        happens(port)
    if sentence is None:
        assert client.confirm() == client.registers
        return
    with pytest.raises(LinkError, match=sentence):
        client.confirm()
    client.confirm()  # from now on it counts anew


def test_tries_that_were_not_answered_may_have_been_served():
    class Deaf(ShellPort):
        """Every second answer is lost, and the last comes late."""

        def answer(self, request):
            self.left = not getattr(self, "left", False)
            return super().answer(request)

        def write(self, data):
            before = self.said
            super().write(data)
            if self.left:
                self.said = before

    client = Client(UartTransport(Deaf(FACTS, sums)))
    client.read()
    client.infer((1, 2, 3, 4))
    client.confirm()
    assert client.resent == 3


@given(
    noise=st.binary(max_size=60),
    behind=st.binary(max_size=9),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
)
def test_answer_is_found_behind_any_noise(noise, behind, sizes):
    class Bursts(Scripted):
        """Gives what arrived by then."""

        def read(self, size=1):
            return super().read(min(size, next(self.sizes)))

    port = Bursts(noise + answer(1, 7) + behind)
    port.sizes = itertools.cycle(sizes)
    assert Client(UartTransport(port, clock=lambda: 0.0), retries=0).self_test() == 7


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_no_bytes_make_an_answer_or_another_error(answers):
    client = Client(UartTransport(Scripted(*answers), clock=lambda: 0.0))
    with pytest.raises(LinkError, match=r"^Shell on the serial port must answer, but "):
        client.read()


def test_other_devices():
    other = encode(Frame(sequence=1, command=0x81, payload=bytes(52)))
    with pytest.raises(LinkError, match=r"Device on the serial port must be a bitformer shell"):
        Client(UartTransport(Scripted(other))).read()
    later = encode(Frame(sequence=1, command=0x81, payload=b"BF\x03" + bytes(49)))
    with pytest.raises(LinkError, match=r"must speak version 2 of the protocol, not 3"):
        Client(UartTransport(Scripted(later))).read()


def test_sequence_numbers_go_round(monkeypatch):
    monkeypatch.setattr(client_module.secrets, "randbelow", lambda count: count - 3)
    numbers = [2**32 - 2, 2**32 - 1, 0, 1]
    port = Scripted(*map(answer, numbers))
    client = Client(UartTransport(port))
    for _ in numbers:
        assert client.self_test() is None
    assert client.resent == 0


def test_sessions_begin_at_random(monkeypatch):
    monkeypatch.undo()
    firsts = {Client(UartTransport(Scripted()))._sequence for _ in range(50)}
    assert len(firsts) == 50
    assert max(firsts) > 2**28


def test_micro_file_imports_nothing(micro):
    source = (HOST / "bitformer_micro.py").read_text()
    assert "import " not in source.replace('"""', "").split("SYNC, NAK")[1]
    assert micro.crc32(b"123456789") == 0xCBF43926
