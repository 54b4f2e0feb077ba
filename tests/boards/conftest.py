# amaranth: UnusedElaboratable=no
"""A host on the other end of a serial line, and stand-ins for the accelerator."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

#: A frame is ten bits; a receiver that has heard nothing for this many knows that all was said.
QUIET_BITS = 45


class AddTwo(wiring.Component):
    """The sum of each number and the one before it, in two stages, each result `slow` cycles."""

    def __init__(self, *, bits, result_bits=None, slow=1):
        self._bits = bits
        self._slow = slow
        super().__init__(
            {
                "i": In(stream.Signature(signed(bits))),
                "o": Out(stream.Signature(signed(result_bits or bits + 1))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        before = Signal(signed(self._bits))
        now = Signal(signed(self._bits))
        full = Signal()
        wait = Signal(range(self._slow))
        advance = ~self.o.valid | self.o.ready

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(full & advance & (wait == 0)):
            m.d.sync += [
                self.o.payload.eq(before + now),
                self.o.valid.eq(1),
                before.eq(now),
                full.eq(0),
            ]
        m.d.comb += self.i.ready.eq(~full)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [now.eq(self.i.payload), full.eq(1), wait.eq(self._slow - 1)]
        return m


class WindowSums(wiring.Component):
    """Results 1·s, -2·s, 3·s … of the sum s of a window, ``slow`` cycles after its last number.

    A window starts anew after its results; nothing is taken before they are.
    """

    def __init__(self, *, inputs, results, bits=8, result_bits=16, slow=1):
        self._inputs, self._results, self._slow = inputs, results, slow
        super().__init__(
            {
                "i": In(stream.Signature(signed(bits))),
                "o": Out(stream.Signature(signed(result_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(16))
        count, given = Signal(range(self._inputs + 1)), Signal(range(self._results + 1))
        wait = Signal(range(self._slow + 1))
        m.d.comb += [
            self.i.ready.eq(count != self._inputs),
            self.o.valid.eq((count == self._inputs) & (wait == 0)),
            self.o.payload.eq(Mux(given[0], -total, total) * (given + 1)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [count.eq(count + 1), total.eq(total + self.i.payload)]
            m.d.sync += wait.eq(self._slow)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += given.eq(given + 1)
            with m.If(given == self._results - 1):
                m.d.sync += [count.eq(0), given.eq(0), total.eq(0)]
        return m


def window_sums(window, results, result_bits=16):
    """What `WindowSums` makes of a window."""
    values = [(-1) ** k * (k + 1) * sum(window) for k in range(results)]
    half = 1 << result_bits - 1
    return [(value + half) % (2 * half) - half for value in values]


def sums(numbers):
    """What `AddTwo` makes of `numbers`."""
    return [a + b for a, b in zip([0, *numbers[:-1]], numbers, strict=True)]


def pack(numbers, size):
    return b"".join(n.to_bytes(size, "little", signed=True) for n in numbers)


def unpack(data, size):
    assert len(data) % size == 0
    return [
        int.from_bytes(data[k : k + size], "little", signed=True) for k in range(0, len(data), size)
    ]


def frame(byte, *, stop=1):
    """The levels of one frame, a bit each."""
    return [0, *(byte >> k & 1 for k in range(8)), stop]


def levels(script):
    """A script of bytes, ("idle", bits), ("break", bits) and ("broken", byte) as line levels."""
    for step in script:
        match step:
            case bytes():
                for byte in step:
                    yield from frame(byte)
            case ("idle", bits):
                yield from [1] * bits
            case ("break", bits):
                yield from [0] * bits + [1]
            case ("broken", byte):
                yield from [*frame(byte, stop=0), 1]


def decode(wave, divisor):
    """The bytes in a line's levels, one per clock cycle; a frame without a stop bit is refused."""
    data, at = bytearray(), 0
    while at < len(wave):
        if wave[at]:
            at += 1
            continue
        middle = [at + divisor // 2 + k * divisor for k in range(10)]
        bits = [wave[k] for k in middle]
        assert bits[0] == 0, f"glitch at cycle {at}"
        assert bits[9] == 1, f"no stop bit at cycle {at}"
        data.append(sum(bit << k for k, bit in enumerate(bits[1:9])))
        at = middle[9]
    return bytes(data)


def talk(shell, script, *, watch=(), processes=()):
    """Play `script` to the shell; return the bytes it sends until it falls silent.

    With `watch`, a list of signals, also return their values at the end. `processes` run beside it.
    """
    wave = []
    values = []

    async def host(ctx):
        quiet = 0
        for level in levels(script):
            ctx.set(shell.rx, level)
            for _ in range(shell.divisor):
                await ctx.tick()
                wave.append(ctx.get(shell.tx))
        while quiet < QUIET_BITS * shell.divisor:
            await ctx.tick()
            wave.append(ctx.get(shell.tx))
            quiet = quiet + 1 if wave[-1] else 0
            assert len(wave) < 1_000_000, "the shell never falls silent"
        values.extend(ctx.get(signal) for signal in watch)

    simulator = Simulator(shell)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    for process in processes:
        simulator.add_process(process)
    simulator.run()
    data = decode(wave, shell.divisor)
    return (data, values) if watch else data


@pytest.fixture(scope="session")
def serial():
    return SimpleNamespace(
        AddTwo=AddTwo,
        WindowSums=WindowSums,
        decode=decode,
        frame=frame,
        levels=levels,
        pack=pack,
        sums=sums,
        talk=talk,
        unpack=unpack,
        window_sums=window_sums,
    )


@pytest.fixture
def board_measures(monkeypatch):
    """What the benchmark of the boards measures with."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import board_measures

    return board_measures
