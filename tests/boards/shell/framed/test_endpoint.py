# amaranth: UnusedElaboratable=no
"""The endpoint by itself, byte by byte: every way a request can go wrong, and what follows."""

import random

import pytest
from amaranth.hdl import signed, unsigned
from endpoint_harness import (
    HIGH,
    WINDOWS,
    Bench,
    counters,
    frames,
    infer,
    nak,
    request,
    talk,
)

from bitformer.boards.protocol import (
    ANSWER,
    NAK,
    PASSED,
    Command,
    Feature,
    Frame,
    Reason,
    Registers,
    find_frame,
)
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.framed.memory_map import MemoryMap
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7

#: With memories in LUTs of six inputs, and with neither.
FAMILIES = pytest.mark.parametrize("family", [SERIES7, ICE40UP], ids=["7-series", "iCE40UP"])


@pytest.fixture
def make(serial):
    def make(
        *,
        bits=8,
        result_bits=12,
        slow=3,
        results=2,
        wrong=(),
        vectors=3,
        kind=Endpoint,
        family=SERIES7,
    ):
        golden = []
        for number, window in enumerate(WINDOWS[:vectors]):
            window = tuple(value % 256 - 128 if bits == 8 else value for value in window)
            result = serial.window_sums(window, results, result_bits)
            golden.append((window, tuple(r ^ (number in wrong) for r in result)))
        contract = Contract(
            inputs=3,
            results=results,
            vectors=tuple(golden),
            model_hash=b"original",
            latency=9,
            family=family,
        )
        endpoint = kind(
            contract=contract,
            input_shape=signed(bits),
            result_shape=signed(result_bits),
            clock_hz=1_000_000,
        )
        accelerator = serial.WindowSums(
            inputs=3, results=results, bits=bits, result_bits=result_bits, slow=slow
        )
        return Bench(endpoint, accelerator)

    return make


@FAMILIES
@pytest.mark.parametrize(("bits", "result_bits"), [(8, 8), (8, 12), (5, 7), (12, 16), (9, 3)])
@pytest.mark.parametrize("pace", [0.2, 1.0])
def test_inference(serial, make, bits, result_bits, pace, family):
    low = -(1 << bits - 1)
    windows = [(low, low, low), (~low, ~low, ~low), (1, 2, 3), (-5, 0, 9)]
    bench = make(bits=bits, result_bits=result_bits, vectors=0, family=family)
    size, result_size = 1 + (bits > 8), 1 + (result_bits > 8)
    script = [infer(serial, w, k, size) for k, w in enumerate(windows)]
    answers = frames(talk(bench, script, pace=pace))
    assert [a.sequence - HIGH for a in answers] == [0, 1, 2, 3]
    assert {a.command for a in answers} == {Command.INFER | ANSWER}
    assert [serial.unpack(a.payload, result_size) for a in answers] == [
        serial.window_sums(w, 2, result_bits) for w in windows
    ]


@FAMILIES
def test_registers(make, family):
    bench = make(family=family)
    found = counters(bench, [])
    expected = bench.endpoint.registers
    assert found.counters == (1, 0, 0, 0, 0, 0, 0, 0)
    assert (found.model_hash, found.latency, found.vectors) == (b"original", 9, 3)
    assert (found.inputs, found.results, found.input_bytes, found.result_bytes) == (3, 2, 1, 2)
    assert found.constants() == expected.constants()


def damaged(data, place, flip=1):
    changed = bytearray(data)
    changed[place] ^= flip
    return bytes(changed)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda good: damaged(good, -1), Reason.CRC),
        (lambda good: damaged(good, 5, 0x80), Reason.CRC),
        (lambda good: damaged(good, 4), Reason.CRC),
        (lambda good: damaged(good, 0, 0x10), Reason.START),
        (lambda good: damaged(good, 1, 0x01), Reason.CRC),  # a byte less
        (lambda good: damaged(good, 1, 0x04), Reason.LENGTH),
        (lambda good: damaged(good, 2, 0x80), Reason.LENGTH),
        (lambda good: good[:1], Reason.TRUNCATED),
        (lambda good: good[:4], Reason.TRUNCATED),
        (lambda good: good[:7], Reason.TRUNCATED),
        (lambda good: good[:10], Reason.TRUNCATED),
        (lambda good: good[:-1], Reason.TRUNCATED),
        (lambda good: request(Command.INFER, b"\x01\x02"), Reason.LENGTH),
        (lambda good: request(Command.READ, b"\x01"), Reason.LENGTH),
        (lambda good: request(Command.SELF_TEST, b"\x01"), Reason.LENGTH),
        (lambda good: request(0x44), Reason.COMMAND),
        (lambda good: request(0x82, good[8:11]), Reason.COMMAND),
        (lambda good: request(NAK), Reason.COMMAND),
    ],
)
def test_bad_frame_is_counted_and_answered_and_reaches_nobody(serial, make, bad, reason):
    bench = make()
    good = infer(serial, (1, 2, 3), 1)
    again = infer(serial, (4, 5, 6), 7)
    heard = frames(talk(bench, [good, bad(good), again]))
    assert [f.command for f in heard] == [0x82, NAK, 0x82]
    assert heard[1].payload == bytes([reason])
    # a number of the bad one would have shifted the next window
    assert serial.unpack(heard[2].payload, 2) == serial.window_sums((4, 5, 6), 2, 12)
    counts = counters(make(), [good, bad(good), again]).counters
    expected = [0] * 8
    expected[0], expected[reason] = 3, 1
    assert counts == tuple(expected)


def test_broken_byte(serial, make):
    good = infer(serial, (1, 2, 3))
    script = [("burst", good[:9]), "error", ("burst", good[9:11]), good[11:], good]
    assert [f.payload for f in frames(talk(make(), script))][:1] == [bytes([Reason.LINE])]
    assert len(frames(talk(make(), script))) == 2
    alone = ["error", b"\x00", good]
    assert frames(talk(make(), alone))[0].payload == bytes([Reason.LINE])


@FAMILIES
def test_bytes_during_work_are_refused_afterwards(serial, make, family):
    good = infer(serial, (1, 2, 3))
    bench = make(slow=60, family=family)
    heard = frames(talk(bench, [("burst", good), ("burst", b"\xa5\x01"), b"\x02", good]))
    assert [f.command for f in heard] == [0x82, NAK, 0x82]
    assert heard[1].payload == bytes([Reason.OVERRUN])


@FAMILIES
def test_dropped_answer_makes_room(serial, make, family):
    good = infer(serial, (1, 2, 3), 1)
    other = infer(serial, (3, 3, 3), 2)
    bench = make(family=family)
    heard = talk(bench, [("burst", good), 30, "drop", 2, other], pace=0.2)
    last, _ = find_frame(heard[heard.rindex(b"\xa5\x04\x00\x02") :])
    assert last.sequence == HIGH + 2
    assert serial.unpack(last.payload, 2) == (serial.window_sums((3, 3, 3), 2, 12))


@FAMILIES
@pytest.mark.parametrize(("wrong", "verdict"), [((), PASSED), ((0,), 0), ((2,), 2), ((1, 2), 1)])
def test_self_test(serial, make, wrong, verdict, family):
    bench = make(wrong=wrong, family=family)
    good = infer(serial, (1, 2, 3), 9)
    heard = frames(talk(bench, [request(Command.SELF_TEST), good]))
    assert heard[0] == Frame(sequence=HIGH + 1, command=0x83, payload=bytes([verdict]))
    # whatever it found, an inference is an inference again
    assert serial.unpack(heard[1].payload, 2) == serial.window_sums((1, 2, 3), 2, 12)


def test_golden_vectors_are_as_they_are_given():
    contract = Contract(vectors=(((4000,), (3000,)),))
    layout = MemoryMap(
        contract=contract,
        input_shape=unsigned(12),
        result_shape=unsigned(12),
        clock_hz=1_000_000,
        features=Feature.NONE,
    )
    assert layout.contents().endswith((4000).to_bytes(2, "little") + (3000).to_bytes(2, "little"))


def test_golden_vectors_that_take_more_bytes_are_refused():
    contract = Contract(vectors=(((1 << 15,), (0,)),))
    with pytest.raises(OverflowError):
        MemoryMap(
            contract=contract,
            input_shape=signed(16),
            result_shape=signed(8),
            clock_hz=1_000_000,
            features=Feature.NONE,
        ).contents()


def test_without_vectors_there_is_no_self_test(make):
    heard = frames(talk(make(vectors=0), [request(Command.SELF_TEST)]))
    assert heard == [nak(Reason.COMMAND)]


@FAMILIES
@pytest.mark.parametrize("slow", [1, 9])
def test_cycles_are_those_from_the_first_number_to_the_last_result(serial, make, slow, family):
    # three numbers, a wait, and two results of a byte, which a place must be found for
    bench = make(result_bits=8, slow=slow, family=family)
    wait = max(slow, 1 if family is SERIES7 else 2)
    assert counters(bench, [infer(serial, (1, 2, 3))]).cycles == 3 + wait + 2


def test_cycles_beyond_a_byte_are_counted_and_cleared(serial, make):
    good, waiting = infer(serial, (1, 2, 3)), 1500
    bench = make(result_bits=8, slow=700)
    counts = counters(bench, [("burst", good), waiting])
    assert counts.cycles == 3 + 700 + 2
    # the upper bits are those of the last inference, not of all
    counts = counters(bench, [("burst", good), waiting, ("burst", good), waiting])
    assert counts.cycles == 3 + 700 + 2
    assert counts.counters == (3, 0, 0, 0, 0, 0, 0, 0)


def test_every_byte_of_a_frame_is_covered(serial, make):
    good = infer(serial, (1, 2, 3), 1)
    rng = random.Random(5)
    for place in range(len(good)):
        bad = damaged(good, place, 1 << rng.randrange(8))
        heard = frames(talk(make(), [bad, request(Command.READ, sequence=50)]))
        assert heard[0].command == NAK, f"byte {place}"
        assert heard[-1].sequence == HIGH + 50


@FAMILIES
@pytest.mark.parametrize("inputs", [60, 100])
def test_constants_in_the_upper_half_of_the_memory(serial, inputs, family):
    """Behind a buffer that is longer than they are, they begin at the address's highest bit."""
    contract = Contract(inputs=inputs, results=2, latency=9, family=family)
    shapes = {"input_shape": signed(8), "result_shape": signed(12)}
    endpoint = Endpoint(contract=contract, clock_hz=1_000_000, **shapes)
    (start,) = MemoryMap(contract=contract, clock_hz=1, features=Feature(0), **shapes).regions
    assert start & start - 1 == 0
    accelerator = serial.WindowSums(inputs=inputs, results=2, bits=8, result_bits=12, slow=3)
    bench = Bench(endpoint, accelerator)
    (answer,) = frames(talk(bench, [request(Command.READ)]))
    assert Registers.parse(answer.payload).inputs == inputs
