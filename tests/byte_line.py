# amaranth: UnusedElaboratable=no
"""A shell whose line is bytes, in Amaranth's simulator: a host's transport to it needs no compiler.

What SPI and UART make of bits is in test_links.py: without them a byte takes 11 cycles, not 50.
"""

from collections import deque
from functools import partial

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitformer.boards.protocol import encode, find_frame
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.link import LinkSignature
from bitformer.boards.shell.shell import BoardShell

__all__ = ["ByteShell", "ByteTransport"]

_CLOCK_HZ = 100_000_000
#: Cycles from one byte to the next, the fewest that a link may have.
_CYCLES = 10
_PINS = {
    "i_byte": In(8),
    "i_valid": In(1),
    "i_quiet": In(1, init=1),
    "o_byte": Out(8),
    "o_valid": Out(1),
}


class _ByteLink(wiring.Component):
    """Gives bytes to the endpoint as they come, and takes its own at once."""

    def __init__(self):
        super().__init__({**_PINS, "link": Out(LinkSignature())})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.link.rx.payload.eq(self.i_byte),
            self.link.rx.valid.eq(self.i_valid),
            self.link.quiet.eq(self.i_quiet),
            self.link.tx.ready.eq(1),
            self.o_byte.eq(self.link.tx.payload),
            self.o_valid.eq(self.link.tx.valid),
        ]
        return m


class ByteShell(BoardShell):
    """An accelerator behind bytes; parameters are those of `BoardShell`."""

    def __init__(self, *, accelerator, contract=None):
        super().__init__(
            accelerator=accelerator,
            clock_hz=_CLOCK_HZ,
            contract=contract,
            pins=_PINS,
            link=_ByteLink,
            endpoint=partial(Endpoint, clock_hz=_CLOCK_HZ),
        )


class ByteTransport:
    """Frames to and from a `ByteShell`; time passes while an answer is waited for.

    ``patience`` : cycles without an answer.
    """

    name = "the bytes"

    def __init__(self, shell, *, patience):
        self._shell, self._patience = shell, patience
        self._sent, self._heard, self._cycles = deque(), bytearray(), 0
        self._simulator = Simulator(shell)
        self._simulator.add_clock(1 / _CLOCK_HZ)
        self._simulator.add_testbench(self._speak, background=True)
        self._simulator.add_testbench(self._listen, background=True)

    async def _speak(self, ctx):
        shell = self._shell
        while True:
            await ctx.tick()
            while self._sent:
                ctx.set(shell.i_quiet, 0)
                ctx.set(shell.i_byte, self._sent.popleft())
                ctx.set(shell.i_valid, 1)
                await ctx.tick()
                ctx.set(shell.i_valid, 0)
                await ctx.tick().repeat(_CYCLES)
            ctx.set(shell.i_quiet, 1)

    async def _listen(self, ctx):
        shell = self._shell
        async for _, _, valid, byte in ctx.tick().sample(shell.o_valid, shell.o_byte):
            if valid:
                self._heard.append(byte)

    def send(self, frame):
        self._sent.extend(encode(frame))

    def receive(self, expected):
        end = self._cycles + _CYCLES * len(self._sent) + self._patience
        while self._cycles < end:
            self._cycles += 4 * _CYCLES
            self._simulator.run_until(self._cycles / _CLOCK_HZ)
            found = find_frame(bytes(self._heard), longest=max(1, expected))
            if found is not None:
                self._heard = bytearray(found[1])
                return found[0]
        return None

    def settle(self):
        self._heard.clear()

    def close(self):
        """Nothing: the simulation ends with its last reference."""
