# amaranth: UnusedElaboratable=no
"""One function that plays a script to a component, and others for its streams."""

import random
from functools import reduce

import pytest
from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator
from registers_harness import Followed


class Combinational(wiring.Component):
    """A function of its inputs, as a component to play to."""

    def __init__(self, *, inputs, shape, build):
        self._build = build
        super().__init__({**inputs, "o": Out(shape)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self._build(m, self))
        return m


def play_script(dut, script, watch, *, look=None):
    """Set the inputs of each step for a cycle; return what `watch` shows in each cycle.

    An input that a step does not name is 0; an array's value is a list, or all bits as a number.
    A stream's part is named behind a point. What is shown belongs to the inputs of the same cycle,
    in which `look` is called, too.
    """
    names = sorted({name for step in script for name in step})
    shown = []

    async def bench(ctx):
        for step in script:
            for name in names:
                port, value = reduce(getattr, name.split("."), dut), step.get(name, 0)
                ctx.set(port if isinstance(value, list) else Value.cast(port), value)
            shown.append(tuple(read(ctx, getattr(dut, name)) for name in watch))
            if look:
                look(ctx)
            await ctx.tick()

    m = Module()
    m.submodules.dut = dut
    # a simulator ticks only a clock that something uses
    m.d.sync += Signal(name="clocked").eq(1)
    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return shown


def read(ctx, signal):
    """A signal's value; of a structure its bits, of an array of numbers a list."""
    value = ctx.get(signal)
    if isinstance(value, int):
        return value
    try:
        return [value[i] for i in range(len(value))]
    except (TypeError, KeyError):
        return value


def tell_stream(stream, items, rate, seed):
    """A testbench that offers `items` at `rate`, its payload scrambled while it offers nothing."""
    chance = random.Random(seed)
    shape = Shape.cast(stream.payload.shape())
    low = -(1 << (shape.width - 1)) if shape.signed else 0

    async def bench(ctx):
        for item in items:
            while chance.random() >= rate:
                ctx.set(stream.valid, 0)
                ctx.set(stream.payload, low + chance.getrandbits(shape.width))
                await ctx.tick()
            ctx.set(stream.valid, 1)
            ctx.set(stream.payload, item)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(stream.ready)
        ctx.set(stream.valid, 0)
        ctx.set(stream.payload, low + chance.getrandbits(shape.width))

    return bench


def hear_stream(stream, count, rate, seed, limit=5000):
    """A testbench that takes `count` items at `rate` into a list, and watches the stream rules."""
    chance = random.Random(seed)
    taken = []

    async def bench(ctx):
        held = None
        for _ in range(limit):
            before = ctx.get(stream.valid)
            ready = chance.random() < rate
            ctx.set(stream.ready, ready)
            assert ctx.get(stream.valid) == before, "valid must not depend on ready"
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
            if held is not None:
                assert (valid, payload) == (1, held), "a payload must hold until it is taken"
            held = payload if valid and not ready else None
            if valid and ready:
                taken.append(payload)
            if len(taken) == count:
                ctx.set(stream.ready, 0)
                return
        raise AssertionError(f"{count} items must come within {limit} cycles")

    return bench, taken


def play_benches(dut, *benches, background=(), clocked=True):
    """Run testbenches until those that are not in the background have ended.

    A component that is not `clocked` is given its clock by one of them.
    What they assert is raised when the simulator has come to its end.
    """
    failures = []

    def guarded(bench):
        async def run(ctx):
            try:
                await bench(ctx)
            except AssertionError as error:
                failures.append(str(error))

        return run

    simulator = Simulator(dut)
    if clocked:
        simulator.add_clock(1e-8)
    for bench in benches:
        simulator.add_testbench(guarded(bench))
    for bench in background:
        simulator.add_testbench(guarded(bench), background=True)
    simulator.run()
    if failures:
        raise AssertionError(failures[0])


@pytest.fixture(scope="session")
def play():
    return play_script


@pytest.fixture
def followed():
    return Followed(play_script)


@pytest.fixture(scope="session")
def combinational():
    return Combinational


@pytest.fixture(scope="session")
def streams():
    class Streams:
        tell = staticmethod(tell_stream)
        hear = staticmethod(hear_stream)
        run = staticmethod(play_benches)

    return Streams
