# amaranth: UnusedElaboratable=no
"""An endpoint with a stand-in accelerator behind it, and a host that plays bytes to its link."""

import random

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitformer.boards.protocol import NAK, Command, Frame, Registers, encode, find_frame
from bitformer.boards.shell.link import LinkSignature

__all__ = [
    "HIGH",
    "WINDOWS",
    "Bench",
    "Echo",
    "counters",
    "frames",
    "infer",
    "nak",
    "request",
    "talk",
]

WINDOWS = [(1, 2, 3), (-100, 50, 7), (-128, -128, -128)]


class Echo(wiring.Component):
    """Results that are the first numbers of a window, as wide as results are.

    The upper bits of a number, or its lowest bit again and again below it: ends stay ends.

    With ``stall``, neither a number is taken nor a result is offered in about half of the cycles; a
    result that is offered stands until it is taken.
    """

    def __init__(self, *, inputs, results, input_shape, result_shape, stall):
        self._inputs, self._results, self._stall = inputs, results, stall
        super().__init__(
            {"i": In(stream.Signature(input_shape)), "o": Out(stream.Signature(result_shape))}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = kept = memory.Memory(
            shape=len(self.i.payload), depth=self._results, init=[]
        )
        write, read = kept.write_port(), kept.read_port(domain="comb")
        taken, given = Signal(range(self._inputs + 1)), Signal(range(self._results + 1))
        noise, go, offered = Signal(16, init=0xACE1), Signal(init=1), Signal()
        more = max(0, len(self.o.payload) - len(self.i.payload))
        less = max(0, len(self.i.payload) - len(self.o.payload))
        if self._stall:
            m.d.sync += noise.eq(Cat(noise[0] ^ noise[2] ^ noise[3] ^ noise[5], noise[:-1]))
            m.d.comb += go.eq(noise[7])
        m.d.comb += [
            self.i.ready.eq((taken != self._inputs) & go),
            self.o.valid.eq((taken == self._inputs) & (go | offered)),
            self.o.payload.eq(Cat(read.data[0].replicate(more), read.data)[less:]),
            read.addr.eq(given),
            write.addr.eq(taken),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready & (taken < self._results)),
        ]
        m.d.sync += offered.eq(self.o.valid & ~self.o.ready)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += taken.eq(taken + 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += given.eq(given + 1)
            with m.If(given == self._results - 1):
                m.d.sync += [given.eq(0), taken.eq(0)]
        return m


class Bench(wiring.Component):
    """An endpoint with a stand-in accelerator behind it."""

    def __init__(self, endpoint, accelerator):
        self.endpoint, self.accelerator = endpoint, accelerator
        super().__init__({"link": In(LinkSignature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.endpoint = endpoint = self.endpoint
        m.submodules.accelerator = accelerator = self.accelerator
        wiring.connect(m, wiring.flipped(self.link), endpoint.link)
        wiring.connect(m, endpoint.to_model, accelerator.i)
        wiring.connect(m, accelerator.o, endpoint.from_model)
        return m


def talk(bench, script, *, pace=0.5, watch=None):
    """Play bursts of bytes and events to the link; return the frames and bytes that come back.

    In a script, bytes are a burst with silence behind it; ("burst", bytes) has none; "error" is a
    broken byte; "drop" is one; an integer waits as many cycles; a coroutine's function is called.
    ``watch`` is a process beside it.
    """
    heard, silent = bytearray(), 0
    link, rng = bench.link, random.Random(4)

    async def listen(ctx):
        nonlocal silent
        while True:
            ctx.set(link.tx.ready, rng.random() < pace)
            _, _, taken, byte = await ctx.tick().sample(
                link.tx.valid & link.tx.ready, link.tx.payload
            )
            silent = 0 if taken else silent + 1
            if taken:
                heard.append(byte)

    async def host(ctx):
        nonlocal silent
        ctx.set(link.quiet, 1)
        for step in script:
            quiet, data, event = True, b"", step
            if isinstance(step, tuple):
                quiet, data = False, step[1]
            elif isinstance(step, bytes):
                data = step
            if isinstance(step, int):
                await ctx.tick().repeat(step)
                continue
            if callable(step):
                await step(ctx)
                continue
            if event == "drop":
                ctx.set(link.drop, 1)
                await ctx.tick()
                ctx.set(link.drop, 0)
                continue
            ctx.set(link.quiet, 0)
            if event == "error":
                ctx.set(link.rx_error, 1)
                await ctx.tick()
                ctx.set(link.rx_error, 0)
                quiet = False
            for byte in data:
                ctx.set(link.rx.payload, byte)
                ctx.set(link.rx.valid, 1)
                await ctx.tick()
                ctx.set(link.rx.valid, 0)
                await ctx.tick().repeat(rng.randrange(9, 13))
            if quiet:
                ctx.set(link.quiet, 1)
                silent = 0
                while silent < 100:
                    await ctx.tick()

    simulator = Simulator(bench)
    simulator.add_clock(1e-6)
    simulator.add_testbench(listen, background=True)
    simulator.add_testbench(host)
    if watch is not None:
        simulator.add_process(watch)
    simulator.run()
    return bytes(heard)


def frames(heard):
    found = []
    while heard:
        frame, heard = find_frame(heard)
        found.append(frame)
    return found


#: Added to sequence numbers, so that every byte of them says something.
HIGH = 0x9A785600


def request(command, payload=b"", sequence=1):
    return encode(Frame(sequence=HIGH + sequence, command=command, payload=payload))


def infer(serial, window, sequence=1, size=1):
    return request(Command.INFER, serial.pack(window, size), sequence)


def nak(reason, sequence=1):
    return Frame(sequence=HIGH + sequence, command=NAK, payload=bytes([reason]))


def counters(bench, script):
    """The counters after a script."""
    last = frames(talk(bench, [*script, request(Command.READ, sequence=200)]))[-1]
    assert last.sequence == HIGH + 200
    return Registers.parse(last.payload)
