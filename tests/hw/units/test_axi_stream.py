# amaranth: UnusedElaboratable=no
"""AXI4-Stream ports around an accelerator: every transfer, every rate, every misplaced TLAST."""

import random
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from amaranth.hdl import Cat, Module, signed, unsigned
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.convert import to_verilog
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.axi_stream import AxiStream, axi_stream
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.initialize import initialize

RATES = [0.3, 1.0]


class Buffer(wiring.Component):
    """A queue of numbers, as a component to put behind the ports."""

    def __init__(self, *, shape=None):
        payload = stream.Signature(signed(5) if shape is None else shape)
        super().__init__({"i": In(payload), "o": Out(payload)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFO(width=len(self.i.payload), depth=4)
        m.d.comb += [
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m


def source_of(dut):
    """TDATA and TLAST of the input as one payload, TLAST highest."""
    return SimpleNamespace(
        valid=dut.s_axis_tvalid,
        ready=dut.s_axis_tready,
        payload=Cat(dut.s_axis_tdata, dut.s_axis_tlast),
    )


def sink_of(dut):
    return SimpleNamespace(
        valid=dut.m_axis_tvalid,
        ready=dut.m_axis_tready,
        payload=Cat(dut.m_axis_tdata, dut.m_axis_tlast),
    )


def clock_of(dut, *, resets=True):
    """The clock, and the end of the reset after three cycles."""

    async def bench(ctx):
        cycle = 0
        while True:
            await ctx.delay(5e-9)
            ctx.set(dut.aclk, 1)
            await ctx.delay(5e-9)
            ctx.set(dut.aclk, 0)
            cycle += 1
            if resets and cycle == 3:
                ctx.set(dut.aresetn, 1)

    return bench


def transfers(dut, numbers, lasts, *, bits, seed=0):
    """Each number with its TLAST, and anything in the bits above it."""
    chance = random.Random(seed)
    wide = len(dut.s_axis_tdata)
    return [
        (last << wide) | (chance.getrandbits(wide) >> bits << bits) | (number & ((1 << bits) - 1))
        for number, last in zip(numbers, lasts, strict=True)
    ]


def every(count, numbers):
    """TLAST with every so many numbers."""
    return [number % count == count - 1 for number in range(numbers)]


def play(streams, dut, items, count, *, rates=(1.0, 1.0), benches=(), limit=5000):
    """Send transfers; return (TDATA as a signed number, TLAST) of `count` of them."""
    hear, taken = streams.hear(sink_of(dut), count, rates[1], 1, limit)
    send = streams.tell(source_of(dut), items, rates[0], 2)
    streams.run(dut, hear, background=[clock_of(dut), send, *benches], clocked=False)
    bits = len(dut.m_axis_tdata)
    low = 1 << (bits - 1)
    return [((word & (2 * low - 1) ^ low) - low, word >> bits) for word in taken]


@pytest.fixture(scope="module")
def tiny():
    return lower(initialize(named_config("tiny")), part="xc7s15")


@pytest.mark.parametrize("read", RATES)
@pytest.mark.parametrize("sent", RATES)
def test_forecasts_are_the_references(streams, tiny, sent, read):
    vectors = golden_vectors(tiny.model, 3, seed=1)
    dut = axi_stream(tiny)
    samples = [number for window, _ in vectors for number in window]
    lasts = every(len(vectors[0][0]), len(samples))
    items = transfers(dut, samples, lasts, bits=tiny.model.input.bits)
    expected = [number for _, results in vectors for number in results]
    found = play(streams, dut, items, len(expected), rates=(sent, read))
    assert found == list(zip(expected, every(len(vectors[0][1]), len(expected)), strict=True))


def test_words_of_an_adc_are_extended_with_zeros(streams):
    model = initialize(named_config("tiny").replace(input_bits=12, output_bits=12), samples=8)
    model = replace(model, config=model.config.replace(adc_words=True))
    vectors = golden_vectors(model, 2, seed=1)
    words = [word for window, _ in vectors for word in window]
    expected = [word for _, results in vectors for word in results]
    assert min(words) >= 0
    assert max(*words, *expected) > 2047
    dut = axi_stream(lower(model))
    items = transfers(dut, words, every(24, len(words)), bits=12)
    found = play(streams, dut, items, len(expected))
    assert found == list(zip(expected, every(6, len(expected)), strict=True))


def test_every_class_is_a_transfer_with_tlast(streams):
    """A classifier has one result, whatever the number of its scores."""
    config = TransformerConfig(
        name="classes", window=4, horizon=5, d_model=4, ffn=4, task="classify"
    )
    model = initialize(config, samples=8)
    vectors = golden_vectors(model, 4, seed=1)
    assert len({*(results[0] for _, results in vectors)}) > 1
    samples = [number for window, _ in vectors for number in window]
    dut = axi_stream(lower(model))
    assert dut.results == 1
    items = transfers(dut, samples, every(4, 16), bits=model.input.bits)
    found = play(streams, dut, items, 4)
    assert found == [(results[0], 1) for _, results in vectors]


@pytest.mark.parametrize(("length", "misplaced"), [(15, False), (12, True)])
def test_the_last_transfer_of_a_window_is_behind_its_time(streams, length, misplaced):
    """Four steps of three samples, and one with hour, weekday and nothing."""
    config = TransformerConfig(name="timed", window=4, inputs=3, horizon=2, d_model=4, ffn=4)
    model = initialize(config.replace(calendar=("hour", "weekday")), samples=8)
    vectors = golden_vectors(model, 3, seed=1)
    samples = [number for window, _ in vectors for number in window]
    expected = [number for _, results in vectors for number in results]
    dut, events = axi_stream(lower(model)), []

    async def watch(ctx):
        missing, unexpected = dut.event_tlast_missing, dut.event_tlast_unexpected
        async for _, _, *seen in ctx.tick().sample(missing, unexpected):
            events.append(any(seen))

    items = transfers(dut, samples, every(length, 45), bits=model.input.bits)
    found = play(streams, dut, items, len(expected), benches=[watch])
    assert found == list(zip(expected, every(2, len(expected)), strict=True))
    assert any(events) == misplaced


def test_a_changed_weight_is_noticed(streams, tiny):
    """The mutant: one bit of each weight word."""
    ((window, results),) = golden_vectors(tiny.model, 1, seed=1)
    images = {**tiny.images, "weights": [word ^ 1 for word in tiny.images["weights"]]}
    dut = axi_stream(replace(tiny, images=images))
    items = transfers(dut, window, every(len(window), len(window)), bits=tiny.model.input.bits)
    assert [number for number, _ in play(streams, dut, items, len(results))] != results


@pytest.mark.parametrize("sent", RATES)
@pytest.mark.parametrize("read", RATES)
@pytest.mark.parametrize(("inputs", "results"), [(1, 1), (3, 2), (4, 8), (5, 1)])
def test_transfers_are_counted(streams, sent, read, inputs, results):
    numbers = [(7 * n) % 32 - 16 for n in range(40)]
    dut = AxiStream(accelerator=Buffer(), inputs=inputs, results=results)
    items = transfers(dut, numbers, every(inputs, 40), bits=5)
    found = play(streams, dut, items, 40, rates=(sent, read))
    assert found == list(zip(numbers, every(results, 40), strict=True))


@pytest.mark.parametrize(
    ("shape", "wide", "numbers"),
    [
        (signed(1), 8, [0, -1]),
        (signed(8), 8, [-128, 127, -1]),
        (signed(9), 16, [-256, 255, -1, 1]),
        (signed(16), 16, [-32768, 32767]),
        (signed(17), 24, [-65536, 65535]),
        (unsigned(7), 8, [127, 64, 0]),
        (unsigned(5), 8, [31, 16]),
    ],
)
def test_numbers_fill_whole_bytes(streams, shape, wide, numbers):
    dut = AxiStream(accelerator=Buffer(shape=shape), inputs=1, results=1)
    assert (len(dut.s_axis_tdata), len(dut.m_axis_tdata)) == (wide, wide)
    items = transfers(dut, numbers, [1] * len(numbers), bits=shape.width)
    assert [number for number, _ in play(streams, dut, items, len(numbers))] == numbers


def events(streams, lasts, *, inputs, sent=1.0):
    """Numbers of the transfers that each event follows by a cycle."""
    dut = AxiStream(accelerator=Buffer(), inputs=inputs, results=1)
    found = {"missing": [], "unexpected": []}

    async def watch(ctx):
        number, before = 0, None
        ports = (dut.s_axis_tvalid, dut.s_axis_tready)
        outs = (dut.event_tlast_missing, dut.event_tlast_unexpected)
        async for _, _, valid, ready, *events in ctx.tick().sample(*ports, *outs):
            for name, event in zip(found, events, strict=True):
                if event:
                    found[name].append(before)
            before = number if valid and ready else None
            number += valid and ready

    count = len(lasts)
    items = transfers(dut, [n % 16 for n in range(count)], lasts, bits=5)
    # one transfer more: the last one's event comes a cycle after it
    taken = play(streams, dut, [*items, 0], count + 1, rates=(sent, 0.7), benches=[watch])
    assert [number for number, _ in taken[:-1]] == [n % 16 for n in range(count)]
    return {name: [n for n in numbers if n < count] for name, numbers in found.items()}


@pytest.mark.parametrize("sent", RATES)
@pytest.mark.parametrize(
    ("inputs", "lasts", "missing", "unexpected"),
    [
        (3, [0, 0, 1, 0, 0, 1], [], []),
        (3, [0, 0, 0, 0, 0, 1], [2], []),  # late: never in the first window
        (3, [0, 1, 0, 0, 0, 1], [2], [1]),  # early
        (3, [1, 1, 1, 1, 1, 1], [], [0, 1, 3, 4]),
        (3, [0, 0, 0, 0, 0, 0], [2, 5], []),  # a source without TLAST
        (2, [0, 0, 1, 0, 0, 1], [1, 3], [2]),  # windows of another length
        (1, [1, 0, 1, 1], [1], []),
    ],
)
def test_misplaced_tlast_is_an_event_and_changes_nothing(
    streams, inputs, lasts, missing, unexpected, sent
):
    found = events(streams, lasts, inputs=inputs, sent=sent)
    assert found == {"missing": missing, "unexpected": unexpected}


@pytest.mark.parametrize("length", [1, 4])
def test_a_reset_begins_a_window_and_loses_nothing_after_it(streams, length):
    """Within a window, within a forecast, and with numbers waiting at both ends."""
    dut = AxiStream(accelerator=Buffer(), inputs=4, results=3)
    passed, told = [], []

    async def bench(ctx):
        ports = (dut.s_axis_tready, dut.m_axis_tvalid, dut.m_axis_tdata, dut.m_axis_tlast)
        number = 0
        for cycle in range(90):
            # slower than they come: results are waiting
            takes = cycle % 3 > 0
            ctx.set(dut.m_axis_tready, takes)
            ctx.set(dut.aresetn, not 20 <= cycle < 20 + length and cycle > 2)
            # a master in reset offers nothing
            offers = not 20 <= cycle < 20 + length
            ctx.set(dut.s_axis_tvalid, offers)
            ctx.set(dut.s_axis_tdata, number % 16)
            ctx.set(dut.s_axis_tlast, 0)
            _, _, ready, valid, data, last = await ctx.tick().sample(*ports)
            if 20 < cycle <= 20 + length:
                assert (ready, valid) == (0, 0), "nothing may pass while the core is reset"
            if offers and ready:
                number += 1
                if cycle > 20:
                    told.append((number - 1) % 16)
            if takes and valid and cycle > 20:
                passed.append((data, last))

    streams.run(dut, bench, background=[clock_of(dut, resets=False)], clocked=False)
    assert len(passed) > 20
    assert [data for data, _ in passed] == told[: len(passed)]
    assert [last for _, last in passed] == every(3, len(passed))


@pytest.mark.parametrize("after", [10, 300, 748])
def test_a_reset_of_one_cycle_ends_an_inference(streams, tiny, after):
    """While its window is taken in, while it runs, and while its results are taken."""
    ((window, results),) = golden_vectors(tiny.model, 1, seed=2)
    dut = axi_stream(tiny)
    bits = tiny.model.input.bits
    items = transfers(dut, window, every(len(window), len(window)), bits=bits)
    found = []

    async def bench(ctx):
        sent = cycle = 0
        ctx.set(dut.m_axis_tready, 1)
        ports = (dut.s_axis_tready, dut.m_axis_tvalid, dut.m_axis_tdata)
        while len(found) < len(results):
            resets = cycle == after or cycle < 3
            if resets:
                sent = 0
                found.clear()
            ctx.set(dut.aresetn, not resets)
            ctx.set(dut.s_axis_tvalid, not resets and sent < len(items))
            ctx.set(dut.s_axis_tdata, items[min(sent, len(items) - 1)])
            _, _, ready, valid, data = await ctx.tick().sample(*ports)
            sent += not resets and ready and sent < len(items)
            if valid and not resets:
                found.append(data)
            cycle += 1
            assert cycle < 3000, "a forecast must come in time"
        assert after < cycle - tiny.latency

    streams.run(dut, bench, background=[clock_of(dut, resets=False)], clocked=False)
    assert found == [number & ((1 << tiny.model.output.bits) - 1) for number in results]


def ports_of(source, top):
    """Direction and bits of each port of a Verilog module."""
    body = re.search(rf"^module {top}\(.*?^endmodule", source, re.M | re.S)[0]
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\S+);", body, re.M)
    return {name: (way, int(high or 0) + 1) for way, high, name in found}


def test_verilog_has_the_ports_of_the_standard(tiny):
    source = to_verilog(axi_stream(tiny), name="forecaster")
    assert ports_of(source, "forecaster") == {
        "aclk": ("input", 1),
        "aresetn": ("input", 1),
        "s_axis_tdata": ("input", 16),
        "s_axis_tvalid": ("input", 1),
        "s_axis_tready": ("output", 1),
        "s_axis_tlast": ("input", 1),
        "m_axis_tdata": ("output", 16),
        "m_axis_tvalid": ("output", 1),
        "m_axis_tready": ("input", 1),
        "m_axis_tlast": ("output", 1),
        "event_tlast_missing": ("output", 1),
        "event_tlast_unexpected": ("output", 1),
    }
    # block designs connect clock and reset by these
    assert re.search(
        r'X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn" \*\)'
        r"\s*input aclk;",
        source,
    )
    assert re.search(r'X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" \*\)\s*input aresetn;', source)


def test_new_weights_keep_their_ports(tiny):
    design = lower_reloadable(tiny.model, part="xc7s15")
    dut, plain = axi_stream(design), Accelerator(design=design).signature.members
    for name in ("i_bank", "i_load_addr", "i_load_data", "i_load_en"):
        assert dut.signature.members[name] == plain[name]
    found = ports_of(to_verilog(dut, name="top"), "top")
    assert found["i_load_data"] == ("input", len(dut.i_load_data))


class OneWay(wiring.Component):
    """A component without results."""

    i: In(stream.Signature(signed(4)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"inputs": 0}, ValueError, r"^Inputs must be a positive integer, not 0$"),
        ({"inputs": True}, TypeError, r"^Inputs must be a positive integer, not True$"),
        ({"results": 1.5}, TypeError, r"^Results must be a positive integer, not 1\.5$"),
        ({"accelerator": "core"}, TypeError, r"^Accelerator must be a component, not 'core'$"),
        (
            {"accelerator": OneWay()},
            TypeError,
            r"^Accelerator must have a stream 'o' with valid and ready$",
        ),
    ],
)
def test_mistakes_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        AxiStream(**{"accelerator": Buffer(), "inputs": 1, "results": 1} | changes)


def test_parameters_can_be_read_and_not_changed():
    buffer = Buffer()
    dut = AxiStream(accelerator=buffer, inputs=3, results=2)
    assert (dut.accelerator, dut.inputs, dut.results) == (buffer, 3, 2)
    with pytest.raises(AttributeError):
        dut.inputs = 4
