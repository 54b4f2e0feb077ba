"""What three drivers make of ports and lines that are no good: no wrong answer, no hang."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from driver_harness import (
    FACTS,
    Chatterbox,
    Scripted,
    Unplugged,
    answer,
    problem,
    refusal,
    sums,
    ticking,
)
from link_harness import ShellPort

from bitformer.boards.protocol import REGISTER_BYTES, Feature, Frame, Reason, encode

pytestmark = pytest.mark.usefixtures("first_session")


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ([], "nothing"),
        ([b"\x00\x13\x37"] * 9, "noise"),
        ([b"", b"", b"\x00" * 40], "noise"),  # silence is not the last word
        ([b"\x13" * 100 + b"\xa5"] * 9, {"python": "noise", "micro": "noise", "c": "damaged"}),
        ([answer(1)[:-1]] * 9, "damaged"),
        ([b"\xa5\xff\xff\x01\x83\x00\x00\x00\x00"] * 9, "damaged"),
        ([refusal(Reason.CRC)] * 9, "crc"),
        ([refusal(Reason.COMMAND)], "command"),
    ],
)
def test_what_is_wrong_is_told_apart(driver, request, answers, name):
    if isinstance(name, dict):
        name = name[request.node.callspec.params["driver"]]
    assert problem(driver(Scripted(*answers))) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"\x55", "noise"),
        (b"\xa5", "noise"),
        (b"\xa5\x01\x00", "noise"),
        (bytes(range(256)), "noise"),
        (answer(200), "foreign"),
        (refusal(Reason.CRC), "noise"),
    ],
)
def test_port_that_never_stops_is_given_up(driver, said, name):
    assert problem(driver(Chatterbox(said), clock=ticking())) == name


def test_port_that_trickles_is_given_up(driver):
    class Trickle(Chatterbox):
        def read(self, size=1):
            return super().read(1)

    port = Trickle(b"\x55")
    assert problem(driver(port, clock=ticking())) == "noise"
    assert port.reads < 9 * 200


def test_line_that_echoes_is_not_silent(driver):
    class Echo(Scripted):
        def write(self, data):
            self.heard += data

    assert problem(driver(Echo())) == "noise"


@pytest.mark.parametrize("driver", ["python", "micro"], indirect=True)
@pytest.mark.parametrize("left", range(0, 25, 5))
def test_port_that_is_lost_is_a_sentence(driver, left):
    assert problem(driver(Unplugged(left))) == "lost"
    assert driver(Unplugged(25)).self_test() is None


@pytest.mark.parametrize(
    ("window", "sent"),
    [
        ((-16, 15, 0, -1), (-16, 15, 0, -1)),
        ((-17, 16, 31, -32), (-16, 15, 15, -16)),
        ((32767, -32768, 255, -128), (15, -16, 15, -16)),
        ((10**30, -(10**30), 2**63, -(2**63) - 1), (15, -16, 15, -16)),
    ],
)
def test_integers_beyond_the_bits_go_as_the_nearest(driver, request, window, sent):
    if request.node.callspec.params["driver"] == "c" and max(window) > 32767:
        window = (32767, -32768, 32767, -32768)  # no int16_t is larger
    port = ShellPort(FACTS, sums)
    made = driver(port)
    made.read()
    assert made.infer(window) == sums(sent)
    assert port.written[-1][8:12] == bytes(value & 0xFF for value in sent)
    assert made.clipped == sum(a != b for a, b in zip(window, sent, strict=True))
    made.infer((1, 2, 3, 4))
    assert made.clipped == 0


@pytest.mark.parametrize("driver", ["micro", "c"], indirect=True)
@pytest.mark.parametrize(
    ("results", "ends"),
    [((-2048, 2047, 0), 2), ((-2047, 2046, -1), 0), ((2047, 2047, 2047), 3), ((-2048, 1, 1), 1)],
)
def test_results_at_an_end_are_counted(driver, results, ends):
    made = driver(ShellPort(FACTS, lambda window: results))
    made.read()
    assert made.infer((1, 2, 3, 4)) == list(results)
    assert made.ends == ends
    assert made.at_ends() == (0, ends)


@pytest.mark.parametrize("count", [0, 3, 65535])
def test_rejected_windows_are_read(driver, count):
    port = ShellPort(replace(FACTS, rejected=count), lambda window: [0, 0, 0])
    assert driver(port).rejected() == count


def test_words_of_an_adc_are_counted_from_0_on(driver):
    facts = replace(FACTS, features=Feature.SELF_TEST | Feature.UNSIGNED)
    port = ShellPort(facts, lambda window: [0, 4095, 4094])
    made = driver(port)
    made.read()
    assert made.infer((0, 31, 32, 300)) == [0, 4095, 4094]
    assert port.written[-1][8:12] == bytes([0, 31, 31, 31])
    assert made.clipped == 2
    assert getattr(made, "ends", 2) == 2
    assert made.at_ends() == (4, 2)


@pytest.mark.parametrize(
    ("version", "size"), [(2, 52), (3, 56), (5, REGISTER_BYTES), (1, 4), (4, 56), (4, 4)]
)
def test_shell_of_another_version_is_told(driver, version, size):
    payload = bytes([*b"BF", version]).ljust(size, b"\0")
    made = driver(Scripted(encode(Frame(sequence=1, command=0x81, payload=payload))))
    with pytest.raises(made.error) as caught:
        made.read()
    said = caught.value.args[0]
    if isinstance(said, int):
        assert said == -4  # BITFORMER_OTHER
    elif version == 4:
        assert re.search(r"must be a bitformer shell|no bitformer shell", said)
    else:
        assert re.search(rf"version ({version}, not 4|4 of the protocol, not {version})", said)


@pytest.mark.parametrize("driver", ["python", "micro"], indirect=True)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1.5, "1", None])
def test_what_is_no_integer_is_refused(driver, bad):
    port = ShellPort(FACTS, sums)
    made = driver(port)
    made.read()
    sentence = rf"[Ww]indow (must hold|has) integers, (and holds|not) {re.escape(repr(bad))}"
    with pytest.raises(Exception, match=sentence):
        made.infer((1, 2, bad, 4))
    assert len(port.written) == 1


def test_late_answer_is_not_taken_for_the_next(driver):
    # the first answer is late, so the request is sent again, and answered twice
    port = Scripted(b"", answer(1, 7) * 2, answer(2, 9), answer(1, 7) + answer(3))
    made = driver(port)
    assert [made.self_test(), made.self_test(), made.self_test()] == [7, 9, None]
    assert len(port.requests) == 4


def test_answers_of_another_session_are_passed_over_until_ones_own(driver):
    port = Scripted(answer(0x80000001, 5) + answer(77, 5) + answer(1, 7), answer(2, 9))
    made = driver(port)
    assert [made.self_test(), made.self_test()] == [7, 9]


@pytest.mark.parametrize("other", [3, 200, 0x80000001, 0])
def test_answer_to_another_program_ends_the_session(driver, other):
    made = driver(Scripted(answer(1, 7), answer(other, 9) + answer(2, 7)))
    assert made.self_test() == 7
    assert problem(made) == "foreign"


def test_micro_file_imports_nothing(micro):
    source = Path(micro.__file__).read_text()
    assert "import " not in source.replace('"""', "").split("SYNC, NAK")[1]
    assert micro.crc32(b"123456789") == 0xCBF43926
