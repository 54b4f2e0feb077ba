# amaranth: UnusedElaboratable=no
import random

import pytest
from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.sim import Simulator

from bitformer.boards.shell.numbers import NumberReader, NumberWriter, at_end, number_bytes


def simulate(dut, bench):
    m = Module()
    m.submodules.dut = dut
    m.d.sync += Signal().eq(1)  # a number of one byte passes without any clock
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def stream_through(dut, items, input_rate, output_rate):
    """What a stream component makes of ``items``; payloads must hold until they are taken."""
    rng = random.Random(1)
    left, got = list(items), []

    async def bench(ctx):
        held = None
        for _ in range(1000):
            if not ctx.get(dut.i.valid) and left and rng.random() <= input_rate:
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload, left[0])
            elif not ctx.get(dut.i.valid):
                ctx.set(dut.i.payload, rng.randrange(0, 8))
            ctx.set(dut.o.ready, rng.random() <= output_rate)
            _, _, taken, valid, ready, item = await ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.o.valid, dut.o.ready, dut.o.payload
            )
            if taken:
                left.pop(0)
                ctx.set(dut.i.valid, 0)
            assert held is None or (valid and item == held), "the payload did not hold until taken"
            held = item if valid and not ready else None
            if valid and ready:
                got.append(item)

    simulate(dut, bench)
    assert not left
    return got


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


@pytest.mark.parametrize(
    ("shape", "sent", "numbers"),
    [
        (signed(8), [0x80, 0x7F, 0xFF], [-128, 127, -1]),
        (unsigned(8), [0x80], [128]),
        (signed(5), [0x10, 0x0F, 0xEF], [-16, 15, 15]),
        (signed(16), [0x34, 0x12, 0x00, 0x80], [0x1234, -0x8000]),
        (signed(9), [0x00, 0xFF, 0xFF, 0x00], [-256, 255]),
    ],
)
@pytest.mark.parametrize("input_rate", [0.3, 1.0])
@pytest.mark.parametrize("output_rate", [0.3, 1.0])
def test_reader(shape, sent, numbers, input_rate, output_rate):
    got = stream_through(NumberReader(shape=shape), sent, input_rate, output_rate)
    assert got == numbers


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("input_rate", [0.3, 1.0])
@pytest.mark.parametrize("output_rate", [0.3, 1.0])
def test_writer(serial, size, input_rate, output_rate):
    bits = 8 * size - 3
    rng = random.Random(3)
    numbers = [-(1 << bits - 1), (1 << bits - 1) - 1, *(rng.randrange(-9, 9) for _ in range(30))]
    dut = NumberWriter(shape=Shape(bits, signed=True))
    got = stream_through(dut, numbers, input_rate, output_rate)
    assert serial.unpack(bytes(got), size) == numbers


@pytest.mark.parametrize("make", [signed, unsigned])
@pytest.mark.parametrize("bits", [1, 2, 3, 6])
def test_a_number_is_at_an_end_if_it_is_the_lowest_or_the_highest(make, bits):
    number, found = Signal(make(bits)), Signal()
    m = Module()
    m.d.comb += found.eq(at_end(number))
    seen = {}

    async def bench(ctx):
        for bit_pattern in range(1 << bits):
            ctx.set(number, bit_pattern)
            seen[ctx.get(number)] = ctx.get(found)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(seen) == 1 << bits
    assert {n for n, end in seen.items() if end} == {min(seen), max(seen)}
