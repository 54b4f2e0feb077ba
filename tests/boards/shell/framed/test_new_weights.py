# amaranth: UnusedElaboratable=no
"""New weights, block by block: which are taken, where their words go, and when they are live."""

from dataclasses import replace

import pytest
from amaranth.hdl import Array, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from endpoint_harness import frames, request, talk

from bitformer.boards.protocol import INCOMPLETE, NAK, PASSED, Command, Reason, Registers
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.link import LinkSignature
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7

#: (words, bytes of a word) of two stores.
STORES = ((7, 3), (5, 1))
WINDOWS = ((1, 2, 3), (-5, 0, 7), (100, -100, 9), (0, 0, 1))
FAMILIES = pytest.mark.parametrize("family", [SERIES7, ICE40UP], ids=["7-series", "iCE40UP"])


def golden(offset, wrong=None):
    """Vectors of an accelerator that adds ``offset`` to a window's sum; one of them wrong."""
    return tuple(
        (window, (sum(window) + offset + (number == wrong),))
        for number, window in enumerate(WINDOWS)
    )


class Adder(wiring.Component):
    """The sum of a window and word 3 of the first store's live bank, from a restart on."""

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(signed(8))),
                "o": Out(stream.Signature(signed(12))),
                "i_bank": In(1),
                "i_addr": In(3),
                "i_data": In(24),
                "i_en": In(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total, taken = Signal(signed(12)), Signal(2)
        words = Array(Signal(8, reset_less=True, name=f"word_{bank}") for bank in range(2))
        with m.If(self.i_en[0] & (self.i_addr == 3)):
            m.d.sync += words[~self.i_bank].eq(self.i_data[:8])
        m.d.comb += [
            self.i.ready.eq(taken != 3),
            self.o.valid.eq(taken == 3),
            self.o.payload.eq(total + words[self.i_bank]),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [total.eq(Mux(taken == 0, 0, total) + self.i.payload), taken.eq(taken + 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += taken.eq(0)
        return m


class Bench(wiring.Component):
    """A reloadable endpoint with its accelerator, and a reset of the shell."""

    def __init__(self, family):
        contract = Contract(
            inputs=3,
            results=1,
            vectors=golden(0),
            image=STORES,
            model_hash=b"as built",
            family=family,
        )
        self.endpoint = Endpoint(
            contract=contract, input_shape=signed(8), result_shape=signed(12), clock_hz=1_000_000
        )
        super().__init__({"link": In(LinkSignature()), "i_reset": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.endpoint = ResetInserter(self.i_reset)(self.endpoint)
        restart = Signal()
        m.d.sync += restart.eq(self.endpoint.o_restart)
        accelerator = Adder()
        m.submodules.accelerator = ResetInserter(restart)(accelerator)
        m.d.comb += [
            accelerator.i_bank.eq(self.endpoint.o_bank),
            accelerator.i_addr.eq(self.endpoint.o_load_addr),
            accelerator.i_data.eq(self.endpoint.o_load_data),
            accelerator.i_en.eq(self.endpoint.o_load_en),
        ]
        wiring.connect(m, wiring.flipped(self.link), self.endpoint.link)
        wiring.connect(m, self.endpoint.to_model, accelerator.i)
        wiring.connect(m, accelerator.o, self.endpoint.from_model)
        return m


class Played:
    """A bench that a script was played to: its answers, words of new weights, and restarts."""

    def __init__(self, script, family=SERIES7):
        self.words, self.restarts, self.trials = [], 0, 0
        bench = Bench(family)
        end = bench.endpoint

        async def watch(ctx):
            tick = ctx.tick().sample(
                end.o_load_en, end.o_load_addr, end.o_load_data, end.o_restart, end.o_bank
            )
            before = 0
            async for _, _, enable, place, word, restart, bank in tick:
                if enable:
                    self.words.append((enable, place, word))
                self.restarts += restart
                self.trials += bank != before
                before = bank

        async def reset(ctx):
            ctx.set(bench.i_reset, 1)
            await ctx.tick()
            ctx.set(bench.i_reset, 0)

        steps = [reset if step == "reset" else step for step in script]
        self.frames = frames(talk(bench, steps, pace=1.0, watch=watch))
        self.payloads = [frame.payload for frame in self.frames]
        self.results = [
            int.from_bytes(payload, "little", signed=len(payload) == 2) for payload in self.payloads
        ]


def image(offset, *, name=b"new name", wrong=None):
    """The bytes of an image, and its words: (enable, address, word)."""
    words, data = [], b""
    for number, (count, size) in enumerate(STORES):
        for place in range(count):
            word = bytes((offset + 7 * (place - 3) + 50 * k) & 0xFF for k in range(size))
            words.append((1 << number, place, int.from_bytes(word, "little") << 8 * (3 - size)))
            data += word
    registers = replace(Bench(SERIES7).endpoint.registers, model_hash=name)
    return data + registers.region(golden(offset, wrong)), words


def load(number, data):
    block = data[64 * number : 64 * number + 64].ljust(64, b"\xee")
    return request(Command.LOAD, number.to_bytes(2, "little") + block)


def blocks(data):
    return [load(number, data) for number in range(-(-len(data) // 64))]


READ, COMMIT = request(Command.READ), request(Command.COMMIT)
TEST = request(Command.SELF_TEST)
INFER = request(Command.INFER, bytes([1, 2, 3]))


def as_words(words):
    """Words as the loader gives them, its low bytes those of words before."""
    return [(enable, place, word >> 16 if enable > 1 else word) for enable, place, word in words]


@FAMILIES
def test_a_whole_image_is_live_with_its_commit_and_so_is_the_next(family):
    first, second = image(20), image(90, name=b"and more")
    played = Played(
        [
            *(INFER, *blocks(first[0]), READ, INFER, COMMIT, INFER, TEST, READ, COMMIT),
            *(*blocks(second[0]), INFER, COMMIT, INFER, TEST, READ, "reset", INFER, READ),
        ],
        family,
    )
    assert len(blocks(first[0])) == 2
    known = [Registers.parse(p) for p in played.payloads if len(p) > 40]
    results = [n for n, p in zip(played.results, played.payloads, strict=True) if len(p) < 40]
    assert results == [
        *(6, 1, 2, 6, PASSED, 26, PASSED, INCOMPLETE),
        *(1, 2, 26, PASSED, 96, PASSED, 96),
    ]
    assert [facts.model_hash for facts in known] == [
        *(b"as built", b"new name", b"and more", b"and more")
    ]
    assert [facts.status for facts in known] == [0, 1, 0, 0]
    assert as_words(played.words) == as_words(first[1] + second[1])
    # each trial begins and ends with one
    assert (played.restarts, played.trials) == (4, 2)


@pytest.mark.parametrize(("wrong", "family"), [(0, SERIES7), (3, ICE40UP)], ids=["first", "last"])
def test_an_image_that_fails_its_vectors_is_void(wrong, family):
    bad, _ = image(20, wrong=wrong)
    good, _ = image(30)
    script = [*blocks(bad), COMMIT, INFER, TEST, COMMIT, READ, *blocks(good), COMMIT, INFER]
    played = Played(script, family)
    facts = Registers.parse(played.payloads.pop(6))
    del played.results[6]
    assert played.results == [1, 2, wrong, 6, PASSED, INCOMPLETE, 1, 2, PASSED, 36]
    assert (facts.status, facts.model_hash) == (0, b"as built")
    assert (played.restarts, played.trials) == (4, 3)


def test_blocks_count_in_their_order_and_the_first_begins_anew():
    data, words = image(20)
    zero, one = blocks(data)

    def renumbered(number):
        return request(Command.LOAD, number.to_bytes(2, "little") + data[:64])

    script = [
        # nothing is there; another than the first is not taken
        *(COMMIT, one, renumbered(0x0100), zero, COMMIT),
        # the first begins anew; one far ahead, in its low byte or its high one
        *(zero, renumbered(0x0101), renumbered(2), INFER, one, one, COMMIT, INFER),
        # behind the image there may be more
        *(zero, one, renumbered(2), COMMIT),
    ]
    played = Played(script)
    assert played.results == [
        *(INCOMPLETE, 0, 0, 1, INCOMPLETE),
        *(1, 1, 1, 6, 2, 2, PASSED, 26),
        *(1, 2, 3, PASSED),
    ]
    assert len(played.words) == sum(count for count, _ in STORES) * 3
    assert as_words(played.words[-12:]) == as_words(words)


def test_a_block_or_a_commit_of_another_length_is_refused():
    data, _ = image(20)
    long, short = (request(Command.LOAD, bytes(2) + (data * 2)[:size]) for size in (65, 63))
    played = Played([long, short, request(Command.COMMIT, b"\0"), READ])
    assert [frame.command for frame in played.frames] == [NAK] * 3 + [0x81]
    assert [payload[0] for payload in played.payloads[:3]] == [Reason.LENGTH] * 3
    counts = Registers.parse(played.payloads[-1]).counters
    assert (counts[Reason.ACCEPTED], counts[Reason.LENGTH]) == (1, 3)


def test_a_reset_ends_an_image_that_is_not_whole():
    zero, one = blocks(image(20)[0])
    assert Played([zero, "reset", one, COMMIT]).results == [1, 0, INCOMPLETE]
