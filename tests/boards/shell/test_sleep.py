# amaranth: UnusedElaboratable=no
"""An accelerator's clock stands still between requests, and no result changes by it."""

import random

import numpy as np
import pytest
from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    EnableInserter,
    Fragment,
    Module,
    ResetInserter,
    Signal,
    signed,
)
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from stream_harness import SMALL, lowered

from bitformer.boards.protocol import Command, Frame, encode, find_frame
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.shell import UartShell
from bitformer.boards.shell.sleep import Sleep
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

BAUD, DIVISOR = 10_000, 8
#: Cycles of silence between two requests.
SILENCE = 400 * DIVISOR
#: Of a clock, in seconds.
PERIOD = 1e-6


class Age(wiring.Component):
    """Answers a number with the cycles that its own clock has had since it was configured.

    Or, if it ``resets``, since it was reset.
    """

    def __init__(self, *, resets=False):
        self._resets = resets
        super().__init__(
            {"i": In(stream.Signature(signed(8))), "o": Out(stream.Signature(signed(16)))}
        )

    def elaborate(self, platform):
        m = Module()
        age = Signal(16, reset_less=not self._resets)
        m.d.sync += age.eq(age + 1)
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(age)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


class Apart(Elaboratable):
    """A shell on a platform whose two clocks do not arrive together.

    ``late`` : by how much of a cycle the accelerator's is later. ``apart`` : whether the platform
    says so.
    """

    can_stop_clock = True

    def __init__(self, shell, late, *, apart=True):
        self._shell, self._late, self.clocks_apart = shell, late, apart
        self._enable, self._clock = Signal(init=1), Signal()
        self.rx, self.tx, self.divisor = shell.rx, shell.tx, shell.divisor

    def stop_clock(self, enable, clock):
        m = Module()
        m.domains.falling = falling = ClockDomain(reset_less=True, local=True, clk_edge="neg")
        m.d.comb += [falling.clk.eq(ClockSignal("sync")), clock.eq(self._clock)]
        m.d.falling += self._enable.eq(enable)
        return m

    def elaborate(self, platform):
        return Fragment.get(self._shell, self)

    async def clock(self, ctx):
        async for *_, open_now in ctx.tick().sample(self._enable):
            if open_now:
                await ctx.delay(self._late * PERIOD)
                ctx.set(self._clock, 1)
                await ctx.delay(PERIOD / 2)
                ctx.set(self._clock, 0)


def ages(serial, **apart):
    """The age at each of three requests, with a silence before the last."""
    shell = UartShell(
        accelerator=Age(), clock_hz=DIVISOR * BAUD, baud=BAUD, gap_bits=20, contract=Contract()
    )
    shell, processes = _apart(shell, **apart)
    request = [
        encode(Frame(sequence=n, command=Command.INFER, payload=bytes([n]))) for n in range(3)
    ]
    answered = ("idle", 300)
    quiet = ("idle", SILENCE // DIVISOR)
    script = [request[0], answered, request[1], answered, quiet, request[2]]
    heard = serial.talk(shell, script, processes=processes)
    found = []
    while result := find_frame(heard):
        frame, heard = result
        assert frame.command == Command.INFER | 0x80
        found += serial.unpack(frame.payload, 2)
    return found


def _apart(shell, late=None, **says):
    """A shell on a platform whose clocks are apart, and what makes the later one; or as it is."""
    if late is None:
        return shell, ()
    found = Apart(shell, late, **says)
    return found, (found.clock,)


LATE = (0.0, 0.2, 0.49)


@pytest.mark.parametrize("late", LATE)
def test_clocks_that_are_apart_stop_as_one_does(serial, late):
    assert ages(serial, late=late) == ages(serial)


@pytest.mark.parametrize("late", LATE)
def test_clocks_that_are_apart_change_no_result(serial, late):
    model = initialize(named_config("tiny"))
    accelerator = Accelerator(design=lower(model))
    shell = UartShell(accelerator=accelerator, clock_hz=DIVISOR * BAUD, baud=BAUD, gap_bits=20)
    windows = np.random.default_rng(1).integers(-128, 128, (2, *model.input.shape))
    requests = [
        encode(Frame(sequence=n, command=Command.INFER, payload=window.astype("<i2").tobytes()))
        for n, window in enumerate(windows)
    ]
    shell, processes = _apart(shell, late)
    answered = ("idle", 400)
    script = [requests[0], answered, requests[1], answered]
    heard = serial.talk(shell, script, processes=processes)
    results = []
    while found := find_frame(heard):
        frame, heard = found
        results += serial.unpack(frame.payload, 2)
    assert results == reference.run(model, windows)[model.output.name].reshape(-1).tolist()


def test_clocks_apart_of_which_the_platform_says_nothing_are_seen(serial):
    """Without what holds numbers for half a cycle, they change under the later clock."""
    assert ages(serial, late=0.2, apart=False) != ages(serial)


def test_clock_runs_for_a_request_only(serial):
    first, second, third = ages(serial)
    # a request, and the tail behind it; the silence adds nothing
    assert second - first == third - second
    assert 15 < second - first < 40
    assert first < 60


def test_a_clock_that_runs_on_is_seen(serial, monkeypatch):
    def add(self, m, accelerator, reset, platform):
        m.submodules.accelerator = ResetInserter(reset)(accelerator)
        return accelerator

    monkeypatch.setattr(Sleep, "add", add)
    first, second, third = ages(serial)
    assert third - second > second - first + SILENCE // 2


def test_a_reset_of_a_sleeping_accelerator_takes_place(serial):
    """It wakes the clock, without which a reset does nothing."""
    shell = UartShell(accelerator=Age(resets=True), clock_hz=DIVISOR * BAUD, baud=BAUD, gap_bits=20)
    request = encode(Frame(sequence=1, command=Command.INFER, payload=b"\1"))
    wave = []

    async def host(ctx):
        async def play(script):
            for level in serial.levels(script):
                ctx.set(shell.rx, level)
                for _ in range(DIVISOR):
                    await ctx.tick()
                    wave.append(ctx.get(shell.tx))

        await play([("idle", 20), request, ("idle", 400)])
        ctx.set(shell.i_reset, 1)
        await ctx.tick()
        wave.append(ctx.get(shell.tx))
        ctx.set(shell.i_reset, 0)
        await play([("idle", 400), request, ("idle", 400)])

    simulator = Simulator(shell)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()
    heard, found = serial.decode(wave, DIVISOR), []
    while result := find_frame(heard):
        frame, heard = result
        found += serial.unpack(frame.payload, 2)
    # a cycle of the request's own; behind a reset, the tail too
    assert found == [1, 16]


def run_of(wakes, **tail):
    """``o_run`` in each cycle in which ``i_wake`` is what ``wakes`` says."""
    sleep, seen = Sleep(**tail), []

    async def bench(ctx):
        for wake in wakes:
            ctx.set(sleep.i_wake, wake)
            seen.append(ctx.get(sleep.o_run))
            await ctx.tick()

    simulator = Simulator(sleep)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def test_run_follows_a_cycle_later_and_goes_on_for_fifteen():
    assert run_of([0] * 3 + [1] * 2 + [0] * 20) == [1, 0, 0, 0] + [1] * 17 + [0] * 4
    # what wakes it again within the tail is not missed
    assert run_of([1, 0, 0, 1] + [0] * 18) == [1] * 20 + [0] * 2


def test_of_a_step_that_sums_ahead_the_clock_goes_on_until_the_next_may_begin(monkeypatch):
    assert run_of([0] * 3 + [1] * 2 + [0] * 40, tail=30) == [1, 0, 0, 0] + [1] * 32 + [0] * 9
    tails = []
    monkeypatch.setattr(Sleep, "add", lambda self, *others: tails.append(self.tail) or others[1])
    config = SMALL.replace(window=24, d_model=8, linear_path=True)
    for ahead in (0, config.tokens):
        design = lowered(initialize(config, seed=1), ahead)
        shell = UartShell(accelerator=Accelerator(design=design), clock_hz=10**6, baud=BAUD)
        shell.elaborate(None)
        assert tails.pop() == 15 + max(0, design.interval - design.latency)
    assert design.interval > design.latency + 50


@pytest.mark.parametrize("seed", range(2))
def test_results_are_the_same_with_a_clock_that_stops_anywhere(seed):
    model = initialize(named_config("tiny"))
    design = lower(model)
    accelerator, runs = Accelerator(design=design), Signal(init=1)
    stopping = EnableInserter(runs)(accelerator)
    chance = random.Random(seed)
    windows = np.random.default_rng(seed).integers(-128, 128, (2, *model.input.shape))
    numbers = [int(number) for number in windows.reshape(-1)]
    results, stopped = [], 0

    async def bench(ctx):
        nonlocal stopped
        fed, left = 0, 0
        ctx.set(accelerator.o.ready, 1)
        while len(results) < 2 * model.output.size:
            if left == 0:
                left = chance.choice([1, 2, 5, 40])
                ctx.set(runs, chance.random() < 0.6)
            left -= 1
            ctx.set(accelerator.i.valid, fed < len(numbers))
            ctx.set(accelerator.i.payload, numbers[min(fed, len(numbers) - 1)])
            if ctx.get(runs):
                if ctx.get(accelerator.o.valid):
                    results.append(ctx.get(accelerator.o.payload))
                fed += ctx.get(accelerator.i.valid & accelerator.i.ready)
            stopped += not ctx.get(runs)
            await ctx.tick()

    simulator = Simulator(stopping)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == reference.run(model, windows)[model.output.name].reshape(-1).tolist()
    assert stopped > design.latency // 4
