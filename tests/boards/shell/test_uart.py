# amaranth: UnusedElaboratable=no
import random
from itertools import pairwise

import pytest
from amaranth.sim import Simulator

from bitformer.boards.shell.uart import UartLink, UartReceiver, UartTransmitter, uart_divisor

ALL_BYTES = bytes(random.Random(1).sample(range(256), 256))


def listen(dut, wave):
    """Play line levels, one per cycle; return [(cycle, event, byte or None)]."""
    events = []

    async def line(ctx):
        for cycle, level in enumerate([*wave, *[1] * 20 * dut.divisor]):
            ctx.set(dut.rx, level)
            if ctx.get(dut.o.valid):
                events.append((cycle, "byte", ctx.get(dut.o.payload)))
            if ctx.get(dut.framing_error):
                events.append((cycle, "framing", None))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(line)
    simulator.run()
    return events


def stretch(bits, cycles):
    """Bits as levels per cycle; `cycles` in a bit may be a fraction."""
    wave = []
    for k, bit in enumerate(bits, start=1):
        wave += [bit] * (round(k * cycles) - len(wave))
    return wave


@pytest.mark.parametrize(
    ("clock_hz", "baud", "divisor"),
    [
        (100_000_000, 115_200, 868),
        (100_000_000, 1_000_000, 100),
        (12_000_000, 115_200, 104),
        (8_000, 1_000, 8),
    ],
)
def test_divisor(clock_hz, baud, divisor):
    assert uart_divisor(clock_hz=clock_hz, baud=baud) == divisor


@pytest.mark.parametrize(
    ("clock_hz", "baud", "error", "message"),
    [
        (1_000_000, 103_000, ValueError, r"103000 would be off by 2\.9% at a clock of 1000000 Hz"),
        (12_000_000, 3_000_000, ValueError, r"must be at most 1500000 at a clock of 12000000 Hz"),
        (100_000_000, 0, ValueError, r"Baud rate must be at least 1, not 0"),
        (100_000_000, 115_200.0, TypeError, r"Baud rate must be an integer, not 115200\.0"),
        (True, 9_600, TypeError, r"Clock frequency must be an integer, not True"),
    ],
)
def test_divisor_refused(clock_hz, baud, error, message):
    with pytest.raises(error, match=message):
        uart_divisor(clock_hz=clock_hz, baud=baud)


@pytest.mark.parametrize("component", [UartReceiver, UartTransmitter])
def test_component_refuses(component):
    with pytest.raises(ValueError, match=r"Divisor must be an integer of at least 8, not 7"):
        component(divisor=7)
    with pytest.raises(TypeError, match=r"Divisor must be an integer of at least 8, not 8\.5"):
        component(divisor=8.5)


@pytest.mark.parametrize("divisor", [8, 9, 13])
def test_receiver_takes_every_byte_back_to_back(serial, divisor):
    dut = UartReceiver(divisor=divisor)
    events = listen(dut, stretch(serial.levels([ALL_BYTES]), divisor))
    assert [(kind, byte) for _, kind, byte in events] == [("byte", byte) for byte in ALL_BYTES]


@pytest.mark.parametrize("divisor", [8, 9, 16, 31])
@pytest.mark.parametrize("start", [0, 3])
def test_receiver_latency(serial, divisor, start):
    dut = UartReceiver(divisor=divisor)
    [event] = listen(dut, [1] * start + stretch(serial.frame(0xA7), divisor))
    assert event == (start + dut.latency, "byte", 0xA7)


@pytest.mark.parametrize("off", [0.96, 1.04])
def test_receiver_bears_another_clock(serial, off):
    dut = UartReceiver(divisor=32)
    events = listen(dut, stretch(serial.levels([ALL_BYTES[:40]]), 32 * off))
    assert bytes(byte for _, _, byte in events) == ALL_BYTES[:40]


def test_receiver_does_not_bear_any_clock(serial):
    dut = UartReceiver(divisor=32)
    events = listen(dut, stretch(serial.levels([ALL_BYTES[:40]]), 32 * 1.12))
    assert bytes(byte for _, kind, byte in events if kind == "byte") != ALL_BYTES[:40]


def test_receiver_ignores_a_glitch(serial):
    dut = UartReceiver(divisor=16)
    glitch = [1] * 20 + [0] * 6 + [1] * 40
    events = listen(dut, glitch + stretch(serial.frame(0x55), 16))
    assert [event[1:] for event in events] == [("byte", 0x55)]


@pytest.mark.parametrize("step", [("broken", 0x42), ("break", 10)])
@pytest.mark.parametrize("longer", [0, 100])
def test_receiver_reports_and_recovers(serial, step, longer):
    dut = UartReceiver(divisor=16)
    script = [b"\x01", step, b"\xfe"]
    bits = list(serial.levels(script))
    bits[19:19] = [0] * longer  # the stop bit that is missing stays low
    assert [event[1:] for event in listen(dut, stretch(bits, 16))] == [
        ("byte", 0x01),
        ("framing", None),
        ("byte", 0xFE),
    ]


def test_receiver_idle():
    dut = UartReceiver(divisor=8)
    seen = []

    async def line(ctx):
        for level in [1] * 8 + [0] * 72 + [1] * 16:
            ctx.set(dut.rx, level)
            await ctx.tick()
            seen.append(ctx.get(dut.idle))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(line)
    simulator.run()
    assert seen[:8] == [1] * 8
    assert seen[10:80] == [0] * 70
    assert seen[-8:] == [1] * 8


@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize("divisor", [8, 11])
def test_transmitter(serial, rate, divisor):
    dut = UartTransmitter(divisor=divisor)
    data = ALL_BYTES[:60]
    wave, taken = [], []
    rng = random.Random(2)

    async def source(ctx):
        cycle = 0
        for byte in data:
            while rng.random() > rate:
                ctx.set(dut.i.payload, rng.randrange(256))
                await ctx.tick()
                cycle += 1
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            ready = 0
            while not ready:
                *_, ready = await ctx.tick().sample(dut.i.ready)
                cycle += 1
            taken.append(cycle)
            ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        for _ in range(len(data) * 15 * divisor):
            await ctx.tick()
            wave.append(ctx.get(dut.tx))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run()
    assert serial.decode(wave, divisor) == data
    assert wave.index(0) == taken[0] - 1
    if rate == 1.0:
        spacing = {b - a for a, b in pairwise(taken)}
        assert spacing == {10 * divisor}


@pytest.mark.parametrize("gap", [2, 5])
def test_link_is_quiet_after_the_gap_and_not_before(serial, gap):
    divisor = 8
    dut = UartLink(divisor=divisor, gap_bits=gap)
    quiet = []

    async def line(ctx):
        for level in stretch([1, *serial.frame(0x00), *[1] * (gap + 3)], divisor):
            ctx.set(dut.rx, level)
            await ctx.tick()
            quiet.append(ctx.get(dut.link.quiet))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(line)
    simulator.run()
    assert quiet[0] == 1
    # from the middle of the stop bit, plus what the synchroniser and the receiver take
    begin = quiet.index(0)
    end = quiet.index(1, begin)
    assert divisor < begin <= divisor + 4
    assert end - (divisor + 9 * divisor + divisor // 2 + gap * divisor) in range(2, 5)
    assert all(quiet[end:])


def test_lines_are_high_when_nobody_drives_them():
    parts = UartReceiver(divisor=8), UartTransmitter(divisor=8), UartLink(divisor=8, gap_bits=2)
    lines = [getattr(part, name) for part in parts for name in ("rx", "tx") if hasattr(part, name)]
    assert [line.init for line in lines] == [1] * 4


@pytest.mark.parametrize(
    ("clock_hz", "divisor"), [(7_850, 8), (9_801, 10), (10_199, 10), (25_499, 25), (25_501, 26)]
)
def test_rates_that_are_just_near_enough(clock_hz, divisor):
    assert uart_divisor(clock_hz=clock_hz, baud=1_000) == divisor


@pytest.mark.parametrize(
    ("clock_hz", "message"),
    [
        (7_499, r"must be at most 937 at a clock of 7499 Hz, not 1000"),
        (7_600, r"1000 would be off by 5\.0% at a clock of 7600 Hz; at most 2% is allowed"),
        (9_799, r"1000 would be off by 2\.0%"),
        (10_201, r"1000 would be off by 2\.0%"),
    ],
)
def test_rates_that_are_just_not(clock_hz, message):
    with pytest.raises(ValueError, match=rf"^Baud rate {message}"):
        uart_divisor(clock_hz=clock_hz, baud=1_000)


def test_gap_refused():
    with pytest.raises(ValueError, match=r"Gap bits must be an integer of at least 2, not 1"):
        UartLink(divisor=8, gap_bits=1)
