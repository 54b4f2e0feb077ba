# amaranth: UnusedElaboratable=no
"""A detector's shell, or a stream's: nothing counts twice; a self-test begins and ends anew."""

import pytest
from amaranth.hdl import Module, ResetInserter, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from endpoint_harness import counters, frames, request, talk

from bitformer.boards.protocol import PASSED, Command
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.framed.remembered import Remembered
from bitformer.boards.shell.link import LinkSignature
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7

INPUTS = 3
#: Sums of all numbers since a reset, as long as no window is left out, or taken twice.
GOLDEN = (((1, 0, 0), (1,)), ((2, 2, 0), (5,)))
#: Of the shells; one family's fetches bytes ahead.
FAMILIES = {"now": SERIES7}


@pytest.fixture(autouse=True, params=[SERIES7, ICE40UP], ids=["7-series", "iCE40UP"])
def family(request, monkeypatch):
    monkeypatch.setitem(FAMILIES, "now", request.param)


class Total(wiring.Component):
    """The sum of all numbers since its reset, at the end of each window."""

    def __init__(self):
        super().__init__(
            {"i": In(stream.Signature(signed(8))), "o": Out(stream.Signature(signed(16)))}
        )

    def elaborate(self, platform):
        m = Module()
        total, taken = Signal(signed(16)), Signal(range(INPUTS + 1))
        m.d.comb += [
            self.i.ready.eq(taken != INPUTS),
            self.o.valid.eq(taken == INPUTS),
            self.o.payload.eq(total),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [total.eq(total + self.i.payload), taken.eq(taken + 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += taken.eq(0)
        return m


class Bench(wiring.Component):
    """An endpoint, and an accelerator that it can restart."""

    def __init__(self, *, remembers=True):
        contract = Contract(
            inputs=INPUTS,
            results=1,
            vectors=GOLDEN,
            classes=1,
            remembers=remembers,
            family=FAMILIES["now"],
        )
        shapes = {"input_shape": signed(8), "result_shape": signed(16)}
        self.endpoint = Endpoint(contract=contract, clock_hz=1_000_000, **shapes)
        super().__init__({"link": In(LinkSignature())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.endpoint = endpoint = self.endpoint
        restart = getattr(endpoint, "o_restart", None)
        total = Total()
        if restart is not None:
            between = Signal()
            m.d.sync += between.eq(restart)
            total = ResetInserter(between)(total)
        m.submodules.total = total
        wiring.connect(m, wiring.flipped(self.link), endpoint.link)
        wiring.connect(m, endpoint.to_model, total.i)
        wiring.connect(m, total.o, endpoint.from_model)
        return m


def infer(numbers, sequence):
    payload = b"".join(n.to_bytes(1, "little", signed=True) for n in numbers)
    return request(Command.INFER, payload, sequence)


def answers(script, **options):
    """The numbers that requests are answered with; of a self-test its verdict."""
    heard = frames(talk(Bench(**options), script))
    assert len(heard) == len(script)
    return [
        int.from_bytes(frame.payload, "little", signed=len(frame.payload) > 1) for frame in heard
    ]


FIRST, SECOND, THIRD = infer((1, 2, 3), 7), infer((-10, 0, 1), 8), infer((100, 100, 100), 9)
TEST = request(Command.SELF_TEST, sequence=70)


def test_a_request_that_comes_again_gets_its_answer_again():
    """Once, and many times; what comes after it goes on from where it was."""
    assert answers([FIRST, FIRST, SECOND, SECOND, SECOND, THIRD]) == [6, 6, -3, -3, -3, 297]
    # another window with the number of the last is taken for it: the host never does that
    assert answers([FIRST, infer((5, 5, 5), 7)]) == [6, 6]
    # numbers that were answered before the last one are new ones
    assert answers([FIRST, SECOND, FIRST]) == [6, -3, 3]


def test_a_refused_request_is_not_an_answered_one():
    damaged = FIRST[:-1] + bytes([FIRST[-1] ^ 1])
    heard = frames(talk(Bench(), [damaged, FIRST, FIRST, infer((1, 1), 7), SECOND]))
    assert [int.from_bytes(f.payload, "little") for f in heard if len(f.payload) == 2] == [
        *(6, 6),
        (-3) & 0xFFFF,
    ]


def test_a_self_test_begins_and_ends_at_a_reset():
    script = [TEST, FIRST, SECOND, TEST, TEST, SECOND, FIRST]
    assert answers(script) == [PASSED, 6, -3, PASSED, PASSED, -9, -3]


def test_requests_that_come_again_are_counted_as_requests_alone():
    found = counters(Bench(), [infer((1, 0, 0), 7)] * 4)
    assert (found.counters[0], found.rejected, found.input_ends) == (5, 1, 0)
    assert found.cycles > 0


def without_a_restart(patch):
    patch.setattr(Remembered, "begin_anew", lambda self: None)


def without_the_last_byte(patch):
    keep = Remembered.keep
    patch.setattr(Remembered, "keep", lambda self, byte: keep(self, byte & 0x7F))


def any_number(patch):
    sound = Remembered.__init__

    def made(self, m, x, *, restart):
        sound(self, m, x, restart=restart)
        self.again = self._known

    patch.setattr(Remembered, "__init__", made)


@pytest.mark.parametrize("mutant", [without_a_restart, without_the_last_byte, any_number])
def test_mutants(monkeypatch, mutant):
    mutant(monkeypatch)
    failed = 0
    for check in (
        test_a_request_that_comes_again_gets_its_answer_again,
        test_a_self_test_begins_and_ends_at_a_reset,
    ):
        try:
            check()
        except AssertionError:
            failed += 1
    assert failed


def test_another_shell_computes_what_comes_again():
    """That is what a detector's must not do."""
    assert answers([FIRST, FIRST], remembers=False) == [6, 12]
