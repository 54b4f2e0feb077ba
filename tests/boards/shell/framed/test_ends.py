# amaranth: UnusedElaboratable=no
"""Numbers at an end of their range, counted on the chip: exactly, and no golden vector's."""

import random

import pytest
from amaranth.hdl import signed, unsigned
from driver_harness import ticking
from endpoint_harness import Bench, Echo, counters, frames, request, talk
from link_harness import LossySpi, LossyUart, compiled_once
from pins_harness import SimulatedSpi, SimulatedUart

from bitformer.boards.host.client import Client
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.protocol import COUNTS, PASSED, Command, Frame, Reason, encode, whole_bytes
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed import commands as commands_file
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.numbers import at_end
from bitformer.boards.shell.shell import SpiShell, UartShell

BAUD = 10_000


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def limits(shape):
    """The lowest and the highest number of a shape, written out."""
    if shape.signed:
        return -(1 << shape.width - 1), (1 << shape.width - 1) - 1
    return 0, (1 << shape.width) - 1


def ends(numbers, shape):
    return sum(number in limits(shape) for number in numbers)


def echoed(window, results, input_shape, result_shape):
    """What `Echo` makes of a window: the upper bits, or the lowest bit again and again below."""
    more = result_shape.width - input_shape.width
    if more <= 0:
        return [number >> -more for number in window[:results]]
    return [(number << more) + (number % 2) * ((1 << more) - 1) for number in window[:results]]


def windows(rng, count, inputs, shape):
    """Windows of numbers, about half of them at or beside an end of their range."""
    low, high = limits(shape)
    near = [low, low, high, high, min(low + 1, high), max(high - 1, low)]
    return [
        [rng.choice(near) if rng.random() < 0.5 else rng.randint(low, high) for _ in range(inputs)]
        for _ in range(count)
    ]


def bench_of(input_shape, result_shape, *, inputs=5, results=3, stall=False, vectors=()):
    contract = Contract(inputs=inputs, results=results, vectors=vectors)
    shapes = {"input_shape": input_shape, "result_shape": result_shape}
    return Bench(
        Endpoint(contract=contract, clock_hz=1_000_000, **shapes),
        Echo(inputs=inputs, results=results, stall=stall, **shapes),
    )


def infer(window, shape, sequence=1):
    size = whole_bytes(shape.width)
    payload = b"".join(n.to_bytes(size, "little", signed=shape.signed) for n in window)
    return request(Command.INFER, payload, sequence)


@pytest.mark.parametrize(
    ("input_shape", "result_shape", "stall"),
    [
        (signed(8), signed(8), True),
        (signed(12), signed(9), False),
        pytest.param(signed(8), signed(8), False, marks=pytest.mark.slow),
        pytest.param(signed(12), signed(9), True, marks=pytest.mark.slow),
        pytest.param(signed(5), signed(16), True, marks=pytest.mark.slow),
        pytest.param(signed(2), signed(1), True, marks=pytest.mark.slow),
        pytest.param(unsigned(8), unsigned(3), False, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_ends_are_counted_exactly(input_shape, result_shape, stall):
    rng = random.Random(f"{input_shape} {result_shape}")
    played = windows(rng, 4, 5, input_shape)
    found = counters(
        bench_of(input_shape, result_shape, stall=stall),
        [infer(window, input_shape) for window in played],
    )
    results = [echoed(window, 3, input_shape, result_shape) for window in played]
    assert found.input_ends == sum(ends(window, input_shape) for window in played) > 3
    assert found.result_ends == sum(ends(window, result_shape) for window in results) > 0
    assert found.counters == (5, 0, 0, 0, 0, 0, 0, 0)


def test_one_number_in_and_one_out():
    bench = bench_of(signed(8), signed(8), inputs=1, results=1)
    script = [infer([n], signed(8)) for n in (-128, 127, -127, 126, 0, 127)]
    found = counters(bench, script)
    assert (found.input_ends, found.result_ends, found.cycles) == (3, 3, 2)


#: Golden vectors that are nothing but ends.
GOLDEN = (((-128, 127, -128, 127, 127), (-128, 127, -128)),) * 2


def test_self_test_is_not_counted():
    bench = bench_of(signed(8), signed(8), vectors=GOLDEN)
    test, real = request(Command.SELF_TEST), infer([127, 0, 0, 0, -128], signed(8))
    heard = frames(talk(bench, [test, real, test]))
    assert [heard[0].payload, heard[2].payload] == [bytes([PASSED])] * 2
    found = counters(bench, [test, real, test, real])
    assert (found.input_ends, found.result_ends) == (4, 2)


def test_what_is_refused_is_not_counted_and_what_comes_again_is():
    good = infer([127, 127, 0, 0, -128], signed(8))
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    long = request(Command.INFER, b"\x7f" * 6)
    short = request(Command.INFER, b"\x7f" * 4)
    found = counters(
        bench_of(signed(8), signed(8)), [damaged, good, long, good, short, good[:-2], good]
    )
    assert (found.input_ends, found.result_ends) == (3 * 3, 3 * 2)
    assert found.errors() | {Reason.CRC: 0, Reason.LENGTH: 0, Reason.TRUNCATED: 0} == dict.fromkeys(
        found.errors(), 0
    )


def chosen(window):
    """What `Echo` answers a classifier's shell: the window's first number."""
    return infer(window, signed(8))


#: Golden vectors of a classifier of three classes, one of them rejected.
CHOSEN = (((3, 0, 0, 0, 0), (3,)), ((1, 0, 0, 0, 0), (1,)))


def classifier(classes=3):
    contract = Contract(inputs=5, results=1, vectors=CHOSEN, classes=classes)
    shapes = {"input_shape": signed(8), "result_shape": signed(8)}
    return Bench(
        Endpoint(contract=contract, clock_hz=1_000_000, **shapes),
        Echo(inputs=5, results=1, stall=True, **shapes),
    )


def test_rejected_windows_are_counted_and_no_golden_vector():
    """Not what is near it, and nothing at an end of the range, which a class never is."""
    answers = (0, 3, 2, 3, 4, 127, -128, 3)
    windows = [chosen([first, 127, 0, 3, -128]) for first in answers]
    test = request(Command.SELF_TEST)
    found = counters(classifier(), [test, *windows, test])
    assert (found.rejected, found.result_ends) == (3, 0)
    assert found.input_ends == 2 * len(answers) + 2
    found = counters(classifier(), [chosen([3, 0, 0, 0, 0])[:-1], chosen([3, 0, 0, 0, 0])])
    assert (found.rejected, found.input_ends) == (1, 0)
    # a forecaster rejects nothing
    found = counters(bench_of(signed(8), signed(8), results=1), windows)
    assert (found.rejected, found.result_ends) == (0, 2)


def with_another_number(patch):
    sound = commands_file.watch

    def watch(m, registers, number, *, golden, classes=0):
        sound(m, registers, number, golden=golden, classes=classes and classes - 1)

    patch.setattr(commands_file, "watch", watch)


def as_of_a_forecaster(patch):
    sound = commands_file.watch

    def watch(m, registers, number, *, golden, classes=0):
        sound(m, registers, number, golden=golden)

    patch.setattr(commands_file, "watch", watch)


def without_lowest(patch):
    patch.setattr(commands_file, "at_end", lambda number: number == limits(number.shape())[1])


def without_highest(patch):
    patch.setattr(commands_file, "at_end", lambda number: number == limits(number.shape())[0])


def with_the_next_to_it(patch):
    patch.setattr(commands_file, "at_end", lambda number: at_end(number) | (number == 126))


def with_golden_vectors(patch):
    sound = commands_file.watch
    patch.setattr(
        commands_file,
        "watch",
        lambda *arguments, golden, classes=0: sound(*arguments, golden=golden & 0, classes=classes),
    )


def results_left_out(patch):
    sound = commands_file.watch

    def watch(m, registers, number, *, golden, classes=0):
        sound(m, registers, number, golden=golden | registers.i_result, classes=classes)

    patch.setattr(commands_file, "watch", watch)


def missed(check):
    """Whether a check fails."""
    try:
        check()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    "mutant", [with_another_number, as_of_a_forecaster, with_golden_vectors, results_left_out]
)
def test_mutants_of_rejects(monkeypatch, mutant):
    mutant(monkeypatch)
    assert missed(test_rejected_windows_are_counted_and_no_golden_vector)


@pytest.mark.parametrize(
    "mutant",
    [without_lowest, without_highest, with_the_next_to_it, with_golden_vectors, results_left_out],
)
def test_mutants(monkeypatch, mutant):
    mutant(monkeypatch)
    assert missed(test_one_number_in_and_one_out) or missed(test_self_test_is_not_counted)


def shell_of(kind, *, inputs, results, vectors=()):
    """A shell whose numbers have 8 bits, and a client on its compiled pins."""
    contract = Contract(inputs=inputs, results=results, vectors=vectors)
    echo = Echo(
        inputs=inputs,
        results=results,
        input_shape=signed(8),
        result_shape=signed(8),
        stall=False,
    )
    if kind == "uart":
        shell = UartShell(
            accelerator=echo, clock_hz=8 * BAUD, baud=BAUD, gap_bits=20, contract=contract
        )
        return SimulatedUart(shell, timeout=1000 / BAUD)
    return SimulatedSpi(SpiShell(accelerator=echo, clock_hz=100_000_000, contract=contract))


def client_of(kind, port, retries=9):
    if kind == "uart":
        return Client(UartTransport(port, clock=lambda: 0.0), retries=retries)
    return Client(SpiTransport(port, timeout=0.3, clock=ticking()), retries=retries)


@pytest.mark.needs("compiler")
@pytest.mark.parametrize("kind", ["uart", pytest.param("spi", marks=pytest.mark.slow)])
def test_through_a_line_a_reset_and_a_bad_line(kind):
    rng = random.Random(2)
    with shell_of(kind, inputs=5, results=3, vectors=GOLDEN) as port:
        expected = [0, 0]

        def use(client, count):
            for window in windows(rng, count, 5, signed(8)):
                results = echoed(window, 3, signed(8), signed(8))
                assert client.infer(window) == results
                expected[0] += ends(window, signed(8))
                expected[1] += ends(results, signed(8))

        def now():
            facts = client.read()
            return [facts.input_ends, facts.result_ends]

        client = client_of(kind, port)
        assert now() == [0, 0]
        use(client, 20)
        assert client.self_test() is None
        assert now() == expected
        # registers survive a reset
        port.reset()
        port.idle(4000)
        assert now() == expected
        use(client, 3)
        assert now() == expected
        # a reset in the middle of a request, of which nothing has reached the accelerator
        data = encode(Frame(sequence=1, command=Command.INFER, payload=bytes([127] * 5)))
        (port.write if kind == "uart" else port.transfer)(data[:11])
        port.reset()
        port.idle(4000)
        use(client, 3)
        assert now() == expected
        # on a bad line a request may be served more than once, and is counted each time
        lossy = (LossyUart if kind == "uart" else LossySpi)(port, random.Random(5), 0.15)
        bad = client_of(kind, lossy)
        before, resent = list(expected), bad.resent
        use(bad, 20)
        assert bad.resent > resent
        client = client_of(kind, port)
        for seen, least, was in zip(now(), expected, before, strict=True):
            assert least <= seen <= least + (least - was) * 9


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_counts_wrap_and_cycles_are_right_when_every_number_counts():
    inputs, results, count = 3000, 2500, 25
    with shell_of("spi", inputs=inputs, results=results) as port:
        client = client_of("spi", port)
        for number in range(count):
            low = number % 2 == 0
            assert client.infer([-128 if low else 127] * inputs) == [-128 if low else 127] * results
        facts = client.read()
    assert count * inputs > COUNTS
    assert facts.input_ends == count * inputs - COUNTS
    assert facts.result_ends == count * results
    assert facts.cycles == inputs + results
    assert facts.counters[0] == count + 2
