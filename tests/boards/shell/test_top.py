# amaranth: UnusedElaboratable=no
from itertools import pairwise
from types import SimpleNamespace

import pytest
from amaranth.hdl import Elaboratable, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from bitformer.boards.catalog import BOARDS
from bitformer.boards.protocol import OVERHEAD, Command, Frame, encode, find_frame
from bitformer.boards.shell.shell import UartShell
from bitformer.boards.shell.top import BoardTop

BAUD, DIVISOR = 100, 8


class Bench(Elaboratable):
    """The top on a board whose pins a simulator can reach."""

    def __init__(self, *, accelerator, uses=("reset", "alive", "fault")):
        clock_hz = BAUD * DIVISOR
        shell = UartShell(accelerator=accelerator, clock_hz=clock_hz, baud=BAUD, gap_bits=40)
        self.top = BoardTop(shell=shell)
        self.uart = SimpleNamespace(rx=io.SimulationPort("i", 1), tx=io.SimulationPort("o", 1))
        self.reset = io.SimulationPort("i", 1, invert=True)
        self.alive = io.SimulationPort("o", 1)
        self.fault = io.SimulationPort("o", 1)
        self.board = SimpleNamespace(pins=dict.fromkeys(["uart_rx", "uart_tx", *uses]))
        self.requested = []

    def request(self, name, **options):
        assert options == {"dir": "-"}
        self.requested.append(name)
        return getattr(self, name)

    def elaborate(self, platform):
        return self.top.elaborate(self)

    def run(self, script):
        """Play [(cycles, rx, reset level)]; return (tx, alive, fault) of every cycle."""
        waves = []

        async def host(ctx):
            for cycles, rx, reset in script:
                ctx.set(self.uart.rx.i, rx)
                ctx.set(self.reset.i, reset)
                for _ in range(cycles):
                    await ctx.tick()
                    waves.append([ctx.get(p.o) for p in (self.uart.tx, self.alive, self.fault)])

        simulator = Simulator(self)
        simulator.add_clock(1e-6)
        simulator.add_testbench(host)
        simulator.run()
        return list(zip(*waves, strict=True))


@pytest.fixture
def play(serial):
    def play(script, **options):
        bench = Bench(accelerator=serial.AddTwo(bits=7), **options)
        # The line is quiet first, until the reset after configuration is over.
        steps = [(20, 1, 1)]
        for step in script:
            match step:
                case int() as cycles:
                    steps.append((cycles, 1, 1))
                case ("press", cycles):
                    steps.append((cycles, 1, 0))
                case _:
                    steps += [(DIVISOR, level, 1) for level in serial.levels([step])]
        tx, alive, fault = bench.run(steps)
        return serial.decode([*tx, *[1] * 10 * DIVISOR], DIVISOR), alive, fault

    return play


def infer(number):
    return encode(Frame(sequence=number, command=Command.INFER, payload=bytes([number])))


def answers(heard):
    """The payloads of the frames that were heard."""
    payloads = []
    while found := find_frame(heard):
        payloads.append(found[0].payload)
        heard = found[1]
    assert not heard
    return payloads


#: Cycles in which an answer of one byte is sent.
ANSWER = (OVERHEAD + 3) * 10 * DIVISOR


def test_from_pin_to_pin(play):
    heard, _, fault = play([infer(5), ANSWER, infer(7), ANSWER])
    assert answers(heard) == [b"\x05", b"\x0c"]
    assert not any(fault)


def test_reset_button_restarts(play):
    heard, _, _ = play([infer(5), ANSWER, ("press", 5), 30, infer(1), ANSWER])
    assert answers(heard) == [b"\x05", b"\x01"]


def test_without_the_button_nothing_restarts(play):
    heard, _, _ = play([infer(5), ANSWER, 5, 30, infer(1), ANSWER])
    assert answers(heard) == [b"\x05", b"\x06"]


def test_alive_blinks_once_a_second(play):
    _, alive, _ = play([3 * BAUD * DIVISOR])
    edges = [k for k, (a, b) in enumerate(pairwise(alive)) if a != b]
    assert {b - a for a, b in pairwise(edges)} == {BAUD * DIVISOR // 2}


def test_fault_is_lit_until_a_request_is_served(play):
    damaged = bytearray(infer(3))
    damaged[5] ^= 1
    _, _, fault = play([bytes(damaged), 50 * DIVISOR + ANSWER, infer(4), ANSWER])
    assert not fault[0]
    assert fault[20 + 10 * len(damaged) * DIVISOR + 50 * DIVISOR]
    assert not fault[-1]


def test_nothing_is_heard_while_the_platform_starts(serial):
    """Neither then nor before its reset is over, which begins anew with the last such cycle."""
    bench = Bench(accelerator=serial.AddTwo(bits=7))
    bench.starting = Signal(init=1)
    heard = []

    async def host(ctx):
        tx = []

        async def play(script):
            for level in serial.levels(script):
                ctx.set(bench.uart.rx.i, level)
                for _ in range(DIVISOR):
                    await ctx.tick()
                    tx.append(ctx.get(bench.uart.tx.o))

        ctx.set(bench.reset.i, 1)
        await play([("idle", 50), infer(5), ("idle", 300)])
        ctx.set(bench.starting, 0)
        await play([("idle", 50), infer(7), ("idle", 300)])
        heard.extend(serial.decode(tx, DIVISOR))

    simulator = Simulator(bench)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()
    assert answers(bytes(heard)) == [b"\x07"]


def test_board_without_leds_and_button(serial):
    bench = Bench(accelerator=serial.AddTwo(bits=7), uses=())
    bench.run([(20, 1, 1)])
    assert bench.requested == ["uart"]


@pytest.mark.parametrize("shell", [None, BOARDS["sea"]])
def test_shell_refused(shell):
    with pytest.raises(TypeError, match=r"Shell must have a host link and i_reset, not "):
        BoardTop(shell=shell)
