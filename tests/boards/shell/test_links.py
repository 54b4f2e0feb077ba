# amaranth: UnusedElaboratable=no
"""Shells in the native simulator against a host that makes mistakes, and a line that does."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from link_harness import compiled_once, corrupted
from pins_harness import SimulatedSpi, SimulatedUart

from bitformer.boards.protocol import (
    NAK,
    OVERHEAD,
    REGISTER_BYTES,
    Command,
    Frame,
    Registers,
    encode,
    find_frame,
)
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.shell import SpiShell, UartShell

pytestmark = pytest.mark.needs("compiler")

INPUTS, RESULTS, BAUD, GAP = 6, 3, 10_000, 20
#: Cycles that an inference takes, about, where it matters that it takes some.
WORK = 120
FUZZ = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40
)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def uart_shell(serial, **options):
    return UartShell(
        accelerator=serial.WindowSums(inputs=INPUTS, results=RESULTS, slow=9),
        clock_hz=8 * BAUD,
        baud=BAUD,
        gap_bits=GAP,
        contract=Contract(inputs=INPUTS, results=RESULTS),
        **options,
    )


def spi_shell(serial, slow=9):
    return SpiShell(
        accelerator=serial.WindowSums(inputs=INPUTS, results=RESULTS, slow=slow),
        clock_hz=100_000_000,
        contract=Contract(inputs=INPUTS, results=RESULTS),
    )


class OverUart:
    """Bursts over a serial line: what is sent, and what comes back until silence."""

    def __init__(self, shell):
        self.port = SimulatedUart(shell, timeout=(GAP + 45) / BAUD)

    def burst(self, data):
        self.port.write(data)
        heard = bytearray()
        while part := self.port.read(64):
            heard += part
        return bytes(heard)


class OverSpi:
    """Bursts over SPI: a transfer, and transfers of zeros until an answer has been read."""

    def __init__(self, shell):
        self.port = SimulatedSpi(shell)

    def burst(self, data):
        if data:
            self.port.transfer(data)
        heard = b""
        for _ in range(3):
            self.port.idle(40)
            heard += self.port.transfer(bytes(OVERHEAD + REGISTER_BYTES)).rstrip(b"\0")
        return heard + bytes(4)


@pytest.fixture(scope="module", params=["uart", "spi"])
def line(request, serial):
    over = {"uart": lambda: OverUart(uart_shell(serial)), "spi": lambda: OverSpi(spi_shell(serial))}
    made = over[request.param]()
    yield made
    made.port.close()


def frames(heard):
    found = []
    while result := find_frame(heard):
        frame, heard = result
        found.append(frame)
    return found


def infer(serial, window, sequence):
    payload = serial.pack(window, 1)
    return encode(Frame(sequence=sequence, command=Command.INFER, payload=payload))


def fault_then_good(serial, line, bad, windows, sequence):
    """A bad burst is answered by no wrong result; the good one behind it by the right one."""
    for frame in frames(line.burst(bad)):
        if frame.command != NAK:
            assert frame.command == 0x82
            assert serial.unpack(frame.payload, 2) == serial.window_sums(windows[0], RESULTS)
    answers = frames(line.burst(infer(serial, windows[1], sequence)))
    assert [(f.command, f.sequence) for f in answers] == [(0x82, sequence)]
    assert serial.unpack(answers[0].payload, 2) == serial.window_sums(windows[1], RESULTS)


def fuzz(serial, line, count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        windows = [[rng.randrange(-128, 128) for _ in range(INPUTS)] for _ in range(2)]
        bad = corrupted(infer(serial, windows[0], rng.randrange(1 << 32)), rng)
        fault_then_good(serial, line, bad, windows, rng.randrange(1 << 32))


def test_corrupted_frames(serial, line):
    fuzz(serial, line, 100, seed=1)


@pytest.mark.slow
def test_ten_thousand_corrupted_frames(serial, line):
    fuzz(serial, line, 10_000, seed=2)


@FUZZ
@given(data=st.binary(max_size=60), sequence=st.integers(0, 0xFFFFFFFF))
def test_any_bytes(serial, line, data, sequence):
    windows = [[0] * INPUTS, [1, -2, 3, -4, 5, 127]]
    fault_then_good(serial, line, data, windows, sequence)


@FUZZ
@given(data=st.data())
def test_frames_that_nobody_would_send(serial, line, data):
    frame = Frame(
        sequence=data.draw(st.integers(0, 0xFFFFFFFF)),
        command=data.draw(st.sampled_from([0, 1, 3, 4, 0x81, 0x83, 0xFF])),
        payload=data.draw(st.binary(max_size=30)),
    )
    served = frame.command == Command.READ and not frame.payload
    answers = frames(line.burst(encode(frame)))
    assert [f.command for f in answers] == [0x81 if served else NAK]
    fault_then_good(serial, line, b"", [[0] * INPUTS, [9] * INPUTS], frame.sequence)


def test_every_bad_frame_is_counted(serial, line):
    def counters():
        (frame,) = frames(line.burst(encode(Frame(sequence=1, command=Command.READ))))
        return Registers.parse(frame.payload).counters

    before, rng, refused = counters(), random.Random(3), 0
    for _ in range(60):
        good = bytearray(infer(serial, [1] * INPUTS, 5))
        good[rng.randrange(1, len(good))] ^= 1 << rng.randrange(8)
        refused += len(frames(line.burst(bytes(good))))
    after = counters()
    counted = [(b - a) % 65536 for a, b in zip(before, after, strict=True)]
    assert counted[0] == 1
    assert sum(counted[1:]) == refused == 60


@pytest.fixture(scope="module")
def compiled_spi(serial):
    with SimulatedSpi(spi_shell(serial, slow=WORK)) as port:
        yield port


@pytest.fixture
def spi(compiled_spi):
    """An SPI bus right after configuration."""
    compiled_spi.restart()
    compiled_spi.ratio, compiled_spi.phase, compiled_spi.lead = 6.0, 0.0, 8.0
    return compiled_spi


def test_host_that_stops_within_a_byte(serial):
    good = infer(serial, [1, 2, 3, 4, 5, 6], 1)
    with SimulatedUart(uart_shell(serial), timeout=300 / BAUD) as port:
        for cut in (0, 3, 8, 37, 100):
            levels = list(serial.levels([good]))[:cut]
            port.levels(levels + [1] * 200)
            port.read(64)
            port.write(good)
            assert find_frame(port.read(64))[0].command == 0x82


@pytest.mark.parametrize("cut", [0, 3, 8, 37, 100])
def test_transfer_that_ends_within_a_byte(serial, spi, cut):
    good = infer(serial, [1, 2, 3, 4, 5, 6], 1)
    spi.transfer(good, bits=cut)
    spi.transfer(bytes(20))
    spi.transfer(good)
    spi.idle(2 * WORK)
    assert find_frame(spi.transfer(bytes(30)))[0].command == 0x82


@pytest.mark.parametrize("ratio", [6, 6.4, 7.9, 33])
@pytest.mark.parametrize("phase", [0.0, 0.01, 0.5, 0.99])
def test_spi_clock_of_any_phase_up_to_the_ratio(serial, spi, ratio, phase):
    spi.ratio, spi.lead = ratio, 4 + ratio / 2
    rng = random.Random(6)
    for number in range(20):
        spi.phase = phase + number * 0.07
        window = [rng.randrange(-128, 128) for _ in range(INPUTS)]
        spi.transfer(infer(serial, window, number))
        spi.idle(2 * WORK)
        frame, _ = find_frame(spi.transfer(bytes(OVERHEAD + 2 * RESULTS)))
        assert frame.sequence == number
        assert serial.unpack(frame.payload, 2) == serial.window_sums(window, RESULTS)


def test_spi_clock_beyond_what_can_be_seen_fails(serial, spi):
    # the mutant of the test above
    spi.ratio = 1.7
    spi.transfer(infer(serial, [1] * INPUTS, 1))
    spi.idle(2 * WORK)
    assert find_frame(spi.transfer(bytes(30)) + bytes(9)) is None


def test_spi_answer_is_whole_or_not_there(serial, spi):
    good = infer(serial, [1] * INPUTS, 1)
    # asked too early, every byte is 0, however long the transfer
    spi.transfer(good)
    assert spi.transfer(bytes(2)) == bytes(2)
    spi.idle(2 * WORK)
    # read in part, the rest is dropped
    assert spi.transfer(bytes(3))[0] == 0xA5
    assert spi.transfer(bytes(20)) == bytes(20)
    # not read at all, it is void with the next request
    spi.transfer(good)
    spi.idle(2 * WORK)
    spi.transfer(infer(serial, [2] * INPUTS, 9))
    spi.idle(2 * WORK)
    assert find_frame(spi.transfer(bytes(20)))[0].sequence == 9
