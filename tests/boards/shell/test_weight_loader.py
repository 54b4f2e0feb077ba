# amaranth: UnusedElaboratable=no
import random

import pytest
from amaranth.sim import Simulator

from bitformer.boards.shell.weight_loader import WeightLoader


def load(dut, steps):
    """Play bytes, None and "start"; return [(part or "memory", address, word bytes)], done."""
    written, done = [], []

    async def bench(ctx):
        for step in [*steps, None, None, None]:
            ctx.set(dut.i_valid, isinstance(step, int))
            ctx.set(dut.i_byte, step if isinstance(step, int) else 0xEE)
            ctx.set(dut.i_start, step == "start")
            await ctx.tick()
            enable, size = ctx.get(dut.o_en), len(dut.o_data) // 8
            data = ctx.get(dut.o_data).to_bytes(size, "little")
            if enable:
                written.append((enable.bit_length() - 1, ctx.get(dut.o_addr), data))
            if ctx.get(dut.o_memory_en):
                written.append(("memory", ctx.get(dut.o_addr), data))
            assert enable & (enable - 1) == 0
            done.append(ctx.get(dut.o_done))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return written, done


@pytest.mark.parametrize("rate", [0.4, 1.0])
@pytest.mark.parametrize(
    "parts",
    [((3, 4), (2, 1), (5, 1)), ((1, 2), (3, 1)), ((2, 3), (4, 5), (1, 1), (2, 1)), ((4, 1),)],
)
def test_words_arrive_where_they_belong(parts, rate):
    dut = WeightLoader(parts=parts)
    rng = random.Random(0)
    data = rng.randbytes(dut.bytes)
    steps = ["start"]
    for byte in data:
        steps += [None] * (rng.random() > rate) + [byte]
    written, done = load(dut, [*steps, 9, 9])
    expected, at = [], 0
    for number, (words, size) in enumerate(parts):
        for word in range(words):
            name = "memory" if number == len(parts) - 1 else number
            expected.append((name, word, data[at : at + size]))
            at += size
    found = [(part, address, word) for part, address, word in written]
    assert [(part, address) for part, address, _ in found] == [e[:2] for e in expected]
    for (_, _, word), (_, _, content) in zip(found, expected, strict=True):
        assert word[-len(content) :] == content
    # what comes after the end is ignored
    assert done.count(0) == len(steps) - 1
    assert done[-1] == 1


def test_start_begins_anew():
    dut = WeightLoader(parts=((2, 2), (1, 1)))
    written, _ = load(dut, ["start", 1, 2, 3, "start", 4, 5, 6, 7, 8])
    assert [(p, a, w[-2:] if p == 0 else w[-1:]) for p, a, w in written] == [
        (0, 0, b"\x01\x02"),
        (0, 0, b"\x04\x05"),
        (0, 1, b"\x06\x07"),
        ("memory", 0, b"\x08"),
    ]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), r"Parts must end with one of single bytes"),
        (((3, 2),), r"Parts must end with one of single bytes"),
        (((0, 1),), r"Words must be at least 1, not 0"),
    ],
)
def test_parts_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        WeightLoader(parts=parts)
