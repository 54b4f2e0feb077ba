# amaranth: UnusedElaboratable=no
"""The Elastic Node's endpoint by itself: every address near what it knows, and every cycle."""

import random

import pytest
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator

from bitformer.boards.protocol import whole_bytes
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.elastic.address_map import LEDS, RESET, V1, V2, ElasticMap
from bitformer.boards.shell.elastic.endpoint import ElasticEndpoint
from bitformer.boards.shell.numbers import number_bytes

NAME = bytes(range(0xC1, 0xC9))
#: Nothing of it begins at a power of two, and the data end where addresses do.
LAST = ElasticMap(base=0x0105, model_id=0x26, start=0x37, data=0xFFFF - 0x0105 - 15)
#: The data are the first of all, and the name the last.
FIRST = ElasticMap(base=5, model_id=0xFFF0 - 5, start=0x40, data=0)


class Host:
    """A host's bus, and an accelerator whose results are sums, as a testbench."""

    def __init__(self, *, inputs=5, results=2, shapes=None, addresses=V2, rate=1.0):
        self.shapes = shapes or (signed(8), signed(8))
        self.contract = Contract(inputs=inputs, results=results, model_hash=NAME)
        self.dut = ElasticEndpoint(
            contract=self.contract,
            input_shape=self.shapes[0],
            result_shape=self.shapes[1],
            addresses=addresses,
        )
        self.map, self.rate, self.rng = addresses, rate, random.Random(1)
        self.cycle, self.taken, self.left, self.restarts = 0, [], [], []
        #: What the accelerator was given, window by window; the cycles of numbers; those busy.
        self.windows, self.given, self.collected, self.busy = [], [], [], []

    def run(self, script):
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(script)
        simulator.run()
        return self

    def results_of(self, window):
        low = -(1 << self.shapes[1].width - 1) if self.shapes[1].signed else 0
        return [
            (sum(window) * (k + 1) - low) % (1 << self.shapes[1].width) + low
            for k in range(self.contract.results)
        ]

    async def tick(self, ctx, count=1):
        """Let cycles pass, with the accelerator in them."""
        dut = self.dut
        for _ in range(count):
            full = len(self.taken) == self.contract.inputs
            ready = not full and self.rng.random() < self.rate
            offered = bool(self.left) and (ctx.get(dut.from_model.valid) or self.rng.random() < 0.9)
            ctx.set(dut.to_model.ready, ready)
            ctx.set(dut.from_model.valid, offered)
            ctx.set(dut.from_model.payload, self.left[0] if offered else 1)
            number = ctx.get(dut.to_model.payload)
            given, taken = ctx.get(dut.to_model.valid), ctx.get(dut.from_model.ready)
            self.busy += [self.cycle] * ctx.get(dut.o_busy)
            assert ctx.get(dut.o_wake) == ctx.get(dut.o_busy)
            if given:
                self.given.append(self.cycle)
            if given and ready:
                self.taken.append(number)
                if len(self.taken) == self.contract.inputs:
                    self.windows.append(self.taken)
                    self.left = self.results_of(self.taken)
            if offered and taken:
                self.collected.append(self.cycle)
                self.left.pop(0)
                if not self.left:
                    self.taken = []
            # a shell resets it a cycle later
            if self.cycle - 1 in self.restarts[-1:]:
                self.taken, self.left = [], []
            if ctx.get(dut.o_restart):
                self.restarts.append(self.cycle)
            self.cycle += 1
            await ctx.tick()

    async def write(self, ctx, address, data):
        """Write bytes from an address on."""
        for k, byte in enumerate(data):
            ctx.set(self.dut.link.address, address + k & 0xFFFF)
            await self.tick(ctx, 2)
            ctx.set(self.dut.link.data, byte)
            ctx.set(self.dut.link.write, 1)
            await self.tick(ctx)
            ctx.set(self.dut.link.write, 0)

    async def read(self, ctx, address, count=1):
        """Read bytes from an address on: each is there a cycle behind its address."""
        data = []
        for k in range(count):
            ctx.set(self.dut.link.address, address + k & 0xFFFF)
            await self.tick(ctx)
            data.append(ctx.get(self.dut.link.read))
        return bytes(data)

    @property
    def data(self):
        return self.map.base + self.map.data

    async def start(self, ctx, value=1):
        await self.write(ctx, self.map.base + self.map.start, [value])

    async def infer(self, ctx, data=None):
        """Write a window, if there is one, start, wait; return the results' bytes."""
        if data is not None:
            await self.write(ctx, self.data, data)
        await self.start(ctx)
        assert ctx.get(self.dut.o_busy)
        for _ in range(1000):
            if not ctx.get(self.dut.o_busy):
                break
            await self.tick(ctx)
        else:
            raise AssertionError("an inference never ends")
        await self.start(ctx, 0)
        size = self.contract.results * number_bytes(self.shapes[1])
        return await self.read(ctx, self.data, size)

    def numbers(self, data, shape):
        size = whole_bytes(shape.width)
        found = [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]
        low = -(1 << shape.width - 1) if shape.signed else 0
        return [(n - low) % (1 << shape.width) + low for n in found]


SIZES = [(1, 1), (1, 2), (2, 1), (8, 8), (9, 8), (8, 9), (4, 17), (33, 3)]


@pytest.mark.parametrize(("inputs", "results"), SIZES)
@pytest.mark.parametrize(
    ("rate", "shapes"),
    [
        (1.0, (signed(8), signed(8))),
        (0.4, (unsigned(12), signed(16))),
        (0.7, (signed(1), unsigned(9))),
    ],
)
def test_windows_of_any_size(inputs, results, rate, shapes):
    host = Host(inputs=inputs, results=results, rate=rate, shapes=shapes)
    size = inputs * number_bytes(shapes[0])
    rng = random.Random(f"{inputs} {results}")

    async def script(ctx):
        for _ in range(2):
            data = rng.randbytes(size)
            answer = await host.infer(ctx, data)
            assert host.windows[-1] == host.numbers(data, shapes[0])
            assert host.numbers(answer, shapes[1]) == host.results_of(host.windows[-1])
        # both are still there: the window, and results of the second start
        again = await host.infer(ctx)
        assert (again, host.windows[2]) == (answer, host.windows[1])

    host.run(script)
    assert (len(host.windows), host.restarts) == (3, [])


def test_cycles_of_an_inference():
    """A cycle of waking, one for each byte of a window and each of the results, if nobody waits."""
    host = Host(inputs=3, results=2, shapes=(signed(9), signed(16)))

    async def script(ctx):
        host.rng.random = lambda: 0.0
        await host.write(ctx, host.data, bytes(6))
        begin = host.cycle
        await host.start(ctx)
        await host.tick(ctx, 20)
        first = begin + 3
        assert host.busy == list(range(first, first + 1 + 6 + 4))
        assert host.given == [first + 2, first + 4, first + 6]

    host.run(script)


@pytest.mark.parametrize("addresses", [V1, V2, LAST, FIRST], ids=["v1", "v2", "last", "first"])
@pytest.mark.parametrize(("inputs", "results"), [(5, 2), (4, 8)])
def test_each_address_is_what_the_map_says(addresses, inputs, results):
    host = Host(inputs=inputs, results=results, addresses=addresses)
    name, start = addresses.base + addresses.model_id, addresses.base + addresses.start
    data = host.data
    near = {a + d & 0xFFFF for a in (0, LEDS, RESET, start) for d in (-1, 0, 1)}
    near |= {a & 0xFFFF for a in range(name - 2, name + 19)}
    near |= {a & 0xFFFF for a in range(data - 10, data + 12)}
    near |= {data ^ 1 << bit for bit in range(16)} | {name ^ 1 << bit for bit in range(4, 16)}
    window = bytes(range(0x31, 0x31 + inputs))
    known = {LEDS: 0x0A} | {name + k: byte for k, byte in enumerate(NAME)}

    async def script(ctx):
        answer = await host.infer(ctx, window)
        known.update({data + k: byte for k, byte in enumerate(answer)})
        await host.write(ctx, LEDS, [0x5A])
        for address in sorted(near - {*range(data, data + inputs), RESET, start, LEDS}):
            await host.write(ctx, address, [0xFF])
        for address in sorted(near):
            byte = await host.read(ctx, address)
            assert byte == bytes([known.get(address, 0)]), hex(address)
        # nothing of what was written elsewhere is in the window
        await host.infer(ctx)
        assert host.windows == [[*window]] * 2
        await host.write(ctx, RESET, [0xFF])
        assert await host.read(ctx, RESET) == b"\1"
        await host.write(ctx, RESET, [0xFE])
        assert await host.read(ctx, RESET) == b"\0"

    host.run(script)


def test_a_start_counts_when_its_lowest_bit_goes_from_zero_to_one():
    host = Host()

    async def script(ctx):
        async def starts(value):
            before = len(host.windows)
            await host.start(ctx, value)
            await host.tick(ctx, 30)
            assert not ctx.get(host.dut.o_busy)
            return len(host.windows) - before

        assert [await starts(n) for n in (0, 2, 1, 1, 3, 0xFE, 0xFF, 1, 0, 1)] == [
            *(0, 0, 1, 0, 0, 0, 1, 0, 0, 1)
        ]
        # a reset makes it 0, and none counts meanwhile
        await host.write(ctx, RESET, [1])
        assert [await starts(n) for n in (1, 0, 1)] == [0, 0, 0]
        await host.write(ctx, RESET, [0])
        assert [await starts(n) for n in (1, 1)] == [1, 0]

    host.run(script)


@pytest.mark.parametrize("by", ["stop", "reset"])
@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_an_inference_that_is_ended_in_any_cycle_leaves_nothing(by, rate):
    host = Host(inputs=4, results=3, rate=rate, shapes=(signed(9), signed(16)))
    where, value = {"stop": (host.map.base + host.map.start, 0), "reset": (RESET, 1)}[by]
    link = host.dut.link

    async def script(ctx):
        for wait in range(30):
            await host.write(ctx, host.data, bytes(range(1, 9)))
            await host.start(ctx)
            await host.tick(ctx, wait)
            # as its byte would come: the address stands before
            ctx.set(link.address, where)
            ctx.set(link.data, value)
            ctx.set(link.write, 1)
            ended, was, before = host.cycle, ctx.get(host.dut.o_busy), len(host.restarts)
            await host.tick(ctx)
            ctx.set(link.write, 0)
            await host.tick(ctx, 5)
            # a stop is there a cycle later, and a reset, which makes the start 0, two
            assert not [cycle for cycle in host.busy if cycle > ended + (1 if by == "stop" else 2)]
            if by == "reset":
                assert host.restarts[before:] == list(range(ended + 2, host.cycle))
                await host.write(ctx, RESET, [0])
            elif was and ended + 1 in host.busy:
                assert host.restarts[before:] == [ended + 2]
            else:
                assert host.restarts[before:] == []
            window = [3, 1, 0, 0, 255, 255, wait, 0]
            answer = await host.infer(ctx, window)
            assert host.windows[-1] == [259 - 512, 0, -1, wait]
            assert host.numbers(answer, signed(16)) == host.results_of(host.windows[-1])

    host.run(script)


def test_data_are_not_taken_while_an_inference_goes_on_nor_while_it_is_held():
    host = Host(inputs=4, results=1, rate=0.2)

    async def script(ctx):
        await host.write(ctx, host.data, [1, 2, 3, 4])
        await host.start(ctx)
        while ctx.get(host.dut.o_busy):
            await host.write(ctx, host.data, [9])
        await host.start(ctx, 0)
        await host.write(ctx, RESET, [1])
        await host.write(ctx, host.data, [9] * 4)
        await host.write(ctx, RESET, [0])
        await host.infer(ctx)

    host.run(script)
    assert host.windows[0][1:] == [2, 3, 4]
    assert host.windows[1][1:] == [2, 3, 4]


def test_a_transfer_without_a_command_is_a_fault():
    host = Host()

    async def script(ctx):
        assert ctx.get(host.dut.o_fault) == 0
        ctx.set(host.dut.link.unknown, 1)
        assert ctx.get(host.dut.o_fault) == 1

    host.run(script)


@pytest.mark.parametrize(
    ("inputs", "results", "depth"),
    [(1, 1, 4), (2, 2, 4), (3, 1, 6), (4, 5, 12), (9, 16, 32), (17, 16, 48)],
)
def test_memory_has_a_power_of_two_for_each(inputs, results, depth):
    dut = Host(inputs=inputs, results=results).dut
    assert (dut.memory.depth, dut.memory.placement) == (depth, "distributed")
    assert dut.memories == (dut.memory,)
    assert dut.model_id == NAME + bytes(8)
    assert dut.contract.inputs == inputs
    assert dut.addresses is V2


@pytest.mark.parametrize(("inputs", "results"), [(16, 1), (1, 16)])
def test_what_is_longer_than_the_addresses_is_refused(inputs, results):
    Host(inputs=inputs, results=results, addresses=LAST)
    with pytest.raises(ValueError, match=r"the data must end below address \d+, and ends at"):
        Host(inputs=inputs + (inputs > 1), results=results + (results > 1), addresses=LAST)
