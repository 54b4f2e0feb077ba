# amaranth: UnusedElaboratable=no
import random

import pytest
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.shell import UartShell

BAUD = 10_000


@pytest.fixture
def make(serial):
    def make(*, divisor=8, bits=8, result_bits=None, slow=1, **options):
        accelerator = serial.AddTwo(bits=bits, result_bits=result_bits, slow=slow)
        options = {"gap_bits": 40, **options}
        return UartShell(accelerator=accelerator, clock_hz=divisor * BAUD, baud=BAUD, **options)

    return make


def numbers_of(bits, count):
    rng = random.Random(bits)
    low = -(1 << bits - 1)
    return [low, low, ~low, ~low, 0, -1, *(rng.randrange(low, ~low + 1) for _ in range(count))]


@pytest.mark.parametrize("bits", [4, 7, 8, 12, 15])
@pytest.mark.parametrize("divisor", [8, 11])
def test_bytes_to_bytes(serial, make, bits, divisor):
    shell = make(bits=bits, divisor=divisor)
    numbers = numbers_of(bits, 10)
    heard = serial.talk(shell, [serial.pack(numbers, shell.input_bytes)])
    assert serial.unpack(heard, shell.result_bytes) == serial.sums(numbers)


@pytest.mark.parametrize(("bits", "sizes"), [(4, (1, 1)), (7, (1, 1)), (8, (1, 2)), (9, (2, 2))])
def test_sizes(make, bits, sizes):
    shell = make(bits=bits)
    assert (shell.input_bytes, shell.result_bytes) == sizes


def test_properties(make):
    shell = make(divisor=9, queue=5, gap_bits=33)
    assert (shell.divisor, shell.queue, shell.gap_bits) == (9, 5, 33)
    assert (shell.clock_hz, shell.baud) == (9 * BAUD, BAUD)
    assert make(gap_bits=None).gap_bits == BAUD // 20


def test_truncated_number_is_dropped_after_a_gap(serial, make):
    shell = make(bits=12)
    good = [100, -2000, 3]
    script = [serial.pack([7], 2), b"\x55", ("idle", 45), serial.pack(good, 2)]
    heard = serial.talk(shell, script)
    assert serial.unpack(heard, 2) == serial.sums([7, *good])


def test_short_pause_inside_a_number_is_borne(serial, make):
    shell = make(bits=12)
    script = [b"\x34", ("idle", 25), b"\x02", serial.pack([-1], 2)]
    assert serial.unpack(serial.talk(shell, script), 2) == [0x234, 0x233]


def test_slow_accelerator_is_waited_for(serial, make):
    # A number takes three frames' time: the queue fills while the line goes on.
    shell = make(slow=240, queue=16)
    numbers = numbers_of(8, 8)
    heard, faults = serial.talk(
        shell, [serial.pack(numbers, 1)], watch=[shell.overflow, shell.framing_error]
    )
    assert serial.unpack(heard, 2) == serial.sums(numbers)
    assert faults == [0, 0]


def test_slow_line_holds_the_accelerator(serial, make):
    # Results have twice the inputs' bytes: the line out is the slower one.
    shell = make(queue=4)
    numbers = numbers_of(8, 2)
    heard = serial.talk(shell, [serial.pack(numbers, 1)])
    assert serial.unpack(heard, 2) == serial.sums(numbers)


def test_overflow_stops_before_a_wrong_result(serial, make):
    shell = make(slow=300, queue=2)
    numbers = numbers_of(8, 20)
    script = [serial.pack(numbers, 1)]
    heard, faults = serial.talk(shell, script, watch=[shell.overflow, shell.framing_error])
    results = serial.unpack(heard, 2)
    assert 3 <= len(results) < len(numbers)
    assert results == serial.sums(numbers)[: len(results)]
    assert faults == [1, 0]


def test_broken_byte_stops_until_a_break(serial, make):
    shell = make(bits=12)
    script = [
        serial.pack([5], 2),
        ("broken", 0x11),
        serial.pack([1, 2, 3], 2),
        ("idle", 60),
        serial.pack([4], 2),
    ]
    heard, faults = serial.talk(shell, script, watch=[shell.overflow, shell.framing_error])
    assert serial.unpack(heard, 2) == [5]
    assert faults == [0, 1]

    heard, faults = serial.talk(
        make(bits=12), [*script, ("break", 30), serial.pack([8, 9], 2)], watch=[shell.overflow]
    )
    assert serial.unpack(heard, 2) == [5, 8, 17]


def test_break_restarts_accelerator_queue_and_number(serial, make):
    shell = make(bits=12, slow=300, queue=16)
    # Nothing of the first four numbers, nor of the half one, is left behind the break.
    script = [serial.pack([1, 2, 3, 4], 2), b"\x77", ("break", 20), serial.pack([10, 20], 2)]
    heard = serial.talk(shell, script)
    assert heard.endswith(serial.pack([10, 30], 2))
    before = heard[:-4]
    assert 0 < len(before) < 8
    assert serial.pack(serial.sums([1, 2, 3, 4]), 2).startswith(before)


def test_break_lets_the_byte_on_the_line_end_and_no_other(serial, make):
    shell = make(bits=8)
    numbers = numbers_of(8, 4)
    # The line out is busy from the end of the first frame on: ten bytes have begun when the break
    # is seen, at the end of the eleventh. A break a little later cuts the sixth result in two.
    heard = serial.talk(shell, [serial.pack(numbers, 1), ("break", 20)])
    assert heard == serial.pack(serial.sums(numbers), 2)[:10]
    late = serial.talk(make(bits=8), [serial.pack(numbers, 1), ("idle", 7), ("break", 20)])
    assert late == serial.pack(serial.sums(numbers), 2)[:11]


class Ports(wiring.Component):
    def __init__(self, i, o):
        super().__init__({"i": i, "o": o})


IN, OUT = In(stream.Signature(signed(8))), Out(stream.Signature(signed(8)))


@pytest.mark.parametrize(
    ("accelerator", "error", "message"),
    [
        (None, TypeError, r"Accelerator must be a component, not None"),
        (Ports(OUT, OUT), TypeError, r"Accelerator must have a stream 'i' with valid and ready"),
        (Ports(IN, In(8)), TypeError, r"Accelerator must have a stream 'o' with valid and ready"),
        (
            Ports(IN, Out(stream.Signature(8, always_ready=True))),
            TypeError,
            r"Accelerator must have a stream 'o' with valid and ready",
        ),
        (
            Ports(In(stream.Signature(data.ArrayLayout(4, 2))), OUT),
            TypeError,
            r"Accelerator must have plain integers in 'i', not ArrayLayout",
        ),
        (
            Ports(IN, Out(stream.Signature(signed(17)))),
            ValueError,
            r"must have 1 to 16 bits, not 17",
        ),
    ],
)
def test_accelerator_refused(accelerator, error, message):
    with pytest.raises(error, match=message):
        UartShell(accelerator=accelerator, clock_hz=1_000_000, baud=BAUD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baud": 103_000}, r"Baud rate 103000 would be off by 2\.9%"),
        ({"queue": 0}, r"Queue must be at least 1, not 0"),
        ({"gap_bits": 19}, r"Gap must be at least 20, not 19"),
    ],
)
def test_options_refused(serial, options, message):
    options = {"baud": BAUD, **options}
    with pytest.raises(ValueError, match=message):
        UartShell(accelerator=serial.AddTwo(bits=8), clock_hz=1_000_000, **options)
