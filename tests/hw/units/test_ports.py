# amaranth: UnusedElaboratable=no
"""The accelerator's ends keep the stream rules at every rate, and every sample in its place."""

import pytest
from amaranth.hdl import Const, Fragment, Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out
from registers_harness import registers

from bitformer.hw.timing import FETCH, OUTPUT
from bitformer.hw.units.ports import InputPort, OutputPort

RATES = [0.3, 1.0]


def windows_written(streams, items, *, steps, channels, rate, pause, numbers=0, kept=2, seed=0):
    """Feed samples; return each window as written, its last step, and its time.

    A window is released `pause` cycles after it is complete.
    """
    samples = steps * channels
    dut = InputPort(steps=steps, channels=channels, bits=8, numbers=numbers, kept=kept)
    total = samples + dut.behind
    windows = len(items) // total
    found, lasts, parts, writes = [], [None] * kept, [], []
    times, nothing = [{}, {}], Const(0)
    time_ports = (dut.o_time_en, dut.o_half) if numbers else (nothing, nothing)

    async def consume(ctx):
        memory, wait, arrived = {}, None, 0
        ports = (dut.i.valid, dut.i.ready, dut.o_count, dut.o_en, dut.o_addr, dut.o_data)
        for _ in range(5000):
            release = wait == 0
            ctx.set(dut.i_release, release)
            ctx.set(dut.i_start, release)
            tick = ctx.tick().sample(*ports, dut.o_last_en, dut.o_last_addr, *time_ports)
            _, _, valid, ready, count, en, addr, data, last_en, last_addr, time, half = await tick
            taken = valid and ready
            assert en == (taken and count < samples)
            place = count - samples
            assert time == (1 << place if taken and 0 <= place < numbers else 0)
            assert count == arrived
            assert not (ready and count == total)
            arrived += taken
            if time:
                times[half][time.bit_length() - 1] = data
            if release:
                current = ctx.get(dut.o_current)
                parts.append(current)
                if len(found) >= kept - 1:
                    # the part that the next window takes has the last step of the oldest one
                    oldest = found[len(found) - (kept - 1)][1]
                    assert lasts[(current + 1) % kept] == oldest
                    assert kept == 2 or ctx.get(dut.o_oldest) == (current + 1) % kept
                time = [times[current][n] for n in range(numbers)]
                found.append(([memory[k] for k in range(samples)], lasts[current], time))
                memory, wait, arrived = {}, None, 0
                if len(found) == windows:
                    return
                continue
            if en:
                memory[addr] = data
                writes.append((addr, data, last_addr if last_en else None))
                if last_en:
                    part, channel = divmod(last_addr, channels)
                    lasts[part] = (lasts[part] if channel else []) + [data]
            if wait is not None:
                wait -= 1
            elif arrived == total:
                wait = pause
        raise AssertionError("windows must be complete in time")

    streams.run(dut, consume, background=[streams.tell(dut.i, items, rate, seed)])
    assert parts == [n % kept for n in range(windows)]
    assert writes == dut.model(items)
    return found


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pause", [0, 1, 7])
@pytest.mark.parametrize(("steps", "channels"), [(1, 1), (1, 3), (4, 1), (3, 2), (2, 7)])
def test_windows_are_written_whole(streams, rate, pause, steps, channels):
    total = steps * channels
    items = [(37 * n) % 256 - 128 for n in range(4 * total)]
    found = windows_written(streams, items, steps=steps, channels=channels, rate=rate, pause=pause)
    expected = [items[n : n + total] for n in range(0, len(items), total)]
    assert found == [(window, window[-channels:], []) for window in expected]


@pytest.mark.parametrize("kept", [3, 4, 6])
@pytest.mark.parametrize(("steps", "channels"), [(1, 1), (3, 2), (2, 7)])
def test_last_steps_of_several_windows_are_kept(streams, kept, steps, channels):
    items = [(37 * n) % 256 - 128 for n in range(2 * (kept + 1) * steps * channels)]
    options = {"steps": steps, "channels": channels, "rate": 0.5, "pause": 3}
    found = windows_written(streams, items, kept=kept, **options)
    assert [last for _, last, _ in found] == [window[-channels:] for window, *_ in found]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pause", [0, 7])
@pytest.mark.parametrize("numbers", [1, 2])
@pytest.mark.parametrize(("steps", "channels"), [(1, 1), (4, 1), (3, 2), (2, 7)])
def test_the_time_comes_behind_a_window(streams, rate, pause, numbers, steps, channels):
    samples, behind = steps * channels, max(numbers, channels)
    total = samples + behind
    items = [(37 * n) % 256 - 128 for n in range(4 * total)]
    found = windows_written(
        streams, items, steps=steps, channels=channels, rate=rate, pause=pause, numbers=numbers
    )
    windows = [items[n : n + total] for n in range(0, len(items), total)]
    assert found == [
        (window[:samples], window[samples - channels : samples], window[samples:][:numbers])
        for window in windows
    ]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("numbers", [0, 1, 2])
@pytest.mark.parametrize("judged", [1, 2, 5])
@pytest.mark.parametrize(("steps", "channels"), [(1, 1), (3, 2), (2, 7)])
def test_what_is_judged_comes_behind_the_time(streams, rate, numbers, judged, steps, channels):
    """In whole steps each; what fills them up is dropped."""
    dut = InputPort(steps=steps, channels=channels, bits=8, numbers=numbers, judged=judged)
    samples, first = steps * channels, -(-numbers // channels) * channels
    assert dut.behind == first + -(-judged // channels) * channels
    total = samples + dut.behind
    items = [(37 * n) % 256 - 128 for n in range(3 * total)]
    found, written, arrived = [], [], 0
    time_en = dut.o_time_en if numbers else Const(0)

    async def consume(ctx):
        nonlocal arrived
        ports = (dut.i.valid, dut.i.ready, dut.o_data, dut.o_en, dut.o_judged_en, time_en)
        for _ in range(3000):
            ctx.set(dut.i_release, arrived == total)
            arrived = 0 if arrived == total else arrived
            _, _, valid, ready, data, en, judges, time = await ctx.tick().sample(*ports)
            assert bool(en) + bool(judges) + bool(time) <= 1
            if valid and ready:
                arrived += 1
                written.extend([data] * en)
                found.extend([data] * judges)
            if len(found) == 3 * judged and arrived == total:
                return
        raise AssertionError("windows must be complete in time")

    streams.run(dut, consume, background=[streams.tell(dut.i, items, rate, 0)])
    windows = [items[n : n + total] for n in range(0, len(items), total)]
    place = samples + first
    assert found == [n for window in windows for n in window[place : place + judged]]
    assert written == [n for window in windows for n in window[:samples]]


def test_nothing_is_taken_before_the_first_fetch(streams):
    dut = InputPort(steps=2, channels=1, bits=4)
    ready = []

    async def look(ctx):
        for _ in range(FETCH + 2):
            ready.append(ctx.get(dut.i.ready))
            await ctx.tick()

    streams.run(dut, look)
    assert ready == [0] * FETCH + [1, 1]


def results_read(
    streams, results, *, ways, rate, packed=True, gap=0, rows=1, seed=0, placement="distributed"
):
    """Write results a word at a time; return what the stream gives.

    The port is empty when the first of every `rows` is written.
    """
    features = len(results[0])
    dut = OutputPort(features=features, rows=rows, bits=8, ways=ways, placement=placement)
    hear, taken = streams.hear(dut.o, len(results) * features, rate, seed)
    first_offers, words = [], []

    async def write(ctx):
        for number, row in enumerate(results):
            while number % rows == 0 and not ctx.get(dut.o_empty):
                await ctx.tick()
            step = ways if packed else 1
            for start in range(0, features, step):
                part = row[start : start + step]
                place = start % ways
                word = sum((x & 255) << 8 * (place + k) for k, x in enumerate(part))
                ctx.set(dut.i_word, word)
                ctx.set(dut.i_valid, ((1 << len(part)) - 1) << place)
                words.append((word, ((1 << len(part)) - 1) << place))
                before = ctx.get(dut.o.valid)
                await ctx.tick()
                if start == 0 and number % rows == 0:
                    first_offers.append((before, ctx.get(dut.o.valid)))
                ctx.set(dut.i_valid, 0)
                ctx.set(dut.i_word, (1 << 8 * ways) - 1)
                for _ in range(gap):
                    await ctx.tick()

    streams.run(dut, hear, background=[write])
    assert taken == dut.model(words)
    # offered OUTPUT = 1 cycle after it was written
    assert OUTPUT == 1
    assert first_offers == [(0, 1)] * (len(results) // rows)
    return [taken[n : n + features] for n in range(0, len(taken), features)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize(("ways", "packed"), [(1, True), (2, True), (2, False)])
@pytest.mark.parametrize("features", [1, 2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("placement", ["distributed", "registers", "block"])
def test_results_are_handed_out_in_order(streams, rate, gap, ways, packed, features, placement):
    """Wherever they wait: a block is read a cycle ahead, registers are no more than words."""
    results = [[(91 * (r * features + f)) % 256 - 128 for f in range(features)] for r in range(4)]
    options = {"ways": ways, "rate": rate, "packed": packed, "gap": gap, "placement": placement}
    assert results_read(streams, results, **options) == results


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("ways", "packed"), [(1, True), (2, True), (2, False)])
@pytest.mark.parametrize("features", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [2, 3, 6])
def test_results_of_several_rows_have_their_place(streams, rate, ways, packed, features, rows):
    """All of them at once, however slowly they are taken."""
    count = 3 * rows
    results = [
        [(91 * (r * features + f)) % 256 - 128 for f in range(features)] for r in range(count)
    ]
    found = results_read(streams, results, ways=ways, rate=rate, packed=packed, rows=rows)
    assert found == results


@pytest.mark.parametrize("bits", [1, 2, 16])
def test_numbers_of_any_width(streams, bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    items = [low, high, high, low, -1, 0]
    dut = InputPort(steps=3, channels=2, bits=bits)
    assert [data for _, data, _ in dut.model(items)] == items
    out = OutputPort(features=2, bits=bits, ways=2, rows=3)
    hear, taken = streams.hear(out.o, 6, 1.0, 0)

    async def write(ctx):
        for n in range(0, 6, 2):
            word = sum(
                (x & ((1 << bits) - 1)) << bits * way for way, x in enumerate(items[n : n + 2])
            )
            ctx.set(out.i_word, word)
            ctx.set(out.i_valid, 0b11)
            await ctx.tick()
        ctx.set(out.i_valid, 0)

    streams.run(out, hear, background=[write])
    assert taken == items


def test_a_half_that_does_not_change_is_found(streams, monkeypatch):
    model = InputPort.model

    def stuck(self, samples):
        return [(*w[:2], None if w[2] is None else 0) for w in model(self, samples)]

    windows_written(streams, [1, 2, 3, 4], steps=2, channels=1, rate=1.0, pause=0)
    monkeypatch.setattr(InputPort, "model", stuck)
    with pytest.raises(AssertionError):
        windows_written(streams, [1, 2, 3, 4], steps=2, channels=1, rate=1.0, pause=0)


@pytest.mark.parametrize(
    ("unit", "changes", "error", "message"),
    [
        (InputPort, {"steps": 0}, ValueError, r"^Steps must be a positive integer, not 0$"),
        (InputPort, {"bits": 8.0}, TypeError, r"^Bits must be a positive integer, not 8\.0$"),
        (OutputPort, {"ways": 3}, ValueError, r"^Ways must be an integer from 1 to 2, not 3$"),
        (
            OutputPort,
            {"placement": "here"},
            ValueError,
            r"^Placement must be one of .*, not 'here'$",
        ),
        (OutputPort, {"placement": None}, TypeError, r"^Placement must be a string, not None$"),
    ],
)
def test_mistakes_are_named(unit, changes, error, message):
    good = {
        InputPort: {"steps": 1, "channels": 1, "bits": 8},
        OutputPort: {"features": 1, "bits": 8, "ways": 1},
    }[unit]
    with pytest.raises(error, match=message):
        unit(**good | changes)


class Restless(wiring.Component):
    """Another payload in every cycle."""

    o: Out(stream.Signature(signed(8)))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.valid.eq(1)
        m.d.sync += self.o.payload.eq(self.o.payload + 1)
        return m


class Waiting(wiring.Component):
    """Valid only when it sees ready."""

    o: Out(stream.Signature(signed(8)))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.valid.eq(self.o.ready)
        m.d.sync += self.o.payload.eq(1)
        return m


@pytest.mark.parametrize(
    ("dut", "message"),
    [(Restless(), "must hold until it is taken"), (Waiting(), "must not depend on ready")],
    ids=["restless", "waiting"],
)
def test_the_monitor_finds_a_stream_that_breaks_the_rules(streams, dut, message):
    """The mutant of the harness: a stream that breaks its rules does not pass."""
    hear, _ = streams.hear(dut.o, 50, 0.3, 0)
    with pytest.raises(AssertionError, match=message):
        streams.run(dut, hear)


@pytest.mark.parametrize(
    ("features", "rows", "bits"),
    [(1, 1, 1), (4, 1, 1), (5, 1, 2), (8, 1, 2), (9, 1, 3), (8, 2, 3), (17, 1, 4)],
)
def test_results_wait_in_a_power_of_two_of_words_or_in_registers(features, rows, bits):
    """The places of words have so many bits, whichever they wait in."""
    for placement in ("distributed", "registers"):
        dut = OutputPort(features=features, rows=rows, bits=8, ways=2, placement=placement)
        found = {signal.name: len(signal) for _, signal in registers(Fragment.get(dut, None))}
        assert (found["tail"], found["head"]) == (bits, bits)
