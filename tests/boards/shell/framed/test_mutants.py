# amaranth: UnusedElaboratable=no
"""Endpoints with one fault each: the checks of the sound one must notice every one of them."""

import pytest
from amaranth.hdl import Cat, Const, signed
from amaranth.sim import Simulator

from bitformer.boards.protocol import Command, Frame, Reason, Registers, encode, find_frame
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed import exchange as exchange_file
from bitformer.boards.shell.framed import receiver as receiver_file
from bitformer.boards.shell.framed.cursor import OneOf
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.framed.exchange import Exchange
from bitformer.boards.shell.framed.line import CheckedLine

WINDOW = (1, 2, 3)


def request(command, payload=b"", sequence=1):
    return encode(Frame(sequence=sequence, command=command, payload=payload))


def hear(serial, script, watch=None):
    """What an endpoint answers to bursts of bytes, each with silence behind it."""
    contract = Contract(inputs=3, results=2)
    endpoint = Endpoint(
        contract=contract, input_shape=signed(8), result_shape=signed(16), clock_hz=1_000_000
    )
    heard, link = bytearray(), endpoint.link
    sums = [value % 65536 for value in serial.window_sums(WINDOW, 2)]

    async def model(ctx):
        ctx.set(endpoint.to_model.ready, 1)
        taken, left = 0, []
        tick = ctx.tick().sample(endpoint.to_model.valid, endpoint.from_model.ready)
        async for _, _, arrived, ready in tick:
            taken += arrived
            if ready:
                left = left[1:]
            if taken == 3:
                taken, left = 0, list(sums)
            ctx.set(endpoint.from_model.valid, bool(left))
            ctx.set(endpoint.from_model.payload, left[0] - 65536 * (left[0] >> 15) if left else 0)

    async def host(ctx):
        ctx.set(link.tx.ready, 1)
        for data in script:
            ctx.set(link.quiet, 0)
            for byte in data:
                ctx.set(link.rx.payload, byte)
                ctx.set(link.rx.valid, 1)
                await ctx.tick()
                ctx.set(link.rx.valid, 0)
                await ctx.tick().repeat(10)
            ctx.set(link.quiet, 1)
            for _ in range(1200):
                *_, taken, byte = await ctx.tick().sample(link.tx.valid, link.tx.payload)
                if taken:
                    heard.append(byte)

    simulator = Simulator(endpoint)
    simulator.add_clock(1e-6)
    simulator.add_process(model)
    simulator.add_testbench(host)
    if watch is not None:
        simulator.add_process(watch)
    simulator.run()
    return bytes(heard)


def sound(serial):
    """Whether an endpoint keeps what the protocol promises of frames that are not right."""
    good = request(Command.INFER, serial.pack(WINDOW, 1), 0x89ABCD07)
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    rest, frames = hear(serial, [good, damaged, good[:10], request(Command.READ)]), []
    while rest and (found := find_frame(rest)) is not None:
        frames.append(found[0])
        rest = found[1]
    sequences = [0x89ABCD07] * 3 + [1]
    if [f.sequence for f in frames] != sequences:
        return False
    if [f.command for f in frames] != [0x82, 0xFF, 0xFF, 0x81]:
        return False
    reasons = [frame.payload for frame in frames[1:3]]
    counts = Registers.parse(frames[3].payload).counters
    return (
        frames[0].payload == serial.pack(serial.window_sums(WINDOW, 2), 2)
        and reasons == [bytes([Reason.CRC]), bytes([Reason.TRUNCATED])]
        and (counts[0], counts[Reason.CRC], counts[Reason.TRUNCATED]) == (2, 1, 1)
    )


def ignored_crc(patch):
    class Trusting(CheckedLine):
        def __init__(self, m, link):
            super().__init__(m, link)
            self.crc_matches = Const(1)

    patch.setattr(exchange_file, "CheckedLine", Trusting)


def no_truncation(patch):
    original = receiver_file.refuse

    def endless(m, hand, why):
        if why != Reason.TRUNCATED:
            original(m, hand, why)

    patch.setattr(receiver_file, "refuse", endless)


def with_a_fault(patch, fault):
    """Add ``fault(m, exchange)`` to every endpoint."""
    original = Exchange.__init__

    def mutant(self, m, link, memory_map):
        original(self, m, link, memory_map)
        fault(m, self)

    patch.setattr(Exchange, "__init__", mutant)


def uncounted(patch):
    def fault(m, x):
        m.d.comb += x.registers.i_reason.eq(0)  # all are counted as accepted

    with_a_fault(patch, fault)


def wrong_sequence(patch):
    def fault(m, x):
        with m.If(x.line.speaking):
            m.d.sync += x.header.sequence.eq(0)

    with_a_fault(patch, fault)


def narrow_sequence(patch):
    def fault(m, x):
        with m.If(x.line.speaking):
            m.d.sync += x.header.sequence[8:].eq(0)

    with_a_fault(patch, fault)


def crc_of_the_answer_left_out(patch):
    class Uncovered(CheckedLine):
        def send(self, byte, *, covered=True):
            super().send(byte, covered=False)

    patch.setattr(exchange_file, "CheckedLine", Uncovered)


def test_the_sound_one(serial):
    assert sound(serial)


@pytest.mark.parametrize(
    "mutant",
    [
        ignored_crc,
        no_truncation,
        uncounted,
        wrong_sequence,
        narrow_sequence,
        crc_of_the_answer_left_out,
    ],
)
def test_mutants(serial, monkeypatch, mutant):
    mutant(monkeypatch)
    try:
        found = sound(serial)
    except ValueError:  # an answer that is no frame
        found = False
    assert not found


def test_machines_take_turns(serial, monkeypatch):
    """What several of them write is ORed: no two may write in the same cycle."""
    given, ever = [], {}
    original = OneOf.__init__

    def recorded(self, m, shape, *, machines):
        original(self, m, shape, machines=machines)
        given.append(Cat(self._given))

    async def watch(ctx):
        async for _, _, *now in ctx.tick().sample(*given):
            for number, bits in enumerate(now):
                assert bits.bit_count() <= 1
                ever[number] = ever.get(number, 0) | bits

    monkeypatch.setattr(OneOf, "__init__", recorded)
    script = [request(Command.INFER, serial.pack(WINDOW, 1)), b"?", request(Command.READ)]
    assert hear(serial, script, watch)
    place, count, advance, verdict = (ever[number] for number in range(4))
    # receiver, server, new weights (there are none), sender
    assert (place, count, advance, verdict) == (0b0011, 0b1011, 0b1011, 0b0001)
