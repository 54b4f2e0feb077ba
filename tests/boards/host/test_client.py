"""The client in Python: its tries, its sentences, and what it holds a shell to."""

import itertools
from dataclasses import replace

import pytest
from driver_harness import FACTS, Scripted, Unplugged, answer, refusal, sums
from hypothesis import given
from hypothesis import strategies as st
from link_harness import ShellPort

import bitformer.boards.host.client as client_module
from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.protocol import REGISTER_BYTES, Frame, Reason, encode

pytestmark = pytest.mark.usefixtures("first_session")


@pytest.mark.parametrize("failing", ["write", "close"])
def test_port_that_cannot_be_written_or_closed_is_a_sentence(failing):
    class Port(ShellPort):
        pass

    def fails(self, *data):
        raise OSError(5, "gone")

    setattr(Port, failing, fails)
    sentence = r"^Port X must stay connected, and was lost: \[Errno 5\] gone$"
    with (
        pytest.raises(LinkError, match=sentence),
        Client(UartTransport(Port(FACTS, sums), name="port X")) as client,
    ):
        client.self_test()


@pytest.mark.parametrize("timeout", [None, 0])
def test_port_without_a_time_out_is_refused(timeout):
    port = Scripted()
    port.timeout = timeout
    with pytest.raises(
        LinkError, match=r"^Port X must have a time-out of its own, such as 0\.5 s:"
    ):
        UartTransport(port, name="port X")


def test_lost_bus_is_a_sentence():
    class Bus:
        def xfer2(self, data):
            raise OverflowError("Argument list size exceeds 4096 bytes.")

    with pytest.raises(LinkError, match=r"^The SPI bus must stay connected, .*exceeds 4096 bytes"):
        Client(SpiTransport(Bus())).self_test()


def test_first_mishap_is_told_and_not_that_of_closing():
    class Port(Unplugged):
        def close(self):
            raise OSError(9, "closed")

    with pytest.raises(LinkError, match="gone"), Client(UartTransport(Port(3))) as client:
        client.read()


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([answer(1)], 1),
        ([b"\x00\x13" + answer(1)], 1),  # noise before
        ([answer(0) + answer(1)], 1),  # an answer to an earlier request
        ([b"\xa5\x01\x00\x13" + answer(1)], 1),  # noise that begins like a frame
        ([b"\xa5" * 20 + answer(1)], 1),
        ([answer(1)[:7] + answer(1)], 1),
        ([refusal(Reason.COMMAND, 200) + answer(1)], 1),  # of another's request
        ([b"", answer(1)], 2),
        ([answer(9), answer(1)], 2),
        ([answer(1, command=0x82), answer(1)], 2),
        ([refusal(Reason.CRC), answer(1)], 2),
        ([refusal(Reason.OVERRUN, 200), answer(1)], 2),
        ([answer(1)[:-1] + b"\x00", answer(1)], 2),
        ([answer(1)[:5], answer(1)], 2),
        ([b"\xa5\xff\xff\x01\x83", refusal(Reason.LINE), answer(1)], 3),
    ],
)
def test_retries(answers, tries):
    port = Scripted(*answers)
    client = Client(UartTransport(port))
    assert client.self_test() is None
    assert len(port.requests) == tries == 1 + client.resent
    assert set(port.requests) == {encode(Frame(sequence=1, command=3))}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], r"must answer, but nothing was heard in 4 tries"),
        ([refusal(Reason.CRC)] * 4, r"but it refused 4 of 4 tries \(crc\)"),
        ([b"\xa5\xff\xff\x01\x83"] * 4, r"but its answers arrived damaged in 4 tries"),
        ([refusal(Reason.COMMAND)], r"must know command 0x03, which it does not"),
        ([b"", refusal(Reason.CRC), b"\0"], r"but it refused 1 of 4 tries \(crc\)"),
        ([b"\0\1", b"", b"\2"], r"but 3 bytes that are no frames were heard in 4 tries: is the"),
        ([answer(9)], r"but frames that answer something else were heard in 4 tries: does the"),
    ],
)
def test_sentences(answers, message):
    with pytest.raises(LinkError, match=message):
        Client(UartTransport(Scripted(*answers), name="port X")).self_test()


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (lambda port: None, None),
        (lambda port: Client(UartTransport(port)).self_test(), r"served 4 requests where 3 were"),
        (lambda port: port.counts.__setitem__(0, 0), r"served 0 requests where 3 were"),
        (
            lambda port: setattr(port, "facts", replace(FACTS, model_hash=b"other---")),
            r"must keep its model .* from 3132333435363738 to 6f746865722d2d2d",
        ),
    ],
)
@pytest.mark.parametrize("before", [0, 0xFFFE])  # the count wraps
def test_shell_is_held_to_what_it_was_asked(happens, sentence, before):
    port = ShellPort(FACTS, sums)
    port.counts[0] = before
    client = Client(UartTransport(port))
    client.read()
    client.infer((1, 2, 3, 4))
    client.self_test()
    if sentence and before and "served 0" in sentence:
        port.counts[0] = 5
        sentence = r"must serve this program alone, and has served \d+ requests where 3 were"
    else:
        happens(port)
    if sentence is None:
        assert client.confirm() == client.registers
        return
    with pytest.raises(LinkError, match=sentence):
        client.confirm()
    client.confirm()  # from now on it counts anew


def test_tries_that_were_not_answered_may_have_been_served():
    class Deaf(ShellPort):
        """Every second answer is lost, and the last comes late."""

        def answer(self, request):
            self.left = not getattr(self, "left", False)
            return super().answer(request)

        def write(self, data):
            before = self.said
            super().write(data)
            if self.left:
                self.said = before

    client = Client(UartTransport(Deaf(FACTS, sums)))
    client.read()
    client.infer((1, 2, 3, 4))
    client.confirm()
    assert client.resent == 3


@given(
    noise=st.binary(max_size=60),
    behind=st.binary(max_size=9),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
)
def test_answer_is_found_behind_any_noise(noise, behind, sizes):
    class Bursts(Scripted):
        """Gives what arrived by then."""

        def read(self, size=1):
            return super().read(min(size, next(self.sizes)))

    port = Bursts(noise + answer(1, 7) + behind)
    port.sizes = itertools.cycle(sizes)
    assert Client(UartTransport(port, clock=lambda: 0.0), retries=0).self_test() == 7


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_no_bytes_make_an_answer_or_another_error(answers):
    client = Client(UartTransport(Scripted(*answers), clock=lambda: 0.0))
    with pytest.raises(LinkError, match=r"^Shell on the serial port must answer, but "):
        client.read()


def test_other_devices():
    other = encode(Frame(sequence=1, command=0x81, payload=bytes(REGISTER_BYTES)))
    with pytest.raises(LinkError, match=r"Device on the serial port must be a bitformer shell"):
        Client(UartTransport(Scripted(other))).read()
    # whatever the length of its registers
    for version, size in ((2, 52), (3, 56), (5, REGISTER_BYTES), (9, 4)):
        payload = bytes([*b"BF", version]).ljust(size, b"\0")
        later = encode(Frame(sequence=1, command=0x81, payload=payload))
        with pytest.raises(
            LinkError, match=rf"must speak version 4 of the protocol, not {version}: build it again"
        ):
            Client(UartTransport(Scripted(later))).read()


def test_sequence_numbers_go_round(monkeypatch):
    monkeypatch.setattr(client_module.secrets, "randbelow", lambda count: count - 3)
    numbers = [2**32 - 2, 2**32 - 1, 0, 1]
    port = Scripted(*map(answer, numbers))
    client = Client(UartTransport(port))
    for _ in numbers:
        assert client.self_test() is None
    assert client.resent == 0


def test_sessions_begin_at_random(monkeypatch):
    monkeypatch.undo()
    firsts = {Client(UartTransport(Scripted()))._sequence for _ in range(50)}
    assert len(firsts) == 50
    assert max(firsts) > 2**28


def test_clipped_integers_are_counted_once_each():
    class Deaf(ShellPort):
        """The first answer to each window is lost."""

        def write(self, data):
            super().write(data)
            if data[7] == 2 and self.written.count(data) == 1:
                self.said = b""

    client = Client(UartTransport(Deaf(FACTS, sums)))
    for window, clipped in (((-16, 15, 0, 1), 0), ((-17, 16, 0, 99), 3), ((1, 2, 3, -99), 4)):
        client.infer(window)
        assert client.clipped == clipped
    assert client.resent == 3
    # the chip has seen both tries: the ends of 5 bits are -16 and 15
    facts = client.read()
    assert (facts.input_ends, facts.result_ends) == (2 * (2 + 3 + 1), 0)
