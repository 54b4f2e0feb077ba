# amaranth: UnusedElaboratable=no
"""Three drivers, in Python, MicroPython and C, against one simulated shell, byte for byte."""

import random

import pytest
from driver_harness import (
    BAUD,
    CONTRACT,
    INPUTS,
    RESULTS,
    WINDOWS,
    MicroDriver,
    PythonDriver,
    Sums,
    sums,
)
from link_harness import LossySpi, LossyUart, compiled_once, ends, together
from pins_harness import SimulatedSpi, SimulatedUart

import bitformer.boards.host.client as client_module
from bitformer.boards.host.client import LinkError
from bitformer.boards.protocol import Command, Frame, encode
from bitformer.boards.shell.shell import SpiShell, UartShell

pytestmark = [pytest.mark.needs("compiler"), pytest.mark.usefixtures("first_session")]


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


def test_driver_reads_what_stood_at_an_end(driver, line):
    made = driver(line[1], line[0])
    made.read()
    expected = [0, 0]
    for window in [*WINDOWS, (-128, 127, 126, -127), (-129, 128, 0, 1)]:
        results = made.infer(window)
        expected[0] += sum(not -128 < value < 127 for value in window)
        expected[1] += ends(results, 12)
        assert made.self_test() is None  # a vector of the second is at its ends, and not counted
        assert made.at_ends() == tuple(expected)
        assert made.clipped == sum(not -128 <= value <= 127 for value in window)
    assert expected == [12, 0]


def test_driver_on_a_bad_line_is_never_wrong(driver, line):
    port = lossy(line, 0.15)
    made = driver(port, line[0])
    for _ in range(8):
        use(made)
    assert port.damages > 5


@pytest.mark.parametrize("seed", range(5))
def test_bad_line_is_not_taken_for_another_program(line, seed):
    port = lossy(line, 0.3, seed)
    # so bad a line that the usual number of tries is not enough each time
    client = PythonDriver(port, line[0], retries=40).client
    for window in WINDOWS:
        client.read()
        assert client.infer(window) == sums(window)
        client.confirm()
    assert port.damages


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
