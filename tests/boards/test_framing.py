# amaranth: UnusedElaboratable=no
import random

import pytest
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data
from amaranth.sim import Simulator

from bitformer.boards.framing import NumberReader, NumberWriter, number_bytes


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def read(dut, steps, *, ready=1):
    """Play one step a cycle: a byte, None, "idle" or "error".

    Returns the numbers, and the faults (framing error, overflow) at the end.
    """
    numbers, faults = [], []

    async def bench(ctx):
        for step in [*steps, None, None]:
            ctx.set(dut.i.valid, isinstance(step, int))
            ctx.set(dut.i.payload, step if isinstance(step, int) else 0xA5)
            ctx.set(dut.i_idle, step == "idle")
            ctx.set(dut.i_error, step == "error")
            ctx.set(dut.o.ready, ready)
            _, _, valid, taken, number = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.payload
            )
            if valid and taken:
                numbers.append(number)
        faults.extend((ctx.get(dut.framing_error), ctx.get(dut.overflow)))

    simulate(dut, bench)
    return numbers, tuple(faults)


@pytest.mark.parametrize(
    ("shape", "size"), [(signed(1), 1), (unsigned(8), 1), (signed(9), 2), (signed(16), 2)]
)
def test_number_bytes(shape, size):
    assert number_bytes(shape) == size


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        (signed(17), ValueError, r"must have 1 to 16 bits, not 17"),
        (unsigned(0), ValueError, r"must have 1 to 16 bits, not 0"),
        (data.ArrayLayout(4, 2), TypeError, r"must be signed or unsigned, not ArrayLayout"),
    ],
)
@pytest.mark.parametrize("make", [number_bytes, lambda shape: NumberWriter(shape=shape)])
def test_shape_refused(make, shape, error, message):
    with pytest.raises(error, match=message):
        make(shape)


def test_gap_refused():
    with pytest.raises(ValueError, match=r"Gap must be at least 1, not 0"):
        NumberReader(shape=signed(8), gap=0)


@pytest.mark.parametrize(
    ("shape", "steps", "numbers"),
    [
        (signed(8), [0x80, 0x7F, 0xFF], [-128, 127, -1]),
        (unsigned(8), [0x80], [128]),
        (signed(5), [0x10, 0x0F, 0xEF], [-16, 15, 15]),
        (signed(16), [0x34, 0x12, 0x00, 0x80], [0x1234, -0x8000]),
        (signed(9), [0x00, 0xFF, 0xFF, 0x00], [-256, 255]),
        (signed(16), [0x34, None, "idle", None, 0x12], [0x1234]),
    ],
)
def test_reader(shape, steps, numbers):
    assert read(NumberReader(shape=shape, gap=5), steps) == (numbers, (0, 0))


@pytest.mark.parametrize(("silence", "numbers"), [(5, [0x2211]), (6, [0x3322])])
def test_reader_drops_what_was_before_a_gap(silence, numbers):
    steps = [0x11, *["idle"] * silence, 0x22, 0x33]
    assert read(NumberReader(shape=signed(16), gap=5), steps) == (numbers, (0, 0))


def test_reader_counts_one_silence_only():
    steps = [0x11, *["idle"] * 4, None, *["idle"] * 4, 0x22]
    assert read(NumberReader(shape=signed(16), gap=5), steps) == ([0x2211], (0, 0))


@pytest.mark.parametrize("before", [[], [0x11], [0x11, 0x22]])
def test_reader_stops_at_a_broken_byte(before):
    steps = [*before, "error", *["idle"] * 9, 0x33, 0x44, 0x55, 0x66]
    numbers = [0x2211] if len(before) == 2 else []
    assert read(NumberReader(shape=signed(16), gap=5), steps) == (numbers, (1, 0))


def test_reader_stops_at_an_overflow():
    dut = NumberReader(shape=signed(8), gap=5)
    assert read(dut, [1, 2, "error"], ready=0) == ([], (0, 1))


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("input_rate", [0.3, 1.0])
@pytest.mark.parametrize("output_rate", [0.3, 1.0])
def test_writer(serial, size, input_rate, output_rate):
    bits = 8 * size - 3
    dut = NumberWriter(shape=Shape(bits, signed=True))
    rng = random.Random(3)
    numbers = [-(1 << bits - 1), (1 << bits - 1) - 1, *(rng.randrange(-9, 9) for _ in range(30))]
    sent, got = list(numbers), bytearray()

    async def bench(ctx):
        held = None
        for _ in range(1000):
            if not ctx.get(dut.i.valid) and sent and rng.random() <= input_rate:
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload, sent[0])
            elif not ctx.get(dut.i.valid):
                ctx.set(dut.i.payload, rng.randrange(-8, 8))
            ctx.set(dut.o.ready, rng.random() <= output_rate)
            _, _, taken, valid, ready, byte = await ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.o.valid, dut.o.ready, dut.o.payload
            )
            if taken:
                sent.pop(0)
                ctx.set(dut.i.valid, 0)
            assert held is None or (valid and byte == held), "the byte did not hold until taken"
            held = byte if valid and not ready else None
            if valid and ready:
                got.append(byte)

    simulate(dut, bench)
    assert serial.unpack(bytes(got), size) == numbers
