"""The registers that change, cycle by cycle, against a model that only adds."""

import random

import pytest
from amaranth.hdl import unsigned
from amaranth.sim import Simulator

from bitformer.boards.protocol import COUNTS, Reason
from bitformer.boards.shell import counters as counters_file
from bitformer.boards.shell.counters import ChangingRegisters

#: Of the families: 7 series, ECP5, iCE40.
KINDS = pytest.mark.parametrize(
    ("pipelined", "block"), [(False, False), (True, False), (True, True)]
)


def inference(rng, length, rate, wait):
    """The cycles of an inference: (numbers that are at an end, is a result, is the last)."""
    for result in (0, 1):
        for k in range(length):
            yield int(rng.random() < rate), result, int(k == length - 1)
            for _ in range(wait):
                yield 0, result, 0
        for _ in range(rng.randrange(3)):
            yield 0, result, 0


def play(inferences, *, rejects=False, pipelined=False, block=False):
    """Play inferences behind a count each, as a server does; return all counts and the cycles."""
    dut, found = ChangingRegisters(rejects=rejects, pipelined=pipelined, block=block), []

    async def bench(ctx):
        ctx.set(dut.i_status, 0x5A)
        for cycles in inferences:
            ctx.set(dut.i_reason, Reason.ACCEPTED)
            ctx.set(dut.i_count, 1)
            ctx.set(dut.i_clear, 1)
            await ctx.tick()
            ctx.set(dut.i_count, 0)
            ctx.set(dut.i_clear, 0)
            ctx.set(dut.i_run, 1)
            for end, result, last in cycles:
                ctx.set(dut.i_end, end)
                ctx.set(dut.i_result, result)
                ctx.set(dut.i_last, last)
                await ctx.tick()
            for member in (dut.i_end, dut.i_result, dut.i_last, dut.i_run):
                ctx.set(member, 0)
            await ctx.tick().repeat(6)
        for address in range(26):
            ctx.set(dut.i_address, address)
            if block:
                await ctx.tick()
            await ctx.delay(1e-8)
            found.append(ctx.get(dut.o_byte))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found[16] == 0x5A
    words = [int.from_bytes(found[k : k + 2], "little") for k in (*range(0, 16, 2), 20, 22, 24)]
    return *words, int.from_bytes(found[17:20], "little")


@pytest.mark.parametrize(
    ("length", "wait"), [(1, 0), (1, 5), (2, 0), (3, 0), (40, 0), (40, 1), (300, 0), (300, 1)]
)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("rejects", [False, True])
@KINDS
def test_numbers_and_cycles_are_counted(length, rate, wait, rejects, pipelined, block):
    rng = random.Random(f"{length} {rate} {wait}")
    inferences = [list(inference(rng, length, rate, wait)) for _ in range(2)]
    ends = [sum(end for i in inferences for end, result, _ in i if result == r) for r in (0, 1)]
    counts = (ends[0], 0, ends[1]) if rejects else (*ends, 0)
    found = play(inferences, rejects=rejects, pipelined=pipelined, block=block)
    assert found == (2, *[0] * 7, *counts, len(inferences[-1]))


@pytest.mark.parametrize("rejects", [False, True])
@KINDS
def test_counters_wrap(monkeypatch, rejects, pipelined, block):
    class Full(counters_file.memory.Memory):
        def __init__(self, *, shape, depth, init, attrs):
            assert (shape, depth) == (16, 14)
            full = [COUNTS - 1, COUNTS - 2, COUNTS - 2]
            init = [COUNTS - 1, *init[1:10], *full, init[13]]
            super().__init__(shape=unsigned(16), depth=depth, init=init, attrs=attrs)

    monkeypatch.setattr(counters_file.memory, "Memory", Full)
    three, four = [(1, 0, 0)] * 2 + [(1, 0, 1)], [(1, 1, 0)] * 3 + [(1, 1, 1)]
    counts = (2, COUNTS - 2, 2) if rejects else (2, 2, COUNTS - 2)
    assert play([three + four], rejects=rejects, pipelined=pipelined, block=block) == (
        0,
        *[0] * 7,
        *counts,
        7,
    )
